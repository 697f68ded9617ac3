// A marking of the past is opened again (DESIGN §4, "Failure"): by a retry as the same visits under the same epochs, so that
// effects keep their keys and timers their times; by a rollback or a replay as new visits, because all of it is wanted anew.

import type { Draft } from './draft.ts';
import { queuePutBack } from './holding.ts';
import { followOwed, openVisit } from './routing.ts';
import type { OpenStep } from './run.ts';

/** Opens one step run of the marking. */
type Reopen = (draft: Draft, mark: OpenStep) => void;

/** Reopens the marking; what had completed since then stays as it is, and only what follows it is entered. */
export function reopenAll(draft: Draft, marks: readonly OpenStep[], reopen: Reopen): void {
  for (const mark of marks) if (!mark.completed) reopen(draft, mark);
  const owed = marks.filter((mark) => mark.completed);
  for (const [index, mark] of owed.entries()) {
    draft.before = [...draft.open, ...owed.slice(index)];
    followOwed(draft, mark);
  }
  queuePutBack(draft);
}

/** The same visit again. Its attempts and lost claims are forgotten, its claims are not; a timer has run on meanwhile. */
export function reopenVisit(draft: Draft, mark: OpenStep): void {
  const { step, visit, epoch, awaits, dueAt } = mark;
  const anew = awaits === 'time' ? ({ status: 'waiting', awaits, dueAt: dueAt! } as const) : beginAnew(mark);
  draft.reopenStep({ step, visit, attempt: 1, fence: mark.fence + 1, epoch, lost: 0, ...anew });
}

/** The step's next visit, in the place of the one that the mark tells of. */
export function openNextVisit(draft: Draft, mark: OpenStep): void {
  draft.moveStep(openVisit(draft, draft.stepOf(mark)), beginAnew(mark));
}

/**
 * How a step run begins anew. What had stopped waiting for other branches does not wait again; a pause is asked anew, under
 * another id; a timer waits its whole time again, or until the same moment; other clocks start again.
 */
function beginAnew(mark: OpenStep): Pick<OpenStep, 'status'> & Partial<OpenStep> {
  if (mark.status === 'pending' && !mark.wasQueued)
    return mark.urgent ? { status: 'pending', urgent: true } : { status: 'pending' };
  return { status: 'pending', wasQueued: true };
}
