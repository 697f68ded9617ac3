import { expect } from 'chai';
import fc from 'fast-check';
import { findInexactNumbers, isKeptExactly } from '../../src/core/json-numbers.ts';

const pointersIn = (text: string) => findInexactNumbers(text, JSON.parse(text)).map(({ pointer }) => pointer);

describe('a whole number in JSON', () => {
  it('is refused where it would be changed, wherever it stands', () => {
    const text = '{"id":9007199254740993,"list":[1,[-9007199254740993]],"a/b":{"c":123456789012345678901}}';
    expect(pointersIn(text)).to.have.members(['/id', '/list/1/0', '/a~1b/c']);
    expect(findInexactNumbers('18446744073709551615', JSON.parse('18446744073709551615'))).to.deep.equal([
      { pointer: '', message: 'has more digits than a number can keep', hint: 'send it as text, in quotes' },
    ]);
  });

  it('is taken where it is kept, and so is what looks like one', () => {
    for (const text of [
      '[9007199254740992, -9007199254740992, 1152921504606846976, 100000000000000000000]',
      '["9007199254740993", "\\"9007199254740993", "\\\\", {"9007199254740993": 1}]',
      '[0.12345678901234567890, 1234567890123456789e-3, 9007199254740993.5, 1e22, -0]',
    ]) {
      expect(pointersIn(text), text).to.deep.equal([]);
    }
  });

  it('is looked for in bounded time, however long it is and however many there are', () => {
    expect(pointersIn(`[${'9'.repeat(1_000_000)}]`)).to.deep.equal([]); // infinite, which is told elsewhere
    expect(pointersIn(`[${'9007199254740993,'.repeat(50_000)}1]`)).to.have.length(20);
    expect(pointersIn(`["${'\\\\'.repeat(400_000)}", 9007199254740993]`)).to.deep.equal(['/1']);
  });

  it('is found if and only if reading it changes it', () => {
    const whole = fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n });
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 3 }), whole, fc.string(), (before, value, after) => {
        const text = `[${[...before.map((item) => JSON.stringify(item)), value, JSON.stringify(after)].join()}]`;
        const isChanged = BigInt((JSON.parse(text) as number[])[before.length]!) !== value;
        expect(pointersIn(text), text).to.deep.equal(isChanged ? [`/${before.length}`] : []);
      }),
      { numRuns: 500 },
    );
  });

  it('is judged alone, too, as a form sends it', () => {
    for (const text of ['5', '+9007199254740992', '-1', '1.5', '0.1e400', 'x'])
      expect(isKeptExactly(text)).to.equal(true);
    for (const text of ['9007199254740993', '+9007199254740993', '-9007199254740993'])
      expect(isKeptExactly(text)).to.equal(false);
  });
});
