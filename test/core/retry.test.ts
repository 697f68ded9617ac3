// DESIGN §4, "Failure": what a retry of a failed or cancelled run opens again, and what it leaves as it is.

import { expect } from 'chai';
import type { Definition } from '../../src/core/definition.ts';
import { ask, check, collect, end, flow, set, wait, work } from '../support/core-flows.ts';
import { given, START } from '../support/core-run.ts';

const retry = { type: 'retry' } as const;
const cancel = { type: 'cancel' } as const;

describe('a retry', () => {
  it('goes on from the step that failed, in the same run: completed steps keep their outputs', () => {
    const run = given(flow('a > b > end')).work('a', { n: 1 }).claim('b', { args: 1 }).fail('b');
    run.when({ type: 'retry', reason: 'they are back' }, 'ann');
    expect(run.status).to.equal('running');
    expect(run.all).to.deep.equal(['a completed', 'b queued']);
    expect(run.row('a').output).to.deep.equal({ n: 1 });
    expect(run.row('b').input, 'what is sent under an effect key stays').to.deep.equal({ args: 1 });
    expect(run.state).to.deep.include({ error: null, interrupted: null, cancellation: null });
    const told = run.ledger.events.at(-1);
    expect(told).to.deep.include({ type: 'run.retried', actor: 'ann' });
    expect(told?.data.detail).to.deep.equal({ reason: 'they are back' });
    expect(run.work('b').status).to.equal('completed');
    expect(run.row('b').error).to.equal(null);
  });

  it('"same visit, same epoch", "fresh attempts", lost claims forgotten', () => {
    const graph = flow('a > end', { a: work({ retry: { attempts: 2, delayMs: 0 } }) });
    const run = given(graph).fail('a', { retryable: true, definite: true }).claim('a').lose('a').fail('a').when(retry);
    const { step, visit, fence } = run.find('a');
    expect(run.state.open).to.deep.equal([{ step, visit, fence, status: 'queued', attempt: 1, epoch: 1, lost: 0 }]);
    run.fail('a', { retryable: true });
    expect(run.open, 'all attempts are there again').to.deep.equal(['a queued']);
  });

  it('under a fence that no late result has, and with a new job', () => {
    const run = given(flow('a > b, c > end')).work('a').claim('c').claim('b').fail('b').when(retry);
    for (const row of run.decision.steps) expect(row).to.include({ status: 'queued', redispatch: true });
    run.claim('c');
    for (const fence of [0, 1, 2])
      expect(run.ask({ type: 'complete', step: 'c', visit: 1, fence, output: {} })).to.include({ code: 'claim_lost' });
    expect(run.work('c').work('b').status).to.equal('completed');
  });

  it('its budget is counted anew', () => {
    const steps = { a: work({ retry: { attempts: 9, delayMs: 1_000, factor: 1, jitter: 0, budgetMs: 500 } }) };
    const run = given(flow('a > end', steps)).fail('a', { retryable: true }).pass(60_000).when(retry);
    expect(run.find('a').since).to.equal(START + 60_000);
  });

  it('"reopens exactly that": what was open beside it, joins that waited included', () => {
    const steps = { review: ask(), nap: wait(9_000) };
    const run = given(flow('a > b, c, d, review, nap > j > end', steps)).work('a').claim('c').work('d');
    const before = run.open.filter((open) => open !== 'c running');
    run.fail('b').when(retry);
    expect(run.open).to.have.members([...before, 'c queued']);
    expect(run.find('nap').dueAt, 'a timer keeps its time').to.equal(START + 9_000);
    run.work('b').work('c').answer('review', 'approve').wake('nap');
    expect(run.open).to.deep.equal(['j queued']);
    expect(run.work('j').status).to.equal('completed');
  });

  it('a timer that ran out meanwhile is due at once', () => {
    const run = given(flow('a > b, nap > end', { nap: wait(1_000) }))
      .work('a')
      .fail('b')
      .pass(5_000)
      .when(retry);
    expect(run.when({ type: 'wake', step: 'nap', visit: 1 }).open).to.include('b queued');
  });

  it('may fail, and be retried, again and again', () => {
    const run = given(flow('a > end'));
    for (let times = 0; times < 3; times++) run.fail('a').when(retry);
    expect(run.eventTypes.filter((type) => type === 'run.retried')).to.have.length(3);
    expect(run.work('a').status).to.equal('completed');
  });

  it('is for runs that failed or were cancelled', () => {
    expect(given(flow('a > end')).ask(retry)).to.include({ kind: 'refused', code: 'conflict' });
    expect(given(flow('a > end')).when({ type: 'hold' }).ask(retry)).to.include({ code: 'conflict' });
    expect(given(flow('a > end')).work('a').ask(retry)).to.include({ code: 'run_finished' });
    expect(given(flow('a > end')).fail('a').when(retry).ask(retry)).to.include({ code: 'conflict' });
  });

  it('a step that settles is tried again in the same decision, and may fail the run once more', () => {
    const graph = flow('a > nap > end', { nap: wait(`\${data.x}x`) });
    const run = given(graph).work('a', { x: 1 }).when(retry);
    expect(run.eventTypes.slice(-3)).to.deep.equal(['run.retried', 'step.failed nap', 'run.failed']);
    expect(run.state.interrupted?.map(({ step }) => step)).to.deep.equal(['nap']);
    const stopped = given(flow('a > stop', { stop: end({ status: 'failed' }) }))
      .work('a')
      .when(retry);
    expect(stopped.status).to.equal('failed');
  });

  it('a run with nothing to reopen ends as it did', () => {
    const graph = flow('a ?false> end', {}, { output: `\${data.x + data.x}` });
    const run = given(graph, { x: 'x'.repeat(600_000) })
      .work('a')
      .when(retry);
    expect(run.eventTypes.slice(-2)).to.deep.equal(['run.retried', 'run.failed']);
  });

  it('can be held, and what a hold put back is queued by the retry of a run that failed then', () => {
    const run = given(flow('a > b, c > end')).work('a').claim('b').when({ type: 'hold' }).fail('b');
    run.when({ type: 'release' }).when(retry);
    expect(run.open).to.have.members(['b queued', 'c queued']);
    expect(run.when({ type: 'hold' }).open).to.have.members(['b pending', 'c pending']);
  });
});

