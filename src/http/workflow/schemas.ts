// What the workflow face takes (API.md §1): JSON Schemas beside the types they describe, then calls as they look on the
// wire, with their answers; OpenAPI shows them and a test sends each. Ids and times in them are made up. The definition
// itself is only described: core/validation.ts, which knows the step types, checks it. It may have over 400 lines, since
// examples are mostly data.

import type { Json, JsonObject } from '../../core/json.ts';
import { VERSION_SELECTOR } from '../../store/definitions.ts';
import { HISTORY_POSITION } from '../../store/run-views.ts';
import { closedObject } from '../json-schema.ts';
import type { RouteExample } from '../route.ts';

const version = {
  type: 'string',
  pattern: VERSION_SELECTOR,
  description: '"latest", "published", "1.0.N" or a number',
};
const stepId = { type: 'string', minLength: 1, maxLength: 64 };
const pauseId = { type: 'string', minLength: 1, maxLength: 64 };

export interface StartBody {
  data?: JsonObject;
  version?: string;
}
export const startBody = closedObject({ data: { type: 'object' }, version });

export interface StatusQuery {
  after?: string;
}
export const statusQuery = closedObject({
  after: { type: 'string', pattern: HISTORY_POSITION, description: 'the `next` of an earlier answer' },
});

export type ResumeBody = { stepId?: string; pauseId?: string; data?: JsonObject } & (
  | { type: 'collect_inputs'; data: JsonObject }
  | { type: 'request_user_action'; actionId: string; actionValue?: string; comment?: string }
);
export const resumeBody: JsonObject = {
  type: 'object',
  properties: { type: { type: 'string' } },
  required: ['type'],
  discriminator: { propertyName: 'type' },
  oneOf: [
    closedObject({ type: { const: 'collect_inputs' }, data: { type: 'object' }, stepId, pauseId }, ['data']),
    closedObject(
      {
        type: { const: 'request_user_action' },
        actionId: { type: 'string', minLength: 1, maxLength: 200 },
        actionValue: { type: 'string', minLength: 1, maxLength: 200 },
        comment: { type: 'string', maxLength: 10_000 },
        data: { type: 'object' },
        stepId,
        pauseId,
      },
      ['actionId'],
    ),
  ],
};

export interface ControlBody {
  workflowId?: string;
  runId: string;
  reason?: string;
}
export const controlBody = closedObject(
  {
    workflowId: { type: 'string', minLength: 1, maxLength: 200 },
    runId: { type: 'string', minLength: 1, maxLength: 200 },
    reason: { type: 'string', maxLength: 2_000 },
  },
  ['runId'],
);

export interface ListQuery {
  search?: string;
  status?: 'draft' | 'testing' | 'published' | 'archived';
  includeArchived?: boolean;
  limit?: number;
  offset?: number;
}
export const listQuery = closedObject({
  search: { type: 'string', maxLength: 200 },
  status: { type: 'string', enum: ['draft', 'testing', 'published', 'archived'] },
  includeArchived: { type: 'boolean' },
  limit: { type: 'integer', minimum: 1, maximum: 200 },
  offset: { type: 'integer', minimum: 0, maximum: 1_000_000_000 },
});

export interface VersionQuery {
  version?: string;
}
export const versionQuery = closedObject({ version });

export interface PublishBody {
  version?: string;
}
export const publishBody = closedObject({ version });

export interface VersionsQuery {
  limit?: number;
  offset?: number;
}
export const versionsQuery = closedObject({
  limit: { type: 'integer', minimum: 1, maximum: 1_000 },
  offset: { type: 'integer', minimum: 0, maximum: 1_000_000_000 },
});

export interface CloneBody {
  name?: string;
}
export const cloneBody = closedObject({ name: { type: 'string', minLength: 1, maxLength: 200 } });

export const noBody = closedObject({});

/** Said here and checked by core/validation.ts, which tells all problems of a definition at once. */
const definitionKeys: JsonObject = {
  name: { description: 'Up to 200 characters; the key is made from it.' },
  description: { description: 'Up to 10,000 characters.' },
  initialStep: { description: 'The `id` of the step that a run begins with.' },
  steps: {
    description:
      'Up to 10,000, each `{id, type, name?, description?, outputKey?, join?, route?, maxVisits?}` and what its type takes. ' +
      'Types: `collect-inputs`, `request-user-action`, `call-tool`, `call-api`, `callback`, `condition`, `transform`, ' +
      '`wait`, `end-flow`. Those that work also take `{retry?, timeoutMs?, queueTimeoutMs?, deadlineMs?}`.',
  },
  edges: { description: 'Up to 100,000, each `{from, to, on?, condition?, default?, label?}`.' },
  payload: {
    description: 'The input of a run: a JSON Schema per field, or one of everything when its `type` is `"object"`.',
  },
  output: { description: 'The result of a run whose `end-flow` names none; `${…}` is filled in.' },
  onCancel: { description: 'The `id` of a step that works, and runs alone when a run is cancelled.' },
  deadlineMs: { description: 'Within which a run must be done, pauses included.' },
  defaults: { description: '`{retry?, timeoutMs?}` of all steps that say nothing else.' },
};
export const definitionBody: JsonObject = { type: 'object', properties: definitionKeys };

