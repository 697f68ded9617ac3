// The rules of a run, as one pure function: `decide(plan, state, command, context)` answers what the run becomes and what
// there is to write, or why not. In call order: is the command legal for the run's status (core/commands.ts) and for the step run
// it names; what it does; which step runs go next (core/routing.ts, core/joins.ts); how the run stands now (`settleStatus`, the only
// place where a run's status is derived). Ids and time are arguments: same input, same decision.

import { ACCEPTS, type Command, type Work } from './commands.ts';
import { LIMITS } from './definition.ts';
import { type Decision, type DecisionContext, Draft } from './draft.ts';
import { cancelRun, closeAll, failRun, finishRun, RunFailure, resolveResult } from './endings.ts';
import { keepFailure, letGoOn, putBack, requeueStep } from './holding.ts';
import { advance } from './joins.ts';
import type { Plan, PlanStep } from './plan.ts';
import { type Refusal, refuse } from './refusal.ts';
import { reopenAll } from './reopening.ts';
import { completeStep, enterStep, failStep, openVisit, queueStep, settleStep } from './routing.ts';
import { FINISHED, type OpenStep, type RunState, type StepRef } from './run.ts';
import { answerPause, wakeStep } from './waits.ts';

export type Verdict = { kind: 'accepted'; decision: Decision } | { kind: 'already' } | Refusal;

/** What a start needs beside its plan; the run's id is chosen by the caller. */
export type NewRun = Pick<RunState, 'id' | 'workspaceId' | 'definitionId' | 'version' | 'input' | 'context'>;

/** The first decision of a run: it is created, and its initial step goes. */
export function decideStart(plan: Plan, run: NewRun, context: DecisionContext): Decision {
  const state: RunState = {
    id: run.id,
    workspaceId: run.workspaceId,
    definitionId: run.definitionId,
    version: run.version,
    status: 'queued',
    seq: 0,
    open: [],
    visits: {},
    stepRuns: 0,
    input: run.input,
    data: run.input,
    context: run.context,
    outputs: {},
    result: null,
    error: null,
    cancellation: null,
    interrupted: null,
    createdAt: context.now,
    startedAt: null,
  };
  const draft = new Draft(plan, state, context);
  draft.event('run.created');
  apply(draft, () => enterStep(draft, plan.initial), false);
  return draft.decision();
}

/** What `command` does to the run; refusals and repeats change nothing. */
export function decide(plan: Plan, state: RunState, command: Command, context: DecisionContext): Verdict {
  const legality = ACCEPTS[command.type][state.status];
  if (legality === 'already') return { kind: 'already' };
  if (legality === 'refused')
    return refuse(
      FINISHED.has(state.status) ? 'run_finished' : 'conflict',
      `The run is ${state.status} and takes no "${command.type}"`,
    );
  const draft = new Draft(plan, state, context);
  const refusal = act(draft, command);
  return refusal ?? { kind: 'accepted', decision: draft.decision() };
}

function act(draft: Draft, command: Command): Verdict | null {
  switch (command.type) {
    case 'answer':
      return applyUnlessRefused(draft, answerPause(draft, command));
    case 'expire-run':
      return expireRun(draft);
    case 'hold':
      return hold(draft, command.reason);
    case 'release':
      return release(draft, command.reason);
    case 'retry':
      return retry(draft, command.reason);
    case 'cancel':
      return cancel(draft, command.reason);
    case 'terminate':
      keepInterrupted(draft);
      draft.state.cancellation = cancellation(draft, 'terminate', command.reason);
      cancelRun(draft);
      return null;
    default:
      return actOnStep(draft, command);
  }
}

function actOnStep(draft: Draft, command: Extract<Command, StepRef>): Verdict | null {
  const open = draft.findOpen(command);
  if (!open) return refuse('step_not_open', `Step "${command.step}" (visit ${command.visit}) is not open`);
  const step = draft.stepOf(open);
  switch (command.type) {
    case 'claim': {
      const lost = findNotReady(draft, open);
      if (lost) return lost;
      draft.event('step.started', open, { attempt: open.attempt });
      draft.moveStep(
        withoutDue(open),
        { status: 'running', fence: open.fence + 1 },
        command.input === null ? {} : { input: command.input },
      );
      settleStatus(draft, true);
      return null;
    }
    case 'complete': {
      const lost = findLostClaim(draft, open, command);
      if (lost) return lost;
      apply(draft, () => completeStep(draft, open, { kind: 'complete', output: command.output }, command));
      return null;
    }
    case 'fail-attempt':
      return findLostClaim(draft, open, command) ?? failAttempt(draft, step, open, command);
    case 'expire-lease':
      return findLostClaim(draft, open, command) ?? expireLease(draft, open, command.released ?? false);
    case 'settle':
      if (open.status !== 'queued' || !step.type.settle)
        return refuse('step_not_open', 'The step does not wait to be settled');
      apply(draft, () => settleStep(draft, open));
      return null;
    case 'wake':
      return applyUnlessRefused(draft, wakeStep(draft, open));
  }
}

