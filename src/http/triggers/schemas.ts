// What schedules and inbound webhooks take (API.md §3): JSON Schemas beside the types they describe, then calls as they look
// on the wire, with their answers; OpenAPI shows them and a test sends each. Ids, secrets and times in them are made up.

import type { JsonObject } from '../../core/json.ts';
import { CATCH_UPS, type CatchUp, OVERLAPS, type Overlap } from '../../core/schedules.ts';
import { VERSION_SELECTOR } from '../../store/definitions.ts';
import { DEDUPES, type Dedupe } from '../../store/inbound-webhooks.ts';
import { closedObject, uuid } from '../json-schema.ts';
import type { RouteExample } from '../route.ts';

const name = { type: 'string', minLength: 1, maxLength: 200 };
const workflowId = { ...name, description: 'Id or key of a workflow of the pod.' };
const version = {
  type: ['string', 'integer'],
  pattern: VERSION_SELECTOR,
  minimum: 1,
  maximum: 999_999_999,
  description: '"latest" (default), "published", "1.0.N" or a number: which version a run is of, when it starts',
};
const limit = { type: 'integer', minimum: 1, maximum: 200, description: 'default 50' };
const cursor = { ...uuid, description: 'X-Next-Cursor of the page before' };
export const pageQuery = closedObject({ limit, cursor });

const rule = {
  cronExpression: {
    type: 'string',
    minLength: 1,
    maxLength: 200,
    description: 'Five fields: minute, hour, day of month, month, day of week. `30 9 * * 1-5` is 09:30 on workdays.',
  },
  timezone: {
    type: 'string',
    minLength: 1,
    maxLength: 100,
    description: 'A name of the IANA database, such as `Europe/Berlin`; default `UTC`.',
  },
  input: { type: 'object', description: 'What each run is started with; default nothing.' },
  enabled: { type: 'boolean', description: '`false` pauses it: what would be due meanwhile is forgotten.' },
  overlap: {
    type: 'string',
    enum: [...OVERLAPS],
    description:
      'While any of its runs is not over: no run (`skip`, the default), one as soon as they are (`queue`), or one at once.',
  },
  catchUp: {
    type: 'string',
    enum: [...CATCH_UPS],
    description:
      'After an outage: a run for the latest time that was missed (`one`, the default), for none, or for each.',
  },
  version,
};

interface Rule {
  timezone?: string;
  input?: JsonObject;
  enabled?: boolean;
  overlap?: Overlap;
  catchUp?: CatchUp;
  version?: string | number;
}
export interface ScheduleBody extends Rule {
  workflowId: string;
  name: string;
  cronExpression: string;
}
export const scheduleBody = closedObject({ workflowId, name, ...rule }, ['workflowId', 'name', 'cronExpression']);

export interface ScheduleChangeBody extends Rule {
  name?: string;
  cronExpression?: string;
}
export const scheduleChangeBody: JsonObject = { ...closedObject({ name, ...rule }), minProperties: 1 };
export const nothing = closedObject({});

const enabled = { type: 'boolean', description: 'While it is `false`, messages are refused with 409.' };
const secret = {
  type: 'string',
  maxLength: 300,
  writeOnly: true,
  description:
    'What senders sign with, instead of one that is made here: `whsec_` and base64, or 24 to 256 visible characters.',
};

const dedupe = {
  type: 'string',
  enum: [...DEDUPES],
  description:
    'What makes two messages one, which start one run: their `Webhook-Id` (`id`, the default), or their `body`, for senders ' +
    'that sign nothing else and never send the same twice.',
};

export interface WebhookBody {
  workflowId: string;
  name: string;
  secret?: string;
  public?: boolean;
  dedupe?: Dedupe;
  enabled?: boolean;
  version?: string | number;
}
export const webhookBody = closedObject(
  {
    workflowId,
    name,
    secret,
    public: { type: 'boolean', description: '`true`: it has no secret, and takes what nobody has signed.' },
    dedupe,
    enabled,
    version,
  },
  ['workflowId', 'name'],
);

export interface WebhookChangeBody {
  name?: string;
  dedupe?: Dedupe;
  enabled?: boolean;
  version?: string | number;
}
export const webhookChangeBody: JsonObject = { ...closedObject({ name, dedupe, enabled, version }), minProperties: 1 };

export interface RotateBody {
  secret?: string;
  graceMs?: number;
}
export const rotateBody = closedObject({
  secret,
  graceMs: {
    type: 'integer',
    minimum: 0,
    maximum: 7 * 86_400_000,
    description: 'For how long the secret before counts too; default a day, 0 ends it at once.',
  },
});

