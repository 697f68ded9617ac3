import { expect } from 'chai';
import fc from 'fast-check';
import { ExpressionError, parseExpression, type Scope } from '../../src/core/expression.ts';
import type { Json } from '../../src/core/json.ts';
import { checkTemplate, parseTemplate } from '../../src/core/template.ts';

const scope: Scope = {
  data: {
    amount: 5,
    text: '7',
    name: 'Ann',
    empty: '',
    none: null,
    flag: true,
    tags: ['a', 'b'],
    order: { total: 12.5, 'ship-to': 'Rome', in: 'word', null: 'n' },
    items: [
      { name: 'pen', price: 1 },
      { name: 'ink', price: 9, tags: ['x'] },
    ],
  },
  steps: { 'collect-inputs-1': { output: { email: 'e@x.io' } }, s2: { output: 3 } },
  run: { id: 'r1' },
  context: { user: 'u1' },
  item: { id: 4 },
  index: 2,
};

const compute = (source: string): Json => parseExpression(source).evaluate(scope);
const resolve = (value: unknown): Json => parseTemplate(value).resolve(scope);
const faultOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    expect(error).to.be.instanceOf(ExpressionError);
    return (error as Error).message;
  }
  throw new Error('expected an ExpressionError');
};

describe('an expression', () => {
  const results: [string, Json][] = [
    ['data.amount', 5],
    ['${data.amount}', 5],
    ['  ${ data.amount }  ', 5],
    ['data.order.total', 12.5],
    ['data["order"]["ship-to"]', 'Rome'],
    ['data.order.in', 'word'],
    ['data.order.null', 'n'],
    ['data.tags[1]', 'b'],
    ['data.tags[9]', null],
    ['data.tags[-1]', null],
    ['data.tags.length', 2],
    ['data.name.length', 3],
    ['data.items[.price > 3]', [{ name: 'ink', price: 9, tags: ['x'] }]],
    ['data.items[.price > 3][0].name', 'ink'],
    ['data.items[(.price > 3) && data.flag].length', 1],
    ['data.items[.tags[.|upper == "X"].length > 0].length', 1],
    ['data.items[.name == data.none].length', 0],
    ['data.unknown.deep.er', null],
    ['data.none.x', null],
    ['data.amount.x', null],
    ['steps.collect-inputs-1.output.email', 'e@x.io'],
    ['steps["collect-inputs-1"].output.email', 'e@x.io'],
    ['steps.s2.output - 1', 2],
    ['steps.never.output', null],
    ['run.id', 'r1'],
    ['context.user', 'u1'],
    ['item.id + index', 6],
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['7 % 4 + 7 // 2', 6],
    ['2 ^ 3', 8],
    ['5 - -3', 8],
    ['-data.amount', -5],
    ['data.amount * data.text', 35],
    ['data.name + "!" + 1', 'Ann!1'],
    ['"a" + data.none', 'a'],
    ['"x" + data.tags', 'x["a","b"]'],
    ['data.unknown + 1', null],
    ['data.name * 2', null],
    ['1 / 0', null],
    ['data.amount == "5"', true],
    ['data.amount != 5', false],
    ['data.tags == ["a", "b"]', true],
    ['{a: 1} == {a: 1}', true],
    ['{a: 1} == {a: 2}', false],
    ['data.none == data.unknown', true],
    ['data.unknown == 0', false],
    ['data.unknown < 1000', false],
    ['data.unknown >= 0', false],
    ['"b" > "a"', true],
    ['data.text < 10', true],
    ['data.flag && !data.empty', true],
    ['data.empty || "fallback"', 'fallback'],
    ['data.none && data.none.x', null],
    ['data.flag ? "yes" : "no"', 'yes'],
    ['data.none ?: "none"', 'none'],
    ['data.tags|length ? 1 : 2', 1],
    ['"a" in data.tags', true],
    ['"nn" in data.name', true],
    ['"total" in data.order', true],
    ['"toString" in data.order', false],
    ['[1, data.amount, [2]]', [1, 5, [2]]],
    ['{a: data.amount, "b c": {d: 1}, in: 2}', { a: 5, 'b c': { d: 1 }, in: 2 }],
    ['{a: "}"}.a', '}'],
    ['"it\\"s \\\\ \\n \\u0041"', 'it"s \\ \n A'],
    ["'single'", 'single'],
    ['undefined', null],
    ['data.日本', null],
  ];
  for (const [source, expected] of results) {
    it(`computes ${source} as ${JSON.stringify(expected)}`, () => expect(compute(source)).to.deep.equal(expected));
  }

  const calls: [string, Json][] = [
    ['length(data.items)', 2],
    ['length(data.order)', 4],
    ['length(5)', null],
    ['data.name|upper', 'ANN'],
    ['lower("AB")', 'ab'],
    ['trim("  x ")', 'x'],
    ['data.tags|join', 'a,b'],
    ['data.tags|join(" + ")|upper', 'A + B'],
    ['split("a-b", "-")', ['a', 'b']],
    ['includes(data.tags, "b")', true],
    ['includes(data.name, "x")', false],
    ['startsWith(data.name, "An")', true],
    ['endsWith(data.none, "An")', false],
    ['keys({b: 1, a: 2})', ['b', 'a']],
    ['values({b: 1, a: 2})', [1, 2]],
    ['sum([1, "2", null, 3])', 6],
    ['min(3, 1, 2)', 1],
    ['max([])', null],
    ['round(1.005, 2)', 1.01],
    ['round(2.5)', 3],
    ['floor(1.9)', 1],
    ['ceil(1.1)', 2],
    ['abs(-3)', 3],
    ['number("12.5")', 12.5],
    ['number("12 apples")', null],
    ['string({a: 1})', '{"a":1}'],
    ['boolean("false")', false],
    ['boolean("on")', true],
    ['json(data.tags)', '["a","b"]'],
  ];
  for (const [source, expected] of calls) {
    it(`calls ${source}`, () => expect(compute(source)).to.deep.equal(expected));
  }

  it('tells which outputs it reads', () => {
    expect([...parseExpression('steps.a.output.x + steps["b-c"].output').reads]).to.deep.equal(['a', 'b-c']);
    expect(parseExpression('steps[data.which].output').reads).to.equal('all');
    expect(parseExpression('keys(steps)').reads).to.equal('all');
    expect([...parseExpression('data.steps.a').reads]).to.deep.equal([]);
  });

  it('reads nothing that only JavaScript put there', () => {
    for (const name of ['toString', 'valueOf', 'hasOwnProperty', '__defineGetter__', 'at', 'map']) {
      expect(compute(`data.${name}`), name).to.equal(null);
      expect(compute(`data.tags["${name}"]`), name).to.equal(null);
      expect(compute(`data.name["${name}"]`), name).to.equal(null);
    }
    expect(compute('data["con" + "structor"]')).to.equal(null);
    const own = JSON.parse('{"__proto__": {"polluted": 1}}');
    expect(parseExpression('data["__pro" + "to__"]').evaluate({ ...scope, data: own })).to.equal(null);
    expect(({} as { polluted?: unknown }).polluted).to.equal(undefined);
  });
});