function failAttempt(
  draft: Draft,
  step: PlanStep,
  open: OpenStep,
  { error, random, ranMs }: Extract<Command, { type: 'fail-attempt' }>,
): null {
  const { now } = draft.context;
  const asked = error.retryAfterMs ?? Number.NaN;
  // What a handler asks for is only as good as its author: NaN, below zero and beyond a year are no due times.
  const delayMs = asked >= 0 ? Math.min(asked, LIMITS.delayMs) : retryDelayMs(step.retry, open.attempt, random);
  const inBudget = step.retry.budgetMs === undefined || now + delayMs - (open.since ?? now) <= step.retry.budgetMs;
  const stopping = draft.state.cancellation?.stage === 'stopping';
  const detail = { code: error.code, message: error.message, attempt: open.attempt };
  if (!error.retryable || open.attempt >= step.retry.attempts || !inBudget || stopping) {
    apply(draft, () => {
      draft.event('attempt.failed', open, detail);
      failStep(
        draft,
        open,
        { code: error.code, message: error.message },
        error.timedOut ? 'timed-out' : 'failed',
        ranMs,
      );
    });
    return null;
  }
  draft.event('attempt.failed', open, { ...detail, retryInMs: delayMs });
  const epoch = open.epoch + (error.definite ? 1 : 0);
  const result = { error: { code: error.code, message: error.message }, ...(error.definite ? { input: null } : {}) };
  requeueStep(draft, open, { attempt: open.attempt + 1, fence: open.fence + 1, epoch, dueAt: now + delayMs }, result);
  settleStatus(draft, true);
  return null;
}

function expireLease(draft: Draft, open: OpenStep, released: boolean): null {
  const lost = open.lost + (released ? 0 : 1);
  apply(draft, () => {
    draft.event('lease.expired', open, released ? { released } : { lost });
    if (lost >= LIMITS.lostClaims) {
      failStep(
        draft,
        open,
        { code: 'worker_lost', message: `The step lost its worker ${lost} times; it may be what stops them` },
        'failed',
      );
    } else if (draft.state.cancellation?.stage === 'stopping') {
      draft.closeStep(open, 'cancelled');
    } else {
      requeueStep(draft, open, { lost, fence: open.fence + 1 }, { redispatch: true });
    }
  });
  return null;
}

function hold(draft: Draft, reason: string | undefined): Verdict | null {
  if (draft.state.cancellation) return refuse('conflict', 'The run is being cancelled, and is not held any more');
  draft.isHeld = true;
  draft.event('run.held', null, reason === undefined ? undefined : { reason });
  putBack(draft);
  settleStatus(draft, false);
  return null;
}

function release(draft: Draft, reason: string | undefined): null {
  draft.isHeld = false;
  apply(
    draft,
    () => {
      draft.event('run.released', null, reason === undefined ? undefined : { reason });
      letGoOn(draft);
    },
    false,
  );
  return null;
}

/** The run goes on from where it was interrupted, under its own id. */
function retry(draft: Draft, reason: string | undefined): null {
  const { state } = draft;
  const interrupted = state.interrupted ?? [];
  // Any status that is not over will do: how the run stands is settled once its steps are open again.
  const anew: Partial<RunState> = { status: 'running', error: null, cancellation: null, interrupted: null };
  Object.assign(state, anew);
  apply(
    draft,
    () => {
      draft.event('run.retried', null, reason === undefined ? undefined : { reason });
      reopenAll(draft, interrupted);
    },
    false,
  );
  return null;
}

/** Cleaning up needs a worker, so whoever cancels a held run lets it go as far as that. */
function cancel(draft: Draft, reason: string | undefined): Verdict | null {
  if (draft.state.cancellation?.stage) return { kind: 'already' };
  draft.isHeld = false;
  keepInterrupted(draft);
  draft.state.cancellation = {
    ...cancellation(draft, 'cancel', reason),
    stage: 'stopping',
    dueAt: draft.context.now + LIMITS.cancelGraceMs,
  };
  apply(draft, () => {
    draft.event('run.cancel_requested', null, reason === undefined ? undefined : { reason });
    closeAll(draft, (open) => open.status === 'running');
  });
  return null;
}

function expireRun(draft: Draft): Verdict | null {
  const { cancellation } = draft.state;
  if (!cancellation?.stage || cancellation.dueAt === undefined) return refuse('not_due', 'The run waits for no time');
  if (cancellation.dueAt > draft.context.now) return refuse('not_due', 'The cancellation is not due yet');
  apply(draft, () => {
    draft.event('run.cancel_expired');
    closeAll(draft);
  });
  return null;
}