export type UpdateBody = JsonObject & { status?: 'draft' | 'testing' };
export const updateBody: JsonObject = {
  type: 'object',
  properties: { ...definitionKeys, status: { type: 'string', enum: ['draft', 'testing'] } },
};

type Examples = readonly RouteExample[];

const requestId = 'f04dd457-008a-4670-b602-9ad86c79d459';
const refusal = (error: { code: string; message: string; details: Json[] }): JsonObject => ({
  success: false,
  error: { ...error, requestId },
});

const runId = '0193b6f1-2a40-7b16-9d07-5e8f3c7a1b42';
const startTime = '2026-11-20T09:31:00.000Z';
const endTime = '2026-11-20T09:31:05.000Z';
const workflowId = 'customer-onboarding';
const john = { customerName: 'John Doe', email: 'john@example.com' };
const fields: JsonObject = { customerName: { type: 'string' }, email: { type: 'string', format: 'email' } };
const pause: JsonObject = {
  type: 'collect_inputs',
  stepId: 'collect-inputs-1',
  fields,
  id: '0193b6f1-2a44-7c90-a1e3-0d4b6f82c953',
};
const stepExecution: JsonObject = {
  stepId: 'collect-inputs-1',
  stepType: 'collect-inputs',
  stepName: 'Collect Customer Info',
  status: 'running',
  startTime,
  endTime: null,
  duration: null,
  inputData: null,
  outputData: null,
  error: null,
  visit: 1,
  attempts: 1,
};

export const startExamples: Examples = [
  {
    name: 'completes',
    params: { workflowId },
    body: { data: john },
    answer: { runId, status: 'completed', data: john, result: { success: true } },
  },
  {
    name: 'pauses',
    params: { workflowId },
    body: { data: {} },
    answer: { runId, status: 'paused', data: {}, pauseSignal: pause, pauseSignals: [pause] },
  },
];

export const startAsyncExamples: Examples = [
  { name: 'start', params: { workflowId }, body: { data: john, version: '1.0.0' }, answer: { runId } },
];

export const statusExamples: Examples = [
  {
    name: 'paused',
    params: { runId },
    answer: {
      runId,
      workflowId,
      version: '1.0.0',
      status: 'paused',
      currentStepId: 'collect-inputs-1',
      pauseSignal: pause,
      pauseSignals: [pause],
      data: {},
      stepExecutionHistory: [stepExecution],
      result: null,
      error: null,
      startTime,
      endTime: null,
    },
  },
  {
    name: 'unknown',
    params: { runId: '0193b6f1-0000-7000-8000-000000000000' },
    status: 404,
    answer: refusal({
      code: 'RUN_NOT_FOUND',
      message: 'Workflow run not found: no run here has this id',
      details: [],
    }),
  },
];

export const explainExamples: Examples = [
  {
    name: 'waiting',
    params: { runId },
    answer: {
      runId,
      status: 'paused',
      reason: 'waiting',
      message: 'The run waits for people.',
      until: null,
      steps: [
        {
          stepId: 'collect-inputs-1',
          visit: 1,
          attempt: 1,
          reason: 'waits_for_person',
          message: 'Step "collect-inputs-1" waits for anybody who may answer.',
          since: startTime,
          until: null,
          waitsFor: [],
          ahead: null,
        },
      ],
    },
  },
];

export const resumeExamples: Examples = [
  {
    name: 'inputs',
    params: { runId },
    body: { type: 'collect_inputs', data: john },
    answer: { runId, status: 'completed' },
  },
  {
    name: 'action',
    params: { runId },
    body: { type: 'request_user_action', actionId: 'approve', comment: 'Within budget' },
    answer: { runId, status: 'completed' },
  },
  {
    name: 'doesNotFit',
    params: { runId },
    body: { type: 'collect_inputs', data: { customerName: 7, email: 'john@example.com' } },
    status: 400,
    answer: refusal({
      code: 'INVALID_INPUT',
      message: 'Invalid input: The answer does not fit; the pause stays open',
      details: [{ pointer: '/data/customerName', message: 'must be text' }],
    }),
  },
];

