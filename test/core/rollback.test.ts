// DESIGN §4, "Failure": what a rollback to a snapshot takes back, what it opens anew, and what it leaves as it was.

import { expect } from 'chai';
import { ask, check, collect, flow, send, set, wait, work } from '../support/core-flows.ts';
import { rollbackTo, snapshotsOf } from '../support/core-history.ts';
import { given, START, type TestRun } from '../support/core-run.ts';

const hold = { type: 'hold' } as const;
const steady = { delayMs: 1_000, factor: 1, jitter: 0 };

/** Number of the event with which the step completed last. */
function seqOf(run: TestRun, step: string): number {
  return run.ledger.events.findLast((event) => event.type === 'step.completed' && event.step === step)!.seq;
}

function rollBack(run: TestRun, step: string, userId?: string): TestRun {
  return run.when(rollbackTo(run, seqOf(run, step))!, userId);
}

const namesOf = (run: TestRun) => snapshotsOf(run).map(({ completed }) => completed.at(-1)!.step);

describe('a rollback', () => {
  it('goes on from the state after a completed step: what has come since is undone, and stays to be seen', () => {
    const run = given(flow('a > b > c > end')).work('a', { a: 1 }).work('b', { b: 1 }).work('c', { c: 1 });
    expect(run.status).to.equal('completed');
    const to = seqOf(run, 'a');
    run.when({ ...rollbackTo(run, to)!, reason: 'wrong customer' }, 'ann');
    expect(run.status).to.equal('running');
    expect(run.state).to.deep.include({ data: { a: 1 }, result: null, error: null, interrupted: null });
    expect(run.all).to.deep.equal(['a completed', 'b undone', 'c undone', 'end undone', 'b#2 queued']);
    expect(run.row('b').output, 'its output stays in the history').to.deep.equal({ b: 1 });
    const told = run.ledger.events.find(({ type }) => type === 'run.rolled_back');
    expect(told).to.deep.include({ actor: 'ann', step: null });
    expect(told?.data.detail).to.deep.equal({ toSequence: to, reason: 'wrong customer' });
    expect(run.work('b').work('c').status).to.equal('completed');
  });

  it('"rolled-back steps get new visits": a fresh attempt, epoch and job of their own', () => {
    const graph = flow('a > b > end', { b: work({ retry: steady }) });
    const run = given(graph).work('a').fail('b', { retryable: true, definite: true }).pass(1_000).fail('b');
    rollBack(run, 'a');
    expect(run.state.open).to.deep.equal([
      { step: 'b', visit: 2, status: 'queued', attempt: 1, fence: 0, epoch: 0, lost: 0 },
    ]);
    expect(run.decision.steps.find(({ visit }) => visit === 2)).to.include({ isNew: true, redispatch: false });
    expect(run.row('b').error, 'why it had failed stays').to.include({ code: 'broken' });
  });

  it('is for runs that are held or over, and says so', () => {
    const run = given(flow('a > b, review > end', { review: ask() }))
      .work('a')
      .claim('b');
    const command = rollbackTo(run, seqOf(run, 'a'))!;
    expect(run.ask(command)).to.include({ kind: 'refused', code: 'conflict' });
    expect(run.ask(command)).to.have.property('message').that.contains('hold it first');
    expect(run.work('b').status).to.equal('waiting');
    expect(run.ask(command)).to.include({ kind: 'refused', code: 'conflict' });
    expect(rollBack(run.when(hold), 'a').open).to.deep.equal(['b#2 queued', 'review#2 waiting']);
  });

  it('of a run that has moved on since it was folded is refused', () => {
    const run = given(flow('a > b > end')).work('a').claim('b').when(hold);
    const command = rollbackTo(run, seqOf(run, 'a'))!;
    run.work('b');
    expect(run.ask(command)).to.include({ kind: 'refused', code: 'conflict' });
  });

  it('takes a step in flight of a held run away: its late result is refused', () => {
    const run = given(flow('a > b > end')).work('a').claim('b').when(hold);
    const { fence } = run.find('b');
    rollBack(run, 'a');
    expect(run.row('b')).to.include({ status: 'undone', fence: fence + 1 });
    expect(run.row('b').error).to.include({ code: 'rolled_back' });
    expect(run.ask({ type: 'complete', step: 'b', visit: 1, fence, output: {} })).to.include({ code: 'step_not_open' });
  });

  it('"other open branches included": what was open then is open again, a join that waited too', () => {
    const graph = flow('a > b, c, review, nap > j > end', { review: ask(), nap: wait(9_000) });
    const run = given(graph).work('a').work('b').work('c').answer('review', 'approve').wake('nap').work('j');
    rollBack(run, 'b');
    expect(run.open).to.have.members(['c#2 queued', 'review#2 waiting', 'nap#2 waiting', 'j#2 pending']);
    run.work('c').answer('review', 'approve').wake('nap').work('j');
    expect(run.status).to.equal('completed');
  });

  it('a timer begins anew: a duration is waited for in full, a moment stays the same and may have passed', () => {
    const until = new Date(START + 8_000).toISOString();
    const steps = { nap: wait(9_000), alarm: { type: 'wait', until } };
    const run = given(flow('a > b, nap, alarm > j > end', steps)).work('a').pass(5_000).work('b').when(hold);
    rollBack(run, 'a');
    expect(run.open).to.have.members(['b#2 queued', 'nap#2 waiting', 'alarm#2 waiting']);
    expect([run.find('nap').dueAt, run.find('alarm').dueAt]).to.deep.equal([START + 14_000, START + 8_000]);
    rollBack(run.when(hold).pass(5_000), 'a');
    expect(run.open).to.have.members(['b#3 queued', 'nap#3 waiting', 'j#2 pending']);
    expect(run.find('nap').dueAt).to.equal(START + 19_000);
    expect(run.row('alarm', 3).output).to.deep.equal({ wokeAt: new Date(START + 10_000).toISOString() });
  });

  it('"pauses open anew under new ids", and callbacks are sent anew', () => {
    const run = given(flow('a > review, call > end', { review: ask(), call: send() })).work('a');
    const [review, call] = [run.find('review'), run.find('call')];
    run.answer('review', 'approve').when({ type: 'terminate' });
    rollBack(run, 'a');
    expect(run.find('review').pauseId).to.not.equal(review.pauseId);
    expect(run.find('call').deliveryId).to.not.equal(call.deliveryId);
    expect([...run.ledger.pauses.values()].map(({ status }) => status)).to.deep.equal(['answered', 'open']);
  });

  it('"outputs of what is undone are no longer visible to expressions"', () => {
    const graph = flow('a > b > x -true> again > end; x -false> first > end', {
      b: work({ outputKey: 'b' }),
      x: check('steps.again.output.n==1'),
    });
    const run = given(graph).work('a').work('b', 1).work('first');
    expect(run.state.data).to.deep.equal({ b: 1 });
    rollBack(run, 'a').work('b', { n: 1 });
    expect(run.open).to.deep.equal(['first#2 queued']);
    expect(run.state.data).to.deep.equal({ b: { n: 1 } });
  });

  it('takes keys of data away that were not there, and gives values back that were', () => {
    const run = given(flow('a > s > b > end', { s: set({ n: 2, m: 1 }) }), { n: 0, kept: true }).work('a', { n: 1 });
    run.work('b', { n: 3, late: true });
    expect(rollBack(run, 'a').state.data, 'and s has settled again').to.deep.equal({ n: 2, m: 1, kept: true });
    expect(run.row('s').status).to.equal('undone');
    expect(run.decision).to.include({ rewritesData: true });
  });

  it('an answer with fields is part of the data that it gives back', () => {
    const actions = [{ id: 'approve', fields: { amount: { type: 'number' } } }, { id: 'reject' }];
    const run = given(flow('a > review > b > end', { review: ask({ actions }) })).work('a');
    run.when({
      type: 'answer',
      answer: { type: 'request_user_action', actionId: 'approve', data: { amount: 5 } },
    });
    run.work('b', { amount: 7 });
    expect(rollBack(run, 'review').state.data).to.deep.equal({ amount: 5 });
    expect(rollBack(run.work('b'), 'a').state.data).to.deep.equal({});
  });

  it('counts for no limit: a loop may go round as often as before, and inputs that the start gave are not asked for', () => {
    const graph = flow('a > b > end; b -error> a', { a: work({ maxVisits: 2 }) });
    const run = given(graph).work('a').fail('b').work('a').fail('b');
    expect(run.state.error?.code).to.equal('max_visits_exceeded');
    run.when(rollbackTo(run, snapshotsOf(run)[0]!.seq)!).fail('b');
    expect(run.open).to.deep.equal(['a#3 queued']);
    expect(run.work('a').fail('b').state.error?.code).to.equal('max_visits_exceeded');
    const asked = given(flow('a > c > b > end', { c: collect({ n: { type: 'number' } }) }), { n: 1 })
      .work('a')
      .work('b');
    expect(rollBack(asked, 'a').open).to.deep.equal(['b#2 queued']);
  });

  it('may be followed by another, further back, and what was undone once is no place to go back to', () => {
    const run = given(flow('a > b > c > d > end')).work('a').work('b').work('c').work('d');
    const undone = seqOf(run, 'c');
    rollBack(run, 'b').work('c');
    expect(rollbackTo(run, undone)).to.equal(null);
    expect(rollBack(run.when(hold), 'a').open).to.deep.equal(['b#2 queued']);
    expect(run.work('b').open).to.deep.equal(['c#3 queued']);
    expect(run.work('c').open).to.deep.equal(['d#3 queued']);
    expect(run.work('d').status).to.equal('completed');
  });

  it('can itself fail, be retried, held and cancelled like any run', () => {
    const run = given(flow('a > b > end')).work('a').work('b');
    expect(rollBack(run, 'a').fail('b').status).to.equal('failed');
    expect(run.when({ type: 'retry' }).open).to.deep.equal(['b#2 queued']);
    expect(run.when(hold).when({ type: 'cancel' }).status).to.equal('cancelled');
    expect(rollBack(run, 'a').open).to.deep.equal(['b#3 queued']);
  });

  it('a step may be called like a property of every object', () => {
    const named = { toString: work(), valueOf: work() };
    const run = given(flow('toString > valueOf > end; valueOf -error> toString', named))
      .work('toString')
      .fail('valueOf');
    expect(run.open).to.deep.equal(['toString#2 queued']);
    run.work('toString').work('valueOf');
    run.when(rollbackTo(run, snapshotsOf(run)[1]!.seq)!);
    expect(run.open).to.deep.equal(['valueOf#3 queued']);
  });
});

