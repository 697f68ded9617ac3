// Attempts, claims and fences of one step run (DESIGN §4, §6): what spends a retry, what a lost worker costs, and when
// the effect key changes.

import { expect } from 'chai';
import { retryDelayMs } from '../../src/core/attempts.ts';
import { DEFAULT_RETRY, LIMITS } from '../../src/core/definition.ts';
import { flow, work } from '../support/core-flows.ts';
import { given, START } from '../support/core-run.ts';

const steady = { delayMs: 1_000, factor: 1, jitter: 0 };
const once = (retry: object = {}) => given(flow('a > end', { a: work({ retry: { ...steady, ...retry } }) }));
const again = { retryable: true };

describe('retries', () => {
  it('"The failed attempt is committed first, with the due time": queued again, for the next attempt', () => {
    const run = once().fail('a', again);
    expect(run.state.open).to.deep.equal([
      { step: 'a', visit: 1, status: 'queued', attempt: 2, fence: 2, epoch: 0, lost: 0, dueAt: START + 1_000 },
    ]);
    expect(run.status).to.equal('running');
    expect(run.row('a').error).to.deep.equal({ code: 'broken', message: 'It broke' });
    expect(run.ledger.events.at(-1)).to.deep.include({ type: 'attempt.failed', step: 'a', visit: 1 });
  });

  it('is not started before it is due, with a claim or without', () => {
    const run = once().fail('a', again).pass(999);
    const early = { kind: 'refused', code: 'not_due' };
    const pure = { step: 'a', visit: 1, fence: null, attempt: 2 };
    expect(run.ask({ type: 'claim', step: 'a', visit: 1, input: null })).to.include(early);
    expect(run.ask({ type: 'complete', ...pure, output: {} })).to.include(early);
    const error = { code: 'x', message: 'x', retryable: true, definite: false };
    expect(run.ask({ type: 'fail-attempt', ...pure, random: 0, error })).to.include(early);
    expect(run.pass(1).claim('a').find('a')).to.not.have.property('dueAt');
  });

  it('ends with the last of its attempts', () => {
    const run = once({ attempts: 3 }).fail('a', again).pass(1_000).fail('a', again).pass(1_000).fail('a', again);
    expect(run.status).to.equal('failed');
    expect(run.row('a')).to.include({ status: 'failed', attempt: 3 });
  });

  it('does not try again what is not retryable', () => {
    expect(once({ attempts: 3 }).fail('a', { retryable: false }).row('a')).to.include({ status: 'failed', attempt: 1 });
  });

  it('waits for as long as the failure asks, if that is a time', () => {
    expect(
      once()
        .fail('a', { ...again, retryAfterMs: 7_000 })
        .find('a').dueAt,
    ).to.equal(START + 7_000);
    expect(
      once()
        .fail('a', { ...again, retryAfterMs: 0 })
        .find('a').dueAt,
    ).to.equal(START);
    expect(
      once()
        .fail('a', { ...again, retryAfterMs: 1e300 })
        .find('a').dueAt,
    ).to.equal(START + LIMITS.delayMs);
    for (const retryAfterMs of [Number.NaN, -5]) {
      expect(
        once()
          .fail('a', { ...again, retryAfterMs })
          .find('a').dueAt,
      ).to.equal(START + 1_000);
    }
  });

  it('"No retry is started that would begin later than" the budget allows, counted from when the visit was queued', () => {
    const run = once({ attempts: 50, budgetMs: 2_500 }).pass(500).fail('a', again).pass(1_000).fail('a', again);
    expect(run.find('a')).to.include({ attempt: 3, dueAt: START + 2_500, since: START });
    expect(run.pass(1_000).fail('a', again).status).to.equal('failed');
  });

  it('codes that the step calls non-retryable are tried no more, whatever the handler says', () => {
    const run = once({ attempts: 9, nonRetryable: ['no_such_customer'] }).fail('a', again);
    expect(run.pass(1_000).fail('a', { ...again, code: 'no_such_customer' }).state.error?.code).to.equal(
      'no_such_customer',
    );
    expect(run.row('a').attempt).to.equal(2);
  });

  it('a step that works without a claim retries just so', () => {
    const run = once();
    const error = { code: 'x', message: 'x', retryable: true, definite: false };
    const pure = { step: 'a', visit: 1, fence: null };
    run.when({ type: 'fail-attempt', ...pure, attempt: 1, random: 0.5, error, ranMs: 3 });
    expect(run.find('a')).to.include({ status: 'queued', attempt: 2 });
    run.pass(1_000).when({ type: 'complete', ...pure, attempt: 2, output: {}, input: { args: {} }, ranMs: 4 });
    expect(run.row('a')).to.deep.include({ status: 'completed', input: { args: {} }, ranMs: 4, error: null });
  });

  it('a duplicate that ends late spends no retry of the next attempt, and does not complete it', () => {
    const run = once();
    const late = { step: 'a', visit: 1, fence: null, attempt: 1 };
    const failed = {
      type: 'fail-attempt' as const,
      ...late,
      random: 0.5,
      error: { code: 'x', message: 'x', retryable: true, definite: false },
    };
    run.when(failed);
    for (const ms of [0, 1_000]) {
      run.pass(ms);
      expect(run.ask(failed)).to.include({ kind: 'refused', code: 'claim_lost' });
      expect(run.ask({ type: 'complete', ...late, output: {} })).to.include({ kind: 'refused', code: 'claim_lost' });
    }
    expect(run.find('a')).to.include({ status: 'queued', attempt: 2 });
    const early = { ...late, attempt: 3 };
    expect(run.ask({ type: 'complete', ...early, output: {} })).to.include({ code: 'claim_lost' });
  });
});

