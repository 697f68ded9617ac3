// DESIGN §4, "Hold": what an operator's hold stops, what goes on under it, and what its release catches up on.

import { expect } from 'chai';
import { ask, check, flow, set, wait, work } from '../support/core-flows.ts';
import { given, START } from '../support/core-run.ts';

const steady = work({ retry: { delayMs: 1_000, factor: 1, jitter: 0 } });
const hold = { type: 'hold' } as const;
const release = { type: 'release' } as const;

describe('a hold', () => {
  it('"shows at once", in the words of whoever asked, and what was queued is pending', () => {
    const run = given(flow('a > end')).when({ type: 'hold', reason: 'wrong customer' }, 'ann');
    expect(run.status).to.equal('held');
    expect(run.open).to.deep.equal(['a pending']);
    expect(run.ledger.events.at(-1)).to.deep.include({ type: 'run.held', actor: 'ann', step: null });
    expect(run.ledger.events.at(-1)?.data.detail).to.deep.equal({ reason: 'wrong customer' });
  });

  it('"legal in queued, running, waiting": and the release leads back there', () => {
    const queued = given(flow('a > end'));
    const running = given(flow('a > end')).claim('a');
    const waiting = given(flow('review > end', { review: ask() }));
    const sleeping = given(flow('nap > end', { nap: wait(1_000) }));
    for (const run of [queued, running, waiting, sleeping]) {
      const { status, open } = run;
      expect(run.when(hold).status).to.equal('held');
      run.when(release);
      expect({ status: run.status, open: run.open }).to.deep.equal({ status, open });
    }
  });

  it('is not a start: a run that nobody has worked on is queued again', () => {
    const run = given(flow('a > end')).when(hold).pass(5_000).when(release);
    expect(run.status).to.equal('queued');
    expect(run.state.startedAt).to.equal(null);
  });

  it('a second one is already done, and a release needs one', () => {
    const run = given(flow('a > end'));
    expect(run.ask(release)).to.include({ kind: 'refused', code: 'conflict' });
    expect(run.when(hold).ask(hold)).to.deep.equal({ kind: 'already' });
    expect(run.when(release).ask(release)).to.include({ kind: 'refused', code: 'conflict' });
  });

  it('nobody can claim, settle or wake anything', () => {
    const run = given(flow('a > b, nap > end', { nap: wait(10) }))
      .work('a')
      .when(hold)
      .pass(20);
    const refused = { kind: 'refused', code: 'conflict' };
    expect(run.ask({ type: 'claim', step: 'b', visit: 1, input: null })).to.include(refused);
    expect(run.ask({ type: 'settle', step: 'b', visit: 1 })).to.include(refused);
    expect(run.ask({ type: 'wake', step: 'nap', visit: 1 })).to.include(refused);
    expect(run.ask({ type: 'complete', step: 'b', visit: 1, fence: null, attempt: 1, output: {} })).to.include({
      code: 'claim_lost',
    });
  });
});

