// DESIGN §4, "Failure": what a step's final failure does to the run, and what is kept of it.

import { expect } from 'chai';
import type { OpenStep } from '../../src/core/run.ts';
import { ask, check, end, flow, set, wait, work } from '../support/core-flows.ts';
import { given, type TestRun } from '../support/core-run.ts';

describe('failure', () => {
  it('"A step\'s final failure without an error edge fails the run at once: other open steps are cancelled, pauses closed"', () => {
    const steps = { review: ask(), nap: wait(1_000) };
    const run = given(flow('a > b, c, d, review, nap > j > end', steps)).work('a').claim('c').work('d');
    expect(run.open).to.include('j pending');
    run.fail('b', { code: 'no_such_customer', message: 'There is no such customer' });
    expect(run.status).to.equal('failed');
    expect(run.state.error).to.deep.equal({
      code: 'no_such_customer',
      message: 'There is no such customer',
      step: 'b',
    });
    expect(run.all).to.deep.equal([
      'a completed',
      'b failed',
      'c cancelled',
      'd completed',
      'review cancelled',
      'nap cancelled',
      'j cancelled',
    ]);
    expect([...run.ledger.pauses.values()].map((pause) => pause.status)).to.deep.equal(['cancelled']);
  });

  it('"and the marking is kept as interrupted", the failed step and its attempts included', () => {
    const run = given(flow('a > b, c, review > end', { review: ask() }))
      .work('a')
      .claim('c')
      .claim('b');
    const before = run.state.open;
    run.fail('b');
    expect(run.state.interrupted).to.deep.equal(before);
    expect(run.state.open).to.deep.equal([]);
  });

  it('what settled before the failure in the same decision is not reopened', () => {
    const steps = { ok: set({ x: 1 }), nap: wait(`\${data.x}x`) };
    const run = given(flow('a > ok > nap > end', steps)).work('a');
    expect(run.state.error?.code).to.equal('expression_error');
    expect(run.state.interrupted?.map(({ step }) => step)).to.deep.equal(['nap']);
  });

  it('takes away the fences of those that run, so that late results are refused', () => {
    const run = given(flow('a > b, c > end')).work('a').claim('c').fail('b');
    expect(run.row('c').fence).to.equal(2);
    const late = run.ask({ type: 'complete', step: 'c', visit: 1, fence: 1, output: {} });
    expect(late).to.include({ kind: 'refused', code: 'run_finished' });
  });

  it('tells it in order: the attempt, the step, the run, and nothing after', () => {
    const run = given(flow('a > end')).fail('a');
    expect(run.eventTypes).to.deep.equal([
      'run.created',
      'step.started a',
      'attempt.failed a',
      'step.failed a',
      'run.failed',
    ]);
    expect(run.ledger.events.at(-1)?.data.detail).to.deep.equal({ code: 'broken', message: 'It broke', step: 'a' });
  });

  it('a failure that an error edge takes leaves the others alone, and the run without an error', () => {
    const run = given(flow('a > b, c > end; b -error> mend > end'))
      .work('a')
      .claim('c')
      .fail('b')
      .work('c')
      .work('mend');
    expect(run.status).to.equal('completed');
    expect(run.state.error).to.equal(null);
    expect(run.row('b').error).to.deep.equal({ code: 'broken', message: 'It broke' });
  });

  it('a run may fail as it is started', () => {
    const run = given(flow('nap > end', { nap: wait(`\${data.nothing}`) }));
    expect(run.status).to.equal('failed');
    expect(run.eventTypes).to.deep.equal(['run.created', 'step.failed nap', 'run.failed']);
  });

  it('a condition that is no truth is false, not a failure', () => {
    expect(
      given(flow('x -true> a; x -false> b; a, b > end', { x: check('data.missing.deeper > 1') })).open,
    ).to.deep.equal(['b queued']);
  });
});

