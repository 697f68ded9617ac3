import { expect } from 'chai';
import { readIfMatch } from '../../src/http/if-match.ts';

describe('If-Match', () => {
  it('names a version as ETag gives it, or as people write it', () => {
    for (const header of ['"1.0.3"', '1.0.3', 'W/"1.0.3"', '"4"', '4', ' 4 ']) {
      expect(readIfMatch(header), header).to.equal(4);
    }
    expect(readIfMatch('"1.0.0"')).to.equal(1);
  });

  it('names no version of ours where it looks like another', () => {
    for (const header of ['"1.2.3"', '2.0.0', '0']) expect(readIfMatch(header), header).to.equal(0);
  });

  it('left out, or as *, means whichever version is the latest', () => {
    for (const header of ['', '*']) expect(readIfMatch(header)).to.equal(null);
  });

  it('is refused when it names no version', () => {
    for (const header of ['"1.0.3', '1.0.03', '1.2', '-1', 'latest', '"1", "2"', "' OR 1=1", '9'.repeat(40)]) {
      expect(() => readIfMatch(header), header).to.throw('If-Match must be one version');
    }
  });
});
