// Commands that an operator gives about a whole run: hold, release, retry, cancel, terminate, and the end of a cancellation's
// patience. What becomes of its steps is told by holding.ts, reopening.ts and endings.ts.

import { deadlineFrom, dueTimeOf } from './clocks.ts';
import { failOverdueRun, failOverdueSteps } from './deadlines.ts';
import { LIMITS } from './definition.ts';
import type { Draft } from './draft.ts';
import { cancelRun, closeAll } from './endings.ts';
import { letGoOn, putBack } from './holding.ts';
import { refuse, type Verdict } from './refusal.ts';
import { reopenAll, reopenVisit } from './reopening.ts';
import type { RunState } from './run.ts';
import { apply, settleStatus } from './settling.ts';

/** Nothing new begins; steps in flight finish and are recorded. Refused `conflict` while the run is being cancelled. */
export function hold(draft: Draft, reason: string | undefined): Verdict | null {
  if (draft.state.cancellation) return refuse('conflict', 'The run is being cancelled, and is not held any more');
  draft.isHeld = true;
  draft.event('run.held', null, reason === undefined ? undefined : { reason });
  putBack(draft);
  settleStatus(draft, false);
  return null;
}

/** Queues, fires and ends what became ready under the hold. */
export function release(draft: Draft, reason: string | undefined): null {
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
export function retry(draft: Draft, reason: string | undefined): null {
  const { state } = draft;
  const interrupted = state.interrupted ?? [];
  // Any status that is not over will do: how the run stands is settled once its steps are open again.
  const deadlineAt = deadlineFrom(draft.plan, draft.context);
  const retries = state.retries + 1;
  const over = { error: null, cancellation: null, interrupted: null };
  const anew: Partial<RunState> = { status: 'running', ...over, deadlineAt, retries };
  Object.assign(state, anew);
  apply(
    draft,
    () => {
      draft.event('run.retried', null, reason === undefined ? undefined : { reason });
      reopenAll(draft, interrupted, reopenVisit);
    },
    false,
  );
  return null;
}

/** Cleaning up needs a worker, so whoever cancels a held run lets it go as far as that. */
export function cancel(draft: Draft, reason: string | undefined): Verdict | null {
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

/** At once: whoever still works on a step loses its fence. */
export function terminate(draft: Draft, reason: string | undefined): null {
  keepInterrupted(draft);
  draft.state.cancellation = cancellation(draft, 'terminate', reason);
  cancelRun(draft);
  return null;
}

/** What the run is due for: the patience of its cancellation is over, its deadline, or that of one of its steps. */
export function expireRun(draft: Draft): Verdict | null {
  const { deadlineAt } = draft.state;
  const due = dueTimeOf(draft.state);
  if (due === null || due > draft.context.now) return refuse('not_due', 'The run is not due for anything yet');
  apply(draft, () => {
    if (draft.state.cancellation?.stage) {
      draft.event('run.cancel_expired');
      closeAll(draft);
    } else if (deadlineAt !== null && deadlineAt <= draft.context.now) failOverdueRun(draft);
    else failOverdueSteps(draft);
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
