// A decision in the making: a copy of the run's state, and what changes about it. Everything that a transition does to a
// run goes through `open`, `move`, `close` and `event`, so rows, events and marking cannot tell different stories.

import type { Decision, DecisionContext, DeliveryRow, PauseRow, StepResult, StepRow } from './decision.ts';
import { type ClosedMark, type EventData, type EventType, packMark, type RunEvent } from './events.ts';
import type { Scope } from './expression.ts';
import type { Json, JsonObject } from './json.ts';
import type { Plan, PlanStep } from './plan.ts';
import { isSame, keyOf, type OpenStep, type RunError, type RunState, type StepRef, type StepRunStatus } from './run.ts';
import type { RestoredData } from './snapshots.ts';
import { countOf } from './visits.ts';

/** A step run that the decision has touched. */
interface Touched {
  open: OpenStep;
  row: StepRow;
  /** How the event that is being told names it so far. */
  told: 'opened' | 'moved' | null;
}

const ROLLED_BACK: RunError = { code: 'rolled_back', message: 'The run was rolled back before the step was over' };

/** From how many on they are found by an index. */
const MANY = 16;

export class Draft {
  readonly plan: Plan;
  readonly state: RunState;
  readonly context: DecisionContext;
  /** The marking, in order of arrival. A list that is looked through: nearly every run has one or two open step runs. */
  readonly open: OpenStep[];
  /** The marking before the step that is being closed was closed. */
  before: OpenStep[] = [];
  /** Nothing is queued, fired or ended while an operator holds the run. */
  isHeld: boolean;
  /** Steps settled inside this decision. */
  settled = 0;
  /** Whether `state.visits` is this decision's own, and no more that of the state it began with. */
  #ownsVisits = false;
  readonly #events: RunEvent[] = [];
  readonly #touched: Touched[] = [];
  #index: Map<string, Touched> | null = null;
  /** In `open`, of the step run that was last looked for. */
  #place = 0;
  /** What the last event has opened and moved, those closed since among them. */
  #telling: Touched[] = [];
  #pauses: Map<string, PauseRow> | null = null;
  #deliveries: DeliveryRow[] = [];
  #dataPatch: JsonObject | null = null;
  #rewritesData = false;

  constructor(plan: Plan, state: RunState, context: DecisionContext) {
    this.plan = plan;
    this.state = { ...state };
    this.context = context;
    this.open = state.open.slice();
    this.isHeld = state.status === 'held';
  }

  get isOver(): boolean {
    return this.state.status === 'completed' || this.state.status === 'failed' || this.state.status === 'cancelled';
  }

  get scope(): Scope {
    const { id, definitionId, version, createdAt } = this.state;
    const run = { id, workflowId: definitionId, version, createdAt: new Date(createdAt).toISOString() };
    return { data: this.state.data, steps: this.state.outputs, run, context: this.state.context };
  }

  stepOf(open: StepRef): PlanStep {
    return this.plan.steps.get(open.step)!;
  }

  findOpen(ref: StepRef): OpenStep | undefined {
    return this.open[this.#findPlace(ref)];
  }

  #placeOf(ref: StepRef): number {
    const place = this.#findPlace(ref);
    if (place < 0) throw new Error(`The step run ${keyOf(ref)} is not open`);
    return place;
  }

  /** -1 when it is not open. Looks on from where the last one was: what changes many goes through them in their order. */
  #findPlace(ref: StepRef): number {
    const { length } = this.open;
    for (let step = 0; step < length; step++) {
      const place = (this.#place + step) % length;
      if (!isSame(this.open[place]!, ref)) continue;
      this.#place = place;
      return place;
    }
    return -1;
  }

