import { expect } from 'chai';
import fc from 'fast-check';
import type { JsonObject } from '../../src/core/json.ts';
import { compileFieldMap, compilePayload } from '../../src/core/schema.ts';
import { FORMATS, findFieldMapProblems, findPayloadProblems, findSchemaProblems } from '../../src/core/schema-rules.ts';

/** They say nothing about text. */
const NUMBER_FORMATS = new Set<string>(['int32', 'int64', 'float', 'double']);

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
    [
      'a pattern that needs backtracking',
      { pattern: '^(?=.*\\d).+$' },
      '/pattern',
      'cannot be matched in linear time: invalid or unsupported Perl syntax: `(?=`',
    ],
    [
      'a patterned property that is no expression',
      { patternProperties: { '(': {} } },
      '/patternProperties/(',
      'is no regular expression of JavaScript',
    ],
    [
      'a remote reference',
      { $ref: 'http://example.com/schema.json' },
      '/$ref',
      'leads out of this schema, and nothing is fetched',
    ],
    [
      'a reference to a file',
      { properties: { a: { $ref: 'other.json#/a' } } },
      '/properties/a/$ref',
      'leads out of this schema, and nothing is fetched',
    ],
    [
      'a recursive reference',
      { properties: { a: { $ref: '#' } } },
      '/properties/a/$ref',
      'leads back to a schema that it stands in',
    ],
    [
      'a definition that holds itself',
      { $defs: { a: { $ref: '#/$defs/a' } } },
      '/$defs/a/$ref',
      'leads back to a schema that it stands in',
    ],
    [
      'a reference to nothing',
      { $ref: '#/$defs/toString' },
      '/$ref',
      'points to "#/$defs/toString", where there is no schema',
    ],
    ['a named reference', { $ref: '#name' }, '/$ref', 'points to "#name", where there is no schema'],
    ['an anchor', { $anchor: 'name' }, '/$anchor', 'is not supported'],
    [
      'an id within',
      { properties: { a: { $id: 'https://example.com/x' } } },
      '/properties/a/$id',
      'is not taken inside a schema',
    ],
    ['asynchronous schemas', { $async: true }, '/$async', 'is not supported'],
    ['a list of schemas as items', { items: [{}] }, '/items', 'must be one schema'],
    [
      'a default of another type',
      { type: ['integer', 'null'], default: 1.5 },
      '/default',
      'must be of the type integer or null, as the field is',
    ],
    ['an unknown keyword', { minLenght: 3 }, '/minLenght', 'is no keyword of JSON Schema that is known here'],
    [
      'an unknown type',
      { type: 'text' },
      '/type',
      'must be one of string, number, integer, boolean, object, array, null, or a list of them',
    ],
    ['an unknown format', { format: 'phone' }, '/format', 'is no format that is known here'],
    ['a format that is no text', { format: { toString: null } }, '/format', 'is no format that is known here'],
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
    const names = Array.from({ length: 1_001 }, (_, index) => `f${index}`);
    expect(findSchemaProblems({ required: names })[0]!.message).to.equal(
      'has more than 1000 keywords and names of required fields',
    );
    const patterns = Array.from({ length: 100 }, (_, index) => ({ pattern: `^${'a'.repeat(50)}${index}$` }));
    expect(findSchemaProblems({ allOf: patterns })[0]!.message).to.equal(
      'has more than 4000 characters in its patterns',
    );
  });

  it('is counted as it will be compiled: definitions where they are referred to', () => {
    const used = (times: number) => ({
      $defs: { pair: { items: { type: 'string' } } },
      prefixItems: Array.from({ length: times }, () => ({ $ref: '#/$defs/pair' })),
    });
    expect(findSchemaProblems(used(60))).to.deep.equal([]);
    expect(findSchemaProblems(used(70))[0]!.message).to.equal('has more than 200 fields and subschemas');
    const doubled = Array.from({ length: 18 }, (_, level): [string, JsonObject] => [
      `d${level}`,
      { allOf: [{ $ref: `#/$defs/d${level + 1}` }, { $ref: `#/$defs/d${level + 1}` }] },
    ]);
    const laughs = { $ref: '#/$defs/d0', $defs: { ...Object.fromEntries(doubled), d18: { type: 'string' } } };
    expect(findSchemaProblems(laughs).at(-1)!.message).to.equal('has more than 200 fields and subschemas');
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
          $ref: fc.constantFrom('#/properties/a', '#/items', '#/$defs/toString'),
          $defs: fc.dictionary(fc.constantFrom('toString', 'a'), leaf),
          patternProperties: fc.dictionary(fc.constantFrom('^a', 'tring$', '.'), leaf),
          unevaluatedProperties: leaf,
          dependentRequired: fc.constant({ toString: ['a'] }),
        },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(schema, fc.jsonValue(), (written, value) => {
        const plain = JSON.parse(JSON.stringify(written)) as JsonObject;
        if (findSchemaProblems(plain).length > 0) return;
        compilePayload({ value: plain }).validate({ value: JSON.parse(JSON.stringify(value)) });
      }),
      { numRuns: 300 },
    );
  });
});