describe('retry delays', () => {
  it('"3 attempts, 1 s base, 30 s cap, 25 % jitter" where a step says nothing', () => {
    expect(DEFAULT_RETRY).to.deep.include({ attempts: 3, delayMs: 1_000, factor: 2, maxDelayMs: 30_000, jitter: 0.25 });
    const delays = [1, 2, 3, 5, 6, 50].map((attempt) => retryDelayMs(DEFAULT_RETRY, attempt, 0.5));
    expect(delays).to.deep.equal([1_000, 2_000, 4_000, 16_000, 30_000, 30_000]);
  });

  it('jitter moves them both ways, by the number that was drawn', () => {
    expect([0, 0.5, 1].map((random) => retryDelayMs(DEFAULT_RETRY, 1, random))).to.deep.equal([750, 1_000, 1_250]);
  });

  it('come from the step before the definition, and from that before the default', () => {
    const steps = { a: work({ retry: { delayMs: 10 } }) };
    const { plan } = given(flow('a > end', steps, { defaults: { retry: { delayMs: 5, attempts: 7 }, timeoutMs: 9 } }));
    expect(plan.steps.get('a')).to.deep.include({
      retry: { ...DEFAULT_RETRY, delayMs: 10, attempts: 7 },
      timeoutMs: 9,
    });
  });
});

describe('the effect key', () => {
  it('its epoch "grows only after an attempt has definitely failed"', () => {
    const run = once({ attempts: 5 }).claim('a', { args: 1 }).fail('a', again);
    expect(run.find('a').epoch).to.equal(0);
    expect(run.row('a').input).to.deep.equal({ args: 1 });
    run.pass(1_000).claim('a', { args: 1 }).lose('a').claim('a', { args: 1 });
    expect(run.find('a').epoch).to.equal(0);
    run.fail('a', { ...again, definite: true });
    expect(run.find('a').epoch).to.equal(1);
    expect(run.row('a').input).to.equal(null);
  });
});

describe('claims', () => {
  it('each takes the next fence, and only its own result counts', () => {
    const run = once().claim('a').lose('a').claim('a');
    expect(run.find('a').fence).to.equal(3);
    for (const work of [{ fence: 1 }, { fence: 2 }, { fence: 4 }, { fence: null, attempt: 1 }]) {
      const verdict = run.ask({ type: 'complete', step: 'a', visit: 1, ...work, output: {} });
      expect(verdict).to.include({ kind: 'refused', code: 'claim_lost' });
    }
    expect(run.ask({ type: 'claim', step: 'a', visit: 1, input: null })).to.include({ code: 'claim_lost' });
    expect(run.work('a').status).to.equal('completed');
  });

  it('a lost one spends no attempt, and needs a new job', () => {
    const run = once().claim('a').lose('a');
    expect(run.find('a')).to.include({ status: 'queued', attempt: 1, lost: 1 });
    expect(run.decision.steps).to.have.length(1);
    expect(run.decision.steps[0]).to.include({ status: 'queued', redispatch: true });
    expect(run.row('a').dispatch).to.equal(2);
  });

  it('"the fifth fails the step with worker_lost"', () => {
    const run = once();
    for (let lost = 1; lost <= 4; lost++) expect(run.claim('a').lose('a').open).to.deep.equal(['a queued']);
    run.claim('a').lose('a');
    expect(run.state.error).to.include({ code: 'worker_lost', step: 'a' });
    const mended = given(flow('a > end; a -error> mend > end'));
    for (let lost = 1; lost <= 5; lost++) mended.claim('a').lose('a');
    expect(mended.open).to.deep.equal(['mend queued']);
  });

  it('"A lease released at shutdown is no lost claim"', () => {
    const run = once();
    for (let times = 0; times < 10; times++) run.claim('a').lose('a', true);
    expect(run.find('a')).to.include({ status: 'queued', lost: 0, fence: 20 });
  });

  it('an expiry with another fence takes nothing away', () => {
    const run = once().claim('a').lose('a').claim('a');
    expect(run.ask({ type: 'expire-lease', step: 'a', visit: 1, fence: 1 })).to.include({ code: 'claim_lost' });
    expect(run.open).to.deep.equal(['a running']);
  });

  it('losses are counted over all attempts of a visit', () => {
    const run = once({ attempts: 9 });
    for (let lost = 1; lost <= 4; lost++) run.claim('a').lose('a').fail('a', again).pass(1_000);
    expect(run.find('a')).to.include({ lost: 4, attempt: 5 });
    expect(run.claim('a').lose('a').status).to.equal('failed');
  });
});
