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

export class Draft {
  readonly plan: Plan;
  readonly state: RunState;
  readonly context: DecisionContext;
  readonly open = new Map<string, OpenStep>();
  /** The marking before the step that is being closed was closed. */
  before: OpenStep[] = [];
  /** Steps settled inside this decision. */
  settled = 0;
  readonly #events: RunEvent[] = [];
  readonly #rows = new Map<string, StepRow>();
  readonly #pauses = new Map<string, PauseRow>();
  #dataPatch: JsonObject | null = null;
  #opened = new Set<string>();
  #moved = new Set<string>();

  constructor(plan: Plan, state: RunState, context: DecisionContext) {
    this.plan = plan;
    this.state = { ...state };
    this.context = context;
    for (const step of state.open) this.open.set(keyOf(step), step);
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
    const key = keyOf(open);
    this.open.set(key, open);
    this.#opened.add(key);
    this.#touch(open, {}, true);
    return open;
  }

  moveStep(open: OpenStep, change: Partial<OpenStep>, result: StepResult & { redispatch?: boolean } = {}): OpenStep {
    const moved = { ...open, ...change };
    const key = keyOf(open);
    this.open.set(key, moved);
    if (!this.#opened.has(key)) this.#moved.add(key);
    this.#touch(moved, result);
    return moved;
  }

  /** Ends a step run; a claim that is still out loses its fence with it. */
  closeStep(open: OpenStep, status: 'completed' | 'failed' | 'cancelled', result: StepResult = {}): void {
    const key = keyOf(open);
    this.open.delete(key);
    this.#touch({ ...open, status, ...(status === 'cancelled' ? { fence: open.fence + 1 } : {}) }, result);
    this.#moved.delete(key);
    const { data } = this.#events.at(-1)!;
    if (this.#opened.delete(key)) {
      data.opened ??= [];
      data.opened.push(packMark(open));
    }
    data.closed ??= [];
    data.closed.push({ step: open.step, visit: open.visit, status });
  }

  openPause(row: Omit<PauseRow, 'isNew' | 'status'>): void {
    this.#pauses.set(row.id, { ...row, isNew: true, status: 'open' });
  }

  closePause(open: OpenStep, change: Pick<PauseRow, 'status' | 'answer' | 'answeredBy'>): void {
    if (open.pauseId === undefined) return;
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
    this.state.open = [...this.open.values()];
    return {
      commandId: this.context.commandId,
      state: this.state,
      events: this.#events,
      steps: [...this.#rows.values()],
      pauses: [...this.#pauses.values()],
      dataPatch: this.#dataPatch,
    };
  }

  #touch(
    open: Omit<OpenStep, 'status'> & { status: StepRunStatus },
    result: StepResult & { redispatch?: boolean },
    isNew = false,
  ): void {
    const key = keyOf(open);
    const known = this.#rows.get(key);
    const { type, step } = this.stepOf(open);
    this.#rows.set(key, {
      ...known,
      step: open.step,
      visit: open.visit,
      isNew: known?.isNew ?? isNew,
      seq: known?.seq ?? this.state.seq,
      type: type.type,
      tool: typeof step['tool'] === 'string' ? step['tool'] : null,
      status: open.status,
      attempt: open.attempt,
      fence: open.fence,
      epoch: open.epoch,
      lost: open.lost,
      dueAt: open.dueAt ?? null,
      ...result,
      redispatch: (known?.redispatch ?? false) || (result.redispatch ?? false),
    });
  }

  #sealEvent(): void {
    const event = this.#events.at(-1);
    const pack = (keys: Set<string>) => [...keys].map((key) => packMark(this.open.get(key)!));
    if (event && this.#opened.size > 0) event.data.opened = [...(event.data.opened ?? []), ...pack(this.#opened)];
    if (event && this.#moved.size > 0) event.data.moved = pack(this.#moved);
    this.#opened = new Set();
    this.#moved = new Set();
  }
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