describe('a retry and pauses', () => {
  it('"a rejected approval opens anew", with a new id', () => {
    const run = given(flow('a > review > end', { review: ask() })).work('a');
    const { pauseId } = run.find('review');
    run.answer('review', 'reject').when(retry);
    expect(run.status).to.equal('waiting');
    expect(run.find('review').pauseId).to.be.a('string').and.not.equal(pauseId);
    expect([...run.ledger.pauses.values()].map(({ status }) => status)).to.deep.equal(['answered', 'open']);
    expect(run.ask({ type: 'answer', pauseId: pauseId!, answer: approve })).to.include({ code: 'already_answered' });
    expect(run.answer('review', 'approve').status).to.equal('completed');
  });

  it('so does one that nobody answered in time, with its whole time', () => {
    const run = given(flow('review > end', { review: ask({ dueInMs: 1_000 }) })).wake('review');
    run.pass(60_000).when(retry);
    expect(run.find('review').dueAt).to.equal(START + 62_000);
  });

  it('and one that was open while another step failed: it asks for what the data says now', () => {
    const steps = { review: ask({ assignees: `\${data.owner}` }) };
    const run = given(flow('a > review, b > c > end', steps), { owner: 'ann' }).work('a');
    run.fail('b').when(retry);
    expect(run.find('review').assignees).to.deep.equal(['ann']);
    expect([...run.ledger.pauses.values()].map(({ status }) => status)).to.deep.equal(['cancelled', 'open']);
  });

  it('a form that asked before asks again, although nothing else is new', () => {
    const form = collect({ n: { type: 'number' } });
    const run = given(flow('a > form, b > end', { form })).work('a').fail('b').when(retry);
    expect(run.open).to.deep.equal(['form waiting', 'b queued']);
  });

  it('more of them than one decision settles are asked one after the other', () => {
    const many = Array.from({ length: 120 }, (_, index) => `r${index}`);
    const steps = { ...Object.fromEntries(many.map((id) => [id, ask()])), s: work() };
    const run = given(flow(`s > ${many.join(', ')}, b > end`, steps)).work('s');
    for (const { step, status } of run.state.open.slice()) if (status === 'queued' && step !== 'b') run.settle(step);
    run.fail('b').when(retry);
    const reopened = run.state.open.filter(({ step }) => step.startsWith('r'));
    expect(reopened.filter(({ status }) => status === 'waiting')).to.have.length(100);
    expect(reopened.filter(({ status }) => status === 'queued')).to.have.length(20);
  });
});

const approve = { type: 'request_user_action' as const, actionId: 'approve' };

