// Who waits for whom where branches meet, and which pending step runs go: DESIGN §4's rules of joins. Which edges led
// there is core/routing.ts.

import { LIMITS } from './definition.ts';
import type { Draft } from './draft.ts';
import type { Plan, PlanStep } from './plan.ts';
import { listPending, queueStep, settleStep } from './routing.ts';
import { keyOf, type OpenStep } from './run.ts';

/** Lets every step run go that waits for nothing more, until none is left; settling ones at most 100 per decision. */
export function advance(draft: Draft): void {
  let isAtRest = false;
  while (!isAtRest && !draft.isOver) isAtRest = !letGo(draft);
}

/**
 * One pass over what is pending, in order of arrival, save that a `join: "any"` goes before others arrive. Ends, to be
 * asked again, where others may have become ready: after one that settled, or that cancelled others.
 */
function letGo(draft: Draft): boolean {
  const waiting = listPending(draft);
  if (waiting.length === 0) return false;
  const next = waiting.find((open) => joinsAny(draft, open));
  for (const open of next ? [next] : waiting) {
    if (!isReady(draft, open)) continue;
    const works = go(draft, open);
    if (!works || next) return true;
  }
  // Edges that lead on make no ring, and whoever is within a loop can be arrived at from where it begins: of all that
  // wait, one is ready. Should a plan ever say otherwise, the first reached goes, and the run does not stall.
  const isStalled = draft.open.length > 0 && draft.open.every((open) => open.status === 'pending');
  return isStalled && !go(draft, waiting[0]!);
}

/** A pending step run goes when no other open one can arrive, save pending ones at which it can itself arrive. */
function isReady(draft: Draft, open: OpenStep): boolean {
  if (open.urgent || joinsAny(draft, open) || draft.open.length === 1) return true;
  const step = draft.stepOf(open);
  for (const other of draft.open) if (other !== open && isBlockedBy(draft.plan, step, other)) return false;
  return true;
}

/** Whether a step run that is pending at `step` waits for another open one, which may still arrive there. */
export function isBlockedBy(plan: Plan, step: PlanStep, other: OpenStep): boolean {
  const from = plan.steps.get(other.step)!;
  if (other.status === 'pending' && plan.canArrive(step, from)) return false;
  return plan.canArrive(from, step);
}

/** Queues or settles a step run; answers whether it was queued. A `join: "any"` cancels whatever else could arrive. */
function go(draft: Draft, open: OpenStep): boolean {
  if (joinsAny(draft, open)) cancelOthers(draft, open);
  const gone = open.urgent ? draft.moveStep(calm(open), {}) : open;
  const works = draft.stepOf(open).type.settle === undefined || draft.settled >= LIMITS.settledPerDecision;
  if (works) queueStep(draft, gone);
  else settleStep(draft, gone);
  return works;
}

function calm({ urgent: _urgent, ...open }: OpenStep): OpenStep {
  return open;
}

function cancelOthers(draft: Draft, open: OpenStep): void {
  const step = draft.stepOf(open);
  for (const other of draft.open.slice()) {
    if (keyOf(other) === keyOf(open) || !draft.plan.canArriveAnyhow(draft.stepOf(other), step)) continue;
    draft.closePause(other, { status: 'cancelled' });
    draft.closeStep(other, 'cancelled');
  }
}

function joinsAny(draft: Draft, open: OpenStep): boolean {
  return draft.stepOf(open).step.join === 'any';
}
