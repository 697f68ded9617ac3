import { expect } from 'chai';
import { type FormField, namesForPayload, readFormInput } from '../../src/core/form-input.ts';
import type { JsonObject } from '../../src/core/json.ts';

const PAYLOAD: JsonObject = {
  age: { type: 'integer' },
  price: { type: 'number', nullable: true },
  agreed: { type: 'boolean' },
  note: { type: ['string', 'null'] },
  none: { type: 'null' },
  tags: { type: 'array', items: { type: 'string' } },
  counts: { type: 'array', items: { type: 'integer' } },
  address: { type: 'object' },
  free: {},
};
const read = (fields: FormField[], payload = PAYLOAD) => readFormInput(payload, fields);
const input = (name: string, ...texts: string[]) => read(texts.map((text) => [name, text] as const)).input[name];

describe('a form as the input of a run', () => {
  it('keeps what nobody describes as text', () => {
    expect(
      read([
        ['customerName', 'John Doe'],
        ['free', '5'],
        ['zip', '01234'],
      ]).input,
    ).to.deep.equal({
      customerName: 'John Doe',
      free: '5',
      zip: '01234',
    });
  });

  it('reads numbers where numbers are asked for', () => {
    for (const [text, value] of [
      ['5', 5],
      [' 5 ', 5],
      ['-0.5', -0.5],
      ['1e3', 1000],
      ['.5', 0.5],
      ['5.', 5],
    ] as const) {
      expect(input('age', text), text).to.equal(value);
    }
    for (const text of ['', 'five', '0x10', '1_000', 'Infinity', 'NaN', '5 6', '--5', '9007199254740993']) {
      expect(input('age', text), text).to.equal(text);
    }
  });

  it('reads what a reference asks for', () => {
    const payload: JsonObject = {
      type: 'object',
      properties: { age: { $ref: '#/$defs/years' } },
      $defs: { years: { type: 'integer' } },
    };
    expect(read([['age', '42']], payload).input).to.deep.equal({ age: 42 });
  });

  it('reads true and false, and nothing else, as booleans', () => {
    expect([input('agreed', 'true'), input('agreed', 'false'), input('agreed', 'yes')]).to.deep.equal([
      true,
      false,
      'yes',
    ]);
  });

  it('reads an empty text as null only where no text is wanted', () => {
    expect([input('price', ''), input('none', ''), input('note', ''), input('age', '')]).to.deep.equal([
      null,
      null,
      '',
      '',
    ]);
  });

  it('reads lists from repeated fields, from one, and from JSON', () => {
    expect(input('tags', 'a', 'b')).to.deep.equal(['a', 'b']);
    expect(input('tags', 'a')).to.deep.equal(['a']);
    expect(input('tags', '["a","b"]')).to.deep.equal(['a', 'b']);
    expect(input('counts', '1', '2', 'x')).to.deep.equal([1, 2, 'x']);
    expect(input('counts', '[1,2]')).to.deep.equal([1, 2]);
  });

  it('reads objects from JSON and leaves what is none', () => {
    expect(input('address', '{"city":"Rome"}')).to.deep.equal({ city: 'Rome' });
    expect(input('address', 'Rome')).to.equal('Rome');
    expect(input('address', '[1]')).to.equal('[1]');
  });

  it('reads the properties of a JSON Schema alike', () => {
    const payload = { type: 'object', properties: { age: { type: 'integer' } } };
    expect(
      read(
        [
          ['age', '5'],
          ['type', 'x'],
        ],
        payload,
      ).input,
    ).to.deep.equal({ age: 5, type: 'x' });
    expect(read([['age', '5']], { type: 'object' }).input).to.deep.equal({ age: '5' });
    expect(read([['age', '5']], {}).input).to.deep.equal({ age: '5' });
  });

  it('takes members from a field `data` as they are, beside the others', () => {
    expect(
      read([
        ['data', '{"age":"5","free":{"a":[1]}}'],
        ['agreed', 'true'],
      ]),
    ).to.deep.equal({
      input: { age: '5', free: { a: [1] }, agreed: true },
      problems: [],
    });
  });

  it('takes `data` as a field like any other where the payload has one', () => {
    expect(read([['data', 'plain']], { data: { type: 'string' } }).input).to.deep.equal({ data: 'plain' });
  });

  it('says everything that cannot be read', () => {
    const { problems } = read([
      ['data', '{"age":5,'],
      ['data', '[1]'],
      ['age', '1'],
      ['age', '2'],
      ['a/b', 'x'],
      ['a/b', 'y'],
    ]);
    expect(problems.map(({ pointer, message }) => `${pointer} ${message}`)).to.deep.equal([
      '/data must be a JSON object',
      '/data must be a JSON object',
      '/age is sent more than once',
      '/a~1b is sent more than once',
    ]);
    const twice = read([
      ['age', '5'],
      ['data', '{"age":6}'],
    ]).problems;
    expect(twice.map(({ pointer, message }) => `${pointer} ${message}`)).to.deep.equal(['/age is sent twice']);
  });

  it('changes no number that JavaScript cannot hold', () => {
    expect(input('counts', '[9007199254740993]')).to.deep.equal(['[9007199254740993]']);
    expect(read([['data', '{"age":9007199254740993}']]).problems.map(({ pointer }) => pointer)).to.deep.equal(['/age']);
  });

  it('reads the longest fields at once, whatever is in them', () => {
    for (const text of [`${'9'.repeat(65_536)}x`, `${'['.repeat(65_536)}`, `${' '.repeat(65_536)}x`])
      expect(
        read([
          ['age', text],
          ['tags', text],
          ['address', text],
        ]).problems,
      ).to.deep.equal([]);
  });

  it('is not fooled by names that objects have anyway (S-34)', () => {
    const { input: made, problems } = read([
      ['__proto__', 'x'],
      ['constructor', 'y'],
      ['toString', 'z'],
    ]);
    expect(problems.map(({ pointer }) => pointer)).to.deep.equal(['/__proto__']);
    expect(made).to.deep.equal({ constructor: 'y', toString: 'z' });
    expect(read([['data', '{"__proto__":{"polluted":1}}']]).problems).to.have.length(1);
    expect(({} as JsonObject)['polluted']).to.equal(undefined);
  });

  it('shows a payload that refuses what it does not describe only what it describes', () => {
    const names = ['fileId', 'attachment'];
    expect(namesForPayload(PAYLOAD, names)).to.deep.equal(names);
    expect(namesForPayload({ type: 'object' }, names)).to.deep.equal(names);
    expect(namesForPayload({ type: 'object', additionalProperties: false }, names)).to.deep.equal([]);
    const closed = { type: 'object', additionalProperties: false, properties: { fileId: {} } };
    expect(namesForPayload(closed, names)).to.deep.equal(['fileId']);
  });
});