describe('under a hold', () => {
  it('"Steps in flight finish and are recorded", and what follows is pending', () => {
    const run = given(flow('a > b > end')).claim('a').when(hold).work('a', { n: 1 });
    expect(run.all).to.deep.equal(['a completed', 'b pending']);
    expect(run.state.data).to.deep.equal({ n: 1 });
    expect(run.status).to.equal('held');
    expect(run.when(release).open).to.deep.equal(['b queued']);
  });

  it('steps that settle by themselves do not: a condition is looked at when the run goes on', () => {
    const graph = flow('a > x -true> b; x -false> c; b, c > end', { x: check('data.n==1') });
    const run = given(graph).claim('a').when(hold).work('a', { n: 1 });
    expect(run.open).to.deep.equal(['x pending']);
    expect(run.when(release).open).to.deep.equal(['b queued']);
  });

  it('"retries included": a failed attempt is pending with its due time, and queued with it', () => {
    const run = given(flow('a > end', { a: steady }))
      .claim('a')
      .when(hold)
      .fail('a', { retryable: true });
    expect(run.find('a')).to.include({ status: 'pending', attempt: 2, fence: 2, dueAt: START + 1_000 });
    run.when(release);
    expect(run.find('a')).to.include({ status: 'queued', attempt: 2, dueAt: START + 1_000 });
    expect(run.ask({ type: 'claim', step: 'a', visit: 1, input: null })).to.include({ code: 'not_due' });
    expect(run.pass(1_000).work('a').status).to.equal('completed');
  });

  it('a lease that is lost is not given out again until the release, under the next fence', () => {
    const run = given(flow('a > end')).claim('a').when(hold).lose('a');
    expect(run.find('a')).to.include({ status: 'pending', fence: 2, lost: 1 });
    expect(run.when(release).claim('a').find('a')).to.include({ status: 'running', fence: 3 });
  });

  it('what was queued before asks for a new job: its old one may be used up', () => {
    const run = given(flow('a > end')).when(hold).when(release);
    expect(run.decision.steps[0]).to.include({ status: 'queued', redispatch: true });
  });

  it('"answers are recorded and move nothing" until the release', () => {
    const run = given(flow('review > ship > end', { review: ask() }))
      .when(hold)
      .answer('review', 'approve', 'bob');
    expect([...run.ledger.pauses.values()][0]).to.include({ status: 'answered', answeredBy: 'bob' });
    expect(run.status).to.equal('held');
    expect(run.open).to.deep.equal(['ship pending']);
    expect(run.ask({ type: 'answer', answer: { type: 'request_user_action', actionId: 'reject' } })).to.include({
      kind: 'refused',
    });
    expect(run.when(release).open).to.deep.equal(['ship queued']);
  });

  it('"timers do not fire": what became due meanwhile fires with the release, what did not goes on waiting', () => {
    const graph = flow('s > soon, later; soon > a > end; later > end', {
      s: set({}),
      soon: wait(1_000),
      later: wait(9_000),
    });
    const run = given(graph).when(hold).pass(5_000);
    expect(run.open).to.deep.equal(['soon waiting', 'later waiting']);
    run.when(release);
    expect(run.open).to.deep.equal(['later waiting', 'a queued']);
    expect(run.row('soon').output).to.deep.equal({ wokeAt: new Date(START + 5_000).toISOString() });
  });

  it('a pause that ran out takes its way out with the release, and can be answered until then', () => {
    const graph = flow('review > ship; review -reject> redo; ship, redo > end', {
      review: ask({ dueInMs: 1_000, onTimeout: 'reject' }),
    });
    const late = given(graph).when(hold).pass(2_000);
    expect(late.when(release, 'ann').open).to.deep.equal(['redo queued']);
    const [pause] = [...late.ledger.pauses.values()];
    expect(pause, 'not in the name of whoever releases').to.include({ status: 'expired', answeredBy: 'system' });
    expect(late.row('review').output).to.include({ decidedBy: 'system' });
    const answered = given(graph).when(hold).pass(2_000).answer('review', 'approve');
    expect(answered.when(release).open).to.deep.equal(['ship queued']);
  });

  it('"a held run never completes": it does with the release', () => {
    const run = given(flow('a > end')).claim('a').when(hold).work('a');
    expect(run.status).to.equal('held');
    expect(run.when(release).status).to.equal('completed');
    const branchEnds = given(flow('a ?false> end'), {}).claim('a').when(hold).work('a');
    expect(branchEnds.open).to.deep.equal([]);
    expect(branchEnds.status).to.equal('held');
    expect(branchEnds.when(release).status).to.equal('completed');
    expect(branchEnds.eventTypes.slice(-2)).to.deep.equal(['run.released', 'run.completed']);
  });
});