describe('a rollback of a run that was stopped', () => {
  it('opens what a cancellation had cut off, and follows what had completed meanwhile', () => {
    const run = given(flow('a > b, c > d > end')).work('a').claim('b').claim('c').when({ type: 'cancel' });
    run.work('b').work('c');
    expect(run.status).to.equal('cancelled');
    expect(rollBack(run, 'b').open).to.have.members(['c#2 queued', 'd pending']);
    expect(run.row('b').status).to.equal('completed');
    expect(run.work('c').work('d').status).to.equal('completed');
  });

  it('opens what had failed under a hold, too', () => {
    const run = given(flow('a > b, c > d > end')).work('a').claim('b').claim('c').when(hold).fail('b').work('c');
    expect(rollBack(run, 'c').open).to.have.members(['b#2 queued', 'd#2 pending']);
    expect(run.work('b').work('d').status).to.equal('completed');
  });

  it('does not go back to cleaning up', () => {
    const run = given(flow('a > b > end; clean', { clean: work() }, { onCancel: 'clean' }))
      .work('a')
      .claim('b');
    run.when({ type: 'cancel' }).lose('b').work('clean', { cleaned: true });
    expect(run.state.data).to.deep.equal({ cleaned: true });
    expect(namesOf(run)).to.deep.equal(['a']);
    expect(rollBack(run, 'a').state.data).to.deep.equal({});
    expect(run.row('clean').status).to.equal('undone');
  });
});

describe('snapshots', () => {
  it('there is one after every step run that completed, each visit of its own, and none after the end', () => {
    const graph = flow('a > s > review > end; review -reject> a', { s: set({ n: 1 }), review: ask() });
    const run = given(graph).work('a').answer('review', 'reject').work('a').answer('review', 'approve');
    expect(namesOf(run)).to.deep.equal(['a', 's', 'review', 'a', 's', 'review']);
    const [first] = snapshotsOf(run);
    expect(first?.marks.map(({ step, status }) => `${step} ${status}`)).to.deep.equal(['s pending']);
  });

  it('the last one of a run that is over leads to its end again', () => {
    const run = given(flow('a > b > end')).work('a').work('b');
    expect(rollBack(run, 'b').status).to.equal('completed');
    expect(run.all.slice(-2)).to.deep.equal(['end undone', 'end#2 completed']);
    const branch = given(flow('a ?false> end')).work('a');
    expect(rollBack(branch, 'a').status).to.equal('completed');
  });
});
