// The state of a run as it was: told from its events, so that nothing is stored twice. A snapshot stands after every step run
// that completed and was not undone since; what it holds is what a rollback opens again and a replay begins with. Outputs
// are not in the events: whoever folds brings those that `completed` names.

import { patchOf } from './data.ts';
import { END_FLOW } from './definition.ts';
import { type ClosedMark, type Mark, type RunEvent, unpackMark } from './events.ts';
import type { Json, JsonObject } from './json.ts';
import type { Plan } from './plan.ts';
import { keyOf, type OpenStep, type StepRef, type StepRunStatus } from './run.ts';

export type PastEvent = Pick<RunEvent, 'seq' | 'type' | 'step' | 'visit' | 'data'>;

/** A step run as events leave it: how it was when it was last open, and how it ended. */
export interface PastStep {
  mark: OpenStep;
  /** Number of the event that opened it first. */
  openedSeq: number;
  ended: StepRunStatus | null;
}

/** The run as it was after one of its events. */
export interface Snapshot {
  seq: number;
  /** What was open then, and what a hold or a cancellation had stopped before: all that is to go on. */
  marks: OpenStep[];
  completed: Completion[];
}

/** A step run whose output counted then, and the event with which it completed; in their order. */
export interface Completion extends StepRef {
  seq: number;
}

/** A snapshot, and what has come since. */
export interface Fold {
  /** Number of the last event that was folded: the fold is of no use once the run has moved on. */
  lastSeq: number;
  snapshot: Snapshot;
  /** What going back there undoes, what is open again there included, in order of arrival. */
  since: PastStep[];
  /** The highest visit there ever was of each step in `since`. */
  visits: Record<string, number>;
}

/** What a snapshot's outputs come to. */
export interface RestoredData {
  data: JsonObject;
  /** The latest output of each step that some expression names. */
  outputs: Record<string, { output: Json }>;
}

