// What a type of step is to the engine: its schema, and either a pure `settle` (waiting, routing and ending steps,
// decided inside a transition) or a `work` that runs as a job. Types are values in steps/<type>.ts; core only calls them.

import type { Step } from './definition.ts';
import type { Problem } from './errors.ts';
import type { Json, JsonObject } from './json.ts';
import type { Log } from './log-lines.ts';
import type { Actor, RunError } from './run.ts';
import type { Interpolation } from './template.ts';

/** How a step run ended or stopped; handlers return it, they do not act. */
export type Outcome =
  | {
      kind: 'complete';
      output: Json /** Edge names that apply beside the plain ones. */;
      on?: string[];
      outcome?: 'approved' | 'rejected';
    }
  | { kind: 'pause'; pause: PauseSpec }
  | { kind: 'sleep'; untilMs: number }
  | { kind: 'deliver'; delivery: DeliverySpec; dueInMs?: number }
  | { kind: 'end'; status: 'completed' | 'failed'; result?: Json; error?: RunError };

export interface PauseSpec {
  type: 'collect_inputs' | 'request_user_action';
  message?: string;
  fields?: JsonObject;
  actions?: Action[];
  assignees?: string[];
  dueInMs?: number;
}

/** What is to be sent outside, in the words of its step type: the engine only passes it on. */
export type DeliverySpec = JsonObject;

export interface Action {
  id: string;
  label: string;
  value?: string;
  outcome?: 'approved' | 'rejected';
  fields?: JsonObject;
}

/** What a pure `settle` may look at. `resolve` replaces every `${…}` in a value. */
export interface SettleContext {
  visit: number;
  now: number;
  /** What the run was started with. */
  input: JsonObject;
  resolve(value: unknown): Json;
}

/** What somebody sent to a pause. */
export interface Answer {
  type: 'collect_inputs' | 'request_user_action';
  data?: JsonObject;
  actionId?: string;
  actionValue?: string;
  /** In the place of `actionId`: the first action that decides like this. */
  outcome?: 'approved' | 'rejected';
  comment?: string;
}

export type AnswerVerdict =
  | { ok: true; outcome: Extract<Outcome, { kind: 'complete' }> }
  | { ok: false; problems: Problem[] };

export interface StepType {
  readonly type: string;
  /** Other names that definitions may use for it. */
  readonly aliases?: readonly string[];
  /** Properties that this type adds to a step, as JSON Schema, and those that must be there. */
  readonly properties: JsonObject;
  readonly required?: readonly string[];
  /** Whether an object output is merged shallowly into `data` (DESIGN §7). */
  readonly mergesOutput: boolean;
  /** What of an output is merged into `data` although the whole is not: the fields of a chosen action. */
  fieldsOf?(step: Step, output: Json): JsonObject | null;
  /** Names that an edge's `on` may have on this step, beside `error` and `timeout`. */
  edgeNames?(step: Step): string[];
  /** The step with this type's canonical name, fields and presets; called before `check`, on what has the right shape. */
  normalise?(step: Step): Step;
  /** Problems beyond the schema, pointers relative to the step. */
  check?(step: Step, known: Known): Problem[];
  /** Fields holding `${…}` or bare expressions (`condition`) that are read when the step settles or runs. */
  readonly templates: readonly string[];
  /** How values are put into the texts of such a field; as they are, and no secrets, where it says nothing. */
  interpolation?(step: Step, field: string): Interpolation | undefined;
  /** Fields that hold one bare JEXL expression. */
  readonly expressions?: readonly string[];
  /** Pure: what entering this step does; throws `ExpressionError` when it cannot. Absent on working steps. */
  settle?(step: Step, context: SettleContext): Outcome;
  /** Pure: what an answer to this step's pause does. */
  answer?(step: Step, answer: Answer, context: { actor: Actor; now: number }): AnswerVerdict;
  /** Pure: what an unanswered pause does when it is due; `null` means the step timed out. */
  expire?(step: Step, context: { now: number }): { answer: Answer } | null;
  /** Runs the step, as a job. Absent on steps that settle. */
  work?: WorkHandler;
  /** Whether this step's work has no effect outside, so that claim and completion may be one commit. */
  isPure?(step: Step): boolean;
}

/** The step types of this process, by name or alias. */
export interface StepTypes {
  get(nameOrAlias: string): StepType | undefined;
  list(): readonly StepType[];
}

/** What a definition may refer to in this process. */
export interface Known {
  tools: ReadonlyMap<string, KnownTool>;
}

export interface KnownTool {
  input?: JsonObject;
  /** Problems of arguments as they stand in a definition, `${…}` not filled in; pointers relative to them. */
  check?(args: JsonObject): Problem[];
}

export type WorkHandler = (step: Step, context: WorkContext) => Promise<Json>;

/**
 * What a running step is given. `input` is the step's type-specific fields, resolved and stored, with placeholders where
 * they name secrets.
 */
export interface WorkContext {
  input: JsonObject;
  /**
   * The input with the values of its secrets in their places, to be sent out and kept nowhere; from then on they are
   * blanked in what the handler logs, returns and throws. Throws a `StepError` when one cannot be had.
   */
  reveal(): Promise<JsonObject>;
  runId: string;
  stepId: string;
  visit: number;
  attempt: number;
  /** The same for every execution until an attempt has definitely failed; send it as `Idempotency-Key`. */
  effectKey: string;
  /** Aborts when the run is cancelled, the step times out, or this worker lost its claim. */
  signal: AbortSignal;
  /** Writes lines that are shown with the run: `log.info('sent', { id })`. Bounded, never awaited, never fails. */
  readonly log: Log;
  /**
   * Opens a file of the run's workspace, such as the one that came with its start as `data.fileId`. Throws a `StepError`,
   * `file_not_found` or `file_unavailable`.
   */
  openFile(fileId: string): Promise<OpenedFile>;
}

/** A file as a step is given it. */
export interface OpenedFile {
  fileId: string;
  filename: string;
  contentType: string;
  size: number;
  /** In hexadecimal. */
  sha256: string;
  /** Read it once, with `for await` or as the body of a `fetch`; it is closed when the step is over. */
  content: AsyncIterable<Uint8Array>;
}

/** Throw from a handler to say how its failure is to be treated; any other error is retried under the same effect key. */
export class StepError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  /** True when the effect certainly did not happen or was certainly refused: a retry gets a new effect key. */
  readonly definite: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(
    code: string,
    message: string,
    options: { retryable?: boolean; definite?: boolean; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'StepError';
    this.code = code;
    this.retryable = options.retryable ?? true;
    this.definite = options.definite ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** By its name, because a tool may have its `StepError` from another copy of this module. */
export function isStepError(error: unknown): error is StepError {
  return error instanceof Error && error.name === 'StepError' && 'retryable' in error && 'definite' in error;
}
