// Which events of a run a name stands for, in a form that the database can ask: a type, and where that is not enough a
// condition on the event's data, as a jsonpath predicate. The same names as core/event-names.ts gives to single events; a test
// holds the two together.

import type { EventName } from './event-names.ts';
import type { EventType } from './events.ts';

export interface EventMatch {
  type: EventType;
  /** A jsonpath predicate over the event's data; null: every event of the type. */
  condition: string | null;
}

const AT_WORK = '$.starts == true';

const MATCHES: Readonly<Record<EventName, readonly EventMatch[]>> = {
  run_created: [every('run.created')],
  run_started: [
    some('step.started', AT_WORK),
    some('step.completed', AT_WORK),
    some('step.failed', AT_WORK),
    some('step.paused', AT_WORK),
    some('attempt.failed', AT_WORK),
    some('lease.expired', AT_WORK),
  ],
  run_paused: [every('run.held')],
  run_resumed: [every('run.released')],
  run_retried: [every('run.retried')],
  run_rolled_back: [every('run.rolled_back')],
  run_cancel_requested: [every('run.cancel_requested')],
  run_cancel_expired: [every('run.cancel_expired')],
  run_cleanup_started: [every('run.cleanup_started')],
  run_completed: [every('run.completed')],
  run_failed: [every('run.failed')],
  run_cancelled: [every('run.cancelled')],
  run_terminated: [some('run.cancelled', '$.detail.type == "terminate"')],
  step_started: [every('step.started')],
  step_retried: [some('step.started', '$.detail.attempt > 1')],
  step_waiting: [every('step.paused')],
  step_completed: [every('step.completed')],
  step_failed: [every('step.failed')],
  attempt_failed: [every('attempt.failed')],
  lease_expired: [every('lease.expired')],
  input_requested: [some('step.paused', '$.detail.type == "collect_inputs"')],
  approval_requested: [some('step.paused', '$.detail.type == "request_user_action"')],
  approval_decided: [
    some('step.completed', 'exists($.detail.outcome)'),
    some('step.failed', '$.detail.code == "approval_rejected"'),
  ],
  callback_sent: [some('step.paused', 'exists($.detail.deliveryId)')],
};

export function matchesOf(name: EventName): readonly EventMatch[] {
  return MATCHES[name];
}

function every(type: EventType): EventMatch {
  return { type, condition: null };
}

function some(type: EventType, condition: string): EventMatch {
  return { type, condition };
}
