// What happened, as rows: each event names the step runs it opened, moved and closed, so that folding a run's events
// gives its marking. That fold is the check of the invariants and the source of snapshots, replay and rollback.

import type { JsonObject } from './json.ts';
import type { OpenStep, StepRef, StepRunStatus } from './run.ts';

export type EventType =
  | 'run.created'
  | 'run.completed'
  | 'run.failed'
  | 'run.cancel_requested'
  | 'run.cancel_expired'
  | 'run.cleanup_started'
  | 'run.cancelled'
  | 'run.held'
  | 'run.released'
  | 'run.retried'
  | 'run.rolled_back'
  | 'step.started'
  | 'step.completed'
  | 'step.failed'
  | 'step.paused'
  | 'attempt.failed'
  | 'lease.expired';

/** An open step run as stored: fields at their initial value (attempt 1, else 0) are left out. */
export type Mark = StepRef & Pick<OpenStep, 'status'> & Partial<OpenStep>;
export type ClosedMark = StepRef & { status: StepRunStatus };

export interface EventData {
  opened?: Mark[];
  moved?: Mark[];
  closed?: ClosedMark[];
  /** It is the first to tell of a step at work: with it the run has started. */
  starts?: true;
  /** What else there is to say: an error's code and message, a reason, a delay; never outputs, which stand in the step row. */
  detail?: JsonObject;
}

export interface RunEvent {
  seq: number;
  type: EventType;
  step: string | null;
  visit: number | null;
  actor: string;
  data: EventData;
}

export function packMark(open: OpenStep): Mark {
  const mark: Mark = { step: open.step, visit: open.visit, status: open.status };
  if (open.attempt !== 1) mark.attempt = open.attempt;
  if (open.fence !== 0) mark.fence = open.fence;
  if (open.epoch !== 0) mark.epoch = open.epoch;
  if (open.lost !== 0) mark.lost = open.lost;
  if (open.dueAt !== undefined) mark.dueAt = open.dueAt;
  if (open.since !== undefined) mark.since = open.since;
  if (open.queueUntil !== undefined) mark.queueUntil = open.queueUntil;
  if (open.until !== undefined) mark.until = open.until;
  if (open.awaits !== undefined) mark.awaits = open.awaits;
  if (open.pauseId !== undefined) mark.pauseId = open.pauseId;
  if (open.deliveryId !== undefined) mark.deliveryId = open.deliveryId;
  if (open.assignees !== undefined) mark.assignees = open.assignees;
  if (open.urgent) mark.urgent = true;
  if (open.wasQueued) mark.wasQueued = true;
  if (open.completed) mark.completed = true;
  return mark;
}

export function unpackMark(mark: Mark): OpenStep {
  return { attempt: 1, fence: 0, epoch: 0, lost: 0, ...mark };
}

/** The marking that the events of a run, in order, lead to. What one event opens and closes was open only within it. */
export function foldEvents(events: Iterable<Pick<RunEvent, 'data'>>): OpenStep[] {
  const open = new Map<string, OpenStep>();
  for (const { data } of events) {
    for (const mark of [...(data.opened ?? []), ...(data.moved ?? [])])
      open.set(`${mark.step}.${mark.visit}`, unpackMark(mark));
    for (const { step, visit } of data.closed ?? []) open.delete(`${step}.${visit}`);
  }
  return [...open.values()];
}
