// DESIGN §4, "Failure": what a step's final failure does to the run, and what is kept of it.

import { expect } from 'chai';
import { ask, check, flow, set, wait } from '../support/core-flows.ts';
import { given } from '../support/core-run.ts';

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
