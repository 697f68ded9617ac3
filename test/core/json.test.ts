// What may be stored as JSON: exactly what Postgres' jsonb takes, and no more than there is room for.

import { expect } from 'chai';
import fc from 'fast-check';
import { escapePointer, findJsonProblems, isJsonObject, MAX_DATA_BYTES, MAX_DEPTH } from '../../src/core/json.ts';

const pointers = (value: unknown, limits = {}) => findJsonProblems(value, limits).map(({ pointer }) => pointer);
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

describe('JSON that can be stored', () => {
  it('is any JSON that is well-formed and within bounds', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const isStorable = JSON.stringify(value).isWellFormed() && !/\\u(0000|d[89a-f])/.test(JSON.stringify(value));
        expect(findJsonProblems(value).length === 0).to.equal(isStorable);
      }),
    );
  });

  it('has no NUL and no lone surrogate, in values and in keys', () => {
    expect(pointers({ a: 'x\u0000', b: ['\ud800'], 'c\udc00': 1, d: '😀' })).to.have.members(['/a', '/b/0', '']);
  });

  it('has finite numbers, and nothing that JSON has not', () => {
    expect(pointers({ a: Number.NaN, b: Infinity, c: 1n, d: () => 1, e: Symbol('x') })).to.have.members([
      '/a',
      '/b',
      '/c',
      '/d',
      '/e',
    ]);
    expect(pointers(undefined)).to.deep.equal(['']);
    expect(pointers({ left: undefined })).to.deep.equal([]);
  });

  it('is nested no deeper than its bound, however hostile', () => {
    expect(pointers(nested(MAX_DEPTH))).to.deep.equal([]);
    expect(pointers(nested(MAX_DEPTH + 1))).to.have.length(1);
    let deep: unknown = 1;
    for (let depth = 0; depth < 200_000; depth++) deep = [deep];
    expect(findJsonProblems(deep)[0]?.message).to.equal(`is nested deeper than ${MAX_DEPTH} levels`);
  });

  it('is no larger than its bound in bytes, not in characters', () => {
    expect(pointers('x'.repeat(MAX_DATA_BYTES - 2))).to.deep.equal([]);
    expect(pointers('x'.repeat(MAX_DATA_BYTES - 1))).to.deep.equal(['']);
    expect(pointers('ä', { maxBytes: 3 })).to.deep.equal(['']);
  });

  it('is refused with at most 20 problems', () => {
    expect(findJsonProblems(Array.from({ length: 1_000 }, () => Number.NaN))).to.have.length(20);
  });

  it('names keys as JSON pointers do (RFC 6901 §3)', () => {
    expect(escapePointer('a/b~c')).to.equal('a~1b~0c');
    expect(pointers({ 'a/b~c': Number.NaN })).to.deep.equal(['/a~1b~0c']);
  });

  it('an object is no list and not null', () => {
    expect([{}, [], null, 'x', 1].map(isJsonObject)).to.deep.equal([true, false, false, false, false]);
  });
});
