// A retry of a run that failed or was cancelled (DESIGN §4, "Failure"): the marking it was interrupted with is opened again,
// as the same visits under the same epochs, so that effects keep their keys.

import type { Draft } from './draft.ts';
import { queuePutBack } from './holding.ts';
import { followOwed } from './routing.ts';
import type { OpenStep } from './run.ts';

/** Reopens the marking; what completed since then stays as it is, and only what follows it is entered. */
export function reopenAll(draft: Draft, marks: readonly OpenStep[]): void {
  for (const mark of marks) if (!mark.completed) draft.reopenStep(refresh(draft, mark));
  const owed = marks.filter((mark) => mark.completed);
  for (const [index, mark] of owed.entries()) {
    draft.before = [...draft.open, ...owed.slice(index)];
    followOwed(draft, mark);
  }
  queuePutBack(draft);
}

/**
 * The step run as it begins anew: its attempts and lost claims are forgotten, its claims are not. What had stopped waiting
 * for other branches does not wait again; a pause is asked anew, under another id; a timer keeps its time.
 */
function refresh(draft: Draft, mark: OpenStep): OpenStep {
  const { step, visit, epoch } = mark;
  const fresh: OpenStep = { step, visit, status: 'pending', attempt: 1, fence: mark.fence + 1, epoch, lost: 0 };
  if (mark.awaits === 'time') return { ...fresh, status: 'waiting', awaits: 'time', dueAt: mark.dueAt! };
  if (mark.status === 'pending' && !mark.wasQueued) return mark.urgent ? { ...fresh, urgent: true } : fresh;
  return { ...fresh, wasQueued: true, ...(mark.since === undefined ? {} : { since: draft.context.now }) };
}