  /** Starts a new event; what is opened, moved and closed from here on is told by it. */
  event(type: EventType, ref: StepRef | null = null, detail?: JsonObject): void {
    this.#sealEvent();
    const data: EventData = detail ? { detail } : {};
    this.state.seq += 1;
    this.#events.push({
      seq: this.state.seq,
      type,
      step: ref?.step ?? null,
      visit: ref?.visit ?? null,
      actor: this.context.actor.userId,
      data,
    });
  }

  /** Notes on the decision's first event about a step, if it has one, that with it the run has started. */
  tellStart(): void {
    const event = this.#events.find(({ step }) => step !== null);
    if (event) event.data.starts = true;
  }

  /** The number of the step's next visit, which counts from now on. */
  countVisit(step: string): number {
    if (!this.#ownsVisits) this.state.visits = { ...this.state.visits };
    this.#ownsVisits = true;
    const visit = countOf(this.state.visits, step) + 1;
    this.state.visits[step] = visit;
    return visit;
  }

  openStep(step: PlanStep, visit: number): OpenStep {
    const open: OpenStep = { step: step.step.id, visit, status: 'pending', attempt: 1, fence: 0, epoch: 0, lost: 0 };
    this.#place = this.open.push(open) - 1;
    this.#tell(this.#touch(open, newRow(step, open, this.state.seq, true)), 'opened');
    return open;
  }

  /** Opens a step run again that was closed before; what it left then is not its output any more. */
  reopenStep(open: OpenStep): void {
    this.open.push(open);
    this.#tell(this.#record(open, open.status, { output: null }), 'opened');
  }

  /** Takes a step run back, whatever has become of it; `ended` is null while it is open. */
  undoStep(mark: OpenStep, ended: StepRunStatus | null): void {
    const open = ended === null ? this.findOpen(mark) : undefined;
    if (open) this.#leave(open);
    const isDone = ended === 'completed' || ended === 'failed';
    const { row } = this.#record(mark, 'undone', isDone ? {} : { error: ROLLED_BACK });
    row.fence += 1;
    this.#tellClosed(mark, 'undone');
  }

  #leave(open: OpenStep): void {
    this.closePause(open, { status: 'cancelled' });
    this.open.splice(this.#placeOf(open), 1);
  }

  moveStep(open: OpenStep, change: Partial<OpenStep>, result: StepResult & { redispatch?: boolean } = {}): OpenStep {
    const moved = { ...open, ...change };
    this.open[this.#placeOf(open)] = moved;
    const touched = this.#record(moved, moved.status, result);
    if (touched.told === null) this.#tell(touched, 'moved');
    return moved;
  }

  /** Ends a step run; a claim that is still out loses its fence with it. */
  closeStep(open: OpenStep, status: 'completed' | 'failed' | 'cancelled', result: StepResult = {}): void {
    this.open.splice(this.#placeOf(open), 1);
    const touched = this.#record(open, status, result);
    if (status === 'cancelled') touched.row.fence += 1;
    if (touched.told === 'opened') {
      const { data } = this.#events.at(-1)!;
      data.opened ??= [];
      data.opened.push(packMark(open));
    }
    touched.told = null;
    this.#tellClosed(open, status);
  }

  #tellClosed({ step, visit }: StepRef, status: ClosedMark['status']): void {
    const { data } = this.#events.at(-1)!;
    data.closed ??= [];
    data.closed.push({ step, visit, status });
  }

  openPause(row: Omit<PauseRow, 'isNew' | 'status'>): void {
    this.#pauses ??= new Map();
    this.#pauses.set(row.id, { ...row, isNew: true, status: 'open' });
  }

  closePause(open: OpenStep, change: Pick<PauseRow, 'status' | 'answer' | 'answeredBy'>): void {
    if (open.pauseId === undefined) return;
    this.#pauses ??= new Map();
    const row = this.#pauses.get(open.pauseId) ?? {
      id: open.pauseId,
      step: open.step,
      visit: open.visit,
      isNew: false,
    };
    this.#pauses.set(open.pauseId, { ...row, ...change });
  }

  sendOut(row: DeliveryRow): void {
    this.#deliveries.push(row);
  }

  /** Puts data and outputs back to what they were. */
  restoreData({ data, outputs }: RestoredData): void {
    this.state.data = data;
    this.state.outputs = outputs;
    this.#rewritesData = true;
  }

  patchData(patch: JsonObject): void {
    this.state.data = { ...this.state.data, ...patch };
    this.#dataPatch = { ...this.#dataPatch, ...patch };
  }

  keepOutput(step: PlanStep, output: Json): void {
    const { readOutputs } = this.plan;
    if (readOutputs !== 'all' && !readOutputs.has(step.step.id)) return;
    this.state.outputs = { ...this.state.outputs, [step.step.id]: { output } };
  }

  decision(): Decision {
    this.#sealEvent();
    this.state.open = this.open;
    return {
      commandId: this.context.commandId,
      state: this.state,
      events: this.#events,
      steps: this.#touched.map(({ row }) => row),
      pauses: this.#pauses ? [...this.#pauses.values()] : [],
      deliveries: this.#deliveries,
      dataPatch: this.#dataPatch,
      rewritesData: this.#rewritesData,
    };
  }

  /** Brings the step run's row up to `open` and `status`; what a result does not name stays as it is. */
  #record(open: OpenStep, status: StepRunStatus, result: StepResult & { redispatch?: boolean }): Touched {
    const touched =
      this.#findTouched(open) ?? this.#touch(open, newRow(this.stepOf(open), open, this.state.seq, false));
    touched.open = open;
    const { row } = touched;
    row.status = status;
    row.attempt = open.attempt;
    row.fence = open.fence;
    row.epoch = open.epoch;
    row.lost = open.lost;
    row.dueAt = open.dueAt ?? null;
    if (result.input !== undefined) row.input = result.input;
    if (result.output !== undefined) row.output = result.output;
    if (result.error !== undefined) row.error = result.error;
    if (result.ranMs !== undefined) row.ranMs = result.ranMs;
    if (result.redispatch && !row.isNew) row.redispatch = true;
    return touched;
  }

  #touch(open: OpenStep, row: StepRow): Touched {
    const touched: Touched = { open, row, told: null };
    this.#touched.push(touched);
    this.#index?.set(keyOf(open), touched);
    return touched;
  }

  #findTouched(ref: StepRef): Touched | undefined {
    if (this.#touched.length < MANY) return this.#touched.find(({ open }) => isSame(open, ref));
    this.#index ??= new Map(this.#touched.map((touched) => [keyOf(touched.open), touched]));
    return this.#index.get(keyOf(ref));
  }

  #tell(touched: Touched, how: 'opened' | 'moved'): void {
    touched.told = how;
    this.#telling.push(touched);
  }

  #sealEvent(): void {
    if (this.#telling.length === 0) return;
    const { data } = this.#events.at(-1)!;
    for (const touched of this.#telling) {
      const { told, open } = touched;
      if (told === null) continue;
      touched.told = null;
      data[told] ??= [];
      data[told].push(packMark(open));
    }
    this.#telling = [];
  }
}

function newRow({ step, type }: PlanStep, open: OpenStep, seq: number, isNew: boolean): StepRow {
  return {
    step: open.step,
    visit: open.visit,
    isNew,
    seq,
    type: type.type,
    tool: typeof step['tool'] === 'string' ? step['tool'] : null,
    status: open.status,
    attempt: open.attempt,
    fence: open.fence,
    epoch: open.epoch,
    lost: open.lost,
    dueAt: open.dueAt ?? null,
    redispatch: false,
  };
}
