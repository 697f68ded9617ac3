// What becomes of a step's result: as a command it is offered until Postgres accepts or refuses it, and the job is told what the
// queue is to do with it.

import type { AttemptError, Command, Work } from '../core/commands.ts';
import type { Problem } from '../core/errors.ts';
import { findJsonProblems, type JsonObject } from '../core/json.ts';
import type { OpenStep, RunState, StepRef } from '../core/run.ts';
import { reach } from '../failpoints.ts';
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

/** What is to be reported of a step of the run, and who is told what its job comes to. */
interface Reported {
  runId: string;
  command: ResultCommand;
  /** What the run was to be when the work was done; null where it was that. */
  base: Base | null;
}

/**
 * As `report`, of work that is pure: it harms nobody if it is lost. Its job is over once it is decided or, where that is as far as
 * this process may run ahead, recorded. What was made of a state that never came to be is not reported: the step is run again.
 */
export function reportPure(engine: Engine, reported: Reported): Promise<JobVerdict> {
  const { runId, command, base } = reported;
  if (base?.isUndone) return Promise.resolve(AGAIN);
  return new Promise((settle) => {
    // A failed attempt is the job's to try again, so it is not over before.
    const Report = command.type === 'complete' ? DecidedReport : PureReport;
    askRun(engine, runId, { command, options: PATIENT }, new Report(engine, reported, settle));
  });
}

/** One object in the place of promises: it lives for as long as the commit is put off, and holds nothing of the job. */
class PureReport implements Asker {
  protected isOver = false;
  protected readonly engine: Engine;
  protected readonly settle: (verdict: JobVerdict | Promise<JobVerdict>) => void;
  readonly #reported: Reported;

  constructor(engine: Engine, reported: Reported, settle: (verdict: JobVerdict | Promise<JobVerdict>) => void) {
    this.engine = engine;
    this.settle = settle;
    this.#reported = reported;
  }

  isBaseless(): boolean {
    return this.#reported.base?.isUndone === true;
  }

  /** The job that is over is offered anew, with what queues its step again. */
  abandon(): void {
    this.#end(AGAIN);
  }

  resolve(changed: Changed): void {
    const { runId, command } = this.#reported;
    this.#end(judge(this.engine, runId, command, changed));
  }

  reject(error: unknown): void {
    const { runId, command } = this.#reported;
    const settled = reportFault(this.engine, runId, command, error);
    if (this.isOver)
      settled.catch((cause: unknown) => {
        const { step, visit } = command;
        this.engine.log.warn({ err: cause, runId, stepId: step, visit }, 'a step is left to the sweep');
      });
    this.#end(settled);
  }

  #end(verdict: JobVerdict | Promise<JobVerdict>): void {
    if (this.isOver) this.engine.ahead.leave();
    else this.settle(verdict);
  }
}

class DecidedReport extends PureReport {
  onDecided(): void {
    if (this.isOver || !this.engine.ahead.enter()) return;
    this.isOver = true;
    this.settle(DONE);
  }
}

/** Offers the outcome until it is accepted or refused. */
export async function report(engine: Engine, runId: string, command: ResultCommand): Promise<JobVerdict> {
  try {
    return judge(engine, runId, command, await changeRun(engine, runId, command, PATIENT));
  } catch (error) {
    return reportFault(engine, runId, command, error);
  }
}

/** An output that Postgres cannot hold fails the step instead; throws whatever else went wrong. */
async function reportFault(engine: Engine, runId: string, command: ResultCommand, error: unknown): Promise<JobVerdict> {
  if (!isPoison(error) || command.type !== 'complete') throw error;
  const message = `The output cannot be stored: ${error instanceof Error ? error.message : String(error)}`;
  const work = command.fence === null ? { fence: null, attempt: command.attempt } : { fence: command.fence };
  return report(
    engine,
    runId,
    failure(command, work, { code: 'output_rejected', message, retryable: false, definite: true }),
  );
}

/** What the job has come to, now that its outcome is recorded or refused. */
function judge(engine: Engine, runId: string, command: ResultCommand, changed: Changed): JobVerdict {
  if (changed.kind === 'refused') {
    if (changed.code === 'not_due') return { kind: 'later', delayMs: LATER_MS };
    engine.metrics.lostLeases.inc();
    engine.log.info(
      { runId, stepId: command.step, visit: command.visit, reason: changed.message },
      'a late result was refused',
    );
    return DONE;
  }
  if (command.type !== 'fail-attempt') {
    reach('complete.after_enqueue');
    return DONE;
  }
  const open = findOpen(changed.state, command);
  const { message } = command.error;
  if (open?.status !== 'queued') return { kind: 'failed', message };
  engine.metrics.stepsFinished.inc({ type: 'attempt', outcome: 'retried' });
  return { kind: 'retry', delayMs: Math.max(0, (open.dueAt ?? 0) - engine.clock.now()), message };
}

/** What a handler's result asks of the run. */
export function outcome(
  { step, visit }: StepRef,
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