describe('references in a schema', () => {
  const order: JsonObject = {
    type: 'object',
    $id: 'https://example.com/order',
    properties: {
      billing: { $ref: '#/$defs/address' },
      shipping: { $ref: '#/$defs/address', required: ['zip'], description: 'where it goes' },
      note: { $ref: '#/definitions/a~1b%20c' },
      copy: { $ref: '#/properties/note' },
    },
    required: ['billing'],
    $defs: {
      address: {
        type: 'object',
        properties: { city: { type: 'string' }, zip: { $ref: '#/$defs/zip' } },
        required: ['city'],
      },
      zip: { type: 'string', pattern: '^\\d{5}$' },
    },
    definitions: { 'a/b c': { type: 'string', maxLength: 3, default: '-' } },
  };

  it('mean what they point to, beside what stands with them', () => {
    expect(findPayloadProblems(order)).to.deep.equal([]);
    const given = { billing: { city: 'Bonn' }, shipping: { city: 'Bonn' }, copy: 'long' };
    expect(compilePayload(order).validate(given)).to.deep.equal({
      ok: false,
      problems: [
        { pointer: '/shipping/zip', message: 'is required' },
        { pointer: '/copy', message: 'must have at most 3 characters' },
      ],
    });
    const shipping = { city: 'Bonn', zip: '5311' };
    expect(compilePayload(order).validate({ billing: shipping, shipping })).to.deep.equal({
      ok: false,
      problems: [
        { pointer: '/billing/zip', message: 'must match the pattern ^\\d{5}$' },
        { pointer: '/shipping/zip', message: 'must match the pattern ^\\d{5}$' },
      ],
    });
  });

  it('bring their defaults along', () => {
    const given = { billing: { city: 'Bonn' } };
    const filled = { ...given, note: '-', copy: '-' };
    expect(compilePayload(order).validate(given)).to.deep.equal({ ok: true, value: filled });
  });

  it('point into their own field in a field map', () => {
    const fields: JsonObject = {
      pair: {
        type: 'array',
        prefixItems: [{ $ref: '#/$defs/name' }, { $ref: '#/$defs/name' }],
        $defs: { name: { type: 'string' } },
        required: false,
      },
    };
    expect(findFieldMapProblems(fields)).to.deep.equal([]);
    expect(compileFieldMap(fields).validate({ pair: ['a', 1] })).to.deep.equal({
      ok: false,
      problems: [{ pointer: '/pair/1', message: 'must be text' }],
    });
    expect(findFieldMapProblems({ a: { $ref: '#/b' }, b: {} }, '/output')).to.deep.equal([
      { pointer: '/output/a/$ref', message: 'points to "#/b", where there is no schema' },
    ]);
  });

  it('tell a problem of what they point to once, where it stands', () => {
    const schema = {
      properties: { a: { $ref: '#/$defs/x' }, b: { $ref: '#/$defs/x' } },
      $defs: { x: { type: 'text' } },
    };
    expect(findSchemaProblems(schema, '/payload').map(({ pointer }) => pointer)).to.deep.equal([
      '/payload/$defs/x/type',
    ]);
  });
});

describe('validation', () => {
  it('compares values by what they hold, whatever their fields are called', () => {
    const validator = compilePayload({
      not: { not: { enum: [{}] }, required: false },
      one: { const: { a: 1, b: [2] }, required: false },
    });
    for (const value of [{ toString: null }, { valueOf: null }, { constructor: 1 }, { hasOwnProperty: 1 }]) {
      expect(validator.validate({ not: value }).ok).to.equal(true);
      expect(validator.validate({ one: value })).to.deep.equal({
        ok: false,
        problems: [{ pointer: '/one', message: 'must be {"a":1,"b":[2]}' }],
      });
    }
    expect(validator.validate({ not: {} }).ok).to.equal(false);
    expect(validator.validate({ one: { b: [2], a: 1 } }).ok).to.equal(true);
  });

  it('spends a bounded time on patterns, and says so when it is used up', () => {
    const validator = compilePayload({ text: { type: 'string', pattern: '^(a+)+$' } });
    expect(validator.validate({ text: `${'a'.repeat(28)}!` })).to.deep.equal({
      ok: false,
      problems: [{ pointer: '/text', message: 'must match the pattern ^(a+)+$' }],
    });
    expect(validator.validate({ text: 'a'.repeat(1_000_000) })).to.deep.equal({
      ok: false,
      problems: [
        { pointer: '', message: 'holds more text than can be checked against patterns', hint: 'send less at once' },
      ],
    });
    expect(validator.validate({ text: 'a'.repeat(10_000) }).ok).to.equal(true);
  });

  it('names fields that only some others let in, or ask for', () => {
    const validator = compilePayload({
      type: 'object',
      properties: { card: { type: 'string' } },
      dependentRequired: { card: ['holder'] },
      patternProperties: { '^x-': true },
      propertyNames: { maxLength: 10 },
      unevaluatedProperties: false,
    });
    expect(findPayloadProblems({ type: 'object', dependentRequired: { card: ['holder'] } })).to.deep.equal([]);
    expect(validator.validate({ 'x-any': 1 }).ok).to.equal(true);
    const result = validator.validate({ card: 'c', 'a/b': 1, 'x-much-too-long': 2 });
    expect(!result.ok && result.problems).to.have.deep.members([
      { pointer: '/holder', message: 'is required when card is there' },
      { pointer: '/a~1b', message: 'is an unknown field' },
      { pointer: '/x-much-too-long', message: 'has a name that is not allowed' },
    ]);
  });

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
        if (text.length > 4_096 && !NUMBER_FORMATS.has(format)) expect(result.ok, format).to.equal(false);
      }
    }
  });
});
