// A decision in the making: a copy of the run's state, and what changes about it. Everything that a transition does to a
// run goes through `open`, `move`, `close` and `event`, so rows, events and marking cannot tell different stories.

import { type EventData, type EventType, packMark, type RunEvent } from './events.ts';
import type { Scope } from './expression.ts';
import type { Json, JsonObject } from './json.ts';
import type { Plan, PlanStep } from './plan.ts';
import type { Actor, OpenStep, RunError, RunState, StepRef, StepRunStatus } from './run.ts';
import type { Answer, PauseSpec } from './step-type.ts';

/** What a decision is given beside state and command: time (epoch ms by Postgres' clock) and fresh ids are arguments. */
export interface DecisionContext {
  now: number;
  actor: Actor;
  /** Stands on the decision's first event, so that a lost reply can be told from a lost commit. */
  commandId: string;
  newId(): string;
}

/** A step run as it is to be stored. `undefined` leaves a column as it is. */
export interface StepRow extends StepRef {
  isNew: boolean;
  /** Number of the event that opened it. */
  seq: number;
  type: string;
  tool: string | null;
  status: StepRunStatus;
  attempt: number;
  fence: number;
  epoch: number;
  lost: number;
  dueAt: number | null;
  input?: JsonObject | null;
  output?: Json;
  error?: RunError | null;
  /** How long the handler ran, where claim and completion are one commit. */
  ranMs?: number;
  /** A job made before must not be used again: the next one gets a new dispatch number. */
  redispatch: boolean;
}

export interface PauseRow extends StepRef {
  id: string;
  isNew: boolean;
  status: 'open' | 'answered' | 'expired' | 'cancelled';
  spec?: PauseSpec;
  dueAt?: number;
  answer?: Answer;
  answeredBy?: string;
}

/** Everything one or more commands change, to be committed as a whole. */
export interface Decision {
  commandId: string;
  state: RunState;
  events: RunEvent[];
  steps: StepRow[];
  pauses: PauseRow[];
  /** Keys of `data` that changed, with their new values. */
  dataPatch: JsonObject | null;
}

/** What a step run leaves behind. */
export type StepResult = Pick<StepRow, 'input' | 'output' | 'error' | 'ranMs'>;

/** A step run that the decision has touched. */
interface Touched {
  open: OpenStep;
  row: StepRow;
  /** How the event that is being told names it so far. */
  told: 'opened' | 'moved' | null;
}

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
  readonly #events: RunEvent[] = [];
  readonly #touched: Touched[] = [];
  #index: Map<string, Touched> | null = null;
  /** What the last event has opened and moved, those closed since among them. */
  #telling: Touched[] = [];
  #pauses: Map<string, PauseRow> | null = null;
  #dataPatch: JsonObject | null = null;

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
    return this.open.find((open) => isSame(open, ref));
  }

  #placeOf(ref: StepRef): number {
    const place = this.open.findIndex((open) => isSame(open, ref));
    if (place < 0) throw new Error(`The step run ${keyOf(ref)} is not open`);
    return place;
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

  openStep(step: PlanStep, visit: number): OpenStep {
    const open: OpenStep = { step: step.step.id, visit, status: 'pending', attempt: 1, fence: 0, epoch: 0, lost: 0 };
    this.open.push(open);
    this.#tell(this.#touch(open, newRow(step, open, this.state.seq, true)), 'opened');
    return open;
  }

  /** Opens a step run again that was closed before. */
  reopenStep(open: OpenStep): void {
    this.open.push(open);
    this.#tell(this.#record(open, open.status, {}), 'opened');
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
    const { data } = this.#events.at(-1)!;
    if (touched.told === 'opened') {
      data.opened ??= [];
      data.opened.push(packMark(open));
    }
    touched.told = null;
    data.closed ??= [];
    data.closed.push({ step: open.step, visit: open.visit, status });
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
      dataPatch: this.#dataPatch,
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
    if (result.redispatch) row.redispatch = true;
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

function isSame(one: StepRef, other: StepRef): boolean {
  return one.visit === other.visit && one.step === other.step;
}

export function keyOf(ref: StepRef): string {
  return `${ref.step}.${ref.visit}`;
}

/** Two decisions of one run, the second made on the state of the first, as one commit. */
export function mergeDecisions(first: Decision, second: Decision): Decision {
  const steps = new Map(first.steps.map((row) => [keyOf(row), row]));
  for (const row of second.steps) {
    const known = steps.get(keyOf(row));
    steps.set(
      keyOf(row),
      known
        ? { ...known, ...row, isNew: known.isNew, seq: known.seq, redispatch: known.redispatch || row.redispatch }
        : row,
    );
  }
  const pauses = new Map(first.pauses.map((row) => [row.id, row]));
  for (const row of second.pauses) {
    const known = pauses.get(row.id);
    pauses.set(row.id, known ? { ...known, ...row, isNew: known.isNew } : row);
  }
  return {
    commandId: first.commandId,
    state: second.state,
    events: [...first.events, ...second.events],
    steps: [...steps.values()],
    pauses: [...pauses.values()],
    dataPatch: first.dataPatch || second.dataPatch ? { ...first.dataPatch, ...second.dataPatch } : null,
  };
}
