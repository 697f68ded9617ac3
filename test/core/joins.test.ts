// DESIGN §4, "Joins": who waits for whom, and when a pending step run goes.

import { expect } from 'chai';
import type { PlanStep } from '../../src/core/plan.ts';
import { decide } from '../../src/core/transition.ts';
import { ask, check, collect, end, flow, set, wait, work } from '../support/core-flows.ts';
import { given, toAnswer } from '../support/core-run.ts';

describe('joins', () => {
  it('"An arrival at a pending step run merges into it"', () => {
    const run = given(flow('a > b, c, d > j > end')).work('a').work('b').work('d');
    expect(run.open).to.deep.equal(['c queued', 'j pending']);
    expect(run.work('c').open).to.deep.equal(['j queued']);
    expect(run.state.stepRuns).to.equal(5);
  });

  it('waits for branches of unequal length', () => {
    const run = given(flow('a > b, c; c > d > e > j; b > j > end')).work('a').work('b');
    for (const step of ['c', 'd', 'e']) {
      expect(run.open).to.include('j pending');
      run.work(step);
    }
    expect(run.open).to.deep.equal(['j queued']);
  });

  it('"asked again whenever a step run closes, dead branches included"', () => {
    const run = given(flow('a > b, c; c ?false> d > j; b > j > end')).work('a').work('b');
    expect(run.open).to.deep.equal(['c queued', 'j pending']);
    expect(run.work('c').open).to.deep.equal(['j queued']);
  });

  it('a branch that waits for a person or for time is waited for', () => {
    const run = given(flow('a > b, review, nap > j > end', { review: ask(), nap: wait(1_000) }))
      .work('a')
      .work('b');
    expect(run.open).to.deep.equal(['review waiting', 'nap waiting', 'j pending']);
    expect(run.wake('nap').open).to.deep.equal(['review waiting', 'j pending']);
    expect(run.status).to.equal('waiting');
    expect(run.answer('review', 'approve').open).to.deep.equal(['j queued']);
  });

  it('blockers are those "from which J can be reached without on: "error"|"timeout" edges"', () => {
    const run = given(flow('a > b, c; b > j > end; c -error> j; c > d > end')).work('a').work('b');
    expect(run.open).to.deep.equal(['c queued', 'j queued']);
  });

  it('"An arrival over an error or timeout edge never waits", not even where others wait already', () => {
    const graph = flow('a > b, c, d > j > end; c -error> j');
    const run = given(graph).work('a').work('b');
    expect(run.open).to.include('j pending');
    expect(run.fail('c').open).to.deep.equal(['d queued', 'j queued']);
    expect(run.work('d').open).to.deep.equal(['j queued', 'j#2 queued']);
  });

  it('an alarm step shared by on: "error" edges sounds once for each failure, and for nobody else', () => {
    const graph = flow('a > b, c, d > j; j > end; b, c, d -error> alarm');
    const run = given(graph).work('a').fail('b');
    expect(run.open).to.deep.equal(['c queued', 'd queued', 'alarm queued']);
    run.fail('c');
    expect(run.open).to.deep.equal(['d queued', 'alarm queued', 'alarm#2 queued']);
    run.work('d');
    expect(run.open).to.deep.equal(['alarm queued', 'alarm#2 queued', 'j queued']);
    expect(given(graph).work('a').work('b').work('c').work('d').open).to.deep.equal(['j queued']);
  });

  it('"among mutual waiters the first reached" goes, whether it works or settles', () => {
    const graph = (steps: Parameters<typeof flow>[1]) =>
      flow('a > b, c, d; b > x; c > y; d ?data.never> x; x > y; y ?data.again> x; y > end', steps);
    for (const steps of [{}, { x: set({ x: 1 }) }, { y: set({ y: 1 }) }]) {
      const run = given(graph(steps)).work('a').work('b').work('c');
      expect(run.open).to.deep.equal(['d queued', 'x pending', 'y pending']);
      run.work('d');
      expect(run.open).to.deep.equal('x' in steps ? ['y queued'] : ['x queued', 'y pending']);
      const turned = given(graph(steps)).work('a').work('c').work('b').work('d');
      expect(turned.open).to.deep.equal('y' in steps ? ['x queued', 'end pending'] : ['y queued', 'x pending']);
    }
  });

  it('joins 1,000 branches once, when the last one ends', () => {
    const branches = Array.from({ length: 1_000 }, (_, index) => `b${index}`);
    const run = given(flow(`a > ${branches.join(', ')} > j > end`)).work('a');
    expect(run.open).to.have.length(1_000);
    const completed = branches
      .slice(1)
      .map((step) => ({ type: 'complete' as const, step, visit: 1, fence: null, attempt: 1, output: {} }));
    run.together(completed);
    expect(run.open).to.deep.equal(['b0 queued', 'j pending']);
    expect(run.work('b0').open).to.deep.equal(['j queued']);
    expect(run.state.stepRuns).to.equal(1_002);
  });
});

