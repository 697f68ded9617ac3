import { expect } from 'chai';
import { type DeliveryVerdict, judgeTry, type Try } from '../../src/core/delivery.ts';
import { readRetryAfter } from '../../src/core/retry-after.ts';

const DELAYS = { delaysMs: [5_000, 300_000, 86_400_000] };
const MIDDLE = 0.5;

function judge(tried: Partial<Try>, attempt = 1, { policy = DELAYS, random = MIDDLE } = {}): DeliveryVerdict {
  return judgeTry({ status: null, isRefused: false, retryAfterMs: null, ...tried }, attempt, policy, random);
}

describe('a try to deliver', () => {
  it('has delivered with any 2xx, and with nothing else', () => {
    for (const status of [200, 201, 202, 204, 299]) expect(judge({ status })).to.deep.equal({ kind: 'delivered' });
    for (const status of [100, 199, 300, 301, 304, 400, 401, 404, 408, 429, 500, 599, null])
      expect(judge({ status }).kind, String(status)).to.equal('retry');
  });

  it('is followed by another after the schedule’s delay, and after the last by none', () => {
    const delays = [1, 2, 3, 4].map((attempt) => judge({ status: 500 }, attempt));
    expect(delays).to.deep.equal([
      { kind: 'retry', delayMs: 5_000 },
      { kind: 'retry', delayMs: 300_000 },
      { kind: 'retry', delayMs: 86_400_000 },
      { kind: 'dead', isGone: false },
    ]);
  });

  it('moves the delay by up to a fifth, so that what failed together is not tried together', () => {
    expect(judge({ status: 500 }, 1, { random: 0 })).to.deep.equal({ kind: 'retry', delayMs: 4_000 });
    expect(judge({ status: 500 }, 1, { random: 1 })).to.deep.equal({ kind: 'retry', delayMs: 6_000 });
  });

  it('waits as long as the receiver asks for, and never less than the schedule says', () => {
    expect(judge({ status: 429, retryAfterMs: 60_000 })).to.deep.equal({ kind: 'retry', delayMs: 60_000 });
    expect(judge({ status: 503, retryAfterMs: 10 })).to.deep.equal({ kind: 'retry', delayMs: 5_000 });
  });

  it('is the last when the receiver is gone, or may never be called', () => {
    expect(judge({ status: 410 })).to.deep.equal({ kind: 'dead', isGone: true });
    expect(judge({ isRefused: true })).to.deep.equal({ kind: 'dead', isGone: false });
  });

  it('is the last when whoever asked for the delivery wants no more', () => {
    const policy = { ...DELAYS, maxTries: 2 };
    expect(judge({ status: 500 }, 1, { policy }).kind).to.equal('retry');
    expect(judge({ status: 500 }, 2, { policy })).to.deep.equal({ kind: 'dead', isGone: false });
  });
});

describe('Retry-After', () => {
  const now = Date.UTC(2026, 0, 1);

  it('is seconds or a date, a day at most, and nothing where it is neither', () => {
    expect(readRetryAfter('7', now)).to.equal(7_000);
    expect(readRetryAfter('999999', now)).to.equal(86_400_000);
    expect(readRetryAfter(new Date(now + 90_000).toUTCString(), now)).to.equal(90_000);
    expect(readRetryAfter(new Date(0).toUTCString(), now)).to.equal(0);
    for (const text of ['soon', '', '-1', '1.5', undefined]) expect(readRetryAfter(text, now), text).to.equal(null);
  });
});
