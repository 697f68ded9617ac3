// What is timed of a run beside pauses and timers: when its clocks start, and when the first of them runs out, which is the due
// time of the run. What happens then is core/deadlines.ts.

import type { DecisionContext } from './decision.ts';
import type { Plan, PlanStep } from './plan.ts';
import { FINISHED, type OpenStep, type RunState } from './run.ts';

type Clocks = Pick<OpenStep, 'since' | 'queueUntil' | 'until'>;

const NO_CLOCKS: Clocks = {};

/** The clocks of a step run that is queued for `dueAt`, or for now. Those of the whole step start once a visit. */
export function startClocks({ clocks }: PlanStep, open: OpenStep, now: number, dueAt = now): Clocks {
  if (clocks === null) return NO_CLOCKS;
  const { budgetMs, queueTimeoutMs, deadlineMs } = clocks;
  return {
    ...(budgetMs === undefined ? {} : { since: open.since ?? now }),
    ...(queueTimeoutMs === undefined ? {} : { queueUntil: Math.max(now, dueAt) + queueTimeoutMs }),
    ...(deadlineMs === undefined ? {} : { until: open.until ?? now + deadlineMs }),
  };
}

/** The step run without the clock of its wait for a worker. */
export function stopWaiting({ queueUntil: _queueUntil, ...open }: OpenStep): OpenStep {
  return open;
}

/** When the whole run is due; null for one that has no deadline. */
export function deadlineFrom({ definition }: Plan, { now }: DecisionContext): number | null {
  return definition.deadlineMs === undefined ? null : now + definition.deadlineMs;
}

/** When `expire-run` has something to do for the run, in epoch milliseconds. */
export function dueTimeOf({ status, cancellation, deadlineAt, open }: RunState): number | null {
  if (cancellation?.dueAt !== undefined) return cancellation.dueAt;
  if (FINISHED.has(status)) return null;
  let due = deadlineAt ?? Number.POSITIVE_INFINITY;
  if (status !== 'held') for (const { queueUntil, until } of open) due = Math.min(due, queueUntil ?? due, until ?? due);
  return due === Number.POSITIVE_INFINITY ? null : due;
}
