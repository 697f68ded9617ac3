// DESIGN §4, "Cancel" and "Terminate".

import { expect } from 'chai';
import { ask, flow, wait, work } from '../support/core-flows.ts';
import { given, START } from '../support/core-run.ts';

const graph = flow('a > b, review, nap > j > end', { review: ask(), nap: wait(1_000) });
const cleaned = flow(
  'a > b, review > end; clean > after > end',
  { review: ask(), clean: work({ retry: { attempts: 2 } }) },
  { onCancel: 'clean' },
);

describe('cancel', () => {
  it('"No running step and no onCancel → cancelled in the same commit"', () => {
    const run = given(graph).work('a').when({ type: 'cancel', reason: 'not needed' }, 'ann');
    expect(run.status).to.equal('cancelled');
    expect(run.state.cancellation).to.deep.equal({ type: 'cancel', by: 'ann', at: START, reason: 'not needed' });
    expect(run.all).to.deep.equal(['a completed', 'b cancelled', 'review cancelled', 'nap cancelled']);
    expect(run.eventTypes.slice(-2)).to.deep.equal(['run.cancel_requested', 'run.cancelled']);
    expect(run.state.interrupted?.map(({ step }) => step)).to.deep.equal(['b', 'review', 'nap']);
  });

  it('"commits run.cancel_requested with a due time of 30 s; status stays until the end"', () => {
    const run = given(graph).work('a').claim('b').when({ type: 'cancel' }, 'ann');
    expect(run.status).to.equal('running');
    expect(run.open).to.deep.equal(['b running']);
    expect(run.state.cancellation).to.deep.equal({
      type: 'cancel',
      by: 'ann',
      at: START,
      stage: 'stopping',
      dueAt: START + 30_000,
    });
  });

  it('a step that was running may finish; its edges are not followed', () => {
    const run = given(graph).work('a').claim('b').when({ type: 'cancel' }).work('b', { n: 1 });
    expect(run.status).to.equal('cancelled');
    expect(run.row('b').status).to.equal('completed');
    expect(run.state.data).to.deep.equal({ n: 1 });
    expect(run.all).to.not.include('j pending');
  });

  it('a step that fails while the run stops is not tried again, and its error edge is not followed', () => {
    const run = given(flow('a > end; a -error> mend > end'))
      .claim('a')
      .when({ type: 'cancel' })
      .fail('a', { retryable: true });
    expect(run.status).to.equal('cancelled');
    expect(run.all).to.deep.equal(['a failed']);
  });

  it('a lease that is lost while the run stops is not given out again', () => {
    expect(given(graph).claim('a').when({ type: 'cancel' }).lose('a').status).to.equal('cancelled');
    expect(given(graph).claim('a').when({ type: 'cancel' }).lose('a', true).status).to.equal('cancelled');
  });

  it('waits for the last of those that run', () => {
    const run = given(flow('a > b, c > end')).work('a').claim('b').claim('c').when({ type: 'cancel' }).work('b');
    expect(run.status).to.equal('running');
    expect(run.work('c').status).to.equal('cancelled');
  });

  it('"At the due time the fence is bumped", and not before', () => {
    const run = given(graph).claim('a').when({ type: 'cancel' }).pass(29_999);
    expect(run.ask({ type: 'expire-run' })).to.include({ kind: 'refused', code: 'not_due' });
    run.pass(1).when({ type: 'expire-run' });
    expect(run.status).to.equal('cancelled');
    expect(run.row('a')).to.include({ status: 'cancelled', fence: 2 });
    expect(run.eventTypes.slice(-3)).to.deep.equal(['run.cancel_requested', 'run.cancel_expired', 'run.cancelled']);
  });

  it('a second cancel is already done', () => {
    const run = given(graph).claim('a').when({ type: 'cancel' });
    expect(run.ask({ type: 'cancel' })).to.deep.equal({ kind: 'already' });
    expect(run.work('a').ask({ type: 'cancel' })).to.deep.equal({ kind: 'already' });
  });

  it('no run but one that is being cancelled has a due time of its own', () => {
    expect(given(graph).ask({ type: 'expire-run' })).to.include({ kind: 'refused', code: 'not_due' });
  });

  it('nothing can be answered any more', () => {
    const run = given(graph).work('a').claim('b').when({ type: 'cancel' });
    const verdict = run.ask({ type: 'answer', answer: { type: 'request_user_action', actionId: 'approve' } });
    expect(verdict).to.include({ kind: 'refused', code: 'run_not_paused' });
  });
});

