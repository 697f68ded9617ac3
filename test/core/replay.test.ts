// DESIGN §4: replay-from-node takes "the fold of events before the node's last visit, other open branches included", in a run
// of its own.

import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Definition } from '../../src/core/definition.ts';
import { decideReplay, type ReplayPoint } from '../../src/core/replay.ts';
import { chooseCommand, driveToEnd } from '../support/core-driver.ts';
import { ask, flow, planOf, set, wait, work } from '../support/core-flows.ts';
import { buildDefinition, graphs } from '../support/core-graphs.ts';
import { checkHistory, replayPointOf, snapshotsOf } from '../support/core-history.ts';
import { given, TestRun } from '../support/core-run.ts';
import { must } from '../support/must.ts';

const SCHEDULES = Number(process.env['CORE_RUNS'] ?? 5_000) / 5;

function replay(definition: Definition, run: TestRun, from: ReplayPoint | null): TestRun {
  return new TestRun(definition, run.plan, run.input, (plan, fresh, context) =>
    decideReplay(plan, { ...fresh, replayOf: 'other' }, from, context),
  );
}

function replayFrom(definition: Definition, run: TestRun, step: string): TestRun {
  return replay(definition, run, replayPointOf(run, step)!);
}

describe('a replay', () => {
  const graph = flow('a > b > c > end');

  it('from the start is a run like any, that says what it replays', () => {
    const run = given(graph, { n: 1 }).work('a').work('b').work('c');
    const again = replay(graph, run, null);
    expect(again.open).to.deep.equal(['a queued']);
    expect(again.state.data).to.deep.equal({ n: 1 });
    expect(again.ledger.events[0]?.data.detail).to.deep.equal({ replayOf: 'other' });
  });

  it('from a step begins with it: what was before it is copied with its outputs, marked, and not done again', () => {
    const run = given(graph).work('a', { a: 1 }).work('b', { b: 1 }).work('c', { c: 1 });
    const again = replayFrom(graph, run, 'b');
    expect(again.status).to.equal('queued');
    expect(again.all).to.deep.equal(['a completed', 'b queued']);
    expect(again.row('a')).to.deep.include({ attempt: 0, output: { a: 1 } });
    expect(again.state.data).to.deep.equal({ a: 1 });
    expect(again.ledger.events[0]?.data.detail).to.deep.equal({ replayOf: 'other', fromStep: 'b' });
    expect(again.ledger.events[1]).to.deep.include({ type: 'step.completed', step: 'a' });
    expect(again.ledger.events[1]?.data.detail).to.deep.equal({ replayed: true });
    expect(again.work('b', { b: 2 }).work('c').state.data).to.deep.equal({ a: 1, b: 2 });
    expect(again.status).to.equal('completed');
  });

  it('from a join has every branch behind it', () => {
    const joined = flow('a > b, c > j > end');
    const run = given(joined).work('a').work('b').work('c').work('j');
    expect(replayFrom(joined, run, 'j').all).to.deep.equal(['a completed', 'b completed', 'c completed', 'j queued']);
    expect(replayFrom(joined, run, 'c').open).to.have.members(['c queued', 'j pending']);
  });

  it('from a step that waits asks anew, and from one that decides decides anew', () => {
    const asked = flow('a > s > review > end', { s: set({ n: 2 }), review: ask() });
    const run = given(asked).work('a', { n: 1 }).answer('review', 'reject');
    expect(run.status).to.equal('failed');
    const again = replayFrom(asked, run, 'review');
    expect(again.open).to.deep.equal(['review waiting']);
    expect(again.state.data).to.deep.equal({ n: 2 });
    expect(replayFrom(asked, run, 's').row('s')).to.include({ status: 'completed', attempt: 1 });
  });

  it('a timer that was open there waits its whole time again', () => {
    const naps = flow('a > b, nap > j > end', { nap: wait(9_000) });
    const run = given(naps).work('a').pass(5_000).work('b').wake('nap').work('j');
    const again = replayFrom(naps, run, 'b');
    expect(again.open).to.have.members(['b queued', 'nap waiting']);
    expect(again.find('nap').dueAt).to.equal(again.now + 9_000);
  });

  it('from a step in a loop begins with its last visit, and counts visits without gaps', () => {
    const loop = flow('a > b > end; b -error> a', { a: work({ maxVisits: 3 }) });
    const run = given(loop).work('a', { n: 1 }).fail('b').work('a', { n: 2 }).fail('b').work('a', { n: 3 }).work('b');
    const again = replayFrom(loop, run, 'b');
    expect(again.all).to.deep.equal(['a completed', 'a#2 completed', 'a#3 completed', 'b queued']);
    expect(again.fail('b').state.error?.code).to.equal('max_visits_exceeded');
    const earlier = replayFrom(loop, run, 'a');
    expect(earlier.open).to.deep.equal(['a#3 queued']);
    expect(earlier.state.data).to.deep.equal({ n: 2 });
  });

  it('goes from no step that never began, that was only copied, or that only cleaned up', () => {
    const cleaned = flow('a > b > c > end; clean', { clean: work() }, { onCancel: 'clean' });
    const run = given(cleaned).work('a').claim('b').when({ type: 'cancel' }).lose('b').work('clean');
    expect(replayPointOf(run, 'c')).to.equal(null);
    expect(replayPointOf(run, 'clean')).to.equal(null);
    expect(replayPointOf(run, 'nowhere')).to.equal(null);
    expect(replayPointOf(replayFrom(cleaned, run, 'b'), 'a')).to.equal(null);
  });

  it('can be rolled back, but to nothing that it only copied', () => {
    const run = given(graph).work('a').work('b').work('c');
    const again = replayFrom(graph, run, 'b').work('b').work('c');
    expect(snapshotsOf(again).map(({ completed }) => completed.at(-1)?.step)).to.deep.equal(['b', 'c']);
  });
});

describe('replays of random runs', () => {
  it('begin with what the other run had there, and end like any run', () => {
    let begun = 0;
    fc.assert(
      fc.property(graphs, fc.array(fc.nat(0xffff), { maxLength: 40 }), fc.nat(8), (graph, numbers, nth) => {
        const definition = buildDefinition(graph);
        const run = new TestRun(definition, planOf(definition), { n: numbers.length % 4 });
        for (const number of numbers) run.pass(number % 7).ask(chooseCommand(run, [], number));
        driveToEnd(run, 2_000);
        const from = replayPointOf(run, `s${nth}`);
        const again = replay(definition, run, from);
        if (from) begun += 1;
        if (from && again.state.startedAt === null) checkBegun(again, from);
        checkHistory(again);
        driveToEnd(again, 2_000);
        checkHistory(again);
        again.ledger.checkFold(again.state);
      }),
      { numRuns: SCHEDULES },
    );
    expect(begun).to.be.greaterThan(SCHEDULES / 10);
  }).timeout(0);
});

/** Where nothing has settled yet: data and outputs are what they were, and what was open is open. */
function checkBegun({ state }: TestRun, { snapshot, restored }: ReplayPoint): void {
  must(isDeepStrictEqual(state.data, restored.data), () => 'it begins with other data');
  const steps = (marks: { step: string }[]) => marks.map(({ step }) => step).sort();
  const wanted = snapshot.marks.filter(({ completed }) => !completed);
  const missing = steps(wanted).filter((step) => !state.open.some((open) => open.step === step));
  must(missing.length === 0, () => `${missing} were open, and are not again`);
}