describe('joins: two parallel reviews, one of which sends back', () => {
  const steps = { one: ask(), two: ask() };
  const only = flow('draft > one, two > publish > end; one -reject> draft', steps);

  it('both wait together: a way round the loop is no reason to wait, in whatever order they are written', () => {
    expect(given(only).work('draft').open).to.deep.equal(['one waiting', 'two waiting']);
    const turned = flow('draft > two, one > publish > end; one -reject> draft', steps);
    expect(given(turned).work('draft').open).to.deep.equal(['two waiting', 'one waiting']);
  });

  it('publishes when both have approved, whoever comes first', () => {
    for (const [first, second] of [
      ['one', 'two'],
      ['two', 'one'],
    ] as const) {
      const run = given(only).work('draft').answer(first, 'approve');
      expect(run.open).to.deep.equal([`${second} waiting`, 'publish pending']);
      expect(run.answer(second, 'approve').open).to.deep.equal(['publish queued']);
    }
  });

  it('sent back after the other approved: publishing waits for the second draft, and happens once', () => {
    const run = given(only).work('draft').answer('two', 'approve').answer('one', 'reject');
    expect(run.open).to.deep.equal(['publish pending', 'draft#2 queued']);
    expect(run.work('draft').open).to.deep.equal(['publish pending', 'one#2 waiting', 'two#2 waiting']);
    run.answer('one', 'approve').answer('two', 'approve');
    expect(run.open).to.deep.equal(['publish queued']);
    expect(run.work('publish').status).to.equal('completed');
  });

  it('sent back before the other answered: the draft goes at once, the other may still answer for the first', () => {
    const run = given(only).work('draft').answer('one', 'reject');
    expect(run.open).to.deep.equal(['two waiting', 'draft#2 queued']);
    run.answer('two', 'approve').work('draft');
    expect(run.open).to.deep.equal(['publish pending', 'one#2 waiting', 'two#2 waiting']);
    run.answer('one', 'approve').answer('two', 'approve');
    expect(run.open).to.deep.equal(['publish queued']);
  });

  it('the price: who has not answered by then has two pauses open, and publishing waits for both', () => {
    const run = given(only).work('draft').answer('one', 'reject').work('draft');
    expect(run.open).to.deep.equal(['two waiting', 'one#2 waiting', 'two#2 waiting']);
    const first = run.state.open[0]!.pauseId!;
    run.answer('one', 'approve').when({ type: 'answer', answer: toAnswer('approve'), pauseId: first });
    expect(run.open).to.deep.equal(['two#2 waiting', 'publish pending']);
    expect(run.answer('two', 'approve').open).to.deep.equal(['publish queued']);
  });

  it('a working branch beside the review starts at once', () => {
    const graph = flow('draft > review, print > publish > end; review -reject> draft', { review: ask() });
    const run = given(graph).work('draft');
    expect(run.open).to.deep.equal(['review waiting', 'print queued']);
    run.work('print').answer('review', 'reject');
    expect(run.open).to.deep.equal(['publish pending', 'draft#2 queued']);
  });
});