describe('onCancel', () => {
  it('"runs alone": once nothing else is open', () => {
    const run = given(cleaned).work('a').claim('b').when({ type: 'cancel' });
    expect(run.open).to.deep.equal(['b running']);
    expect(run.work('b').open).to.deep.equal(['clean queued']);
    expect(run.state.cancellation).to.include({ stage: 'cleaning-up', dueAt: START + 30_000 });
    expect(run.status).to.equal('running');
  });

  it('"its edges are not followed"', () => {
    const run = given(cleaned).when({ type: 'cancel' }).work('clean');
    expect(run.status).to.equal('cancelled');
    expect(run.all).to.deep.equal(['a cancelled', 'clean completed']);
  });

  it('"its failure is logged", after its retries, and the run is cancelled all the same', () => {
    const run = given(cleaned).when({ type: 'cancel' }).fail('clean', { retryable: true });
    expect(run.open).to.deep.equal(['clean queued']);
    run.pass(2_000).fail('clean', { retryable: true });
    expect(run.status).to.equal('cancelled');
    expect(run.state.error).to.equal(null);
    expect(run.eventTypes.slice(-3)).to.deep.equal(['attempt.failed clean', 'step.failed clean', 'run.cancelled']);
  });

  it('has a due time of its own, from when it began', () => {
    const run = given(cleaned).claim('a').when({ type: 'cancel' }).pass(30_000).when({ type: 'expire-run' });
    expect(run.open).to.deep.equal(['clean queued']);
    expect(run.state.cancellation?.dueAt).to.equal(START + 60_000);
    run.claim('clean').pass(30_000).when({ type: 'expire-run' });
    expect(run.all).to.deep.equal(['a cancelled', 'clean cancelled']);
    expect(run.status).to.equal('cancelled');
  });

  it('is given out again when its worker is lost', () => {
    const run = given(cleaned).when({ type: 'cancel' }).claim('clean').lose('clean');
    expect(run.open).to.deep.equal(['clean queued']);
  });

  it('runs although the flow itself has used up its visits', () => {
    const run = given(
      flow('clean > review > end', { clean: work({ maxVisits: 1 }), review: ask() }, { onCancel: 'clean' }),
    );
    run.work('clean').when({ type: 'cancel' });
    expect(run.open).to.deep.equal(['clean#2 queued']);
    expect(run.work('clean').status).to.equal('cancelled');
  });
});

describe('terminate', () => {
  it('"is cancelled at once; late results are refused"', () => {
    const run = given(cleaned).work('a').claim('b').when({ type: 'terminate', reason: 'stuck' }, 'ann');
    expect(run.status).to.equal('cancelled');
    expect(run.state.cancellation).to.deep.equal({ type: 'terminate', by: 'ann', at: START, reason: 'stuck' });
    expect(run.all).to.deep.equal(['a completed', 'b cancelled', 'review cancelled']);
    expect(run.ask({ type: 'complete', step: 'b', visit: 1, fence: 1, output: {} })).to.include({
      code: 'run_finished',
    });
  });

  it('ends a cancellation that is under way, cleaning up included', () => {
    const stopping = given(cleaned).claim('a').when({ type: 'cancel' }, 'ann').when({ type: 'terminate' }, 'bob');
    expect(stopping.state.cancellation).to.deep.equal({ type: 'terminate', by: 'bob', at: START });
    const cleaning = given(cleaned).when({ type: 'cancel' }).claim('clean').when({ type: 'terminate' });
    expect(cleaning.all).to.deep.equal(['a cancelled', 'clean cancelled']);
  });
});
