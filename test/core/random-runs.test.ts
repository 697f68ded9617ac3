// Random definitions under random commands: whatever is asked, in whatever order, the invariants of GUARANTEES §5 hold
// after every decision (core-ledger.ts, core-joins.ts), and a run that is driven on ends. `CORE_RUNS` is the number of
// schedules, 5,000 by default; a failure prints the seed and the smallest case.

import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Command } from '../../src/core/commands.ts';
import type { Decision } from '../../src/core/decision.ts';
import type { Definition } from '../../src/core/definition.ts';
import { packMark, unpackMark } from '../../src/core/events.ts';
import { mergeDecisions } from '../../src/core/merging.ts';
import type { Plan } from '../../src/core/plan.ts';
import type { Verdict } from '../../src/core/refusal.ts';
import { FINISHED, keyOf, type RunState } from '../../src/core/run.ts';
import { decide } from '../../src/core/transition.ts';
import { chooseCommand, driveToEnd } from '../support/core-driver.ts';
import { planOf } from '../support/core-flows.ts';
import { buildDefinition, type Graph, graphs } from '../support/core-graphs.ts';
import { checkHistory, rollbackTo, snapshotsOf } from '../support/core-history.ts';
import { TestRun } from '../support/core-run.ts';
import { must } from '../support/must.ts';

type Rollback = Extract<Command, { type: 'rollback' }>;
type Accepted = Extract<Verdict, { kind: 'accepted' }>;

const SCHEDULES = Number(process.env['CORE_RUNS'] ?? 5_000);
const PER_GRAPH = 4;
/** Enough to end any run of nine steps of four visits each, with every retry and every lost claim. */
const MOST_COMMANDS = 2_000;

const schedules = fc.array(fc.array(fc.nat(0xffff), { maxLength: 40 }), { minLength: PER_GRAPH, maxLength: PER_GRAPH });

describe('random runs', () => {
  const seen = { commands: 0, accepted: 0, held: 0, retried: 0, rolledBack: 0, ends: {} as Record<string, number> };

  it(`keep every invariant after every command, and end (${SCHEDULES} schedules)`, () => {
    fc.assert(
      fc.property(graphs, schedules, (graph: Graph, plays) => {
        const definition = buildDefinition(graph);
        const plan = planOf(definition);
        for (const numbers of plays) playOn(definition, plan, numbers);
      }),
      { numRuns: Math.ceil(SCHEDULES / PER_GRAPH) },
    );
  }).timeout(0);

  it('were worth it: all endings were met, and commands both accepted and refused', () => {
    expect(seen.ends).to.have.all.keys('completed', 'failed', 'cancelled');
    expect(seen.held).to.be.greaterThan(0);
    expect(seen.retried).to.be.greaterThan(0);
    expect(seen.rolledBack).to.be.greaterThan(0);
    expect(seen.accepted / seen.commands).to.be.within(0.3, 0.9);
  });

  it('come to the same when their commands are folded into one decision', () => {
    fc.assert(
      fc.property(graphs, schedules, (graph: Graph, plays) => {
        const definition = buildDefinition(graph);
        for (const numbers of plays) playFolded(definition, planOf(definition), numbers);
      }),
      { numRuns: Math.ceil(SCHEDULES / PER_GRAPH / 10) },
    );
  }).timeout(0);

  function playOn(definition: Definition, plan: Plan, numbers: readonly number[]): void {
    const run = new TestRun(definition, plan, numbers.length % 3 === 0 ? { n: numbers.length % 4 } : {});
    const asked: Command[] = [];
    /** The run after each decision that ended with a snapshot, by the number of its last event. */
    const stops = new Map<number, RunState>();
    let afterEnd = 0;
    for (const number of numbers) {
      if (FINISHED.has(run.state.status) && ++afterEnd > 4) break;
      if (number % 3 === 0) run.pass(number % 29);
      const command = chooseCommand(run, asked, number);
      if (number % 16 === 0) checkRepeatable(run, command);
      if (number % 8 === 0) run.state = reload(run.state);
      const before = freeze(run.state);
      const verdict = run.ask(command);
      if (verdict.kind !== 'accepted')
        must(run.state === before, () => `${command.type} was ${verdict.kind} and changed the run`);
      if (command.type === 'rollback' && verdict.kind === 'accepted') {
        checkRolledBack(before, command, verdict);
        checkRestored(command, stops.get(command.fold.snapshot.seq));
        seen.rolledBack += 1;
      }
      if (run.status === 'held') checkHeld(before, command, verdict);
      if (command.type === 'release' && verdict.kind === 'accepted') checkReleased(run);
      asked.push(command);
      stops.set(run.state.seq, run.state);
      seen.commands += 1;
      if (command.type === 'retry' && verdict.kind === 'accepted') seen.retried += 1;
      if (run.status === 'held') seen.held += 1;
      if (verdict.kind === 'accepted') seen.accepted += 1;
    }
    if (numbers.length % 2) checkHistory(run);
    driveToEnd(run, MOST_COMMANDS);
    run.ledger.checkFold(run.state);
    checkHistory(run);
    checkFinished(run, asked);
    if (numbers.length % 4 === 1) checkEndsAgain(run);
    seen.ends[run.status] = (seen.ends[run.status] ?? 0) + 1;
  }
});