function cancellation(draft: Draft, type: 'cancel' | 'terminate', reason: string | undefined) {
  const { actor, now } = draft.context;
  return { type, by: actor.userId, at: now, ...(reason === undefined ? {} : { reason }) };
}

/** What a retry is to reopen, as it is when the run is first asked to stop; a failure that a hold kept back is forgotten. */
function keepInterrupted(draft: Draft): void {
  const { state } = draft;
  if (state.cancellation) return;
  state.interrupted = [...(state.interrupted ?? []), ...draft.open];
  state.error = null;
}

/**
 * Does `change`, lets go what can go, and brings the run to rest; a `RunFailure` on the way fails the run. `hasStarted`
 * is false for what a run may be asked before anything was done for it.
 */
function apply(draft: Draft, change: () => unknown, hasStarted = true): void {
  try {
    change();
    if (!draft.state.cancellation && !draft.isHeld) goOn(draft);
  } catch (error) {
    if (!(error instanceof RunFailure)) throw error;
    if (draft.isHeld) keepFailure(draft, error.error);
    else if (!draft.state.cancellation) failRun(draft, error.error);
  }
  proceedCancellation(draft);
  settleStatus(draft, hasStarted || draft.settled > 0);
}

function applyUnlessRefused(draft: Draft, change: Refusal | (() => void)): Refusal | null {
  if (typeof change !== 'function') return change;
  apply(draft, change);
  return null;
}

/** Lets go what can go; when the last branch has ended the run completes, or fails with no step run to be reopened. */
function goOn(draft: Draft): void {
  advance(draft);
  if (draft.isOver || draft.open.length > 0) return;
  draft.before = [];
  finishRun(draft, resolveResult(draft));
}

/**
 * Takes a cancellation one stage further once nothing is open: `onCancel` runs alone, then the run is cancelled. While a
 * step still runs it waits for it, or for the due time.
 */
function proceedCancellation(draft: Draft): void {
  const { cancellation } = draft.state;
  if (!cancellation?.stage || draft.open.length > 0 || draft.isOver) return;
  const { onCancel } = draft.plan;
  if (cancellation.stage === 'cleaning-up' || !onCancel) {
    cancelRun(draft);
    return;
  }
  draft.event('run.cleanup_started', null, { step: onCancel.step.id });
  draft.state.cancellation = { ...cancellation, stage: 'cleaning-up', dueAt: draft.context.now + LIMITS.cancelGraceMs };
  queueStep(draft, openVisit(draft, onCancel));
}

function settleStatus(draft: Draft, hasStarted: boolean): void {
  const { state } = draft;
  if (hasStarted) state.startedAt ??= draft.context.now;
  if (draft.isOver) return;
  const { open } = draft;
  if (draft.isHeld) state.status = 'held';
  else if (state.startedAt === null) state.status = 'queued';
  else if (open.some((step) => step.status === 'queued' || step.status === 'running')) state.status = 'running';
  else if (open.some((step) => step.awaits === 'person')) state.status = 'waiting';
  else state.status = 'running';
}

/** Why a result for this step run is not the asker's to bring. */
function findLostClaim(draft: Draft, open: OpenStep, work: Work): Refusal | null {
  if (work.fence === null) {
    return work.attempt === open.attempt
      ? findNotReady(draft, open)
      : refuse('claim_lost', `Attempt ${work.attempt} is over; the step is at attempt ${open.attempt}`);
  }
  if (open.status === 'running' && open.fence === work.fence) return null;
  return refuse(
    'claim_lost',
    `The claim with fence ${work.fence} is over; the step is ${open.status} with fence ${open.fence}`,
  );
}

/** Why nobody may work on this step run now: it is not queued for a worker, or not due. */
function findNotReady(draft: Draft, open: OpenStep): Refusal | null {
  if (open.status !== 'queued' || draft.stepOf(open).type.settle)
    return refuse('claim_lost', `The step is ${open.status} and waits for no worker`);
  if (open.dueAt === undefined || open.dueAt <= draft.context.now) return null;
  return refuse('not_due', 'The retry is not due yet');
}

function withoutDue({ dueAt: _dueAt, ...open }: OpenStep): OpenStep {
  return open;
}

/** Delay before the attempt after `attempt`, in ms: exponential, capped, then moved by up to ± `jitter` of itself. */
export function retryDelayMs(retry: PlanStep['retry'], attempt: number, random: number): number {
  const base = Math.min(retry.delayMs * retry.factor ** (attempt - 1), retry.maxDelayMs);
  return Math.round(base * (1 + retry.jitter * (2 * random - 1)));
}
