// What a store would hold of one run after each decision, and everything that must be true of it: the invariants of
// GUARANTEES §5 as far as the pure core can keep or break them. Each check is written from DESIGN §4, not from the code.

import { isDeepStrictEqual } from 'node:util';
import type { Command } from '../../src/core/commands.ts';
import type { Decision, DeliveryRow, PauseRow, StepRow } from '../../src/core/decision.ts';
import type { Definition } from '../../src/core/definition.ts';
import { foldEvents, packMark, type RunEvent } from '../../src/core/events.ts';
import { isSame, keyOf, type OpenStep, type RunState } from '../../src/core/run.ts';
import { countOf } from '../../src/core/visits.ts';
import { type Arrivals, arrivalsOf, checkJoins } from './core-joins.ts';
import { must } from './must.ts';

export type StoredStep = Omit<StepRow, 'isNew' | 'redispatch'> & { dispatch: number };
export type StoredPause = Omit<PauseRow, 'isNew'>;

const CLOSED = new Set(['completed', 'failed', 'undone', 'cancelled']);
const REOPENING = new Set(['retry', 'rollback']);
const LAST_EVENT: Record<string, string> = {
  completed: 'run.completed',
  failed: 'run.failed',
  cancelled: 'run.cancelled',
};

export class Ledger {
  readonly events: RunEvent[] = [];
  readonly steps = new Map<string, StoredStep>();
  readonly pauses = new Map<string, StoredPause>();
  readonly deliveries = new Map<string, DeliveryRow>();
  readonly #definition: Definition;
  readonly #arrivals: Arrivals;

  constructor(definition: Definition) {
    this.#definition = definition;
    this.#arrivals = arrivalsOf(definition);
  }

  /** Stores one decision as the commit would, and checks it and all that is stored then. */
  take(before: RunState | null, decision: Decision, command: Command | null = null): void {
    const { state, events } = decision;
    const mayReopen = command === null || REOPENING.has(command.type);
    must(!before || !(before.status in LAST_EVENT) || mayReopen, () => `a ${before?.status} run was decided on`);
    this.#checkReopened(before, decision);
    checkHistory(before, decision);
    this.events.push(...events);
    for (const row of decision.steps) this.#storeStep(row, decision, command);
    for (const row of decision.pauses) this.#storePause(row);
    for (const row of decision.deliveries) this.#storeDelivery(row);
    this.#checkRows(state);
    this.#checkPauses(state);
    this.#checkDeliveries(state);
    checkStatus(state, this.events.at(-1)!.type, this.#isHeld());
    checkData(before, decision);
    checkJoins({ definition: this.#definition, arrivals: this.#arrivals, before: before?.open ?? [], decision });
    this.#checkInterrupted(state);
  }

  /** Folds the whole history, as a snapshot or a replay would. */
  checkFold(state: RunState): void {
    must(isDeepStrictEqual(foldEvents(this.events), state.open), () => 'the fold of all events is not the marking');
    const gaps = this.events.findIndex((event, index) => event.seq !== index + 1);
    must(gaps === -1, () => `the history has a gap at ${gaps + 1}`);
  }

  #storeStep({ isNew, redispatch, ...row }: StepRow, decision: Decision, command: Command | null): void {
    const key = keyOf(row);
    const known = this.steps.get(key);
    must(isNew === !known, () => `${key} is ${known ? 'inserted twice' : 'updated before it is inserted'}`);
    const isReopened = decision.events.some(({ type }) => type === 'run.retried');
    const isUndone = row.status === 'undone';
    must(!isUndone || decision.rewritesData, () => `${key} was undone without a rollback`);
    const mayGoOn =
      !known || !CLOSED.has(known.status) || (isUndone ? known.status !== 'undone' : isReopened && isStopped(known));
    must(mayGoOn, () => `${key} was ${known?.status} and became ${row.status}`);
    must(row.fence >= (known?.fence ?? 0), () => `the fence of ${key} went back`);
    const takesAway =
      row.status === 'running' || row.status === 'cancelled' || (isUndone && known?.status === 'running');
    const isMoved = known && takesAway && known.status !== row.status;
    must(!isMoved || row.fence > known.fence, () => `${key} became ${row.status} under the same fence`);
    const isReplayed = row.attempt === 0 && row.status === 'completed' && decision.events[0]?.type === 'run.created';
    must(row.attempt >= (known?.attempt ?? 1) || isReopened || isReplayed, () => `the attempt of ${key} went back`);
    const isDefinite = command === null || (command.type === 'fail-attempt' && command.error.definite);
    must(row.epoch === (known?.epoch ?? 0) || isDefinite, () => `the epoch of ${key} grew without a definite failure`);
    if (row.status === 'queued') {
      const isPromised =
        redispatch || (row.attempt === 1 && row.fence === 0) || (row.attempt > 1 && row.dueAt !== null);
      must(isPromised, () => `${key} is queued without the promise of a job`);
    }
    if (isNew) {
      const isTold = this.events[row.seq - 1]?.data.opened?.some((mark) => isSame(mark, row));
      must(isTold, () => `event ${row.seq} does not tell that ${key} was opened`);
    }
    if (CLOSED.has(row.status)) {
      const isTold = decision.events.some(({ data }) =>
        data.closed?.some((one) => isSame(one, row) && one.status === row.status),
      );
      must(isTold, () => `no event tells that ${key} was ${row.status}`);
    }
    this.steps.set(key, storeStep(known, row, redispatch));
  }

  #storePause({ isNew, ...row }: PauseRow): void {
    const known = this.pauses.get(row.id);
    must(isNew === !known, () => `pause ${row.id} is ${known ? 'inserted twice' : 'updated before it is inserted'}`);
    must(!known || known.status === 'open', () => `pause ${row.id} was closed twice`);
    must(row.status !== 'answered' || row.answer !== undefined, () => `pause ${row.id} was answered with nothing`);
    this.pauses.set(row.id, { ...known, ...row });
  }

  #storeDelivery(row: DeliveryRow): void {
    must(!this.deliveries.has(row.id), () => `delivery ${row.id} is sent twice`);
    must(
      this.steps.get(keyOf(row))?.epoch === row.epoch,
      () => `delivery ${row.id} has another epoch than its step run`,
    );
    this.deliveries.set(row.id, row);
  }

