// What a worker does with a job. In call order: find the open step run the job points to → claim it (a commit), unless
// its work is pure → run its handler → offer the outcome until Postgres accepts or refuses it. The answer tells the queue
// what became of the job; by then the row has recorded it.

import type { AttemptError, Command, Work } from '../core/commands.ts';
import { AppError, type Problem } from '../core/errors.ts';
import { ExpressionError } from '../core/expression.ts';
import { findJsonProblems, type JsonObject } from '../core/json.ts';
import { type Plan, type PlanStep, resolveInput, UnknownStepTypeError } from '../core/plan.ts';
import type { OpenStep, RunState, StepRef } from '../core/run.ts';
import { reach } from '../failpoints.ts';
import type { StepJob } from '../queue/steps-queue.ts';
import type { JobVerdict } from '../queue/steps-worker.ts';
import { isPoison, isTransient } from '../store/db.ts';
import { findStepInput, loadOutputs } from '../store/runs.ts';
import { askRun, changeRun, systemActor } from './change-run.ts';
import type { Claims, HeldClaim } from './claims.ts';
import type { Engine } from './engine.ts';
import { awaitChanges } from './fresh-jobs.ts';
import { knowsOutputs } from './ready-run.ts';
import type { RememberedRun } from './remembered-runs.ts';
import type { Asker, Changed } from './rounds.ts';
import { type HandlerResult, Leash, runHandler } from './run-handler.ts';

/** How long a finished outcome is offered while Postgres is away. */
const OUTCOME_PATIENCE_MS = 600_000;
const LATER_MS = 1_000;
/** After the last look at a step run whose job came before its commit. */
const EARLY_LATER_MS = 200;
/** Between two looks for it. */
const EARLY_LOOKS_MS = [0, 0, 1, 1, 2, 4, 8, 16];
const NO_HANDLER_MS = 5_000;
const DONE: JobVerdict = { kind: 'done' };
const PATIENT = { actor: systemActor(), patienceMs: OUTCOME_PATIENCE_MS };
const NO_INPUT: Resolved = { ok: true, value: null };

type ResultCommand = Extract<Command, { type: 'complete' | 'fail-attempt' }>;

interface Found {
  plan: Plan;
  run: RememberedRun;
  /** By what the run will be: the commit that queues the step is still on its way. */
  isAhead?: true;
  open: OpenStep;
  step: PlanStep;
}

/** Runs the step that `job` points to; a job whose step is not waiting for it any more is dropped. */
export async function runStep(
  engine: Engine,
  claims: Claims,
  job: StepJob,
  attemptsStarted: number,
): Promise<JobVerdict> {
  try {
    const found = findAtOnce(engine, job, attemptsStarted) ?? (await findCommitted(engine, job, attemptsStarted));
    if (found?.open.status !== 'queued')
      return isEarly(job, attemptsStarted) ? { kind: 'later', delayMs: EARLY_LATER_MS } : DONE;
    const { open, step } = found;
    const early = (open.dueAt ?? 0) - engine.clock.now();
    if (early > 0) return { kind: 'later', delayMs: early };
    if (step.type.settle) return await settle(engine, job);
    if (!canRun(engine, step)) return { kind: 'later', delayMs: NO_HANDLER_MS };
    if (!isPureTry(job, found, attemptsStarted)) return await runClaimed(engine, claims, job, found);
    const result = await runPure(engine, job, found);
    if (!result) return DONE;
    return result.type === 'complete' ? await reportAhead(engine, job, result) : await report(engine, job, result);
  } catch (error) {
    if (error instanceof UnknownStepTypeError) return { kind: 'later', delayMs: NO_HANDLER_MS };
    if (isTransient(error) || (error instanceof AppError && error.code === 'unavailable'))
      return { kind: 'later', delayMs: LATER_MS };
    if (error instanceof AppError && error.code === 'run_not_found') return DONE;
    engine.log.error(
      { err: error, runId: job.runId, stepId: job.step, visit: job.visit },
      'a job could not be worked on; trying again',
    );
    throw error;
  }
}

/** Whether running the step needs no claim: its work is pure, and nobody can have begun it before. */
function isPureTry(job: StepJob, { open, step }: Found, attemptsStarted: number): boolean {
  const isFirst = attemptsStarted <= open.attempt && job.dispatch === 1 && open.lost === 0;
  return isFirst && step.type.isPure?.(step.step) === true;
}