/** Folds the events of one run, from the first, in order. */
export class History {
  readonly #plan: Plan;
  readonly #open = new Map<string, OpenStep>();
  /** Every step run that was not undone. */
  readonly #past = new Map<string, PastStep>();
  readonly #visits = new Map<string, number>();
  readonly #firstTold = new Map<string, number>();
  #completed: Completion[] = [];
  /** What failed under a hold; of a run that is being cancelled, everything that was open then. */
  #stopped: OpenStep[] = [];
  #isHeld = false;
  #stage: 'stopping' | 'cleaning-up' | null = null;
  #seq = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  /** Takes the next event; answers whether a snapshot stands after it. */
  take(event: PastEvent): boolean {
    this.#seq = event.seq;
    this.#turn(event);
    const { opened = [], moved = [], closed = [] } = event.data;
    for (const mark of opened) this.#mark(mark);
    for (const mark of moved) this.#mark(mark);
    for (const mark of closed) this.#close(mark, event);
    if (event.type === 'run.rolled_back') this.#completed = this.#completed.filter((one) => this.#past.has(keyOf(one)));
    if (event.step !== null && this.#stage !== 'cleaning-up' && !event.data.detail?.['replayed']) {
      const key = keyOf({ step: event.step, visit: event.visit! });
      if (!this.#firstTold.has(key)) this.#firstTold.set(key, event.seq);
    }
    return this.#isSnapshot(event);
  }

  /** The run as it is after the last event. */
  snapshot(): Snapshot {
    return { seq: this.#seq, marks: this.marks(), completed: this.#completed.slice() };
  }

  /** What is open after the last event, and what was stopped before. */
  marks(): OpenStep[] {
    return this.#stage === null ? [...this.#stopped, ...this.#open.values()] : this.#stopped.slice();
  }

  /** What has come since `snapshot`, which this history gave earlier; null when that has been undone. */
  foldFrom(snapshot: Snapshot): Fold | null {
    const marked = new Set(snapshot.marks.filter(({ completed }) => !completed).map(keyOf));
    const last = this.#completed.findLast(({ seq }) => seq <= snapshot.seq);
    if (last?.seq !== snapshot.seq) return null;
    const since = [...this.#past].flatMap(([key, past]) =>
      past.openedSeq > snapshot.seq || marked.has(key) ? [past] : [],
    );
    const visits = Object.fromEntries(since.map(({ mark: { step } }) => [step, this.#visits.get(step)!]));
    return { lastSeq: this.#seq, snapshot, since, visits };
  }

  /**
   * Number of the event before the step's last visit began to do something: where a replay from it begins. Null when it
   * never did in this run.
   */
  findBefore(step: string): number | null {
    const visits = [...this.#past.values()].flatMap(({ mark }) => (mark.step === step ? [mark.visit] : []));
    const told = this.#firstTold.get(keyOf({ step, visit: Math.max(...visits) }));
    return told === undefined ? null : told - 1;
  }

  #turn({ type }: PastEvent): void {
    if (type === 'run.held') this.#isHeld = true;
    else if (type === 'run.released' || type === 'run.retried' || type === 'run.rolled_back') {
      this.#isHeld = false;
      this.#stage = null;
      this.#stopped = [];
    } else if (type === 'run.cleanup_started') this.#stage = 'cleaning-up';
    else if (type === 'run.cancel_requested' || (type === 'run.cancelled' && this.#stage === null)) {
      this.#isHeld = false;
      this.#stage = 'stopping';
      this.#stopped.push(...this.#open.values());
    }
  }

  #mark(packed: Mark): void {
    const mark = unpackMark(packed);
    const key = keyOf(mark);
    this.#open.set(key, mark);
    this.#past.set(key, { mark, openedSeq: this.#past.get(key)?.openedSeq ?? this.#seq, ended: null });
    this.#visits.set(mark.step, Math.max(mark.visit, this.#visits.get(mark.step) ?? 0));
  }

  #close({ step, visit, status }: ClosedMark, { type, data }: PastEvent): void {
    const key = keyOf({ step, visit });
    const past = this.#past.get(key)!;
    this.#open.delete(key);
    past.ended = status;
    if (status === 'undone') {
      this.#past.delete(key);
    } else if (status === 'completed') {
      this.#completed.push({ step, visit, seq: this.#seq });
      if (this.#stage)
        this.#stopped = this.#stopped.map((mark) => (keyOf(mark) === key ? { ...mark, completed: true } : mark));
    } else if (this.#isHeld && type === 'step.failed' && !data.opened && !data.moved) {
      // Nothing takes the failure, and nothing ends under a hold: it waits for the release.
      this.#stopped.push(past.mark);
    }
  }

  /** The end of the flow is the end of the run, and cleaning up is no part of it: there is nothing to go on with. */
  #isSnapshot({ type, step, data }: PastEvent): boolean {
    if (type !== 'step.completed' || this.#stage === 'cleaning-up' || data.detail?.['replayed']) return false;
    return this.#plan.steps.get(step!)?.type.type !== END_FLOW;
  }
}

/** Whether `data` or any expression can tell whether this step run has completed. */
export function isOutputRead(plan: Plan, { step }: StepRef): boolean {
  const { type, step: written } = plan.steps.get(step)!;
  const isMerged = type.mergesOutput || type.fieldsOf !== undefined || written.outputKey !== undefined;
  return isMerged || plan.readOutputs === 'all' || plan.readOutputs.has(step);
}

/** Data and outputs as completions make them, one by one in their order; those that `isOutputRead` denies may be left out. */
export class DataFold {
  readonly #plan: Plan;
  readonly #data: Map<string, Json>;
  #outputs: RestoredData['outputs'] = {};

  constructor(plan: Plan, input: JsonObject) {
    this.#plan = plan;
    this.#data = new Map(Object.entries(input));
  }

  take(step: string, output: Json): void {
    const { readOutputs, steps } = this.#plan;
    const planned = steps.get(step)!;
    if (readOutputs === 'all' || readOutputs.has(step)) this.#outputs[step] = { output };
    // An end-flow's output is the run's result.
    if (planned.type.type === END_FLOW) return;
    for (const [key, value] of Object.entries(patchOf(planned, output) ?? {})) this.#data.set(key, value);
  }

  restored(): RestoredData {
    return { data: Object.fromEntries(this.#data), outputs: { ...this.#outputs } };
  }
}