describe('a failure under a hold', () => {
  it('is kept until the release, which then fails the run', () => {
    const run = given(flow('a > b, c > end'))
      .work('a')
      .claim('b')
      .when(hold)
      .fail('b', { code: 'no_such_customer', message: 'There is no such customer' });
    const error = { code: 'no_such_customer', message: 'There is no such customer', step: 'b' };
    expect(run.status).to.equal('held');
    expect(run.state.error).to.deep.equal(error);
    expect(run.open).to.deep.equal(['c pending']);
    run.when(release);
    expect(run.status).to.equal('failed');
    expect(run.state.error).to.deep.equal(error);
    expect(run.state.interrupted?.map(({ step }) => step)).to.deep.equal(['b', 'c']);
  });

  it('a rejection that no edge takes is one: "recorded" now, and the end of the run with the release', () => {
    const run = given(flow('review > end', { review: ask() }))
      .when(hold)
      .answer('review', 'reject');
    expect([...run.ledger.pauses.values()][0]).to.include({ status: 'answered' });
    expect(run.status).to.equal('held');
    expect(run.when(release).state.error?.code).to.equal('approval_rejected');
  });

  it('takes its error edge at once, which is pending', () => {
    const run = given(flow('a > end; a -error> mend > end')).claim('a').when(hold).fail('a');
    expect(run.open).to.deep.equal(['mend pending']);
    expect(run.state.error).to.equal(null);
    expect(run.when(release).open).to.deep.equal(['mend queued']);
  });

  it('the first of several is the error, and all are kept to be reopened', () => {
    const run = given(flow('a > b, c, d > end')).work('a').claim('b').claim('c').claim('d').when(hold);
    run.fail('c', { code: 'first' }).work('d').fail('b', { code: 'second' }).when(release);
    expect(run.state.error).to.include({ code: 'first', step: 'c' });
    expect(run.state.interrupted?.map(({ step }) => step)).to.deep.equal(['c', 'b', 'end']);
  });

  it('is forgotten when the run is cancelled instead', () => {
    for (const type of ['cancel', 'terminate'] as const) {
      const run = given(flow('a > b, c > end')).work('a').claim('b').when(hold).fail('b').when({ type });
      expect(run.status).to.equal('cancelled');
      expect(run.state.error).to.equal(null);
      expect(run.state.interrupted?.map(({ step }) => step)).to.deep.equal(['b', 'c']);
    }
  });
});

describe('a hold and joins', () => {
  it('what was queued has stopped waiting: it goes with the release, whoever could arrive by then', () => {
    const run = given(flow('a > b, c; b -error> mend > j; b, c > j > end')).work('a').work('c').claim('b').when(hold);
    expect(run.open).to.deep.equal(['b running', 'j pending']);
    expect(run.fail('b').when(release).open).to.deep.equal(['j pending', 'mend queued']);
    const gone = given(flow('a > b > j > end; a -error> mend > j')).work('a').work('b').when(hold);
    expect(gone.find('j')).to.include({ status: 'pending', wasQueued: true });
    expect(gone.when(release).find('j')).to.not.have.property('wasQueued');
  });

  it('a later arrival does not merge into what was queued: it is a visit of its own', () => {
    const graph = flow('a > b, c; b > end; c > end; b -error> c');
    const run = given(graph).work('a').claim('b').when(hold).fail('b');
    expect(run.open).to.deep.equal(['c pending', 'c#2 pending']);
    expect(run.when(release).open).to.deep.equal(['c queued', 'c#2 queued']);
  });

  it('a join of any goes with the release, and cancels the others then', () => {
    const graph = flow('a > b, c > j > end', { j: work({ join: 'any' }) });
    const run = given(graph).work('a').claim('b').when(hold).work('b');
    expect(run.open).to.deep.equal(['c pending', 'j pending']);
    expect(run.when(release).open).to.deep.equal(['j queued']);
    expect(run.row('c').status).to.equal('cancelled');
  });

  it('of a step that was put off by the hundred before it, the release goes on with it', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => `t${index}`);
    const steps = Object.fromEntries(hundred.map((id) => [id, set({})]));
    const run = given(flow(`${hundred.join(' > ')} > end`, steps)).when(hold);
    expect(run.open).to.deep.equal(['end pending']);
    expect(run.when(release).status).to.equal('completed');
  });
});

describe('a hold and the end of a run', () => {
  const cleaned = flow('a > b > end; clean', { clean: work() }, { onCancel: 'clean' });

  it('a cancel ends it: a running step may finish, and cleaning up is work like any', () => {
    const run = given(cleaned).claim('a').when(hold).when({ type: 'cancel' });
    expect(run.status).to.equal('running');
    expect(run.work('a').open).to.deep.equal(['clean queued']);
    expect(run.work('clean').status).to.equal('cancelled');
    const idle = given(cleaned).when(hold).when({ type: 'cancel' });
    expect(idle.open).to.deep.equal(['clean queued']);
  });

  it('terminate is at once', () => {
    const run = given(cleaned).claim('a').when(hold).when({ type: 'terminate' });
    expect(run.all).to.deep.equal(['a cancelled']);
    expect(run.status).to.equal('cancelled');
  });

  it('a run that is being cancelled cannot be held', () => {
    const run = given(cleaned).claim('a').when({ type: 'cancel' });
    expect(run.ask(hold)).to.include({ kind: 'refused', code: 'conflict' });
    expect(run.work('a').ask(hold)).to.include({ kind: 'refused', code: 'conflict' });
  });
});