/** The step run, if it is queued: by what the run will be where that is enough to run it, else by what this process remembers. */
function findAtOnce(engine: Engine, job: StepJob, attemptsStarted: number): Found | null {
  const mailbox = engine.mailboxes.get(job.runId);
  if (!mailbox?.ahead) return findRemembered(engine, job);
  const { plan, run } = mailbox.ahead;
  const open = findOpen(run.state, job);
  if (open?.status !== 'queued') return null;
  const found: Found = { plan, run, open, step: plan.steps.get(job.step)!, isAhead: true };
  return isPureTry(job, found, attemptsStarted) && knowsOutputs(run, found.step.inputReads) ? found : null;
}

/** The step run by what this process remembers, if that has it queued. */
function findRemembered(engine: Engine, job: StepJob): Found | null {
  const run = engine.remembered.get(job.runId);
  const open = run && findOpen(run.state, job);
  if (open?.status !== 'queued') return null;
  const plan = engine.plans.get(run!.state.definitionId, run!.state.version);
  return plan instanceof Promise ? null : { plan, run: run!, open, step: plan.steps.get(job.step)! };
}

/** The step run as it is once the changes under way are committed: here first, or else looked for a few times. */
async function findCommitted(engine: Engine, job: StepJob, attemptsStarted: number): Promise<Found | null> {
  if (
    job.early === 'step' &&
    attemptsStarted === 1 &&
    !engine.mailboxes.has(job.runId) &&
    !engine.remembered.has(job.runId)
  )
    engine.ahead.noteCompany();
  await awaitChanges(engine, job);
  let found = findRemembered(engine, job) ?? (await findStored(engine, job));
  for (const pauseMs of job.early ? EARLY_LOOKS_MS : []) {
    if (found && found.open.status !== 'pending') break;
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    found = await findStored(engine, job);
  }
  return found;
}

/** Offered before its commit, which has not arrived yet; somebody may have offered it again since, so it waits once. */
function isEarly(job: StepJob, attemptsStarted: number): boolean {
  return job.early !== undefined && attemptsStarted === 1;
}

/** The step run by what is stored. */
async function findStored(engine: Engine, job: StepJob): Promise<Found | null> {
  const run = await engine.loadRun(job.runId);
  const open = run && findOpen(run.state, job);
  if (!open) return null;
  // The command that follows is decided on it; what was committed here meanwhile is newer.
  const remembered = engine.remembered.get(job.runId);
  if (!remembered || remembered.state.seq < run.state.seq) engine.remembered.set(job.runId, run);
  const plan = await engine.plans.get(run.state.definitionId, run.state.version);
  return { plan, run, open, step: plan.steps.get(job.step)! };
}

function findOpen({ open }: RunState, { step, visit }: StepRef): OpenStep | undefined {
  return open.find((one) => one.step === step && one.visit === visit);
}

/** A settling step that was put off because its decision had settled enough already. */
async function settle(engine: Engine, { runId, step, visit }: StepJob): Promise<JobVerdict> {
  await changeRun(engine, runId, { type: 'settle', step, visit }, { actor: systemActor() });
  return DONE;
}

/** Without an effect outside, running it twice does no harm: claim and completion are one commit. */
async function runPure(engine: Engine, job: StepJob, found: Found): Promise<ResultCommand | null> {
  const work: Work = { fence: null, attempt: found.open.attempt };
  const input = found.step.parsed.size === 0 ? NO_INPUT : await resolveStepInput(engine, found);
  if (!input.ok) return failure(job, work, input.error, 0);
  const result = await runHandler(engine, found, input.value);
  return result.kind === 'abandoned' ? null : outcome(job, work, result, input.value);
}

async function runClaimed(engine: Engine, claims: Claims, job: StepJob, found: Found): Promise<JobVerdict> {
  const { runId, step, visit } = job;
  const stored = found.open.fence > 0 ? await findStepInput(engine.db.pool, runId, step, visit) : null;
  const input: Resolved = stored ? { ok: true, value: stored } : await resolveStepInput(engine, found);
  const claimed = await changeRun(
    engine,
    runId,
    { type: 'claim', step, visit, input: input.ok ? input.value : null },
    { actor: systemActor() },
  );
  if (claimed.kind !== 'accepted')
    return claimed.kind === 'refused' && claimed.code === 'not_due' ? { kind: 'later', delayMs: LATER_MS } : DONE;
  const open = findOpen(claimed.state, job)!;
  if (!input.ok) return report(engine, job, failure(job, { fence: open.fence }, input.error));
  const leash = new Leash();
  const claim: HeldClaim = { runId, step, visit, fence: open.fence, abort: (reason) => leash.abort(reason) };
  claims.hold(claim);
  try {
    const result = await runHandler(engine, { ...found, open }, input.value, leash);
    reach('handler.before_complete');
    if (result.kind === 'abandoned') return DONE;
    return await report(engine, job, outcome(job, { fence: open.fence }, result));
  } finally {
    claims.drop(claim);
  }
}

