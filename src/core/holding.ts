// A run that an operator holds (DESIGN §4, "Hold"): what was queued, or would be, is pending with a mark of its own, and a
// failure that no edge takes waits for the release. Which commands come here is core/transition.ts.

import { startClocks, stopWaiting } from './clocks.ts';
import { failOverdueSteps } from './deadlines.ts';
import type { StepResult } from './decision.ts';
import { LIMITS } from './definition.ts';
import type { Draft } from './draft.ts';
import { RunFailure } from './endings.ts';
import { settleStep } from './routing.ts';
import type { OpenStep, RunError } from './run.ts';
import { wakeStep } from './waits.ts';

/** Takes back what waits for a worker. What runs goes on, and its result counts. */
export function putBack(draft: Draft): void {
  for (const open of draft.open.slice()) if (open.status === 'queued') draft.moveStep(stopWaiting(open), PUT_BACK);
}

/** Queues a step run that was at work, or notes that it is to be queued once the run is let go. */
export function requeueStep(
  draft: Draft,
  open: OpenStep,
  change: Partial<OpenStep>,
  result: StepResult & { redispatch?: boolean },
): void {
  const { now } = draft.context;
  const queued = () => ({ status: 'queued' as const, ...startClocks(draft.stepOf(open), open, now, change.dueAt) });
  draft.moveStep(open, { ...change, ...(draft.isHeld ? PUT_BACK : queued()) }, result);
}

const PUT_BACK = { status: 'pending', wasQueued: true } as const;

/** A held run does not end: that it has failed is kept, with the step runs that failed, until it is released. */
export function keepFailure(draft: Draft, error: RunError): void {
  const { state } = draft;
  state.error ??= error;
  const failed = draft.before.filter((open) => !draft.findOpen(open));
  state.interrupted = [...(state.interrupted ?? []), ...failed];
}

/** Lets a run go on from where it was held; throws the failure that was kept. */
export function letGoOn(draft: Draft): void {
  const { error, interrupted } = draft.state;
  if (error) {
    draft.before = [...(interrupted ?? []), ...draft.open];
    throw new RunFailure(error);
  }
  queuePutBack(draft);
  fireDue(draft);
}

/** Queues, or settles, every step run that had stopped waiting for others when it was put back. */
export function queuePutBack(draft: Draft): void {
  for (const open of draft.open.slice()) {
    if (draft.isOver) return;
    if (open.wasQueued) queueAgain(draft, open);
  }
}

/** The job it had may be used up by a worker that was refused: it needs a new one. */
function queueAgain(draft: Draft, { wasQueued: _wasQueued, ...open }: OpenStep): void {
  const settles = draft.stepOf(open).type.settle !== undefined && draft.settled < LIMITS.settledPerDecision;
  if (settles) settleStep(draft, draft.moveStep(open, {}));
  else {
    const clocks = startClocks(draft.stepOf(open), open, draft.context.now, open.dueAt);
    draft.moveStep(open, { status: 'queued', ...clocks }, { redispatch: true });
  }
}

/** Timers that ran out meanwhile, pauses that nobody answered in time, and steps whose own time is over. */
function fireDue(draft: Draft): void {
  failOverdueSteps(draft);
  for (const open of draft.open.slice()) {
    if (draft.isOver) return;
    if (open.status !== 'waiting') continue;
    const fire = wakeStep(draft, open);
    if (typeof fire === 'function') fire();
  }
}