describe('a retry and outputs', () => {
  it('what a step run left when it failed is not its output any more', () => {
    const run = given(flow('review > end', { review: ask() })).answer('review', 'reject');
    expect(run.row('review').output).to.include({ outcome: 'rejected' });
    expect(run.when(retry).row('review').output).to.equal(null);
  });

  it('nor when it completes with nothing then', () => {
    const graph = flow('a > end; b', { a: work({ outputKey: 'big' }) }, { onCancel: 'b' });
    const run = given(graph, { big: 'x' }).work('a', 'x'.repeat(1_050_000));
    expect(run.state.error?.code).to.equal('data_too_large');
    expect(run.when(retry).row('a').output).to.equal(null);
    expect(run.work('a', null).row('a')).to.include({ status: 'completed', output: null });
  });
});

describe('a retry of a cancelled run', () => {
  const graph = flow('a > b, review > j > end', { review: ask() });

  it('reopens what was open when the cancellation was asked for', () => {
    const run = given(graph).work('a').when(cancel).when(retry);
    expect(run.open).to.deep.equal(['b queued', 'review waiting']);
    expect(run.state.cancellation).to.equal(null);
    run.work('b').answer('review', 'approve').work('j');
    expect(run.status).to.equal('completed');
  });

  it('what completed since keeps its output, and what follows it goes', () => {
    const run = given(graph).work('a').claim('b').when(cancel).work('b', { n: 1 });
    expect(run.status).to.equal('cancelled');
    run.when(retry);
    expect(run.open).to.deep.equal(['review waiting', 'j pending']);
    expect(run.row('b')).to.deep.include({ status: 'completed', output: { n: 1 } });
    expect(run.answer('review', 'approve').work('j').status).to.equal('completed');
  });

  it('its conditions see what completed meanwhile', () => {
    const edges = 'a ?steps.a.output.n==2> b; a ?data.n==1> c; b, c > end';
    const run = given(flow(edges)).claim('a').when(cancel).work('a', { n: 2 }).when(retry);
    expect(run.open).to.deep.equal(['b queued']);
    const ended = given(flow('a > x -true> end; x -false> b > end', { x: check('data.n==2') }));
    expect(ended.claim('a').when(cancel).work('a', { n: 2 }).when(retry).status).to.equal('completed');
  });

  it('what cannot follow fails the run, and is owed still', () => {
    const loop = flow('a > b ?true> a; b ?false> end', { a: work({ maxVisits: 1 }) });
    const run = given(loop).work('a').claim('b').when(cancel).work('b').when(retry);
    expect(run.state.error?.code).to.equal('max_visits_exceeded');
    expect(run.state.interrupted).to.have.length(1);
    expect(run.state.interrupted![0]).to.include({ step: 'b', completed: true });
    expect(run.when(retry).status).to.equal('failed');
  });

  it('a step that failed while the run stopped is tried again', () => {
    const run = given(graph).work('a').claim('b').when(cancel).fail('b').when(retry);
    expect(run.open).to.deep.equal(['b queued', 'review waiting']);
  });

  it('cleaning up is not reopened: it was no part of what was interrupted', () => {
    const cleaned: Definition = flow('a > b > end; clean', { clean: work() }, { onCancel: 'clean' });
    const run = given(cleaned).claim('a').when(cancel).pass(30_000).when({ type: 'expire-run' }).work('clean');
    expect(run.when(retry).open).to.deep.equal(['a queued']);
    expect(run.when(cancel).open, 'and a second cancel cleans up again').to.deep.equal(['clean#2 queued']);
  });

  it('also after terminate, of whatever it cut off', () => {
    const run = given(graph).work('a').claim('b').when({ type: 'terminate' }).when(retry);
    expect(run.open).to.deep.equal(['b queued', 'review waiting']);
    const stopping = given(graph).work('a').claim('b').when(cancel).when({ type: 'terminate' }).when(retry);
    expect(stopping.open).to.deep.equal(['b queued', 'review waiting']);
    const queued = given(graph).when({ type: 'terminate' }).when(retry);
    expect(queued.status).to.equal('queued');
    expect(queued.state.startedAt).to.equal(null);
  });

  it('a step that settled before the run was cancelled does not settle twice', () => {
    const run = given(flow('t > a > end', { t: set({ n: 1 }) }))
      .when(cancel)
      .when(retry);
    expect(run.all).to.deep.equal(['t completed', 'a queued']);
  });
});
