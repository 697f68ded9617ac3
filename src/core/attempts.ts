// Commands that name a step run: claiming it, what its handler made of it, a lease that ran out, a timer. Whoever brings a
// result shows the fence of the claim it was made under; a late one is refused.

import { stopWaiting } from './clocks.ts';
import type { Command, Work } from './commands.ts';
import { LIMITS } from './definition.ts';
import type { Draft } from './draft.ts';
import { requeueStep } from './holding.ts';
import type { PlanStep } from './plan.ts';
import { type Refusal, refuse, type Verdict } from './refusal.ts';
import { completeStep, failStep, settleStep } from './routing.ts';
import type { OpenStep, StepRef } from './run.ts';
import { apply, applyUnlessRefused, settleStatus } from './settling.ts';
import { settleCallback, wakeStep } from './waits.ts';

/** Does what the command asks of its step run, or says why not: `step_not_open`, `claim_lost`, `not_due`. */
export function actOnStep(draft: Draft, command: Extract<Command, StepRef>): Verdict | null {
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
    case 'settle-callback':
      return applyUnlessRefused(draft, settleCallback(draft, open, command));
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
  const inTime = open.until === undefined || now + delayMs < open.until;
  const isPermanent = !error.retryable || step.retry.nonRetryable.includes(error.code);
  const stopping = draft.state.cancellation?.stage === 'stopping';
  const detail = { code: error.code, message: error.message, attempt: open.attempt };
  if (isPermanent || open.attempt >= step.retry.attempts || !inBudget || !inTime || stopping) {
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
  return open.queueUntil === undefined ? open : stopWaiting(open);
}

/** Delay before the attempt after `attempt`, in ms: exponential, capped, then moved by up to ± `jitter` of itself. */
export function retryDelayMs(retry: PlanStep['retry'], attempt: number, random: number): number {
  const base = Math.min(retry.delayMs * retry.factor ** (attempt - 1), retry.maxDelayMs);
  return Math.round(base * (1 + retry.jitter * (2 * random - 1)));
}
