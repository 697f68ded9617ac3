import { expect } from 'chai';
import fc from 'fast-check';
import { compilePattern, findPatternFault, PatternMeter, PatternWorkError } from '../../src/core/schema-patterns.ts';

/** Each blocks a backtracking engine for seconds, or for ever, on a text that fits it nearly. */
const CATASTROPHIC = [
  '^(a+)+$',
  '^(a|a)+$',
  '^(a|aa)+$',
  '^(a|[ab])*c$',
  '(.*)*x',
  '(x+x+)+y',
  '^(\\d+|\\d+\\.\\d+)*$',
  '^\\s*(\\w+\\s*)+$',
  '^([a-zA-Z0-9]+\\s?)*$',
  '^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$',
  'a*a*a*a*a*a*b',
];

/** What people write: telephone numbers, account numbers, addresses, colours, names. */
const USUAL = [
  '^\\+?[0-9 ()-]{7,20}$',
  '^[A-Z]{2}\\d{2}[A-Z0-9]{11,30}$',
  '^(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)(?:\\.(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)){3}$',
  '^#[0-9a-fA-F]{6}$',
  '^\\p{L}+$',
  '^[\\w-.]+\\-\\d$',
  '^(?<year>\\d{4})-\\d\\d$',
  '^[\\u4e00-\\u9fa5]+$',
  '^\\/path\\.json$',
  '',
];

function matches(pattern: string, text: string): boolean {
  return compilePattern(pattern, new PatternMeter()).test(text);
}

describe('a pattern', () => {
  it('may be one that keeps a backtracking engine busy for ever: it is matched in linear time', () => {
    const texts = ['a', 'x', '1', ' ', 'ab', '@'].map((part) => `${part.repeat(20_000)}!`);
    for (const pattern of CATASTROPHIC) {
      expect(findPatternFault(pattern), pattern).to.equal(null);
      for (const text of texts) expect(() => matches(pattern, text), pattern).not.to.throw();
    }
  });

  it('may be what people write', () => {
    for (const pattern of USUAL) expect(findPatternFault(pattern), pattern).to.equal(null);
    expect(matches(USUAL[1]!, 'DE89370400440532013000')).to.equal(true);
    expect(matches(USUAL[5]!, 'a.b-c-1')).to.equal(true);
  });

  const refused: [string, string][] = [
    ['(?=a)b', 'cannot be matched in linear time: invalid or unsupported Perl syntax: `(?=`'],
    ['(?<!a)b', 'cannot be matched in linear time'],
    ['(a)\\1', 'cannot be matched in linear time: invalid escape sequence: `\\1`'],
    ['((a{0,100}){0,100}){0,100}', 'cannot be matched in linear time: invalid repeat count'],
    ['(a?){500}', 'is too large: it takes'],
    ['a'.repeat(501), 'must have at most 500 characters'],
    ['(', 'is no regular expression of JavaScript'],
    ['[z-a]', 'is no regular expression of JavaScript'],
  ];
  for (const [pattern, fault] of refused) {
    it(`is refused: ${pattern.slice(0, 30)}`, () => expect(findPatternFault(pattern)).to.include(fault));
  }

  it('is refused where it would mean something else in JavaScript', () => {
    for (const pattern of ['\\Aabc\\z', '[[:alpha:]]', '\\Qa.b\\E', '(?i)abc', '\\pN', '(?P<a>b)']) {
      expect(findPatternFault(pattern), pattern).to.equal('is no regular expression of JavaScript');
    }
  });

  it('matches what JavaScript would match', () => {
    const atoms = ['a', 'b', '.', '\\d', '\\w', '\\s', '\\S', '\\W', '[ab]', '[^a]', '[\\s,]', '\\.', 'é', '\\p{L}'];
    const times = ['', '', '*', '+', '?', '{2}', '{1,3}', '*?'];
    const part = fc.tuple(fc.constantFrom(...atoms), fc.constantFrom(...times)).map((both) => both.join(''));
    const sequence = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
    const group = fc
      .tuple(sequence, sequence, fc.constantFrom(...times))
      .map(([a, b, count]) => `(?:${a}|${b})${count}`);
    const pattern = fc.oneof(
      sequence,
      group,
      fc.tuple(sequence, group).map(([a, b]) => `^${a}${b}$`),
    );
    const letters = ['a', 'b', '1', '.', ',', ' ', '\n', '\r', '\v', '\u2028', '\u00a0', '\ufeff', 'é', '_', '😀'];
    const text = fc.array(fc.constantFrom(...letters), { maxLength: 6 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(pattern, text, (source, given) => {
        expect(matches(source, given), `${source} on ${JSON.stringify(given)}`).to.equal(
          new RegExp(source, 'u').test(given),
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it('is never anything but taken or refused, whatever is written', () => {
    const words = [
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      '*',
      '+',
      '?',
      '|',
      '^',
      '$',
      '\\',
      '.',
      ',',
      '-',
      '1',
      'a',
      ':',
      '<',
      '=',
      'p',
      'u',
    ];
    const source = fc.oneof(
      fc.string(),
      fc.array(fc.constantFrom(...words), { maxLength: 12 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(source, fc.string(), (pattern, text) => {
        if (findPatternFault(pattern) === null) expect(matches(pattern, text)).to.be.a('boolean');
      }),
      { numRuns: 1_000 },
    );
  });

  it('is matched until the work of one validation is used up', () => {
    const meter = new PatternMeter();
    const pattern = compilePattern('^[a-z]{2,400}$', meter);
    const spend = () => {
      for (let times = 0; times < 1_000; times += 1) pattern.test('a'.repeat(100));
    };
    expect(spend).to.throw(PatternWorkError);
    meter.restart();
    expect(pattern.test('abc')).to.equal(true);
  });
});
