import { expect } from 'chai';
import { backoffMs, readRetryAfter } from '../../src/sdk/backoff.ts';

describe('the client’s patience', () => {
  it('doubles with each failure, up to ten seconds, and half of it is chance', () => {
    expect([1, 2, 3, 4].map((failures) => backoffMs(failures, 1))).to.deep.equal([250, 500, 1_000, 2_000]);
    expect([1, 2, 3, 4].map((failures) => backoffMs(failures, 0))).to.deep.equal([125, 250, 500, 1_000]);
    expect(backoffMs(50, 1)).to.equal(10_000);
    expect(backoffMs(2, 1, 1_000)).to.equal(2_000);
  });

  it('takes a Retry-After in seconds or as a date, and none that is beyond a minute', () => {
    const now = Date.parse('2026-11-22T12:00:00Z');
    expect(readRetryAfter('7', now)).to.equal(7_000);
    expect(readRetryAfter('Sun, 22 Nov 2026 12:00:30 GMT', now)).to.equal(30_000);
    expect(readRetryAfter('Sun, 22 Nov 2026 11:00:00 GMT', now)).to.equal(0);
    for (const none of [null, 'soon', '61', '']) expect(readRetryAfter(none, now), `${none}`).to.equal(null);
  });
});