/**
 * Offers an outcome that harms nobody if it is lost. Its job is over once it is decided or, where that is as far as this process
 * may run ahead, recorded. One object in the place of promises: it lives for as long as the commit is put off.
 */
class ReportAhead implements Asker {
  readonly #engine: Engine;
  readonly #job: StepJob;
  readonly #command: ResultCommand;
  readonly #settle: (verdict: JobVerdict | Promise<JobVerdict>) => void;
  #isOver = false;

  constructor(
    engine: Engine,
    job: StepJob,
    command: ResultCommand,
    settle: (verdict: JobVerdict | Promise<JobVerdict>) => void,
  ) {
    this.#engine = engine;
    this.#job = job;
    this.#command = command;
    this.#settle = settle;
  }

  onDecided(): void {
    if (this.#isOver || !this.#engine.ahead.enter()) return;
    this.#isOver = true;
    this.#settle(DONE);
  }

  resolve(changed: Changed): void {
    const verdict = judge(this.#engine, this.#job, this.#command, changed);
    if (this.#isOver) this.#engine.ahead.leave();
    else this.#settle(verdict);
  }

  reject(error: unknown): void {
    const settled = reportFault(this.#engine, this.#job, this.#command, error);
    if (!this.#isOver) {
      this.#settle(settled);
      return;
    }
    this.#engine.ahead.leave();
    settled.catch((cause: unknown) => {
      const { runId, step, visit } = this.#job;
      this.#engine.log.warn({ err: cause, runId, stepId: step, visit }, 'a step is left to the sweep');
    });
  }
}

function reportAhead(engine: Engine, job: StepJob, command: ResultCommand): Promise<JobVerdict> {
  return new Promise((settle) => {
    askRun(engine, job.runId, { command, options: PATIENT }, new ReportAhead(engine, job, command, settle));
  });
}

/** Offers the outcome until it is accepted or refused. */
async function report(engine: Engine, job: StepJob, command: ResultCommand): Promise<JobVerdict> {
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

function outcome(
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

function failure({ step, visit }: StepRef, work: Work, error: AttemptError, ranMs?: number): ResultCommand {
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

type Resolved = { ok: true; value: JsonObject | null } | { ok: false; error: AttemptError };

/** Fills in the step's templates; what cannot be filled in fails the attempt for good. */
async function resolveStepInput(engine: Engine, { run, step }: Found): Promise<Resolved> {
  const { inputReads } = step;
  if (step.parsed.size === 0) return NO_INPUT;
  // What was decided a moment ago is not stored yet.
  const outputs = knowsOutputs(run, inputReads)
    ? run.state.outputs
    : await loadOutputs(engine.db.pool, run.state.id, inputReads);
  try {
    const value = resolveInput(step, {
      data: run.state.data,
      steps: outputs,
      run: describeRun(run.state),
      context: run.state.context,
    });
    const problems = findJsonProblems(value);
    if (problems.length === 0) return { ok: true, value };
    return {
      ok: false,
      error: {
        code: 'invalid_input',
        message: `The input ${listProblems(problems)}`,
        retryable: false,
        definite: true,
      },
    };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return { ok: false, error: { code: 'expression_error', message: error.message, retryable: false, definite: true } };
  }
}

function listProblems(problems: Problem[]): string {
  return problems.map(({ pointer, message }) => `${pointer} ${message}`.trim()).join('; ');
}

function describeRun({ id, definitionId, version, createdAt }: RunState): JsonObject {
  return { id, workflowId: definitionId, version, createdAt: new Date(createdAt).toISOString() };
}

function canRun(engine: Engine, step: PlanStep): boolean {
  const tool: unknown = step.step['tool'];
  return step.type.work !== undefined && (typeof tool !== 'string' || engine.known.tools.has(tool));
}
