// Times that are bounded beside an attempt's own: the wait for a worker, a step over all it goes through, the whole run.

import { expect } from 'chai';
import { dueTimeOf } from '../../src/core/clocks.ts';
import { LIMITS } from '../../src/core/definition.ts';
import { ask, flow, wait, work } from '../support/core-flows.ts';
import { given, START, type TestRun } from '../support/core-run.ts';

const expire = { type: 'expire-run' } as const;
const again = { retryable: true } as const;
const steady = { attempts: 9, delayMs: 1_000, factor: 1, jitter: 0 };
const dueOf = (run: TestRun) => dueTimeOf(run.state);
const queueTimed = (fields = {}) => ({ a: work({ queueTimeoutMs: 500, retry: steady, ...fields }) });
const timed = (fields = {}) => ({ a: work({ deadlineMs: 5_000, retry: steady, ...fields }) });

describe('a run without deadlines', () => {
  it('is due for nothing, and says so', () => {
    const run = given(flow('a > end'));
    expect(dueOf(run)).to.equal(null);
    expect(run.ask(expire)).to.include({ kind: 'refused', code: 'not_due' });
    expect(Object.keys(run.find('a'))).to.have.members([
      'step',
      'visit',
      'status',
      'attempt',
      'fence',
      'epoch',
      'lost',
    ]);
  });
});

describe('queueTimeoutMs', () => {
  it('fails a step that no worker takes in time, along its timeout edge', () => {
    const run = given(flow('a > end; a -timeout> late > end', queueTimed()));
    expect(dueOf(run)).to.equal(START + 500);
    expect(run.pass(499).ask(expire)).to.include({ code: 'not_due' });
    expect(run.pass(1).when(expire).open).to.deep.equal(['late queued']);
    expect(run.row('a').error).to.deep.equal({
      code: 'queue_timeout',
      message: 'No worker took the step within 500 ms',
    });
  });

  it('fails the run where no edge takes it; a retry of the run waits anew', () => {
    const run = given(flow('a > end', queueTimed())).pass(500).when(expire);
    expect(run.status).to.equal('failed');
    expect(run.state.error).to.include({ code: 'queue_timeout', step: 'a' });
    expect(dueOf(run)).to.equal(null);
    expect(dueOf(run.pass(9_000).when({ type: 'retry' }))).to.equal(START + 10_000);
  });

  it('ends with the claim, and begins anew with each wait: from its due time after a failed attempt, at once after a lost lease', () => {
    const run = given(flow('a > end', queueTimed())).claim('a');
    expect(dueOf(run)).to.equal(null);
    expect(dueOf(run.fail('a', again))).to.equal(START + 1_500);
    expect(dueOf(run.pass(1_000).claim('a').pass(100).lose('a'))).to.equal(START + 1_600);
  });

  it('stands still under a hold: nothing waits for a worker then', () => {
    const run = given(flow('a > end', queueTimed())).when({ type: 'hold' }).pass(9_000);
    expect(dueOf(run)).to.equal(null);
    expect(run.ask(expire)).to.include({ code: 'not_due' });
    expect(run.when({ type: 'release' }).open).to.deep.equal(['a queued']);
    expect(dueOf(run)).to.equal(START + 9_500);
  });

  it('of a retry that became due under a hold counts from the release', () => {
    const run = given(flow('a > end', queueTimed())).claim('a').when({ type: 'hold' }).fail('a', again);
    run.pass(9_000).when({ type: 'release' });
    expect(run.find('a')).to.include({ dueAt: START + 1_000, queueUntil: START + 9_500 });
  });

  it('is no bound on what waits for other branches', () => {
    const run = given(flow('s > b, c > a > end', queueTimed())).work('s').work('b').pass(9_000);
    expect(dueOf(run)).to.equal(null);
    expect(run.work('c').open).to.deep.equal(['a queued']);
    expect(dueOf(run)).to.equal(START + 9_500);
  });
});

