import { expect } from 'chai';
import fc from 'fast-check';
import { parseExpression, type Scope } from '../../src/core/expression.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { findSecretNames, revealSecrets } from '../../src/core/secret-templates.ts';
import { createRedactor } from '../../src/core/secrets.ts';
import { checkTemplate, parseTemplate } from '../../src/core/template.ts';

const VALUES = new Map([
  ['TOKEN', 'tok-$$-${secrets.OTHER}'],
  ['OTHER', 'other-value'],
]);

function resolve(template: Json, data: JsonObject = {}): Json {
  const scope: Scope = { data, steps: {}, run: {}, context: {} };
  return parseTemplate(template, { secrets: true }).resolve(scope);
}

const reveal = (template: Json, resolved: Json) =>
  revealSecrets(template, resolved, { secretOf: (name) => VALUES.get(name)! });

describe('a secret in a template', () => {
  it('is a placeholder in what is stored, as it was written', () => {
    expect(resolve({ a: ['${secrets.TOKEN}', 'Bearer ${ secrets.TOKEN }'], b: '${secrets.OTHER}' })).to.deep.equal({
      a: ['${secrets.TOKEN}', 'Bearer ${secrets.TOKEN}'],
      b: '${secrets.OTHER}',
    });
  });

  it('is its value in what is revealed, whatever the value looks like', () => {
    const template = { a: ['${secrets.TOKEN}', 'Bearer ${secrets.TOKEN}/${secrets.OTHER}'], b: 1 };
    expect(reveal(template, resolve(template))).to.deep.equal({
      a: ['tok-$$-${secrets.OTHER}', 'Bearer tok-$$-${secrets.OTHER}/other-value'],
      b: 1,
    });
  });

  it('cannot be had by sending its placeholder as data (S-71)', () => {
    const data = { text: '${secrets.TOKEN}', dollar: '$', deep: { x: ['${secrets.TOKEN}'] } };
    for (const template of ['${data.text}', 'a ${data.text}', '${data.deep}', { x: '${data.text}' }]) {
      const resolved = resolve(template, data);
      expect(reveal(template, resolved)).to.deep.equal(resolved);
    }
    const beside = '${secrets.OTHER} ${data.text} ${data.dollar}${data.text} $${secrets.TOKEN} $';
    expect(reveal(beside, resolve(beside, data))).to.equal(
      'other-value ${secrets.TOKEN} $${secrets.TOKEN} ${secrets.TOKEN} $',
    );
  });

  it('stands between any texts without changing them', () => {
    const part = fc.oneof(fc.string(), fc.constantFrom('$', '$$', '${', '${secrets.TOKEN}', '{secrets.TOKEN}', '}'));
    fc.assert(
      fc.property(part, part, (before, after) => {
        const template = '${data.before}${secrets.OTHER}${data.after}';
        expect(reveal(template, resolve(template, { before, after }))).to.equal(`${before}other-value${after}`);
      }),
    );
  });

  it('is named alone: nothing can be computed with it', () => {
    const faults = [
      ['${secrets.TOKEN + "x"}', 'computes with a secret'],
      ['${upper(secrets.TOKEN)}', 'computes with a secret'],
      ['${secrets.TOKEN == data.guess}', 'computes with a secret'],
      ['${secrets.TOKEN.length}', 'computes with a secret'],
      ['${data[secrets.TOKEN]}', 'computes with a secret'],
      ['${secrets.TOKEN ? 1 : 2}', 'computes with a secret'],
      ['${secrets}', 'names no secret'],
      ['${json(secrets)}', 'names no secret'],
      ['${secrets[data.name]}', 'names no secret'],
      ['${secrets["TOKEN"]}', 'names no secret'],
      [`\${secrets.${'a'.repeat(65)}}`, 'names are 1 to 64 letters'],
      ['${secrets.constructor}', 'can neither read nor write'],
    ];
    for (const [template, fault] of faults) {
      const { problems } = checkTemplate(template, '/x', { secrets: true });
      expect(problems.map(({ message }) => message).join(), template).to.include(fault);
    }
  });

  it('is refused where nothing reaches out', () => {
    const says = 'uses a secret, which only steps that reach out may';
    expect(checkTemplate({ a: 'x ${secrets.TOKEN}' }, '/output').problems).to.have.length(1);
    expect(checkTemplate('${secrets.TOKEN}', '/output').problems[0]!.message).to.include(says);
    expect(() => parseExpression('${secrets.TOKEN}')).to.throw(says);
    expect(() => parseExpression('secrets.TOKEN == 1')).to.throw('computes with a secret');
    // A field of that name is a field.
    expect(resolve('${data.secrets.TOKEN}', { secrets: { TOKEN: 'mine' } })).to.equal('mine');
  });

  it('is found wherever it is named', () => {
    const template = {
      a: ['${secrets.A}', { b: 'x ${secrets.B}${secrets.A}' }],
      c: '$${secrets.NOT}',
      d: '${data.secrets}',
    };
    expect([...findSecretNames(template)]).to.deep.equal(['A', 'B']);
  });
});

describe('redaction', () => {
  const secret = 'p@ss/w+rd "ö" 1234';
  const redact = createRedactor(new Map([['PASSWORD', secret]]));

  it('blanks a value wherever it stands, in texts and keys', () => {
    expect(redact({ a: `x${secret}y`, [`k ${secret}`]: [secret, 1, null, true] })).to.deep.equal({
      a: 'x[secret PASSWORD]y',
      'k [secret PASSWORD]': ['[secret PASSWORD]', 1, null, true],
    });
  });

  it('blanks the encodings that servers echo it in', () => {
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const echoes = [
      encodeURIComponent(secret),
      encodeURIComponent(secret).toLowerCase(),
      new URLSearchParams({ a: secret }).toString(),
      new URL(`http://a/?x=${encodeURIComponent(secret)}`).href,
      JSON.stringify({ a: secret }),
      Buffer.from(secret).toString('hex'),
      base64(secret),
      Buffer.from(secret).toString('base64url'),
      base64(`user:${secret}`),
      base64(`u:${secret}`),
      base64(`us:${secret}:x`),
    ];
    for (const echo of echoes) expect(redact(echo), echo).to.include('[secret PASSWORD]');
  });

  it('blanks a number that is the secret, and nothing else', () => {
    const numeric = createRedactor(new Map([['PIN', '12345678']]));
    expect(numeric({ pin: 12345678, other: 1234, text: '12345678' })).to.deep.equal({
      pin: '[secret PIN]',
      other: 1234,
      text: '[secret PIN]',
    });
    const untouched = { a: ['b', 1, null] };
    expect(numeric(untouched)).to.equal(untouched);
  });

  it('blanks the longer of two that overlap, and takes `$` for itself', () => {
    const both = createRedactor(
      new Map([
        ['SHORT', 'abcdefgh'],
        ['LONG', 'abcdefgh$&ijkl'],
      ]),
    );
    expect(both('abcdefgh$&ijkl abcdefgh')).to.equal('[secret LONG] [secret SHORT]');
  });
});
