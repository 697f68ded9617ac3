// The history of a run of the core, folded as the engine folds the stored one: its snapshots, the rollback to one of them,
// and whether what the fold tells is what the run has.

import { isDeepStrictEqual } from 'node:util';
import type { Command } from '../../src/core/commands.ts';
import type { ReplayPoint } from '../../src/core/replay.ts';
import { keyOf, type OpenStep } from '../../src/core/run.ts';
import {
  DataFold,
  type Fold,
  History,
  isOutputRead,
  type RestoredData,
  type Snapshot,
} from '../../src/core/snapshots.ts';
import type { TestRun } from './core-run.ts';
import { must } from './must.ts';

type Rollback = Extract<Command, { type: 'rollback' }>;

/** The snapshots that there are now. */
export function snapshotsOf(run: TestRun): Snapshot[] {
  const history = new History(run.plan);
  const all = run.ledger.events.flatMap((event) => (history.take(event) ? [history.snapshot()] : []));
  return all.filter((snapshot) => history.foldFrom(snapshot) !== null);
}

/** The rollback to the snapshot after the event with this number; null when there is none. */
export function rollbackTo(run: TestRun, seq: number): Rollback | null {
  const fold = foldTo(run, seq);
  return fold && { type: 'rollback', fold, restored: restore(run, fold.snapshot) };
}

function foldTo(run: TestRun, seq: number): Fold | null {
  const history = new History(run.plan);
  let snapshot: Snapshot | null = null;
  for (const event of run.ledger.events) {
    const isSnapshot = history.take(event);
    if (isSnapshot && event.seq === seq) snapshot = history.snapshot();
  }
  return snapshot && history.foldFrom(snapshot);
}

/** What the outputs of a snapshot come to; those that nobody reads are not looked up. */
export function restore({ plan, ledger, input }: TestRun, { completed }: Snapshot): RestoredData {
  const fold = new DataFold(plan, input);
  for (const ref of completed)
    if (isOutputRead(plan, ref)) fold.take(ref.step, ledger.steps.get(keyOf(ref))?.output ?? null);
  return fold.restored();
}

/** The whole history, folded, is the run: what it would go on with, its data, the outputs that it shows. */
export function checkHistory(run: TestRun): void {
  const history = new History(run.plan);
  for (const event of run.ledger.events) history.take(event);
  const snapshot = history.snapshot();
  const { data, outputs } = restore(run, snapshot);
  const { state } = run;
  must(isDeepStrictEqual(data, state.data), () => `the fold has the data ${JSON.stringify(data)}`);
  must(isDeepStrictEqual(outputs, state.outputs), () => `the fold has the outputs ${JSON.stringify(outputs)}`);
  if (state.status === 'completed' || state.status === 'failed') return;
  const stopped = state.interrupted ?? [];
  const expected = state.cancellation ? stopped : [...stopped, ...state.open];
  must(isSameMarking(snapshot.marks, expected), () => `the fold would go on with ${JSON.stringify(snapshot.marks)}`);
}

/** In any order: what fails under a hold is not kept in the order of its failing. */
function isSameMarking(one: readonly OpenStep[], other: readonly OpenStep[]): boolean {
  const sort = (marks: readonly OpenStep[]) => [...marks].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  return isDeepStrictEqual(sort(one), sort(other));
}

/** Where a replay of the run from this step begins; null when the step never began in it. */
export function replayPointOf(run: TestRun, step: string): ReplayPoint | null {
  const whole = new History(run.plan);
  for (const event of run.ledger.events) whole.take(event);
  const seq = whole.findBefore(step);
  if (seq === null) return null;
  const history = new History(run.plan);
  for (const event of run.ledger.events.slice(0, seq)) history.take(event);
  const snapshot = history.snapshot();
  const outputs = snapshot.completed.map((ref) => run.ledger.steps.get(keyOf(ref))?.output ?? null);
  return { step, snapshot, outputs, restored: restore(run, snapshot) };
}
