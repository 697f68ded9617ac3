// What the executions face takes (API.md §3): JSON Schemas beside the types they describe, then calls as they look on the
// wire, with their answers; OpenAPI shows them and a test sends each. Ids and times in them are made up.

import type { Json, JsonObject } from '../../core/json.ts';
import { LOG_LEVELS, type LogLevel } from '../../core/log-lines.ts';
import { LOG_POSITION } from '../../core/log-places.ts';
import { VERSION_SELECTOR } from '../../store/definitions.ts';
import { closedObject, uuid } from '../json-schema.ts';
import type { PageQuery } from '../page.ts';
import type { RouteExample } from '../route.ts';
import { LAST_EVENT_ID } from '../sse.ts';

export const STATUS_WORDS = ['queued', 'running', 'suspended', 'completed', 'failed', 'cancelled'] as const;
export type StatusWord = (typeof STATUS_WORDS)[number];

/** What an execution was triggered by. */
export const TRIGGERS = ['api', 'manual', 'sdk', 'schedule', 'webhook', 'workflow', 'replay'] as const;

const name = { type: 'string', minLength: 1, maxLength: 200 };
const nodeId = { type: 'string', minLength: 1, maxLength: 64 };
const limit = { type: 'integer', minimum: 1, maximum: 200, description: 'default 50' };
const cursor = { ...uuid, description: 'X-Next-Cursor of the page before' };
const version = {
  type: ['string', 'integer'],
  pattern: VERSION_SELECTOR,
  minimum: 1,
  maximum: 999_999_999,
  description: '"latest", "published", "1.0.N" or a number',
};

export interface TriggerBody {
  workflowId: string;
  input?: JsonObject;
  version?: string | number;
}
export const triggerBody = closedObject(
  {
    workflowId: { ...name, description: 'Id or key of a workflow of the pod.' },
    input: { type: 'object', description: 'What the workflow’s `payload` asks for.' },
    version,
  },
  ['workflowId'],
);

export interface ListQuery extends PageQuery {
  status?: StatusWord;
  workflowId?: string;
}
export const listQuery = closedObject({
  status: { type: 'string', enum: [...STATUS_WORDS] },
  workflowId: { ...name, description: 'Id or key of a workflow of the pod.' },
  limit,
  cursor,
});

/** Which of these may stand beside which is the handler's to say. */
export interface RespondBody {
  approved?: boolean;
  actionId?: string;
  reason?: string;
  answer?: Json;
  data?: JsonObject;
  nodeId?: string;
}
export const respondBody = closedObject({
  approved: { type: 'boolean', description: 'Chooses the first action that approves, or the first that rejects.' },
  actionId: { ...nodeId, description: 'In the place of `approved`: the action itself, by its id.' },
  reason: { type: 'string', maxLength: 10_000, description: 'Beside `approved` or `actionId`.' },
  answer: { description: 'To a question.' },
  data: {
    type: 'object',
    description: 'The fields that are asked for; beside `approved` or `actionId`, those of the action.',
  },
  nodeId: { ...nodeId, description: 'Which node is answered; needed when several ask.' },
});

export interface EventsQuery {
  lastEventId?: string;
}
export const eventsQuery = closedObject({
  lastEventId: LAST_EVENT_ID,
  ticket: { type: 'string', maxLength: 100, description: 'In the place of a credential: opens this one stream, once.' },
});
export const ticketBody = closedObject({});

export interface LogsQuery {
  nodeId?: string;
  level?: LogLevel;
  after?: string;
  limit?: number;
}
export const logsQuery = closedObject({
  nodeId,
  level: { type: 'string', enum: [...LOG_LEVELS] },
  after: { type: 'string', pattern: LOG_POSITION, description: 'the `id` of the last line that was read' },
  limit: { type: 'integer', minimum: 1, maximum: 500, description: 'default 200' },
});

export interface ReplayBody {
  fromNodeId?: string;
}
export const replayBody = closedObject({ fromNodeId: { ...nodeId, description: 'Default the start.' } });

type Examples = readonly RouteExample[];

const executionId = '0193b6f1-2a40-7b16-9d07-5e8f3c7a1b42';
const replayId = '0193b6f4-1c22-7d8e-b3a5-9f0e7d6c5b41';
const workflowId = '0193b6f0-7c1e-7d3a-8f52-6a1c9e4b2d10';
const pauseId = '0193b6f1-2a44-7c90-a1e3-0d4b6f82c953';
const workspaceId = '0193b6ee-0a12-7b44-9f3e-8d2c5b7a6e01';
const createdAt = '2026-11-20T09:31:00.000Z';

const params = { wId: 'acme', podId: 'default' };
const ofExecution = { ...params, id: executionId };