describe('joins: two parallel reviews that both may send back', () => {
  const both = flow('draft > one, two > publish > end; one -reject> draft; two -reject> draft', {
    one: ask(),
    two: ask(),
  });

  it('both wait together', () => {
    expect(given(both).work('draft').open).to.deep.equal(['one waiting', 'two waiting']);
  });

  it('the draft waits for both answers, and is entered once', () => {
    const run = given(both).work('draft').answer('one', 'reject');
    expect(run.open).to.deep.equal(['two waiting', 'draft#2 pending']);
    expect(run.answer('two', 'reject').open).to.deep.equal(['draft#2 queued']);
    run.work('draft').answer('two', 'approve').answer('one', 'approve').work('publish');
    expect(run.all).to.deep.equal([
      'draft completed',
      'one completed',
      'two completed',
      'draft#2 completed',
      'one#2 completed',
      'two#2 completed',
      'publish completed',
      'end completed',
    ]);
  });

  it('where one approves and the other sends back, publishing waits for the second draft and its reviews', () => {
    for (const [first, second] of [
      ['approve', 'reject'],
      ['reject', 'approve'],
    ] as const) {
      const run = given(both).work('draft').answer('one', first).answer('two', second);
      expect(run.open).to.have.members(['publish pending', 'draft#2 queued']);
      run.work('draft').answer('one', 'approve');
      expect(run.open).to.deep.equal(['publish pending', 'two#2 waiting']);
      expect(run.answer('two', 'approve').open).to.deep.equal(['publish queued']);
    }
  });
});

describe('joins: loops', () => {
  it('in a loop within a loop, each waits for what leads to it, and for no way round', () => {
    const steps = { check: ask(), sign: ask() };
    const graph = flow('plan > write > check, spell > sign > end; check -reject> write; sign -reject> plan', steps);
    const run = given(graph).work('plan').work('write');
    expect(run.open).to.deep.equal(['check waiting', 'spell queued']);
    run.work('spell').answer('check', 'reject');
    expect(run.open).to.deep.equal(['sign pending', 'write#2 queued']);
    run.work('write').answer('check', 'approve');
    expect(run.open).to.deep.equal(['sign pending', 'spell#2 queued']);
    expect(run.work('spell').open).to.deep.equal(['sign waiting']);
    run.answer('sign', 'reject').work('plan').work('write');
    expect(run.open).to.deep.equal(['check#3 waiting', 'spell#3 queued']);
    run.work('spell').answer('check', 'approve').answer('sign', 'approve');
    expect(run.status).to.equal('completed');
  });

  it('branches beside each other start together, though a loop leads back to one of them', () => {
    const steps = { legal: ask(), finance: ask(), sign: ask() };
    const run = given(flow('draft > legal, finance > sign > end; sign -reject> legal', steps)).work('draft');
    expect(run.open).to.deep.equal(['legal waiting', 'finance waiting']);
    run.answer('legal', 'approve');
    expect(run.open).to.deep.equal(['finance waiting', 'sign pending']);
    run.answer('finance', 'approve').answer('sign', 'reject');
    expect(run.open).to.deep.equal(['legal#2 waiting']);
    expect(run.answer('legal', 'approve').open).to.deep.equal(['sign#2 waiting']);
  });

  it('what comes after a loop waits until it is left', () => {
    const run = given(flow('a > turn, b > j > end; turn ?data.again> turn', {}), { again: true }).work('a').work('b');
    run.work('turn');
    expect(run.open).to.deep.equal(['j pending', 'turn#2 queued']);
    expect(run.work('turn', { again: false }).open).to.deep.equal(['j queued']);
  });

  it('should a plan ever let all that is open wait in a ring, the one reached first goes', () => {
    const ring = new Set(['y x', 'z y', 'x z']);
    const run = given(flow('a > x, y, z > end'));
    const { plan, state } = run;
    const ringed = { ...plan, canArrive: (from: PlanStep, to: PlanStep) => ring.has(`${from.step.id} ${to.step.id}`) };
    const done = { type: 'complete' as const, step: 'a', visit: 1, fence: null, attempt: 1, output: {} };
    const verdict = decide(ringed, state, done, run.context());
    if (verdict.kind !== 'accepted') throw new Error(verdict.kind);
    const open = verdict.decision.state.open.map(({ step, status }) => `${step} ${status}`);
    expect(open).to.deep.equal(['x queued', 'y pending', 'z pending']);
  });
});

