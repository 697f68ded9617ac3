// What a worker does with a job. In call order: find the open step run the job points to → claim it (a commit), unless
// its work is pure → run its handler → offer the outcome until Postgres accepts or refuses it (report-step.ts). The answer tells the
// queue what became of the job; by then the row has recorded it, or, where the work is pure, its commit is on its way.

import type { AttemptError, Work } from '../core/commands.ts';
import { AppError } from '../core/errors.ts';
import { ExpressionError } from '../core/expression.ts';
import { findJsonProblems, type JsonObject } from '../core/json.ts';
import { type Plan, type PlanStep, resolveInput, UnknownStepTypeError } from '../core/plan.ts';
import type { OpenStep, RunState } from '../core/run.ts';
import { reach } from '../failpoints.ts';
import type { StepJob } from '../queue/steps-queue.ts';
import type { JobVerdict } from '../queue/steps-worker.ts';
import { isTransient } from '../store/db.ts';
import { findStepInput, loadOutputs } from '../store/runs.ts';
import { changeRun, systemActor } from './change-run.ts';
import type { Claims, HeldClaim } from './claims.ts';
import type { Engine } from './engine.ts';
import { awaitChanges } from './fresh-jobs.ts';
import { knowsOutputs } from './ready-run.ts';
import type { RememberedRun } from './remembered-runs.ts';
import {
  DONE,
  failure,
  findOpen,
  LATER_MS,
  listProblems,
  outcome,
  type ResultCommand,
  report,
  reportPure,
} from './report-step.ts';
import type { Base } from './rounds.ts';
import { Leash, runHandler } from './run-handler.ts';

/** After the last look at a step run whose job came before its commit. */
const EARLY_LATER_MS = 200;
/** Between two looks for it. */
const EARLY_LOOKS_MS = [0, 0, 1, 1, 2, 4, 8, 16];
const NO_HANDLER_MS = 5_000;
const NO_INPUT: Resolved = { ok: true, value: null };

interface Found {
  plan: Plan;
  run: RememberedRun;
  /** Where `run` is what the run will be: that. */
  base?: Base;
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
    if (job.early === 'step' && isKnown(engine, job)) engine.ahead.noteReturned();
    const found = findAtOnce(engine, job, attemptsStarted) ?? (await findCommitted(engine, job));
    if (found?.open.status !== 'queued')
      return isEarly(job, attemptsStarted) ? { kind: 'later', delayMs: EARLY_LATER_MS } : DONE;
    const { open, step } = found;
    const early = (open.dueAt ?? 0) - engine.clock.now();
    if (early > 0) return { kind: 'later', delayMs: early };
    if (step.type.settle) return await settle(engine, job);
    if (!canRun(engine, step)) return { kind: 'later', delayMs: NO_HANDLER_MS };
    if (!isPureTry(job, found, attemptsStarted)) return await runClaimed(engine, claims, job, found);
    const result = await runPure(engine, found);
    if (!result) return DONE;
    return await reportPure(engine, { runId: found.run.state.id, command: result, base: found.base ?? null });
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

/** Whether this process has had to do with the run, and so may have offered its job. */
function isKnown({ mailboxes, remembered }: Engine, { runId }: StepJob): boolean {
  return mailboxes.has(runId) || remembered.has(runId);
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
  const found: Found = { plan, run, open, step: plan.steps.get(job.step)!, base: mailbox.ahead };
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
async function findCommitted(engine: Engine, job: StepJob): Promise<Found | null> {
  await awaitChanges(engine, job);
  let found = findRemembered(engine, job) ?? (await findStored(engine, job));
  for (const pauseMs of job.early ? EARLY_LOOKS_MS : []) {
    if (found && found.open.status !== 'pending') break;
    if (job.early === 'step') engine.ahead.noteCompany();
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

/** A settling step that was put off because its decision had settled enough already. */
async function settle(engine: Engine, { runId, step, visit }: StepJob): Promise<JobVerdict> {
  await changeRun(engine, runId, { type: 'settle', step, visit }, { actor: systemActor() });
  return DONE;
}

/** Without an effect outside, running it twice does no harm: claim and completion are one commit. */
async function runPure(engine: Engine, found: Found): Promise<ResultCommand | null> {
  const { open, step } = found;
  const work: Work = { fence: null, attempt: open.attempt };
  const input = step.parsed.size === 0 ? NO_INPUT : await resolveStepInput(engine, found);
  if (!input.ok) return failure(open, work, input.error, 0);
  const result = await runHandler(engine, found, input.value);
  return result.kind === 'abandoned' ? null : outcome(open, work, result, input.value);
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
  if (!input.ok) return report(engine, runId, failure(job, { fence: open.fence }, input.error));
  const leash = new Leash();
  const claim: HeldClaim = { runId, step, visit, fence: open.fence, abort: (reason) => leash.abort(reason) };
  claims.hold(claim);
  try {
    const result = await runHandler(engine, { ...found, open }, input.value, leash);
    reach('handler.before_complete');
    if (result.kind === 'abandoned') return DONE;
    return await report(engine, runId, outcome(job, { fence: open.fence }, result));
  } finally {
    claims.drop(claim);
  }
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

function describeRun({ id, definitionId, version, createdAt }: RunState): JsonObject {
  return { id, workflowId: definitionId, version, createdAt: new Date(createdAt).toISOString() };
}

function canRun(engine: Engine, step: PlanStep): boolean {
  const tool: unknown = step.step['tool'];
  return step.type.work !== undefined && (typeof tool !== 'string' || engine.known.tools.has(tool));
}