/** Whatever its sender says: it is the input of a run, and its workflow says what that must be. */
export const messageBody: JsonObject = { type: 'object' };

type Examples = readonly RouteExample[];

const scheduleId = '0193b6f1-2a40-7b16-9d07-5e8f3c7a1b42';
const webhookId = '0193b6f2-51c8-7e07-b5a4-2f9d8c6e1a70';
const executionId = '0193b6f4-1c22-7d8e-b3a5-9f0e7d6c5b41';
const definitionId = '0193b6f0-7c1e-7d3a-8f52-6a1c9e4b2d10';
const podId = '0193b6ee-0a12-7b44-9f3e-8d2c5b7a6e01';
const createdAt = '2026-11-20T09:31:00.000Z';
const nextFireAt = '2026-11-23T08:30:00.000Z';

const params = { wId: 'acme', podId: 'default' };
const ofSchedule = { ...params, id: scheduleId };
const ofWebhook = { ...params, id: webhookId };

const summary: JsonObject = {
  id: scheduleId,
  podId,
  workflowId: definitionId,
  version: 'latest',
  name: 'Every workday',
  cronExpression: '30 9 * * 1-5',
  timezone: 'Europe/Berlin',
  enabled: true,
  overlap: 'skip',
  catchUp: 'one',
  nextFireAt,
  waiting: [],
  lastFire: null,
  lastExecutionId: null,
  createdBy: 'jane',
  createdAt,
  updatedAt: createdAt,
};
const schedule: JsonObject = {
  ...summary,
  input: { amount: 120 },
  nextFires: [nextFireAt, nextFireAt, nextFireAt, nextFireAt, nextFireAt],
};
const started: JsonObject = { id: executionId, status: 'queued' };

export const createScheduleExamples: Examples = [
  {
    name: 'workdays',
    params,
    body: {
      workflowId: 'expense-approval',
      name: 'Every workday',
      cronExpression: '30 9 * * 1-5',
      timezone: 'Europe/Berlin',
      input: { amount: 120 },
    },
    answer: schedule,
  },
  {
    name: 'never',
    params,
    body: { workflowId: 'expense-approval', name: 'Never', cronExpression: '0 0 30 2 *' },
    status: 400,
  },
];
export const listSchedulesExamples: Examples = [{ name: 'newest', params, answer: [summary] }];
export const showScheduleExamples: Examples = [{ name: 'workdays', params: ofSchedule, answer: schedule }];
export const changeScheduleExamples: Examples = [
  {
    name: 'pause',
    params: ofSchedule,
    body: { enabled: false },
    answer: { ...schedule, enabled: false, nextFireAt: null, nextFires: [] },
  },
];
export const runScheduleExamples: Examples = [{ name: 'now', params: ofSchedule, answer: started }];
export const deleteScheduleExamples: Examples = [{ name: 'delete', params: ofSchedule }];

const webhook: JsonObject = {
  id: webhookId,
  podId,
  workflowId: definitionId,
  version: 'latest',
  name: 'Billing',
  enabled: true,
  public: false,
  dedupe: 'id',
  url: `https://holdpoint.example.com/v1/webhooks/${webhookId}/trigger`,
  createdBy: 'jane',
  createdAt,
  updatedAt: createdAt,
};

export const createWebhookExamples: Examples = [
  {
    name: 'signed',
    params,
    body: { workflowId: 'expense-approval', name: 'Billing' },
    answer: { ...webhook, secret: 'whsec_…' },
  },
  {
    name: 'public',
    params,
    body: { workflowId: 'expense-approval', name: 'Billing', public: true },
    answer: { ...webhook, public: true, secret: null },
  },
];
export const listWebhooksExamples: Examples = [{ name: 'newest', params, answer: [webhook] }];
export const showWebhookExamples: Examples = [{ name: 'signed', params: ofWebhook, answer: webhook }];
export const changeWebhookExamples: Examples = [
  { name: 'disable', params: ofWebhook, body: { enabled: false }, answer: { ...webhook, enabled: false } },
];
export const rotateExamples: Examples = [
  {
    name: 'withinAnHour',
    params: ofWebhook,
    body: { graceMs: 3_600_000 },
    answer: { ...webhook, secret: 'whsec_…' },
  },
];
export const deleteWebhookExamples: Examples = [{ name: 'delete', params: ofWebhook }];
export const triggerExamples: Examples = [
  { name: 'public', params: { id: webhookId }, body: { amount: 120 }, answer: started },
];
