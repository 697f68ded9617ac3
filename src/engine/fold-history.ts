// What a run was like, told from what is stored of it: its events page by page, then the outputs that they name. Snapshots to
// look at, the one that a rollback goes back to, and the one that a replay begins with; the rules are core/snapshots.ts.

import type { Json, JsonObject } from '../core/json.ts';
import type { Plan } from '../core/plan.ts';
import type { ReplayPoint } from '../core/replay.ts';
import type { OpenStep, RunState, StepRef } from '../core/run.ts';
import {
  type Completion,
  DataFold,
  type Fold,
  History,
  isOutputRead,
  type RestoredData,
  type Snapshot,
} from '../core/snapshots.ts';
import type { Connection } from '../store/db.ts';
import { type EventRow, listEvents } from '../store/events.ts';
import { loadOutputsOf } from '../store/step-outputs.ts';
import type { Engine } from './engine.ts';

/** A run whose past is wanted. */
export type PastRun = Pick<RunState, 'id' | 'workspaceId' | 'input' | 'seq'> & { plan: Plan };

/** What the past is read with: the engine, or a reader in the place of its database. */
export type Past = Pick<Engine, 'longReads'> & { db: Connection };

/** A snapshot as people see it. */
export interface SnapshotView extends StepRef {
  /** Number of the event after which it stands: what a rollback names it by. */
  seq: number;
  /** Epoch milliseconds. */
  at: number;
  open: OpenStep[];
  data: JsonObject;
}

export interface SnapshotPage {
  /** The newest first. */
  rows: SnapshotView[];
  /** How many there are in all. */
  total: number;
  /** There are older ones. */
  hasMore: boolean;
}

const EVENTS_PER_PAGE = 1_000;
const OUTPUTS_PER_PAGE = 50;
/** Events; what is longer than this is read by one at a time. */
const LONG = 2_000;

function inTurn<Result>(past: Past, { seq }: PastRun, read: () => Promise<Result>): Promise<Result> {
  return seq > LONG ? past.longReads.take(read) : read();
}

/**
 * The snapshot after the event `to`, and what has come since; null when there is none, or none any more. This and the others
 * read the whole history: throws `rate_limit_exceeded` where many long ones are wanted at once.
 */
export function foldHistory(
  past: Past,
  run: PastRun,
  to: number,
): Promise<{ fold: Fold; restored: RestoredData } | null> {
  return inTurn(past, run, () => foldTo(past, run, to));
}

async function foldTo(past: Past, run: PastRun, to: number): Promise<{ fold: Fold; restored: RestoredData } | null> {
  const history = new History(run.plan);
  let snapshot: Snapshot | null = null;
  for await (const event of readEvents(past, run)) {
    const isSnapshot = history.take(event);
    if (isSnapshot && event.seq === to) snapshot = history.snapshot();
  }
  const fold = snapshot && history.foldFrom(snapshot);
  if (!fold) return null;
  const data = new DataFold(run.plan, run.input);
  for await (const _completed of takeOutputs(past, run, fold.snapshot.completed, data));
  return { fold, restored: data.restored() };
}

/** What a replay copies goes into one commit, and through the memory of one process. */
const MAX_COPIED_STEPS = 10_000;
const MAX_COPIED_BYTES = 16 * 1_048_576;

/** The run as it was before the step's last visit began; null when it never did, `too-much` when that cannot be copied. */
export function foldBefore(past: Past, run: PastRun, step: string): Promise<ReplayPoint | null | 'too-much'> {
  return inTurn(past, run, () => foldUntil(past, run, step));
}

async function foldUntil(past: Past, run: PastRun, step: string): Promise<ReplayPoint | null | 'too-much'> {
  const whole = new History(run.plan);
  for await (const event of readEvents(past, run)) whole.take(event);
  const seq = whole.findBefore(step);
  if (seq === null) return null;
  const history = new History(run.plan);
  for await (const event of readEvents(past, run)) {
    if (event.seq > seq) break;
    history.take(event);
  }
  const snapshot = history.snapshot();
  const outputs = await copyOutputs(past, run, snapshot.completed);
  if (outputs === null) return 'too-much';
  const data = new DataFold(run.plan, run.input);
  for (const [index, one] of snapshot.completed.entries())
    if (isOutputRead(run.plan, one)) data.take(one.step, outputs[index]!);
  return { step, snapshot, outputs, restored: data.restored() };
}