/** Under a hold a decision closes at most the one step run it was asked about, and nothing goes to work. */
function checkHeld(before: RunState, command: Command, verdict: Verdict): void {
  if (verdict.kind !== 'accepted' || command.type === 'hold') return;
  must(before.status === 'held', () => `${command.type} holds a run`);
  const closed = verdict.decision.events.flatMap(({ data }) => data.closed ?? []);
  must(closed.length <= 1, () => `${command.type} closed ${closed.length} step runs of a held run`);
  const isNews = (status: string) => status === 'queued' || status === 'running' || status === 'waiting';
  must(!verdict.decision.steps.some(({ status }) => isNews(status)), () => `${command.type} moved a held run on`);
}

/** "Release queues, fires and ends what is ready": nothing that is due is left waiting. */
function checkReleased({ state, now }: TestRun): void {
  const late = state.open.find(({ status, dueAt }) => status === 'waiting' && dueAt !== undefined && dueAt <= now);
  must(!late, () => `${late?.step} was due and did not fire with the release`);
}

/** "Same input, same decision." */
function checkRepeatable(run: TestRun, command: Command): void {
  const decided = (): Verdict => {
    let ids = 0;
    return decide(run.plan, run.state, command, { ...run.context(), newId: () => `same-${++ids}` });
  };
  must(isDeepStrictEqual(decided(), decided()), () => `${command.type} was decided in two ways`);
}

/** What was open is open again, as new visits under new keys, and what has come since is undone. */
function checkRolledBack(before: RunState, { fold }: Rollback, { decision }: Accepted): void {
  const [event] = decision.events;
  const undone = (event?.data.closed ?? []).map(keyOf);
  const { marks, completed } = fold.snapshot;
  must(
    before.open.every((open) => undone.includes(keyOf(open))),
    () => 'something open was not undone',
  );
  must(!completed.some((ref) => undone.includes(keyOf(ref))), () => 'a step of the snapshot was undone');
  const anew = (event?.data.opened ?? []).map(({ step }) => step);
  for (const { step, completed: isDone } of marks) {
    const place = isDone ? 0 : anew.indexOf(step);
    must(place >= 0, () => `${step} was open, and is not again`);
    if (!isDone) anew.splice(place, 1);
  }
  must(
    decision.steps.every((row) => row.isNew || row.status === 'undone'),
    () => 'an old step run goes on',
  );
}

/** What it puts back is what a run had that stopped there. */
function checkRestored({ restored }: Rollback, stopped: RunState | undefined): void {
  if (!stopped) return;
  const { data, outputs } = stopped;
  must(isDeepStrictEqual(restored, { data, outputs }), () => `it had ${JSON.stringify(data)} there`);
}

/** Back to the last snapshot of a run that is over, it ends again and leaves nothing open. */
function checkEndsAgain(run: TestRun): void {
  const last = snapshotsOf(run).at(-1);
  if (!last) return;
  run.when(rollbackTo(run, last.seq)!);
  driveToEnd(run, MOST_COMMANDS);
  run.ledger.checkFold(run.state);
  checkHistory(run);
}

/** No command but a retry or a rollback changes a run that is over. */
function checkFinished(run: TestRun, asked: readonly Command[]): void {
  for (const command of asked) {
    if (command.type === 'rollback' || (command.type === 'retry' && run.status !== 'completed')) continue;
    const { kind } = decide(run.plan, run.state, command, run.context());
    must(kind !== 'accepted', () => `a ${run.status} run took ${command.type}`);
  }
}

/** Runs in two ledgers: one decision at a time, and as many at a time as the numbers say. */
function playFolded(definition: Definition, plan: Plan, numbers: readonly number[]): void {
  const apart = new TestRun(definition, plan);
  const folded = new TestRun(definition, plan);
  let merged: Decision | null = null;
  for (const [index, number] of numbers.entries()) {
    const verdict = apart.ask(chooseCommand(apart, [], number));
    if (verdict.kind === 'accepted') merged = merged ? mergeDecisions(merged, verdict.decision) : verdict.decision;
    if (!merged || (number % 4 > 0 && index < numbers.length - 1 && !FINISHED.has(apart.state.status))) continue;
    folded.take(merged);
    merged = null;
    must(isDeepStrictEqual(rowsOf(folded), rowsOf(apart)), () => 'folded decisions left other rows');
    must(isDeepStrictEqual(folded.ledger.pauses, apart.ledger.pauses), () => 'folded decisions left other pauses');
    must(isDeepStrictEqual(folded.ledger.events, apart.ledger.events), () => 'folded decisions told other events');
  }
}

/** Without dispatch numbers: a job that no commit promised needs no new one. */
function rowsOf(run: TestRun): unknown[] {
  return [...run.ledger.steps.values()].map(({ dispatch: _dispatch, ...row }) => row);
}

/** The state as it is when it comes back from the store. */
function reload(state: RunState): RunState {
  return { ...state, open: state.open.map((open) => unpackMark(JSON.parse(JSON.stringify(packMark(open))))) };
}

function freeze(state: RunState): RunState {
  for (const part of [state.open, state.visits, state.data, state.outputs, ...state.open]) Object.freeze(part);
  return Object.freeze(state);
}