describe('joins: any', () => {
  const anyJoin = { j: work({ join: 'any' }) };

  it('"goes at the first arrival and cancels every other open step run that can reach it"', () => {
    const steps = { ...anyJoin, review: ask(), nap: wait(1_000) };
    const run = given(flow('a > b, c, review, nap > j > end; a > other > end', steps)).work('a').claim('c');
    const { fence } = run.find('c');
    run.work('b');
    expect(run.open).to.deep.equal(['other queued', 'j queued']);
    expect([run.row('c').status, run.row('review').status, run.row('nap').status]).to.deep.equal([
      'cancelled',
      'cancelled',
      'cancelled',
    ]);
    expect([...run.ledger.pauses.values()].map(({ status }) => status)).to.deep.equal(['cancelled']);
    expect(run.row('c').fence).to.equal(fence + 1);
  });

  it('refuses the late result of one it cancelled', () => {
    const run = given(flow('a > b, c > j > end', anyJoin)).work('a').claim('c').work('b');
    const late = run.ask({ type: 'complete', step: 'c', visit: 1, fence: 1, output: {} });
    expect(late).to.include({ kind: 'refused', code: 'step_not_open' });
  });

  it('cancels those that could reach it over an error edge only', () => {
    const run = given(flow('a > b, c; b > j > end; c -error> j; c > end', anyJoin)).work('a').work('b');
    expect(run.open).to.deep.equal(['j queued']);
  });

  it('cancels the others also when it is reached over an error edge', () => {
    const run = given(flow('a > b, c > j > end; b -error> j', anyJoin)).work('a').fail('b');
    expect(run.open).to.deep.equal(['j queued']);
  });

  it('inside a loop cancels what else could arrive, and nothing downstream of it that may send back', () => {
    const steps = { ...anyJoin, d: ask(), e: ask() };
    const graph = flow('a > b, c > j > d, e > end; d -reject> b; e -reject> a', steps);
    const run = given(graph).work('a').work('b').work('j').answer('d', 'reject');
    expect(run.open).to.deep.equal(['e waiting', 'b#2 queued']);
    expect(run.work('b').open).to.deep.equal(['e waiting', 'j#2 queued']);
  });

  it('goes before branches that settle in the same decision arrive, and tells their end', () => {
    const run = given(flow('a > t, review, b > j > end', { ...anyJoin, t: set({ x: 1 }), review: ask() })).work('a');
    expect(run.open).to.deep.equal(['j queued']);
    expect(run.all).to.deep.equal(['a completed', 't completed', 'review cancelled', 'b cancelled', 'j queued']);
    expect(run.ledger.pauses.size).to.equal(0);
  });

  it('a step that it cancelled in the same decision never comes back', () => {
    const run = given(flow('a > j, b, c > end; b, c > j', anyJoin)).work('a');
    expect(run.open).to.deep.equal(['j queued']);
    expect(run.all).to.deep.equal(
      ['a completed', 'j queued', 'b cancelled', 'c cancelled', 'end cancelled'].filter((one) => run.all.includes(one)),
    );
  });
});

describe('joins: end-flow', () => {
  it('"ends the run and cancels what is still open"', () => {
    const run = given(
      flow('a > b, c, review; b -true> stop; c, review > end; stop > end', { b: check('true'), review: ask() }),
    ).work('a');
    expect(run.open).to.deep.equal(['c queued', 'review waiting', 'stop queued']);
    const direct = given(
      flow('a > quick; a > b, review; quick > out; b, review > end', {
        quick: set({ x: 1 }),
        review: ask(),
        out: end({ result: `\${data.x}` }),
      }),
    );
    direct.work('a');
    expect(direct.status).to.equal('completed');
    expect(direct.state.result).to.equal(1);
    expect(direct.all).to.include.members(['b cancelled', 'review cancelled']);
  });

  it('"one that several branches share is a join like any step"', () => {
    const run = given(flow('a > b, c > end')).work('a').work('b');
    expect(run.open).to.deep.equal(['c queued', 'end pending']);
    expect(run.work('c').status).to.equal('completed');
    expect(run.eventTypes.at(-1)).to.equal('run.completed');
  });

  it('fails the run where it says so, with its own words', () => {
    const run = given(
      flow('form > stop', {
        form: collect({ why: { type: 'string' } }),
        stop: end({ status: 'failed', error: `No: \${data.why}` }),
      }),
    );
    run.answer('form', { why: 'too late' });
    expect(run.state.error).to.deep.equal({ code: 'flow_failed', message: 'No: too late', step: 'stop' });
  });

  it("takes the run's result from the definition where it names none", () => {
    const run = given(flow('a > end', {}, { output: { sum: `\${steps.a.output.n + 1}` } })).work('a', { n: 1 });
    expect(run.state.result).to.deep.equal({ sum: 2 });
    const broken = given(flow('a > end', {}, { output: `\${data.x + data.x}` }), { x: 'x'.repeat(600_000) }).work('a');
    expect(broken.state.error?.code).to.equal('expression_error');
  });
});
