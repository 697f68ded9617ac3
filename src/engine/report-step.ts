// What becomes of a step's result: as a command it is offered until Postgres accepts or refuses it, and the job is told what the
// queue is to do with it.

import type { AttemptError, Command, Work } from '../core/commands.ts';
import type { Problem } from '../core/errors.ts';
import { findJsonProblems, type JsonObject } from '../core/json.ts';
import type { OpenStep, RunState, StepRef } from '../core/run.ts';
import { reach } from '../failpoints.ts';
import type { StepJob } from '../queue/steps-queue.ts';
import type { JobVerdict } from '../queue/steps-worker.ts';
import { isPoison } from '../store/db.ts';
import { askRun, changeRun, systemActor } from './change-run.ts';
import type { Engine } from './engine.ts';
import type { Asker, Base, Changed } from './rounds.ts';
import type { HandlerResult } from './run-handler.ts';

export type ResultCommand = Extract<Command, { type: 'complete' | 'fail-attempt' }>;

/** How long a finished outcome is offered while Postgres is away. */
const OUTCOME_PATIENCE_MS = 600_000;
const PATIENT = { actor: systemActor(), patienceMs: OUTCOME_PATIENCE_MS };
export const LATER_MS = 1_000;
export const DONE: JobVerdict = { kind: 'done' };
const AGAIN: JobVerdict = { kind: 'later', delayMs: 0 };

/**
 * As `report`, of work that is pure: it harms nobody if it is lost. Its job is over once it is decided or, where that is as far as
 * this process may run ahead, recorded. What was made of a state that never came to be, `base`, is not reported: the step is run again.
 */
export function reportPure(
  engine: Engine,
  job: StepJob,
  command: ResultCommand,
  base: Base | null,
): Promise<JobVerdict> {
  return new Promise((settle) => {
    const asker = new PureReport(engine, { job, command, base, settle });
    if (asker.isBaseless()) settle(AGAIN);
    else askRun(engine, job.runId, { command, options: PATIENT }, asker);
  });
}

interface Reported {
  job: StepJob;
  command: ResultCommand;
  base: Base | null;
  settle(verdict: JobVerdict | Promise<JobVerdict>): void;
}

/** One object in the place of promises: it lives for as long as the commit is put off. */
class PureReport implements Asker {
  readonly onDecided: (() => void) | undefined;
  readonly #engine: Engine;
  readonly #reported: Reported;
  #isOver = false;

  constructor(engine: Engine, reported: Reported) {
    this.#engine = engine;
    this.#reported = reported;
    // A failed attempt is the job's to try again, so it is not over before.
    this.onDecided = reported.command.type === 'complete' ? () => this.#goAhead() : undefined;
  }

  isBaseless(): boolean {
    return this.#reported.base?.isUndone === true;
  }

  /** The job that is over is offered anew, with what queues its step again. */
  abandon(): void {
    this.#end(AGAIN);
  }

  resolve(changed: Changed): void {
    const { job, command } = this.#reported;
    this.#end(judge(this.#engine, job, command, changed));
  }

  reject(error: unknown): void {
    const { job, command } = this.#reported;
    const settled = reportFault(this.#engine, job, command, error);
    if (this.#isOver) {
      const { runId, step, visit } = job;
      settled.catch((cause: unknown) => {
        this.#engine.log.warn({ err: cause, runId, stepId: step, visit }, 'a step is left to the sweep');
      });
    }
    this.#end(settled);
  }

  #goAhead(): void {
    if (this.#isOver || !this.#engine.ahead.enter()) return;
    this.#isOver = true;
    this.#reported.settle(DONE);
  }

  #end(verdict: JobVerdict | Promise<JobVerdict>): void {
    if (this.#isOver) this.#engine.ahead.leave();
    else this.#reported.settle(verdict);
  }
}

/** Offers the outcome until it is accepted or refused. */
export async function report(engine: Engine, job: StepJob, command: ResultCommand): Promise<JobVerdict> {
  try {
    return judge(engine, job, command, await changeRun(engine, job.runId, command, PATIENT));
  } catch (error) {
    return reportFault(engine, job, command, error);
  }
}

/** An output that Postgres cannot hold fails the step instead; throws whatever else went wrong. */
async function reportFault(engine: Engine, job: StepJob, command: ResultCommand, error: unknown): Promise<JobVerdict> {
  if (!isPoison(error) || command.type !== 'complete') throw error;
  const message = `The output cannot be stored: ${error instanceof Error ? error.message : String(error)}`;
  const work = command.fence === null ? { fence: null, attempt: command.attempt } : { fence: command.fence };
  return report(
    engine,
    job,
    failure(job, work, { code: 'output_rejected', message, retryable: false, definite: true }),
  );
}

/** What the job has come to, now that its outcome is recorded or refused. */
function judge(engine: Engine, job: StepJob, command: ResultCommand, changed: Changed): JobVerdict {
  if (changed.kind === 'refused') {
    if (changed.code === 'not_due') return { kind: 'later', delayMs: LATER_MS };
    engine.metrics.lostLeases.inc();
    engine.log.info(
      { runId: job.runId, stepId: job.step, visit: job.visit, reason: changed.message },
      'a late result was refused',
    );
    return DONE;
  }
  if (command.type !== 'fail-attempt') {
    reach('complete.after_enqueue');
    return DONE;
  }
  const open = findOpen(changed.state, job);
  const { message } = command.error;
  if (open?.status !== 'queued') return { kind: 'failed', message };
  engine.metrics.stepsFinished.inc({ type: 'attempt', outcome: 'retried' });
  return { kind: 'retry', delayMs: Math.max(0, (open.dueAt ?? 0) - engine.clock.now()), message };
}

/** What a handler's result asks of the run. */
export function outcome(
  { step, visit }: StepJob,
  work: Work,
  result: Exclude<HandlerResult, { kind: 'abandoned' }>,
  input?: JsonObject | null,
): ResultCommand {
  const { ranMs } = result;
  const problems = result.kind === 'returned' ? findJsonProblems(result.output) : [];
  if (result.kind === 'returned' && problems.length === 0) {
    return { type: 'complete', step, visit, ...work, output: result.output, ranMs, ...(input ? { input } : {}) };
  }
  const message = `The output ${listProblems(problems)}`;
  const error: AttemptError =
    result.kind === 'threw' ? result.error : { code: 'invalid_output', message, retryable: false, definite: true };
  return failure({ step, visit }, work, error, ranMs);
}

/** The command that fails an attempt. */
export function failure({ step, visit }: StepRef, work: Work, error: AttemptError, ranMs?: number): ResultCommand {
  return {
    type: 'fail-attempt',
    step,
    visit,
    ...work,
    error,
    random: Math.random(),
    ...(ranMs === undefined ? {} : { ranMs }),
  };
}

export function findOpen({ open }: RunState, { step, visit }: StepRef): OpenStep | undefined {
  return open.find((one) => one.step === step && one.visit === visit);
}

export function listProblems(problems: Problem[]): string {
  return problems.map(({ pointer, message }) => `${pointer} ${message}`.trim()).join('; ');
}