const reason = 'Entered twice';
const stopped = (type: 'cancel' | 'terminate'): JsonObject => ({
  success: true,
  data: { runId, status: 'cancelled', cancellation: { type, reason, by: 'jane', at: endTime } },
});

export const cancelExamples: Examples = [
  { name: 'cancel', body: { workflowId, runId, reason }, answer: stopped('cancel') },
];

export const terminateExamples: Examples = [
  { name: 'terminate', body: { runId, reason }, answer: stopped('terminate') },
];

const graph: JsonObject = {
  initialStep: 'collect-inputs-1',
  steps: [
    { type: 'collect-inputs', id: 'collect-inputs-1', name: 'Collect Customer Info', output: fields },
    { type: 'end-flow', id: 'end-1' },
  ],
  edges: [{ from: 'collect-inputs-1', to: 'end-1' }],
};
const texts = { name: 'Customer Onboarding', description: 'Asks a new customer who they are' };
const expenseApproval: JsonObject = {
  name: 'Expense Approval',
  initialStep: 'approval',
  steps: [
    {
      type: 'request-user-action',
      id: 'approval',
      message: 'Pay ${data.amount}?',
      actions: [
        { id: 'approve', label: 'Approve' },
        { id: 'reject', label: 'Reject' },
      ],
    },
    { type: 'end-flow', id: 'end' },
  ],
  edges: [{ from: 'approval', to: 'end' }],
};

const createdAt = '2026-11-20T09:30:00.000Z';
const params = { id: workflowId };
const summary: JsonObject = {
  id: workflowId,
  ...texts,
  status: 'draft',
  version: '1.0.0',
  publishedVersion: null,
  createdAt,
  updatedAt: createdAt,
};
const workflow: JsonObject = {
  ...graph,
  ...summary,
  uuid: '0193b6f0-7c1e-7d3a-8f52-6a1c9e4b2d10',
  createdBy: 'jane',
};
const done = { success: true };

export const inputExamples: Examples = [
  { name: 'input', params: { workflowId }, answer: { success: true, data: { workflowId, payload: fields } } },
];

export const listExamples: Examples = [
  { name: 'search', query: { search: 'customer', limit: '10' }, answer: [summary] },
];

export const createExamples: Examples = [
  { name: 'inputs', body: { ...texts, ...graph }, answer: { ...workflow, id: 'customer-onboarding-2' } },
  {
    name: 'approval',
    body: expenseApproval,
    answer: { ...workflow, ...expenseApproval, description: null, id: 'expense-approval-2' },
  },
  {
    name: 'edgeToNowhere',
    body: { ...expenseApproval, edges: [{ from: 'approval', to: 'ends' }] },
    status: 400,
    answer: refusal({
      code: 'INVALID_DEFINITION',
      message: 'Invalid input: the definition has problems; details lists each with its place',
      details: [
        { pointer: '/edges/0/to', message: 'names "ends", but no step has that id', hint: 'did you mean "end"?' },
        { pointer: '/steps/1', message: '"end" can never be reached', hint: 'add an edge to it, or remove it' },
      ],
    }),
  },
];

export const showExamples: Examples = [{ name: 'latest', params, answer: workflow }];

const changes = { description: 'Asks who they are', status: 'testing' };
export const updateExamples: Examples = [
  { name: 'describe', params, body: changes, answer: { ...workflow, ...changes, version: '1.0.1' } },
];

export const versionsExamples: Examples = [
  {
    name: 'draft',
    params,
    answer: [
      {
        id: workflowId,
        version: '1.0.0',
        status: 'draft',
        createdAt,
        createdBy: 'jane',
        publishedAt: null,
        isLatest: true,
        isPublished: false,
      },
    ],
  },
];

export const publishExamples: Examples = [
  { name: 'latest', params, body: {}, answer: { ...workflow, status: 'published', publishedVersion: '1.0.0' } },
];

export const cloneExamples: Examples = [
  {
    name: 'copy',
    params,
    body: {},
    answer: { ...workflow, id: 'customer-onboarding-copy', name: 'Customer Onboarding (Copy)' },
  },
];

export const archiveExamples: Examples = [{ name: 'archive', params, answer: done }];
export const unarchiveExamples: Examples = [{ name: 'unarchive', params, answer: workflow }];
export const fileExamples: Examples = [
  {
    name: 'order',
    params: { fileId: '0193b6f3-6d10-7c58-8e24-b7a90c1f3d65' },
    answer: 'item,amount\npaper,12\n',
  },
];
export const deleteExamples: Examples = [{ name: 'delete', params, answer: done }];
