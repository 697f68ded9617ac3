import { expect } from 'chai';
import fc from 'fast-check';
import type { JsonObject } from '../../src/core/json.ts';
import { compileFieldMap, compilePayload, createValidator } from '../../src/core/schema.ts';
import { FORMATS, findFieldMapProblems, findPayloadProblems, findSchemaProblems } from '../../src/core/schema-rules.ts';

const fields: JsonObject = {
  customerName: { type: 'string', minLength: 1 },
  email: { type: 'string', format: 'email' },
  age: { type: 'integer', minimum: 18, required: false },
  plan: { enum: ['free', 'paid'], default: 'free' },
};

describe('a field map', () => {
  it('requires what has no default and is not `required: false`', () => {
    expect(compileFieldMap(fields).requiredFields).to.deep.equal(['customerName', 'email']);
  });

  it('fills in defaults and does not change what it was given', () => {
    const input = { customerName: 'Ann', email: 'ann@example.com' };
    expect(compileFieldMap(fields).validate(input)).to.deep.equal({ ok: true, value: { ...input, plan: 'free' } });
    expect(input).to.not.have.property('plan');
  });

  it('names every problem in plain words', () => {
    const result = compileFieldMap(fields).validate({ customerName: '', emial: 'x', age: 17.5, plan: 'gold' });
    expect(result.ok).to.equal(false);
    expect(!result.ok && result.problems).to.have.deep.members([
      { pointer: '/email', message: 'is required' },
      { pointer: '/emial', message: 'is an unknown field', hint: 'did you mean "email"?' },
      { pointer: '/customerName', message: 'must not be empty' },
      { pointer: '/age', message: 'must be a whole number' },
      { pointer: '/age', message: 'must be 18 or more' },
      { pointer: '/plan', message: 'must be one of free, paid' },
    ]);
  });

  it('says what a format looks like', () => {
    expect(compileFieldMap(fields).validate({ customerName: 'A', email: 'nobody' })).to.deep.equal({
      ok: false,
      problems: [{ pointer: '/email', message: 'must be a valid email', hint: 'for example name@example.com' }],
    });
  });

  it('does not take an inherited property for a field', () => {
    const validator = compileFieldMap({ toString: { type: 'string' }, valueOf: { type: 'string', required: false } });
    expect(validator.validate({})).to.deep.equal({
      ok: false,
      problems: [{ pointer: '/toString', message: 'is required' }],
    });
    expect(validator.validate({ toString: 'x' })).to.deep.equal({ ok: true, value: { toString: 'x' } });
  });

  it('refuses the keys of prototypes like any unknown field', () => {
    const answer = JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}');
    const result = compileFieldMap({}).validate(answer);
    expect(!result.ok && result.problems.map(({ pointer }) => pointer)).to.deep.equal(['/__proto__', '/constructor']);
    expect(({} as { polluted?: unknown }).polluted).to.equal(undefined);
  });

  it('is compiled once', () => expect(compileFieldMap(fields)).to.equal(compileFieldMap(fields)));

  it('takes null where a schema is nullable', () => {
    const validator = compileFieldMap({ note: { type: 'string', nullable: true } });
    expect(validator.validate({ note: null })).to.deep.equal({ ok: true, value: { note: null } });
    expect(validator.validate({ note: 1 }).ok).to.equal(false);
  });
});