describe('a completion that cannot be followed up', () => {
  /** The run has failed with `code`; so has the step run that ended, and a retry would reopen it as it was. */
  const expectFailed = (run: TestRun, code: string, step: string, before: readonly OpenStep[]) => {
    const { visit } = before.find((open) => open.step === step)!;
    expect(run.state.error).to.include({ code, step });
    const { message } = run.state.error!;
    expect(run.row(step, visit)).to.deep.include({ status: 'failed', error: { code, message } });
    expect(run.eventTypes.slice(-2)).to.deep.equal([`step.failed ${step}`, 'run.failed']);
    expect(run.eventTypes).to.not.include(`step.completed ${step}`);
    expect(run.state.interrupted).to.deep.equal(before);
    expect(run.decision.dataPatch).to.equal(null);
    expect(run.state.outputs).to.not.have.property(step);
  };

  it('a rejection that no edge takes: the answer stays on the pause, its fields come not into data', () => {
    const actions = [{ id: 'approve' }, { id: 'reject', fields: { why: { type: 'string' } } }];
    const steps = { review: ask({ actions }), seen: set({ by: `\${steps.review.output.decidedBy}` }) };
    const run = given(flow('a > b, review; review > seen > end; b > end; review -error> end', steps)).work('a');
    const before = run.state.open;
    const answer = { type: 'request_user_action' as const, actionId: 'reject', data: { why: 'too dear' } };
    run.when({ type: 'answer', answer }, 'ann');
    expectFailed(run, 'approval_rejected', 'review', before);
    const [pause] = [...run.ledger.pauses.values()];
    expect(pause).to.deep.include({ status: 'answered', answer, answeredBy: 'ann' });
    expect(run.row('review').output, 'who decided stays to be seen').to.include({
      actionId: 'reject',
      decidedBy: 'ann',
    });
  });

  it('a rejection that an edge takes is a completion', () => {
    const run = given(flow('review > end; review -reject> redo > end', { review: ask() })).answer('review', 'reject');
    expect(run.row('review')).to.include({ status: 'completed', error: null });
    expect(run.ledger.events.at(-1)).to.deep.include({ type: 'step.completed', step: 'review' });
    expect(run.ledger.events.at(-1)?.data.detail).to.deep.equal({ outcome: 'rejected' });
  });

  it('a condition that cannot be evaluated, in a claimed step with its input, or one that settles', () => {
    const costly = '?(data.x+data.x)=="y">';
    const data = { x: 'x'.repeat(600_000) };
    const run = given(flow(`a > b ${costly} end; a > end`, {}), data)
      .work('a')
      .claim('b', { args: 1 });
    const before = run.state.open;
    expectFailed(run.work('b', { n: 1 }), 'expression_error', 'b', before);
    expect(run.row('b').input).to.deep.equal({ args: 1 });
    const settled = given(flow(`a > t ${costly} b; b > end`, { t: set({ n: 1 }) }), data).work('a');
    expect(settled.all).to.deep.equal(['a completed', 't failed']);
    expect(settled.state.interrupted?.map(({ step, status }) => `${step} ${status}`)).to.deep.equal(['t pending']);
  });

  it('a loop that has used up its visits', () => {
    const run = given(flow('a > b ?true> a; b ?false> end', { a: work({ maxVisits: 1 }) }))
      .work('a')
      .claim('b');
    const before = run.state.open;
    expectFailed(run.work('b', { n: 1 }), 'max_visits_exceeded', 'b', before);
    expect(run.state.visits).to.deep.equal({ a: 1, b: 1 });
    const self = given(flow('t ?true> t; t ?false> end', { t: set({ n: 1 }, { maxVisits: 1 }) }));
    expect(self.all).to.deep.equal(['t failed']);
    expect(self.state.error?.code).to.equal('max_visits_exceeded');
  });

  it('merging into an arrival that waits is no visit, and spends no limit', () => {
    const graph = flow('a > b, c > j ?data.again> a; j > end', { j: work({ maxVisits: 1 }) });
    expect(given(graph).work('a').work('b').work('c').open).to.deep.equal(['j queued']);
  });

  it('data that would grow too big, also while the run is being cancelled', () => {
    const big = { big: 'b'.repeat(1_048_576) };
    const run = given(flow('a > end; a -error> mend > end')).claim('a');
    const before = run.state.open;
    expectFailed(run.work('a', big), 'data_too_large', 'a', before);
    const stopping = given(flow('a > end')).claim('a').when({ type: 'cancel' }).work('a', big);
    expect(stopping.status).to.equal('cancelled');
    expect(stopping.row('a')).to.deep.include({ status: 'failed' });
    expect(stopping.state.data).to.deep.equal({});
  });

  it('an end that cannot say with what, or that is a failure, with what it says', () => {
    const output = `\${data.x + data.x}`;
    const broken = given(flow('a > end', {}, { output }), { x: 'x'.repeat(600_000) }).work('a');
    expect(broken.all).to.deep.equal(['a completed', 'end failed']);
    expect(broken.state.interrupted?.map(({ step }) => step)).to.deep.equal(['end']);
    const failed = given(flow('a > stop', { stop: end({ status: 'failed', result: 7 }) })).work('a');
    expect(failed.row('stop')).to.deep.include({ status: 'failed', output: 7 });
    expect(failed.state.interrupted?.map(({ step }) => step)).to.deep.equal(['stop']);
  });

  it('where the last branch has ended and only the result cannot be told, no step run is to be reopened', () => {
    const graph = flow('a ?false> end', {}, { output: `\${data.x + data.x}` });
    const run = given(graph, { x: 'x'.repeat(600_000) }).work('a');
    expect(run.state.error?.code).to.equal('expression_error');
    expect(run.all).to.deep.equal(['a completed']);
    expect(run.state.interrupted).to.deep.equal([]);
  });
});
