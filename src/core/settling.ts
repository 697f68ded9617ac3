// What follows every change of a run: it goes on as far as it can, a cancellation moves one stage further, and how the run
// stands is derived anew. `settleStatus` is the only place where a run's status is derived, so it cannot disagree with its steps.

import { LIMITS } from './definition.ts';
import type { Draft } from './draft.ts';
import { cancelRun, failRun, finishRun, RunFailure, resolveResult } from './endings.ts';
import { keepFailure } from './holding.ts';
import { advance } from './joins.ts';
import type { Refusal } from './refusal.ts';
import { openVisit, queueStep } from './routing.ts';

/**
 * Does `change`, lets go what can go, and brings the run to rest; a `RunFailure` on the way fails the run. `hasStarted`
 * is false for what a run may be asked before anything was done for it.
 */
export function apply(draft: Draft, change: () => unknown, hasStarted = true): void {
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

/** `apply`, where working the change out may have found a reason against it. */
export function applyUnlessRefused(draft: Draft, change: Refusal | (() => void)): Refusal | null {
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

/** `hasStarted` is kept: once something was done for a run, it is not `queued` any more. */
export function settleStatus(draft: Draft, hasStarted: boolean): void {
  const { state } = draft;
  if (hasStarted && state.startedAt === null) {
    state.startedAt = draft.context.now;
    draft.tellStart();
  }
  if (draft.isOver) return;
  const { open } = draft;
  if (draft.isHeld) state.status = 'held';
  else if (state.startedAt === null) state.status = 'queued';
  else if (open.some((step) => step.status === 'queued' || step.status === 'running')) state.status = 'running';
  else if (open.some((step) => step.awaits === 'person')) state.status = 'waiting';
  else state.status = 'running';
}
