// What a handler is given. Most handlers look at their input and nothing else, so everything beyond is made when it is asked
// for, and what was lent is taken back in the end.

import type { Json, JsonObject } from '../core/json.ts';
import type { Log } from '../core/log-lines.ts';
import type { PlanStep } from '../core/plan.ts';
import type { OpenStep } from '../core/run.ts';
import type { OpenedFile, WorkContext } from '../core/step-type.ts';
import type { Engine } from './engine.ts';
import { type LentFiles, lendFiles } from './lend-files.ts';
import type { RememberedRun } from './remembered-runs.ts';
import { type Revealed, revealInput } from './reveal-secrets.ts';
import { openStepLog, type StepLog } from './step-log.ts';

/** The step run that a handler works for. */
export interface Running {
  run: RememberedRun;
  step: PlanStep;
  open: OpenStep;
}

/** Handlers take it apart, `{ input, log }`, so its methods are values that need no `this`. */
export class StepContext implements WorkContext {
  readonly input: JsonObject;
  readonly runId: string;
  readonly stepId: string;
  readonly visit: number;
  readonly attempt: number;
  readonly #engine: Engine;
  readonly #running: Running;
  readonly #leash: { signal: AbortSignal };
  #files: LentFiles | null = null;
  #revealed: Revealed | null = null;
  #log: StepLog | null = null;

  constructor(engine: Engine, running: Running, input: JsonObject, leash: { signal: AbortSignal }) {
    const { run, step, open } = running;
    this.input = input;
    this.runId = run.state.id;
    this.stepId = step.step.id;
    this.visit = open.visit;
    this.attempt = open.attempt;
    this.#engine = engine;
    this.#running = running;
    this.#leash = leash;
  }

  get effectKey(): string {
    return `hp_${this.runId}_${this.stepId}_${this.visit}_${this.#running.open.epoch}`;
  }

  get signal(): AbortSignal {
    return this.#leash.signal;
  }

  get reveal(): () => Promise<JsonObject> {
    return async () => {
      const { step, run } = this.#running;
      this.#revealed ??= await revealInput(this.#engine, run.state.workspaceId, { step, input: this.input });
      return this.#revealed.input;
    };
  }

  get log(): Log {
    const { runId, stepId, visit, attempt } = this;
    this.#log ??= openStepLog(this.#engine, { runId, stepId, visit, attempt }, (value) => this.redact(value));
    return this.#log.log;
  }

  get openFile(): (fileId: string) => Promise<OpenedFile> {
    return (fileId) => {
      this.#files ??= lendFiles(this.#engine, this.#running.run.state.workspaceId, this.#leash.signal);
      return this.#files.open(fileId);
    };
  }

  /** Without the values of secrets that the handler was shown. */
  redact(value: Json): Json {
    return this.#revealed ? this.#revealed.redact(value) : value;
  }

  /** The same for what it threw. */
  redactError(error: unknown): unknown {
    return this.#revealed ? this.#revealed.redactError(error) : error;
  }

  /** Takes back what was lent. */
  end(): void {
    this.#files?.takeBack();
    this.#log?.end();
  }
}
