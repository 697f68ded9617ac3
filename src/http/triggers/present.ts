// Rows into the words of schedules and inbound webhooks (API.md §3), and before each the JSON Schema of what comes out, for
// OpenAPI; a test holds real answers against them. Pure and total. A secret is answered once, by the route that makes it.

import type { JsonObject } from '../../core/json.ts';
import { CATCH_UPS, OVERLAPS } from '../../core/schedules.ts';
import { DEDUPES, type InboundWebhookRow } from '../../store/inbound-webhooks.ts';
import type { ScheduleRow, ScheduleSummary } from '../../store/schedules.ts';
import { boolean, json, listOf, namedObject, oneOf, orNull, text, time, uuid } from '../json-schema.ts';
import { presentTime } from '../times.ts';

const lastFire = namedObject('ScheduleFire', {
  time: { ...time, description: 'The time that it was due.' },
  outcome: {
    ...oneOf('started', 'waiting', 'skipped', 'missed', 'failed'),
    description:
      '`waiting` for its turn, `skipped` because a run was not over, `missed` in an outage, or `failed` to start.',
  },
  error: orNull(namedObject('ScheduleError', { code: text, message: text })),
});

const scheduleSummary = {
  id: uuid,
  podId: uuid,
  workflowId: uuid,
  version: text,
  name: text,
  cronExpression: text,
  timezone: text,
  enabled: boolean,
  overlap: oneOf(...OVERLAPS),
  catchUp: oneOf(...CATCH_UPS),
  nextFireAt: { ...orNull(time), description: 'When it starts a run next; null while it is paused.' },
  waiting: { ...listOf(time), description: 'Times whose runs wait for the run before them (`overlap: "queue"`).' },
  lastFire: { ...orNull(lastFire), description: 'The latest time that something became of.' },
  lastExecutionId: { ...orNull(uuid), description: 'The execution that it started last.' },
  createdBy: text,
  createdAt: time,
  updatedAt: time,
};

export const scheduleSummaryAnswer = namedObject('ScheduleSummary', scheduleSummary);

export function presentScheduleSummary(row: ScheduleSummary): JsonObject {
  const { last } = row;
  return {
    id: row.id,
    podId: row.podId,
    workflowId: row.definitionId,
    version: row.version,
    name: row.name,
    cronExpression: row.cronExpression,
    timezone: row.timezone,
    enabled: row.enabled,
    overlap: row.overlap,
    catchUp: row.catchUp,
    nextFireAt: presentTime(row.nextAt),
    waiting: row.waiting.map((at) => presentTime(at)),
    lastFire: last && { time: presentTime(last.at), outcome: last.outcome, error: last.error },
    lastExecutionId: row.lastRunId,
    createdBy: row.createdBy,
    createdAt: presentTime(row.createdAt),
    updatedAt: presentTime(row.updatedAt),
  };
}

export const scheduleAnswer = namedObject('Schedule', {
  ...scheduleSummary,
  input: json,
  nextFires: { ...listOf(time), description: 'The next five times.' },
});

export function presentSchedule(row: ScheduleRow, nextFires: readonly number[]): JsonObject {
  return {
    ...presentScheduleSummary(row),
    input: row.input,
    nextFires: nextFires.map((at) => presentTime(at)),
  };
}

const webhook = {
  id: uuid,
  podId: uuid,
  workflowId: uuid,
  version: text,
  name: text,
  enabled: boolean,
  public: { type: 'boolean', description: 'It takes what nobody has signed.' },
  dedupe: { ...oneOf(...DEDUPES), description: 'What makes two messages one.' },
  url: { type: 'string', format: 'uri', description: 'Where messages are sent.' },
  createdBy: text,
  createdAt: time,
  updatedAt: time,
};

export const webhookAnswer = namedObject('InboundWebhook', webhook);
export const newWebhookAnswer = namedObject('NewInboundWebhook', {
  ...webhook,
  secret: { ...orNull(text), description: 'This once, where it was made here and now.' },
});

export function presentWebhook(row: InboundWebhookRow, publicUrl: string): JsonObject {
  return {
    id: row.id,
    podId: row.podId,
    workflowId: row.definitionId,
    version: row.version,
    name: row.name,
    enabled: row.enabled,
    public: row.isPublic,
    dedupe: row.dedupe,
    url: `${publicUrl}/v1/webhooks/${row.id}/trigger`,
    createdBy: row.createdBy,
    createdAt: presentTime(row.createdAt),
    updatedAt: presentTime(row.updatedAt),
  };
}

export const startedAnswer = namedObject('StartedExecution', { id: uuid, status: { const: 'queued' } });

export function presentStarted({ runId }: { runId: string }): JsonObject {
  return { id: runId, status: 'queued' };
}
