// Events in the words of the outside: what each stands for, how bad it is, and why it happened. Pure tables, for lists of
// a run's history and for subscriptions alike, so that both say the same; how a face spells the rest is the face's.

import type { EventType, RunEvent } from './events.ts';
import type { JsonObject } from './json.ts';

/** Every name, in the order in which they are told to people. */
export const EVENT_NAMES = [
  'run_created',
  'run_started',
  'run_paused',
  'run_resumed',
  'run_retried',
  'run_rolled_back',
  'run_cancel_requested',
  'run_cancel_expired',
  'run_cleanup_started',
  'run_completed',
  'run_failed',
  'run_cancelled',
  'run_terminated',
  'step_started',
  'step_retried',
  'step_waiting',
  'step_completed',
  'step_failed',
  'attempt_failed',
  'lease_expired',
  'input_requested',
  'approval_requested',
  'approval_decided',
  'callback_sent',
] as const;
export type EventName = (typeof EVENT_NAMES)[number];

export const SEVERITIES = ['info', 'warning', 'error'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** As much of an event as these tables look at. */
export type NamedEvent = Pick<RunEvent, 'type' | 'data'>;
type Names = readonly [EventName, ...EventName[]];

interface Meaning {
  /** What the event may stand for; the first that `choose` does not overrule is what it is called. */
  names: Names;
  severity: Severity;
  /** Where the detail makes a difference. */
  choose?(detail: JsonObject): { names?: Names; severity?: Severity };
}

const MEANINGS: Readonly<Record<EventType, Meaning>> = {
  'run.created': { names: ['run_created'], severity: 'info' },
  'run.held': { names: ['run_paused'], severity: 'info' },
  'run.released': { names: ['run_resumed'], severity: 'info' },
  'run.retried': { names: ['run_retried'], severity: 'info' },
  'run.rolled_back': { names: ['run_rolled_back'], severity: 'info' },
  'run.cancel_requested': { names: ['run_cancel_requested'], severity: 'info' },
  'run.cancel_expired': { names: ['run_cancel_expired'], severity: 'warning' },
  'run.cleanup_started': { names: ['run_cleanup_started'], severity: 'info' },
  'run.completed': { names: ['run_completed'], severity: 'info' },
  'run.failed': { names: ['run_failed'], severity: 'error', choose: (detail) => (isRejection(detail) ? MILD : {}) },
  'run.cancelled': {
    names: ['run_cancelled'],
    severity: 'warning',
    choose: ({ type }) => (type === 'terminate' ? { names: ['run_terminated', 'run_cancelled'] } : {}),
  },
  'step.started': {
    names: ['step_started'],
    severity: 'info',
    choose: ({ attempt }) => (Number(attempt) > 1 ? { names: ['step_retried', 'step_started'] } : {}),
  },
  'step.completed': {
    names: ['step_completed'],
    severity: 'info',
    choose: ({ outcome }) => (outcome === undefined ? {} : { names: ['approval_decided', 'step_completed'] }),
  },
  'step.failed': {
    names: ['step_failed'],
    severity: 'error',
    choose: (detail) => (isRejection(detail) ? { names: ['approval_decided', 'step_failed'], ...MILD } : {}),
  },
  'step.paused': { names: ['step_waiting'], severity: 'info', choose: (detail) => ({ names: nameWait(detail) }) },
  'attempt.failed': { names: ['attempt_failed'], severity: 'warning' },
  'lease.expired': {
    names: ['lease_expired'],
    severity: 'warning',
    choose: ({ released }) => (released === true ? { severity: 'info' } : {}),
  },
};

/** Somebody said no: nothing broke. */
const MILD = { severity: 'warning' } as const;

function isRejection({ code }: JsonObject): boolean {
  return code === 'approval_rejected';
}

function nameWait({ type, deliveryId }: JsonObject): Names {
  if (deliveryId !== undefined) return ['callback_sent', 'step_waiting'];
  if (type === 'request_user_action') return ['approval_requested', 'step_waiting'];
  return type === 'collect_inputs' ? ['input_requested', 'step_waiting'] : ['step_waiting'];
}

/** What the event is called, first, and what else it stands for: whoever subscribes to any of these hears of it. */
export function namesOf({ type, data }: NamedEvent): Names {
  const { names, choose } = MEANINGS[type];
  const chosen = choose?.(data.detail ?? {}).names ?? names;
  return data.starts ? [...chosen, 'run_started'] : chosen;
}

export function severityOf({ type, data }: NamedEvent): Severity {
  const { severity, choose } = MEANINGS[type];
  return choose?.(data.detail ?? {}).severity ?? severity;
}

/** What somebody gave as the reason; of a failure, its code. */
export function reasonOf({ data: { detail } }: NamedEvent): string | null {
  const reason = detail?.['reason'] ?? detail?.['code'];
  return typeof reason === 'string' ? reason : null;
}

/** An event as people read it; faces only spell it. */
export interface EventView {
  id: string;
  sequence: number;
  name: EventName;
  /** What else it stands for. */
  also: readonly EventName[];
  severity: Severity;
  actor: string;
  reason: string | null;
  /** Which step it is about, if any, and what else there is to say. */
  data: JsonObject;
}

export function viewEvent(runId: string, event: RunEvent): EventView {
  const { seq, step, visit, actor } = event;
  const [name, ...also] = namesOf(event);
  const about = step === null ? {} : { step, visit };
  return {
    id: `${runId}.${seq}`,
    sequence: seq,
    name,
    also,
    severity: severityOf(event),
    actor,
    reason: reasonOf(event),
    data: { ...about, ...event.data.detail },
  };
}