const summary: JsonObject = {
  id: executionId,
  workspaceId,
  podId: workspaceId,
  workflowId,
  version: 1,
  status: 'suspended',
  triggeredBy: 'api',
  error: null,
  cancellation: null,
  replayOf: null,
  createdAt,
  startedAt: createdAt,
  finishedAt: null,
};
const created: JsonObject = {
  ...summary,
  status: 'queued',
  startedAt: null,
  input: { amount: 120 },
  output: null,
  nodeResults: {},
  nodeResultsTruncated: false,
  variables: { amount: 120 },
  interrupt: null,
  interrupts: [],
  replays: [],
};
const interrupt: JsonObject = {
  type: 'approval',
  id: pauseId,
  nodeId: 'approval',
  message: 'Pay 120?',
  actions: [
    { id: 'approve', label: 'Approve', outcome: 'approved' },
    { id: 'reject', label: 'Reject', outcome: 'rejected' },
  ],
  dueAt: null,
  createdAt,
};
const suspended: JsonObject = {
  status: 'suspended',
  output: null,
  error: null,
  durationMs: null,
  attempts: 1,
  visit: 1,
};

export const triggerExamples: Examples = [
  { name: 'trigger', params, body: { workflowId: 'expense-approval', input: { amount: 120 } }, answer: created },
  { name: 'unknown', params, body: { workflowId: 'no-such-thing' }, status: 404 },
];
export const listExamples: Examples = [
  { name: 'suspended', params, query: { status: 'suspended', limit: '10' }, answer: [summary] },
];
export const showExamples: Examples = [
  {
    name: 'suspended',
    params: ofExecution,
    answer: {
      ...created,
      status: 'suspended',
      startedAt: createdAt,
      nodeResults: { approval: suspended },
      interrupt,
      interrupts: [interrupt],
    },
  },
];
export const respondExamples: Examples = [
  {
    name: 'approve',
    params: ofExecution,
    body: { approved: true },
    answer: { id: executionId, status: 'completed', interrupt: null },
    isExcerpt: true,
  },
  {
    name: 'reject',
    params: ofExecution,
    body: { approved: false, reason: 'Not this month' },
    answer: {
      id: executionId,
      status: 'failed',
      error: {
        code: 'approval_rejected',
        message: 'Step "approval" was rejected: Not this month',
        nodeId: 'approval',
      },
    },
    isExcerpt: true,
  },
  { name: 'nothing', params: ofExecution, body: {}, status: 400 },
];
export const replayExamples: Examples = [
  {
    name: 'fromStart',
    params: ofExecution,
    body: {},
    answer: { ...created, id: replayId, triggeredBy: 'replay', replayOf: executionId },
  },
  {
    name: 'fromNode',
    params: ofExecution,
    body: { fromNodeId: 'approval' },
    answer: { ...created, id: replayId, triggeredBy: 'replay', replayOf: executionId },
  },
];
export const cancelExamples: Examples = [{ name: 'cancel', params: ofExecution }];

export const explainExamples: Examples = [
  {
    name: 'waiting',
    params: ofExecution,
    answer: {
      executionId,
      status: 'suspended',
      reason: 'waiting',
      message: 'The run waits for people.',
      until: null,
      nodes: [
        {
          nodeId: 'approval',
          visit: 1,
          attempt: 1,
          reason: 'waits_for_person',
          message: 'Step "approval" waits for anybody who may answer.',
          since: createdAt,
          until: null,
          waitsFor: [],
          ahead: null,
        },
      ],
    },
  },
];
export const eventsExamples: Examples = [
  {
    name: 'cancelled',
    params: ofExecution,
    answer: ['retry: 1000', '', 'id: 4', 'data: {"type":"execution_cancelled","reason":null}', '', ''].join('\n'),
    isExcerpt: true,
  },
  { name: 'noSuchEvent', params: ofExecution, query: { lastEventId: '9000' }, status: 400 },
];
export const ticketExamples: Examples = [
  {
    name: 'ticket',
    params: ofExecution,
    answer: { ticket: 'st_8QmT3vWZcN0rYxK5uJdPfL1hGbA7eRiSo2nVqXzMwE4', expiresAt: '2026-11-20T09:32:00.000Z' },
  },
];
export const logsExamples: Examples = [
  {
    name: 'end',
    params: ofExecution,
    query: { nodeId: 'end' },
    answer: [
      {
        id: '4.0',
        executionId,
        nodeId: 'end',
        level: 'info',
        message: 'Completed',
        data: null,
        durationMs: 0,
        attempt: 1,
        timestamp: createdAt,
      },
    ],
  },
];