  #checkRows(state: RunState): void {
    const open = new Set<string>();
    for (const mark of state.open) {
      const key = keyOf(mark);
      must(!open.has(key), () => `${key} is open twice`);
      open.add(key);
      const row = this.steps.get(key);
      must(row && isAsMarked(row, mark), () => `the row of ${key} is not as marked: ${JSON.stringify([row, mark])}`);
    }
    must(state.stepRuns === this.steps.size, () => `${state.stepRuns} step runs counted, ${this.steps.size} stored`);
    for (const [key, row] of this.steps) {
      must(CLOSED.has(row.status) || open.has(key), () => `${key} is ${row.status}, and not open in the marking`);
      const entered = Object.hasOwn(state.visits, row.step) ? state.visits[row.step] : undefined;
      const { maxVisits = 1_000 } = this.#maxVisits(row.step);
      const place = row.visit - (row.status === 'undone' ? row.visit : countOf(state.undone, row.step));
      must(place <= maxVisits || row.step === this.#definition.onCancel, () => `${key} is more than its visits`);
      must(entered === undefined ? row.visit === 1 : row.visit <= entered, () => `${key} is beyond its visits`);
    }
  }

  /** Held by an operator, and neither let go nor ended since. */
  #isHeld(): boolean {
    const last = this.events.findLast(({ type }) =>
      /^run\.(held|released|cancel_requested|cancelled|retried|rolled_back)$/.test(type),
    );
    return last?.type === 'run.held';
  }

  /** What a retry would reopen is not what has completed: it would complete twice (I3). */
  #checkInterrupted({ status, interrupted }: RunState): void {
    if (status !== 'failed' && status !== 'cancelled') return;
    const keys = new Set(interrupted!.map(keyOf));
    must(keys.size === interrupted!.length, () => 'a step run is to be reopened twice');
    for (const mark of interrupted!) {
      const row = this.steps.get(keyOf(mark))?.status;
      if (mark.completed) {
        must(row === 'completed', () => `${keyOf(mark)} is said to have completed and is ${row}`);
        continue;
      }
      must(row === 'failed' || row === 'cancelled', () => `${keyOf(mark)} is to be reopened and is ${row}`);
    }
  }

  /** A retry opens what was interrupted, all of it, with fresh attempts under the same epoch and a fence of its own. */
  #checkReopened(before: RunState | null, { events }: Decision): void {
    if (!before || !(before.status in LAST_EVENT)) return;
    if (events[0]!.type === 'run.rolled_back') return;
    must(events[0]!.type === 'run.retried', () => `a ${before.status} run went on with ${events[0]!.type}`);
    const opened = new Map(events.flatMap((event) => event.data.opened ?? []).map((mark) => [keyOf(mark), mark]));
    for (const mark of before.interrupted!) {
      const mine = opened.get(keyOf(mark));
      must((mine === undefined) === (mark.completed === true), () => `${keyOf(mark)} was not reopened as it should`);
      if (!mine) continue;
      must(mine.attempt === undefined, () => `${keyOf(mark)} begins with attempt ${mine.attempt}`);
      must((mine.epoch ?? 0) === mark.epoch, () => `${keyOf(mark)} was reopened under another epoch`);
      must((mine.fence ?? 0) > mark.fence, () => `${keyOf(mark)} was reopened under its old fence`);
      must(!mine.pauseId || mine.pauseId !== mark.pauseId, () => `${keyOf(mark)} was reopened with its old pause`);
    }
  }

  #maxVisits(id: string): { maxVisits?: number } {
    return this.#definition.steps.find((step) => step.id === id)!;
  }

  #checkDeliveries(state: RunState): void {
    for (const mark of state.open) {
      const isAwaited = mark.awaits === 'callback';
      must(isAwaited === (mark.deliveryId !== undefined), () => `${keyOf(mark)} waits for the wrong thing`);
      const sent = isAwaited ? this.deliveries.get(mark.deliveryId!) : null;
      must(sent === null || (sent && isSame(sent, mark)), () => `${keyOf(mark)} waits for what was never sent`);
    }
  }

  #checkPauses(state: RunState): void {
    const marked = state.open.filter((mark) => mark.awaits === 'person');
    for (const mark of marked) {
      const pause = this.pauses.get(mark.pauseId ?? '');
      const fits =
        mark.status === 'waiting' && pause?.status === 'open' && isSame(pause, mark) && pause.dueAt === mark.dueAt;
      must(fits, () => `${keyOf(mark)} waits for a person without its open pause`);
    }
    let open = 0;
    for (const pause of this.pauses.values()) if (pause.status === 'open') open += 1;
    must(open === marked.length, () => `${open} pauses are open, ${marked.length} step runs wait for a person`);
  }
}

