// How long things may take, beside the time of one attempt, which its worker keeps: the wait for a worker, a step over all its
// attempts, the whole run. All of them are one due time of the run; when it comes, the command `expire-run` looks what is due.
//
// A hold stops no clock but that of the wait for a worker, and under it only the run's own deadline takes effect. A
// deadline is a failure like any other: nothing of the run is given time to finish. While a run is being cancelled, the
// patience of the cancellation is all that counts.

import type { Draft } from './draft.ts';
import { failRun } from './endings.ts';
import { failStep } from './routing.ts';
import type { OpenStep, RunError } from './run.ts';

/** Fails the whole run; what a hold kept back is the reason where there is one. */
export function failOverdueRun(draft: Draft): void {
  const { state, plan } = draft;
  const overdue = `The run was not done within ${plan.definition.deadlineMs} ms`;
  draft.isHeld = false;
  draft.before = [...(state.interrupted ?? []), ...draft.open];
  failRun(draft, state.error ?? { code: 'deadline_exceeded', message: overdue });
}

/** Fails every step run whose time is over, unless the run ends with one of them. */
export function failOverdueSteps(draft: Draft): void {
  for (const open of listOverdue(draft)) {
    if (draft.isOver) return;
    if (!draft.findOpen(open)) continue;
    const error = describeOverdue(draft, open);
    if (open.status === 'running') draft.event('attempt.failed', open, { ...error, attempt: open.attempt });
    failStep(draft, open, error, 'timed-out');
  }
}

function listOverdue({ open, context: { now } }: Draft): OpenStep[] {
  return open.filter(({ queueUntil, until }) => (queueUntil ?? now + 1) <= now || (until ?? now + 1) <= now);
}

function describeOverdue(draft: Draft, { step, until }: OpenStep): Pick<RunError, 'code' | 'message'> {
  const { queueTimeoutMs, deadlineMs } = draft.plan.steps.get(step)!.clocks!;
  if (until !== undefined && until <= draft.context.now)
    return { code: 'timeout', message: `The step was not done within ${deadlineMs} ms` };
  return { code: 'queue_timeout', message: `No worker took the step within ${queueTimeoutMs} ms` };
}