describe('an expression that is refused', () => {
  const attacks = [
    "data.constructor.constructor('return process')()",
    'data.__proto__',
    'data["__proto__"]',
    'data["\\u005f_proto__"]',
    'data.prototype.x',
    'steps.constructor.output',
    'steps["prototype"]',
    '{"__proto__": {a: 1}}',
    '{constructor: 1}',
    'data.items[.constructor]',
    'toString.call',
    '`x`',
    'process.env.X',
    'globalThis',
    'this',
    'require("fs")',
    'data.name.toUpperCase()',
    'data.items[0].sum(1)',
    'eval("1")',
    '(() => 1)()',
    'new Date()',
    'data.x = 1',
    'data.x; data.y',
    '/^(a+)+$/',
    'toString(1)',
    'constructor(1)',
  ];
  for (const source of attacks) {
    it(`does not parse ${source}`, () => {
      expect(faultOf(() => parseExpression(source))).to.match(/^The expression "/);
      expect(faultOf(() => parseTemplate(`\${${source}}`))).to.be.a('string');
    });
  }

  it('says which names there are', () => {
    expect(faultOf(() => parseExpression('user.id'))).to.equal(
      'The expression "user.id" uses "user", which is not known here; there are data, steps, run, context, item, index; a name with a hyphen is read as data["a-b"]',
    );
    expect(faultOf(() => parseExpression('shout(data.x)'))).to.include('there are length, upper, lower');
    expect(faultOf(() => parseExpression('upper'))).to.include('upper is a function: upper(value)');
    expect(faultOf(() => parseExpression('secrets.key'))).to.include(
      'uses a secret, which only steps that reach out may',
    );
    expect(faultOf(() => parseExpression('length(1, 2)'))).to.include('it takes 1');
  });

  it('says what is wrong with its form', () => {
    const faults: [string, string][] = [
      ['', 'is empty'],
      ['${}', 'is empty'],
      ['(1 + 2', 'has a "(" that is never closed'],
      ['1)', 'has a ")" that closes nothing'],
      ['"abc', 'never ends'],
      ['1 +', 'Unexpected end'],
      ['1 2', 'unexpected'],
      ['data.a = 1', 'equality is written =='],
      ['data.items.0', 'written [0]'],
      ['{0: 1}', 'write it in quotes'],
      ['.x', 'outside a filter'],
      ['${data.a} and ${data.b}', 'must be one ${…}'],
      ['${data.a', 'never closed'],
    ];
    for (const [source, expected] of faults)
      expect(
        faultOf(() => parseExpression(source)),
        source,
      ).to.include(expected);
  });

  it('does not parse what is too long or too deep', () => {
    expect(faultOf(() => parseExpression('1'.padEnd(10_001, '+1')))).to.include('longer than 10000 characters');
    expect(faultOf(() => parseExpression('('.repeat(1_000_000)))).to.include('longer');
    expect(faultOf(() => parseExpression(`${'('.repeat(40)}1${')'.repeat(40)}`))).to.include('nested too deeply');
    expect(faultOf(() => parseExpression(`${'1?'.repeat(100)}1${':1'.repeat(100)}`))).to.include('nested too deeply');
    expect(faultOf(() => parseExpression(`${'!'.repeat(5_000)}1`))).to.include('nested too deeply');
    expect(faultOf(() => parseExpression(`1${'+1'.repeat(4_000)}`))).to.include('nested too deeply');
  });

  it('never fails but with an ExpressionError, whatever is written', () => {
    const words = [
      'data',
      '.a',
      '[0]',
      '[.x',
      ']',
      '(',
      ')',
      '{',
      '}',
      'a:',
      ',',
      '?',
      ':',
      '|',
      'length',
      '"t"',
      "'",
      '1',
      '.5',
      '+',
      '-',
      '!',
      '==',
      '&&',
      ' in ',
      '.',
      '$',
      '§0',
      '\\',
      'steps.a-b',
      'null',
    ];
    const source = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.array(fc.constantFrom(...words), { maxLength: 14 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(source, (text) => {
        try {
          const value = parseExpression(text).evaluate(scope);
          expect(JSON.parse(JSON.stringify(value))).to.deep.equal(value);
        } catch (error) {
          expect(error).to.be.instanceOf(ExpressionError);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('an expression that costs too much', () => {
  const big: Scope = {
    ...scope,
    data: { numbers: Array.from({ length: 20_000 }, (_, index) => index), text: 'x'.repeat(1_000_000) },
  };
  const sources: [string, string][] = [
    ['data.numbers[.|abs > -1]', 'takes more than 10000 steps'],
    ['data.text + data.text', 'larger than 1048576 bytes'],
    [`[${'json(data.numbers),'.repeat(300)}1]`, 'reads too much data'],
    [`[${'data.text|upper,'.repeat(300)}1]`, 'reads too much data'],
    [`[${'"y" in data.text,'.repeat(300)}1]`, 'reads too much data'],
    ['json([data.text, data.text])', 'larger than'],
    ['data.numbers|join(data.text)', 'reads too much data'],
  ];
  for (const [source, expected] of sources) {
    it(`is ended: ${source.slice(0, 40)}`, () =>
      expect(faultOf(() => parseExpression(source).evaluate(big))).to.include(expected));
  }

  it('costs nothing where && || and ?: leave it out', () => {
    const heavy = 'data.numbers[.|abs > -1]';
    for (const source of [`false && ${heavy}`, `!(true || ${heavy})`, `true ? false : ${heavy}`]) {
      expect(parseExpression(source).evaluate(big), source).to.equal(false);
    }
  });

  it('is ended when only its template grows too large', () => {
    const copies = Array.from({ length: 1_000 }, () => '${data.text}');
    expect(faultOf(() => parseTemplate(copies).resolve(big))).to.include('larger than 1048576 bytes');
    expect(faultOf(() => parseTemplate(['${data}', '${data}']).resolve(big))).to.include('larger than 1048576 bytes');
    expect(faultOf(() => parseTemplate('${data.text}${data.text}').resolve(big))).to.include('larger than');
  });
});

describe('a template', () => {
  it('keeps the type of a text that is exactly one expression', () => {
    expect(resolve('${data.amount}')).to.equal(5);
    expect(resolve('${data.tags}')).to.deep.equal(['a', 'b']);
    expect(resolve('${data.unknown}')).to.equal(null);
    expect(resolve(' ${data.amount}')).to.equal(' 5');
  });

  it('puts values into text: objects as JSON, unknown and null as nothing', () => {
    expect(resolve('Hi ${data.name}, ${data.tags} ${data.unknown}${data.none}!')).to.equal('Hi Ann, ["a","b"] !');
    expect(resolve('${data.amount}${data.amount}')).to.equal('55');
  });

  it('resolves every text of a value, and no key', () => {
    expect(resolve({ a: ['${data.amount}', { b: 'n${data.amount}' }], '${data.amount}': 1, n: null })).to.deep.equal({
      a: [5, { b: 'n5' }],
      '${data.amount}': 1,
      n: null,
    });
  });

  it('finds the end of an expression past braces and quotes', () => {
    expect(resolve('${ {a: "}"}.a }')).to.equal('}');
    expect(resolve('<${ "${x}" }>')).to.equal('<${x}>');
    expect(resolve("${'}'}${\"'\"}")).to.equal("}'");
  });

  it('writes a literal ${ for $${', () => {
    expect(resolve('$${data.amount} costs $${data.amount}: ${data.amount}')).to.equal(
      '${data.amount} costs ${data.amount}: 5',
    );
    expect(resolve('a $ {b} $5 }')).to.equal('a $ {b} $5 }');
  });

  it('leaves the double braces of other dialects alone', () => {
    expect(resolve('{{input.x}} {{lastOutput}}')).to.equal('{{input.x}} {{lastOutput}}');
  });

  it('knows when there is nothing to resolve, and then gives the very value', () => {
    const value = { a: [1, 'x'] };
    const template = parseTemplate(value);
    expect(template.constant).to.equal(true);
    expect(template.resolve(scope)).to.equal(value);
    expect(parseTemplate('${data.a}').constant).to.equal(false);
    expect(parseTemplate('$${a}').constant).to.equal(false);
    expect(parseTemplate(undefined).resolve(scope)).to.equal(null);
  });

  it('unites what its expressions read', () => {
    expect([...parseTemplate({ a: '${steps.a.output}', b: ['x ${steps.b.output.c}'] }).reads]).to.deep.equal([
      'a',
      'b',
    ]);
    expect(parseTemplate(['${steps.a.output}', '${json(steps)}']).reads).to.equal('all');
  });

  it('keeps keys that are names of prototypes as plain keys', () => {
    const value = JSON.parse('{"__proto__": "${data.amount}", "constructor": {"prototype": "${data.name}"}}');
    const resolved = resolve(value);
    expect(Object.getPrototypeOf(resolved)).to.equal(Object.prototype);
    expect(JSON.stringify(resolved)).to.equal('{"__proto__":5,"constructor":{"prototype":"Ann"}}');
  });

  it('reports every text that cannot be read, with its place', () => {
    const { problems, reads } = checkTemplate({ a: '${x}', 'b/c': ['${data.a', 'ok ${steps.s.output}'] }, '/args');
    expect(problems.map(({ pointer }) => pointer)).to.deep.equal(['/args/a', '/args/b~1c/0']);
    expect(problems[1]!.message).to.include('never ends; a literal ${ is written $${');
    expect([...(reads as Set<string>)]).to.deep.equal(['s']);
  });
});