describe('the deadline of a step', () => {
  it('counts from when it is first queued, over all attempts and what is between them', () => {
    const run = given(flow('a > end', timed())).pass(3_000).fail('a', again).pass(1_000).fail('a', again);
    expect(run.status).to.equal('failed');
    expect(run.state.error, 'the next attempt would begin too late').to.include({ code: 'broken', step: 'a' });
  });

  it('takes a running attempt away from its worker, and tells of it', () => {
    const run = given(flow('a > end; a -error> mend > end', timed())).claim('a').pass(5_000);
    const { fence } = run.find('a');
    expect(run.when(expire).open).to.deep.equal(['mend queued']);
    expect(run.row('a').error).to.deep.equal({ code: 'timeout', message: 'The step was not done within 5000 ms' });
    expect(run.eventTypes.slice(-2)).to.deep.equal(['attempt.failed a', 'step.failed a']);
    expect(run.ask({ type: 'complete', step: 'a', visit: 1, fence, output: {} })).to.include({ code: 'step_not_open' });
  });

  it('ends the wait between two attempts', () => {
    const run = given(flow('a > end', timed({ retry: { ...steady, delayMs: 4_000 } })))
      .pass(500)
      .fail('a', again);
    expect(run.find('a')).to.include({ dueAt: START + 4_500, until: START + 5_000 });
    expect(run.pass(4_500).when(expire).state.error).to.include({ code: 'timeout', step: 'a' });
  });

  it('goes on under a hold, and takes effect with the release', () => {
    const run = given(flow('a > end; a -timeout> late > end', timed())).when({ type: 'hold' }).pass(9_000);
    expect(run.ask(expire)).to.include({ code: 'not_due' });
    expect(run.when({ type: 'release' }).open).to.deep.equal(['late queued']);
    const running = given(flow('a > end', timed())).claim('a').when({ type: 'hold' }).pass(9_000);
    expect(running.work('a').when({ type: 'release' }).status, 'done before anybody looked').to.equal('completed');
  });

  it('is counted anew by a retry and for each visit', () => {
    const run = given(flow('a > b > end; b -error> a', timed())).pass(5_000).when(expire).pass(1_000);
    expect(run.when({ type: 'retry' }).find('a').until).to.equal(START + 11_000);
    run.work('a').pass(1_000).fail('b');
    expect(run.find('a')).to.include({ visit: 2, until: START + 12_000 });
  });

  it('of several steps, all that are due end in one decision', () => {
    const steps = { a: work({ deadlineMs: 10 }), b: work({ queueTimeoutMs: 10 }), c: work() };
    const graph = flow('s > a, b, c; a, b -timeout> late; c, late, a, b > end', steps);
    const run = given(graph).work('s').pass(10).when(expire);
    expect(run.open).to.deep.equal(['c queued', 'late queued']);
    expect(run.row('a').error?.code).to.equal('timeout');
    expect(run.row('b').error?.code).to.equal('queue_timeout');
  });
});

describe('the deadline of a run', () => {
  const rest = { deadlineMs: 60_000 };

  it('fails it with deadline_exceeded, whatever it is doing: no step gets time to finish', () => {
    const run = given(flow('s > a, b, review > end', { review: ask() }, rest))
      .work('s')
      .claim('a')
      .pass(60_000);
    const { fence } = run.find('a');
    expect(run.when(expire).status).to.equal('failed');
    expect(run.state.error).to.deep.equal({
      code: 'deadline_exceeded',
      message: 'The run was not done within 60000 ms',
    });
    expect([...run.ledger.pauses.values()][0]).to.include({ status: 'cancelled' });
    expect(run.ask({ type: 'complete', step: 'a', visit: 1, fence, output: {} })).to.include({ code: 'run_finished' });
    expect(dueOf(run)).to.equal(null);
  });

  it('goes on while it waits for people or time, and under a hold', () => {
    for (const step of [ask(), wait(900_000)]) {
      const run = given(flow('x > end', { x: step }, rest)).pass(60_000);
      expect(run.when(expire).state.error?.code).to.equal('deadline_exceeded');
    }
    const held = given(flow('a > end', {}, rest))
      .when({ type: 'hold' })
      .pass(60_000);
    expect(dueOf(held)).to.equal(START + 60_000);
    expect(held.when(expire).status).to.equal('failed');
    expect(held.when({ type: 'retry' }).open).to.deep.equal(['a queued']);
  });

  it('does not hide why a held run had failed', () => {
    const run = given(flow('s > a, b > end', {}, rest))
      .work('s')
      .claim('a')
      .when({ type: 'hold' });
    run.fail('a', { code: 'no_such_customer' }).pass(60_000).when(expire);
    expect(run.state.error).to.include({ code: 'no_such_customer', step: 'a' });
    expect(run.when({ type: 'retry' }).open).to.have.members(['a queued', 'b queued']);
  });

  it('is counted anew by a retry and by a rollback', () => {
    const run = given(flow('a > b > end', {}, rest))
      .work('a')
      .pass(60_000)
      .when(expire)
      .pass(5_000);
    expect(run.when({ type: 'retry' }).open).to.deep.equal(['b queued']);
    expect(dueOf(run)).to.equal(START + 125_000);
  });

  it('gives way to the patience of a cancellation', () => {
    const run = given(flow('a > end', {}, rest))
      .claim('a')
      .pass(50_000)
      .when({ type: 'cancel' });
    expect(dueOf(run)).to.equal(START + 50_000 + LIMITS.cancelGraceMs);
    expect(run.pass(10_000).ask(expire)).to.include({ code: 'not_due' });
    expect(run.work('a').status).to.equal('cancelled');
  });

  it('does not outlive a run that completes', () => {
    const run = given(flow('a > end', {}, rest))
      .work('a')
      .pass(60_000);
    expect(dueOf(run)).to.equal(null);
    expect(run.ask(expire)).to.include({ code: 'run_finished' });
  });
});