describe('a payload', () => {
  it('is a field map that lets other fields through', () => {
    const validator = compilePayload({ vendorId: { type: 'string' }, type: { type: 'string', required: false } });
    expect(validator.validate({ vendorId: 'v', budget: 5 })).to.deep.equal({
      ok: true,
      value: { vendorId: 'v', budget: 5 },
    });
    expect(validator.validate({ budget: 5 }).ok).to.equal(false);
  });

  it('is a JSON Schema when its type is the text "object"', () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'number' } },
      required: ['a'],
      additionalProperties: false,
    };
    expect(compilePayload(schema).requiredFields).to.deep.equal(['a']);
    expect(compilePayload(schema).validate({ a: 1 })).to.deep.equal({ ok: true, value: { a: 1 } });
    expect(compilePayload(schema).validate({ a: 1, b: 2 }).ok).to.equal(false);
  });

  it('may be empty, and then takes anything', () => {
    expect(compilePayload({}).validate({ any: [1] })).to.deep.equal({ ok: true, value: { any: [1] } });
  });

  it('tells one problem, not all of its alternatives, where a value fits none of them', () => {
    const validator = compilePayload({ id: { anyOf: [{ type: 'string', minLength: 3 }, { type: 'integer' }] } });
    expect(validator.validate({ id: true })).to.deep.equal({
      ok: false,
      problems: [{ pointer: '/id', message: 'fits none, or more than one, of the allowed forms' }],
    });
  });
});