/** Null when they are too many or too large. */
async function copyOutputs({ db }: Past, { id }: PastRun, completed: readonly Completion[]): Promise<Json[] | null> {
  if (completed.length > MAX_COPIED_STEPS) return null;
  const outputs: Json[] = [];
  for (let bytes = 0; outputs.length < completed.length; ) {
    const page = completed.slice(outputs.length, outputs.length + OUTPUTS_PER_PAGE);
    const loaded = await loadOutputsOf(db, id, page);
    bytes += JSON.stringify(loaded).length;
    if (bytes > MAX_COPIED_BYTES) return null;
    outputs.push(...loaded);
  }
  return outputs;
}

/** At most `limit` snapshots that a rollback may go to, older than the event `before`; the newest first. */
export function listSnapshots(
  past: Past,
  run: PastRun,
  { before = Number.POSITIVE_INFINITY, limit }: { before?: number; limit: number },
): Promise<SnapshotPage> {
  return inTurn(past, run, () => readSnapshots(past, run, { before, limit }));
}

async function readSnapshots(
  past: Past,
  run: PastRun,
  { before, limit }: { before: number; limit: number },
): Promise<SnapshotPage> {
  const { completed, chosen, total, hasMore } = await chooseSnapshots(past, run, { before, limit });
  const views = await describeMarks(past, run, chosen);
  const data = new DataFold(run.plan, run.input);
  const last = views.at(-1)?.seq ?? 0;
  const needed = completed.filter(({ seq }) => seq <= last);
  for await (const { seq } of takeOutputs(past, run, needed, data)) {
    const view = views.find((one) => one.seq === seq);
    if (view) view.data = data.restored().data;
  }
  return { rows: views.reverse(), total, hasMore };
}

async function chooseSnapshots(
  past: Past,
  run: PastRun,
  { before, limit }: { before: number; limit: number },
): Promise<{ completed: Completion[]; chosen: ReadonlySet<number>; total: number; hasMore: boolean }> {
  const history = new History(run.plan);
  const snapshots = new Set<number>();
  for await (const event of readEvents(past, run)) if (history.take(event)) snapshots.add(event.seq);
  const { completed } = history.snapshot();
  const all = completed.flatMap(({ seq }) => (snapshots.has(seq) ? [seq] : []));
  const older = all.filter((seq) => seq < before);
  return { completed, chosen: new Set(older.slice(-limit)), total: all.length, hasMore: older.length > limit };
}

/** The chosen snapshots without their data, the oldest first. */
async function describeMarks(past: Past, run: PastRun, chosen: ReadonlySet<number>): Promise<SnapshotView[]> {
  const history = new History(run.plan);
  const views: SnapshotView[] = [];
  for await (const event of readEvents(past, run)) {
    if (views.length === chosen.size) break;
    history.take(event);
    if (!chosen.has(event.seq)) continue;
    const { seq, step, visit, at } = event;
    views.push({ seq, step: step!, visit: visit!, at, open: history.marks(), data: {} });
  }
  return views;
}

async function* readEvents(past: Past, { id, workspaceId }: PastRun): AsyncGenerator<EventRow> {
  for (let after = 0; ; ) {
    const page = await listEvents(past.db, { workspaceId, runId: id, after, limit: EVENTS_PER_PAGE });
    yield* page;
    if (page.length < EVENTS_PER_PAGE) return;
    after = page.at(-1)!.seq;
  }
}

/** Gives `data` the outputs of what has completed, in order; answers each completion when its output was taken. */
async function* takeOutputs(
  past: Past,
  { id, plan }: PastRun,
  completed: readonly Completion[],
  data: DataFold,
): AsyncGenerator<Completion> {
  for (let from = 0; from < completed.length; from += OUTPUTS_PER_PAGE) {
    const page = completed.slice(from, from + OUTPUTS_PER_PAGE);
    const read = page.filter((one) => isOutputRead(plan, one));
    const outputs = await loadOutputsOf(past.db, id, read);
    for (const one of page) {
      const nth = read.indexOf(one);
      if (nth >= 0) data.take(one.step, outputs[nth]!);
      yield one;
    }
  }
}
