// DESIGN §4, "Loops": edges back, the visits they make, and what ends those that never would.

import { expect } from 'chai';
import { LIMITS } from '../../src/core/definition.ts';
import { decide } from '../../src/core/transition.ts';
import { ask, check, collect, flow, set, work } from '../support/core-flows.ts';
import { given } from '../support/core-run.ts';

describe('loops', () => {
  it('"each entry is a new visit"', () => {
    const run = given(flow('write > review > end; review -reject> write', { review: ask() }));
    run.work('write').answer('review', 'reject').work('write').answer('review', 'reject').work('write');
    expect(run.open).to.deep.equal(['review#3 waiting']);
    expect(run.answer('review', 'approve').all).to.deep.equal([
      'write completed',
      'review completed',
      'write#2 completed',
      'review#2 completed',
      'write#3 completed',
      'review#3 completed',
      'end completed',
    ]);
    expect(run.state.visits).to.deep.equal({ write: 3, review: 3, end: 1 });
  });

  it('a new visit starts from nothing: attempt 1, fence 0, epoch 0, no lost claims', () => {
    const run = given(flow('a ?data.n<3> a; a ?data.n>2> end'));
    run.claim('a').lose('a').fail('a', { retryable: true, definite: true }).pass(60_000).work('a', { n: 1 });
    expect(run.state.open).to.deep.equal([
      { step: 'a', visit: 2, status: 'queued', attempt: 1, fence: 0, epoch: 0, lost: 0 },
    ]);
  });

  it('a step may lead to itself', () => {
    const run = given(flow('a ?data.n<3> a; a ?data.n>2> end')).work('a', { n: 1 }).work('a', { n: 2 });
    expect(run.open).to.deep.equal(['a#3 queued']);
    expect(run.work('a', { n: 3 }).status).to.equal('completed');
  });

  it('"maxVisits" ends runaways with a clear error', () => {
    const run = given(
      flow('a > again -true> a; again -false> end', { a: work({ maxVisits: 2 }), again: check('true') }),
    );
    run.work('a');
    expect(run.open).to.deep.equal(['a#2 queued']);
    run.work('a');
    expect(run.state.error).to.deep.equal({
      code: 'max_visits_exceeded',
      message: 'Step "a" was entered more than 2 times; give the loop an exit or raise its maxVisits',
      step: 'again',
    });
    expect(run.state.visits['a']).to.equal(2);
  });

  it('"maxVisits (1,000)": what a loop may do where it names none', () => {
    const run = given(flow('a > b > a; b ?false> end', { a: set({ x: 1 }), b: set({ y: 1 }) }));
    while (run.status === 'running') run.settle(run.state.open[0]!.step);
    expect(run.state.error?.code).to.equal('max_visits_exceeded');
    expect(run.state.visits).to.deep.equal({ a: 1_000, b: 1_000 });
  }).timeout(20_000);

  it('"100,000 step runs a run"', () => {
    const run = given(flow('a > b, c > end'));
    const nearly = { ...run.state, stepRuns: LIMITS.stepRunsPerRun - 1 };
    const done = { type: 'complete' as const, step: 'a', visit: 1, fence: null, attempt: 1, output: {} };
    const verdict = decide(run.plan, nearly, done, run.context());
    if (verdict.kind !== 'accepted') throw new Error(verdict.kind);
    const { state, steps } = verdict.decision;
    expect(state.error).to.deep.include({ code: 'too_many_steps', step: 'a' });
    expect(state.stepRuns).to.equal(LIMITS.stepRunsPerRun - 1);
    expect(steps.map((row) => `${row.step} ${row.status}`)).to.deep.equal(['a failed']);
  });

  it('counts visits only of steps that can be entered more than once', () => {
    const run = given(flow('start > a > b ?data.again> a; b > end')).work('start').work('a');
    expect(run.state.visits).to.deep.equal({ a: 1, b: 1 });
  });

  it('a step behind an error edge can be entered by both ways', () => {
    const run = given(flow('a > b, c; b > done; b -error> mend > done; c -error> mend; c > done > end'));
    run.work('a').fail('b').fail('c').work('mend');
    expect(run.open).to.deep.equal(['mend queued', 'done pending']);
    run.work('mend').work('done');
    expect(run.status).to.equal('completed');
  });

  it('collect-inputs asks again on its second visit, although the start input answers the first', () => {
    const run = given(
      flow('form > check -true> form; check -false> end', {
        form: collect({ n: { type: 'number' } }),
        check: check('data.n<3'),
      }),
      { n: 1 },
    );
    expect(run.open).to.deep.equal(['form#2 waiting']);
    expect(run.answer('form', { n: 3 }).status).to.equal('completed');
  });
});

describe('a decision settles at most 100 steps', () => {
  const chain = (length: number) => {
    const ids = Array.from({ length }, (_, index) => `t${index}`);
    return flow(`${ids.join(' > ')} > end`, Object.fromEntries(ids.map((id) => [id, set({ [id]: true })])));
  };

  it('"the next becomes queued", and goes on by the command settle', () => {
    const run = given(chain(250));
    expect(run.open).to.deep.equal(['t100 queued']);
    expect(run.status).to.equal('running');
    expect(run.settle('t100').open).to.deep.equal(['t200 queued']);
    expect(run.settle('t200').status).to.equal('completed');
    expect(Object.keys(run.state.data)).to.have.length(250);
  });

  it('100 settle at once', () => {
    expect(given(chain(99)).status).to.equal('completed');
    expect(given(chain(100)).open).to.deep.equal(['end queued']);
  });

  it("a queued step that settles is nobody's to claim, and one that works is not to be settled", () => {
    const run = given(chain(100));
    expect(run.ask({ type: 'claim', step: 'end', visit: 1, input: null })).to.include({
      kind: 'refused',
      code: 'claim_lost',
    });
    expect(run.ask({ type: 'complete', step: 'end', visit: 1, fence: null, attempt: 1, output: 1 })).to.include({
      code: 'claim_lost',
    });
    expect(run.settle('end').status).to.equal('completed');
    expect(given(flow('a > end')).ask({ type: 'settle', step: 'a', visit: 1 })).to.include({ code: 'step_not_open' });
  });

  it('a pause or a timer may be what was put off', () => {
    const ids = Array.from({ length: 100 }, (_, index) => `t${index}`);
    const steps = { ...Object.fromEntries(ids.map((id) => [id, set({})])), review: ask() };
    const run = given(flow(`${ids.join(' > ')} > review > end`, steps));
    expect(run.settle('review').open).to.deep.equal(['review waiting']);
    expect(run.status).to.equal('waiting');
  });
});