describe('a schema that a user writes', () => {
  const refused: [string, JsonObject, string, string][] = [
    ['a pattern', { pattern: '^(a+)+$' }, '/pattern', 'is not supported yet'],
    ['patterned properties', { patternProperties: { '^a': {} } }, '/patternProperties', 'is not supported yet'],
    ['a remote reference', { $ref: 'http://example.com/schema.json' }, '/$ref', 'is not supported yet'],
    ['a recursive reference', { properties: { a: { $ref: '#' } } }, '/properties/a/$ref', 'is not supported yet'],
    ['definitions', { $defs: { a: { $ref: '#/$defs/a' } } }, '/$defs', 'is not supported yet'],
    ['an id', { $id: 'https://example.com/x' }, '/$id', 'is not supported yet'],
    ['asynchronous schemas', { $async: true }, '/$async', 'is not supported yet'],
    ['an unknown keyword', { minLenght: 3 }, '/minLenght', 'is no keyword of JSON Schema that is known here'],
    [
      'an unknown type',
      { type: 'text' },
      '/type',
      'must be one of string, number, integer, boolean, object, array, null, or a list of them',
    ],
    ['an unknown format', { format: 'phone' }, '/format', 'is no format that is known here'],
    ['a negative length', { minLength: -1 }, '/minLength', 'must be a whole number from 0 up'],
    ['a limit that is text', { maximum: '5' }, '/maximum', 'must be a number'],
    ['an empty enum', { enum: [] }, '/enum', 'must be a list with at least one value'],
    ['a schema that is text', { items: 'string' }, '/items', 'must be a schema'],
    ['alternatives without any', { anyOf: [] }, '/anyOf', 'must be a list of schemas'],
    [
      'a property called __proto__',
      { properties: JSON.parse('{"__proto__": {}}') },
      '/properties/__proto__',
      'cannot be called "__proto__"',
    ],
    ['required as a flag', { type: 'object', required: true }, '/required', 'must be a list of field names'],
  ];
  for (const [what, schema, pointer, message] of refused) {
    it(`may not have ${what}`, () => {
      const [problem] = findSchemaProblems(schema);
      expect(problem).to.include({ pointer, message });
    });
  }

  it('may not have too many properties, nor be too deep or too large', () => {
    const properties = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [`f${index}`, { type: 'string' }]),
    );
    expect(findSchemaProblems({ properties })[0]!.message).to.equal('has more than 200 fields and subschemas');
    let deep: JsonObject = {};
    for (let level = 0; level < 40; level++) deep = { items: deep };
    expect(findSchemaProblems(deep)[0]!.message).to.equal('is nested deeper than 20 schemas');
    expect(findSchemaProblems({ enum: ['x'.repeat(300_000)] })[0]!.message).to.equal(
      'is larger than 200000 characters',
    );
  });

  it('is told how to write a field', () => {
    expect(findFieldMapProblems({ email: 'string', n: 5 })).to.deep.equal([
      { pointer: '/email', message: 'must be a schema', hint: 'write {"type": "string"}' },
      { pointer: '/n', message: 'must be a schema', hint: 'write {"type": "string"}' },
    ]);
    expect(findFieldMapProblems({ constructor: { type: 'string' } })[0]!.message).to.equal(
      'cannot be called "constructor"',
    );
    expect(findFieldMapProblems([])[0]!.message).to.equal('must be an object of fields');
  });

  it('may carry what forms and editors need', () => {
    const field = {
      type: 'string',
      title: 'T',
      label: 'L',
      description: 'D',
      placeholder: 'P',
      examples: ['x'],
      'x-widget': { rows: 3 },
      required: false,
    };
    expect(findPayloadProblems({ a: field })).to.deep.equal([]);
    expect(
      findPayloadProblems({ type: 'object', $schema: 'http://json-schema.org/draft-07/schema#', properties: {} }),
    ).to.deep.equal([]);
    expect(
      compilePayload({
        type: 'object',
        $schema: 'http://json-schema.org/draft-07/schema#',
        properties: { a: { type: 'string' } },
      }).validate({ a: 'x' }).ok,
    ).to.equal(true);
    expect(compileFieldMap({ a: field }).validate({ a: 'x' }).ok).to.equal(true);
  });

  it('can be compiled whenever it is accepted', () => {
    const leaf = fc.oneof(
      fc.record(
        {
          type: fc.constantFrom('string', 'number', ['string', 'null'], 'boolean'),
          nullable: fc.boolean(),
          default: fc.jsonValue(),
        },
        { requiredKeys: [] },
      ),
      fc.record(
        {
          format: fc.constantFrom(...FORMATS),
          minLength: fc.nat(5),
          enum: fc.array(fc.jsonValue(), { minLength: 1, maxLength: 3 }),
        },
        { requiredKeys: [] },
      ),
      fc.record(
        {
          multipleOf: fc.constantFrom(1, 0.1),
          exclusiveMinimum: fc.integer(),
          minContains: fc.nat(3),
          else: fc.constant({}),
          uniqueItems: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
    );
    const schema = fc.oneof(
      leaf,
      fc.record(
        {
          type: fc.constantFrom('object', 'array'),
          properties: fc.dictionary(fc.constantFrom('a', 'default', 'enum', 'toString', 'nullable', 'if'), leaf),
          required: fc.constant(['a']),
          items: leaf,
          not: leaf,
          if: leaf,
        },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(schema, fc.jsonValue(), (written, value) => {
        const plain = JSON.parse(JSON.stringify(written)) as JsonObject;
        if (findSchemaProblems(plain).length > 0) return;
        createValidator({ type: 'object', properties: { value: plain } }).validate({
          value: JSON.parse(JSON.stringify(value)),
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('validation', () => {
  it('refuses values that would take too long to check', () => {
    const validator = compilePayload({
      list: { type: 'array', items: { anyOf: Array.from({ length: 50 }, () => ({ type: 'string' })) } },
    });
    const result = validator.validate({ list: Array.from({ length: 100_000 }, () => 1) });
    expect(result).to.deep.equal({
      ok: false,
      problems: [{ pointer: '', message: 'holds more values than can be checked', hint: 'send less at once' }],
    });
  });

  it('finds twins in long lists without comparing each with each', () => {
    const validator = compilePayload({ list: { type: 'array', uniqueItems: true } });
    const list = Array.from({ length: 50_000 }, (_, index) => ({ index }));
    expect(validator.validate({ list }).ok).to.equal(true);
    expect(validator.validate({ list: [...list, { index: 0 }] })).to.deep.equal({
      ok: false,
      problems: [{ pointer: '/list', message: 'must not hold the same item twice' }],
    });
  });

  it('checks no format in very long texts', () => {
    for (const format of FORMATS) {
      const validator = compilePayload({ text: { type: 'string', format } });
      for (const text of [
        'a'.repeat(1_000_000),
        `a@${'a-'.repeat(400_000)}`,
        `http://${'a/'.repeat(2_000)}`,
        `${'1.'.repeat(2_000)}!`,
        `P${'1'.repeat(4_000)}`,
      ]) {
        const result = validator.validate({ text });
        if (text.length > 4_096) expect(result.ok, format).to.equal(false);
      }
    }
  });
});