/** What the columns of a step row become: the rules of the commit statement. */
export function storeStep(
  known: StoredStep | undefined,
  row: Omit<StepRow, 'isNew' | 'redispatch'>,
  redispatch: boolean,
): StoredStep {
  const input = row.input ?? (row.epoch > (known?.epoch ?? row.epoch) ? null : (known?.input ?? null));
  const output = row.output === undefined ? (known?.output ?? null) : row.output;
  const error = row.status === 'completed' ? null : (row.error ?? known?.error ?? null);
  const dispatch = (known?.dispatch ?? 1) + (known && redispatch ? 1 : 0);
  return { ...row, seq: known?.seq ?? row.seq, input, output, error, dispatch };
}

function checkHistory(before: RunState | null, { state, events }: Decision): void {
  let seq = before?.seq ?? 0;
  for (const event of events) must(event.seq === ++seq, () => `event ${event.seq} stands where ${seq} should`);
  must(events.length > 0 && state.seq === seq, () => `the run is at ${state.seq}, its events at ${seq}`);
  const told = before ? [{ data: { opened: before.open.map(packMark) } }, ...events] : events;
  must(
    isDeepStrictEqual(foldEvents(told), state.open),
    () => `the events ${JSON.stringify(events)} do not lead to ${JSON.stringify(state.open)}`,
  );
}

/** `settle()` of DESIGN §4, and GUARANTEES I1 and I4. */
function checkStatus(state: RunState, lastEvent: string, isHeld: boolean): void {
  const { open, status } = state;
  if (status in LAST_EVENT) {
    must(open.length === 0, () => `a ${status} run has ${JSON.stringify(open)} open`);
    must(lastEvent === LAST_EVENT[status], () => `a ${status} run's last event is ${lastEvent}`);
    must(state.cancellation?.stage === undefined, () => `a ${status} run is still being cancelled`);
    must(
      (status === 'failed') === (state.error !== null),
      () => `a ${status} run has the error ${JSON.stringify(state.error)}`,
    );
    return;
  }
  must(
    isHeld || open.some((mark) => mark.status !== 'pending'),
    () => `a ${status} run has nothing that can go on: ${JSON.stringify(open)}`,
  );
  must(
    open.every((mark) => mark.status !== 'waiting' || mark.awaits !== 'time' || mark.dueAt !== undefined),
    () => 'a timer has no time',
  );
  must(
    open.every((mark) => (mark.status === 'waiting') === (mark.awaits !== undefined)),
    () => 'a step waits for nothing',
  );
  const works = open.some((mark) => mark.status === 'queued' || mark.status === 'running');
  const asks = open.some((mark) => mark.awaits === 'person');
  must(!isHeld || !open.some((mark) => mark.status === 'queued'), () => 'a held run has something queued');
  const derived = state.startedAt === null ? 'queued' : !works && asks ? 'waiting' : 'running';
  const expected = isHeld ? 'held' : derived;
  must(status === expected, () => `the run is ${status}, not ${expected}: ${JSON.stringify(open)}`);
}

/** What a rollback puts in its place is looked at by core-history.ts. */
function checkData(before: RunState | null, { state, dataPatch, rewritesData }: Decision): void {
  if (rewritesData) return;
  const expected = { ...(before ? before.data : state.input), ...dataPatch };
  must(isDeepStrictEqual(state.data, expected), () => 'the data is not what it was with the patch');
}

function isStopped({ status }: StoredStep): boolean {
  return status === 'failed' || status === 'cancelled';
}

function isAsMarked(row: StoredStep, mark: OpenStep): boolean {
  const { status, attempt, fence, epoch, lost } = row;
  const counts = attempt === mark.attempt && fence === mark.fence && epoch === mark.epoch && lost === mark.lost;
  return status === mark.status && counts && row.dueAt === (mark.dueAt ?? null);
}
