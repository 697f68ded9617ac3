// What the v1 face takes (API.md §2): JSON Schemas beside the types they describe, then calls as they look on the wire, with
// their answers; OpenAPI shows them and a test sends each. Ids and times in them are made up. Templates are checked by
// core/validation.ts, which knows the step types. It has over 400 lines because each call is shown beside what it takes.

import { EVENT_NAMES, type EventName } from '../../core/event-names.ts';
import type { JsonObject } from '../../core/json.ts';
import { closedObject } from '../json-schema.ts';
import type { RouteExample } from '../route.ts';

export const STATUS_WORDS = [
  'pending',
  'running',
  'waiting_approval',
  'paused',
  'completed',
  'failed',
  'cancelled',
] as const;
export type StatusWord = (typeof STATUS_WORDS)[number];

const limit = { type: 'integer', minimum: 1, maximum: 100, description: 'default 20' };
const offset = { type: 'integer', minimum: 0, maximum: 1_000_000_000 };
const owner = { type: 'string', enum: ['me', 'all'], description: '`all`, for admins: everybody’s runs; default `me`' };
const reason = { type: 'string', maxLength: 2_000 };
const uuid = '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}';

export interface StartBody {
  template_id?: string;
  input?: JsonObject;
  name?: string;
  steps?: { name: string; type: string; config?: JsonObject }[];
}
export const startBody = closedObject({
  template_id: { type: 'string', minLength: 1, maxLength: 200, description: 'Id or key of a published template.' },
  input: { type: 'object', description: 'Values of the template’s variables.' },
  name: { type: 'string', minLength: 1, maxLength: 200, description: 'With `steps`, instead of a template.' },
  steps: {
    type: 'array',
    minItems: 1,
    maxItems: 1_000,
    description: 'Steps of this run only, one after the other.',
    items: closedObject(
      {
        name: { type: 'string', minLength: 1, maxLength: 200 },
        type: { type: 'string', enum: ['task', 'approval', 'callback'] },
        config: { type: 'object', description: 'The fields that the type takes.' },
      },
      ['name', 'type'],
    ),
  },
});

export interface ScopeQuery {
  owner?: 'me' | 'all';
}
export const scopeQuery = closedObject({ owner });

export interface ListQuery extends ScopeQuery {
  status?: StatusWord;
  limit?: number;
  offset?: number;
  cursor?: string;
}
export const listQuery = closedObject({
  status: { type: 'string', enum: [...STATUS_WORDS] },
  limit,
  offset,
  cursor: { type: 'string', pattern: `^${uuid}$`, description: 'the `cursor` of an earlier answer' },
  owner,
});

export interface ShowQuery extends ScopeQuery {
  after?: number;
}
export const showQuery = closedObject({
  after: {
    type: 'integer',
    minimum: 0,
    maximum: 1_000_000_000,
    description: 'events after this `sequence`; default the newest 1,000',
  },
  owner,
});

export interface ReasonBody {
  reason?: string;
}
export const reasonBody = closedObject({ reason });

export interface DecisionBody {
  comment?: string;
}
export const decisionBody = closedObject({ comment: { type: 'string', maxLength: 10_000 } });

export interface SnapshotsQuery extends ScopeQuery {
  limit?: number;
  cursor?: string;
}
export const snapshotsQuery = closedObject({
  limit: { type: 'integer', minimum: 1, maximum: 20, description: 'default 20: each has all the data of the run' },
  cursor: { type: 'string', pattern: '^[0-9]{1,15}$', description: 'the `cursor` of an earlier answer' },
  owner,
});

export interface RollbackBody extends ReasonBody {
  snapshot_id: string;
}
export const rollbackBody = closedObject({ snapshot_id: { type: 'string', minLength: 1, maxLength: 100 }, reason }, [
  'snapshot_id',
]);

export interface ListTemplatesQuery {
  status?: 'draft' | 'testing' | 'published' | 'archived';
  limit?: number;
  offset?: number;
  cursor?: string;
}
export const listTemplatesQuery = closedObject({
  status: { type: 'string', enum: ['draft', 'testing', 'published', 'archived'] },
  limit,
  offset,
  cursor: { type: 'string', pattern: '^[0-9]{1,9}$', description: 'the `cursor` of an earlier answer' },
});

/** A definition, with `variables` for its `payload`; what its keys must be is the engine's to say, all problems at once. */
export type TemplateBody = JsonObject & { status?: 'draft' | 'testing' };
export const templateBody: JsonObject = { type: 'object' };
export const updateTemplateBody: JsonObject = {
  type: 'object',
  properties: { status: { type: 'string', enum: ['draft', 'testing'] } },
};

export interface PublishBody {
  version?: number;
}
export const publishBody = closedObject({
  version: { type: 'integer', minimum: 1, maximum: 999_999_999, description: 'Default the latest.' },
});

export interface WebhookBody {
  url: string;
  events: EventName[];
  secret?: string;
}
export const webhookBody = closedObject(
  {
    url: { type: 'string', minLength: 1, maxLength: 2_000, description: 'A public http or https URL.' },
    events: {
      type: 'array',
      minItems: 1,
      maxItems: EVENT_NAMES.length,
      items: { type: 'string', enum: [...EVENT_NAMES] },
    },
    secret: {
      type: 'string',
      maxLength: 256,
      writeOnly: true,
      description:
        '`whsec_` and 24 to 64 bytes as base64, or 24 to 256 other characters; one is made when it is left out.',
    },
  },
  ['url', 'events'],
);

export interface SwitchBody {
  status: 'enabled' | 'disabled';
}
export const switchBody = closedObject({ status: { type: 'string', enum: ['enabled', 'disabled'] } }, ['status']);

export const DELIVERY_WORDS = ['pending', 'sending', 'delivered', 'dead_letter', 'cancelled'] as const;
export type DeliveryWord = (typeof DELIVERY_WORDS)[number];
export interface DeliveriesQuery {
  status?: DeliveryWord;
  limit?: number;
  cursor?: string;
}
export const deliveriesQuery = closedObject({
  status: { type: 'string', enum: [...DELIVERY_WORDS] },
  limit,
  cursor: { type: 'string', pattern: `^${uuid}$`, description: 'the `cursor` of an earlier answer' },
});

export const noBody = closedObject({});
/** Whatever JSON the receiver of a callback answers with. */
export const callbackBody: JsonObject = {};

type Examples = readonly RouteExample[];

const runId = '0193b6f1-2a40-7b16-9d07-5e8f3c7a1b42';
const approvalId = '0193b6f1-2a44-7c90-a1e3-0d4b6f82c953';
const templateId = '0193b6f0-7c1e-7d3a-8f52-6a1c9e4b2d10';
const insertedAt = '2026-11-20T09:31:00.000Z';
const decidedAt = '2026-11-20T09:31:05.000Z';
const meta = { version: 'v1', timestamp: insertedAt };
const pagination = { total_count: 1, cursor: null, has_more: false };

const enteredTwice = 'Entered twice';
const run: JsonObject = {
  id: runId,
  status: 'waiting_approval',
  template: { id: templateId, name: 'Expense Approval', version: 1 },
  trigger_type: 'api',
  owner: 'jane',
  current_step: 'approval',
  retry_count: 0,
  error_reason: null,
  error_message: null,
  cancellation: null,
  inserted_at: insertedAt,
  started_at: insertedAt,
  completed_at: null,
};
const created: JsonObject = {
  ...run,
  status: 'pending',
  current_step: null,
  started_at: null,
  input: { amount: 120 },
  output: null,
  progress_percent: 0,
};
const approval: JsonObject = {
  id: approvalId,
  step: 'approval',
  visit: 1,
  status: 'pending',
  message: 'Pay 120?',
  assignees: [],
  decision: null,
  comment: null,
  decided_by: null,
  decided_at: null,
  due_at: null,
  inserted_at: insertedAt,
};
const event = (sequence: number, type: string, more: JsonObject): JsonObject => ({
  id: `${runId}.${sequence}`,
  sequence,
  type,
  also: [],
  severity: 'info',
  actor: 'jane',
  reason: null,
  data: {},
  inserted_at: insertedAt,
  ...more,
});
const params = { id: runId };
const ofApproval = { id: runId, approval_id: approvalId };

export const startExamples: Examples = [
  {
    name: 'template',
    body: { template_id: 'expense-approval', input: { amount: 120 } },
    answer: created,
  },
  {
    name: 'steps',
    body: {
      name: 'Expense Approval',
      steps: [{ name: 'Approval', type: 'approval', config: { message: 'Pay the usual?' } }],
      input: { amount: 120 },
    },
    answer: created,
  },
  {
    name: 'neither',
    body: { input: { amount: 120 } },
    status: 422,
    answer: {
      data: null,
      meta: { ...meta, request_id: 'f04dd457-008a-4670-b602-9ad86c79d459' },
      errors: [
        {
          code: 'VALIDATION_ERROR',
          message: 'what is to run is not clear: send template_id and input, or name and steps',
          details: { template_id: ['is required; send template_id and input, or name and steps'] },
        },
      ],
    },
  },
];

export const listExamples: Examples = [
  {
    name: 'waiting',
    query: { status: 'waiting_approval', limit: '10' },
    answer: { data: [run], meta: { ...meta, pagination } },
  },
];

export const showExamples: Examples = [
  {
    name: 'waiting',
    params,
    answer: {
      ...run,
      input: { amount: 120 },
      output: null,
      progress_percent: 0,
      steps: [
        {
          id: 'approval',
          name: 'approval',
          type: 'approval',
          status: 'waiting_approval',
          visit: 1,
          attempts: 1,
          input: null,
          output: null,
          error: null,
          started_at: insertedAt,
          completed_at: null,
        },
      ],
      steps_truncated: false,
      events: [
        event(1, 'run_created', {}),
        event(2, 'approval_requested', {
          also: ['step_waiting', 'run_started'],
          data: { step: 'approval', visit: 1, approval_id: approvalId },
        }),
      ],
      approvals: [approval],
    },
  },
];

export const explainExamples: Examples = [
  {
    name: 'waiting',
    params,
    answer: {
      id: runId,
      status: 'waiting_approval',
      reason: 'waiting',
      message: 'The run waits for people.',
      until: null,
      steps: [
        {
          step: 'approval',
          visit: 1,
          attempt: 1,
          reason: 'waits_for_person',
          message: 'Step "approval" waits for anybody who may answer.',
          since: insertedAt,
          until: null,
          waits_for: [],
          ahead: null,
        },
      ],
    },
  },
];

/** Answers are whole runs; of each it is shown what the call changes. */
const shown = (answer: JsonObject) => ({ params, answer: { id: runId, ...answer }, isExcerpt: true }) as const;

export const pauseExamples: Examples = [
  { name: 'pause', body: { reason: 'Quarter end' }, ...shown({ status: 'paused' }) },
];
export const resumeExamples: Examples = [{ name: 'resume', body: {}, ...shown({ status: 'waiting_approval' }) }];
export const cancelExamples: Examples = [
  {
    name: 'cancel',
    body: { reason: enteredTwice },
    ...shown({
      status: 'cancelled',
      cancellation: { type: 'cancel', reason: enteredTwice, by: 'jane', at: decidedAt },
    }),
  },
];
export const retryExamples: Examples = [
  { name: 'retry', body: {}, ...shown({ status: 'waiting_approval', retry_count: 1 }) },
];

const decided = (decision: JsonObject): JsonObject => ({
  ...approval,
  decided_by: 'jane',
  decided_at: decidedAt,
  ...decision,
});

export const approveExamples: Examples = [
  {
    name: 'approve',
    body: { comment: 'Within budget' },
    ...shown({
      status: 'completed',
      approvals: [decided({ status: 'approved', decision: 'approve', comment: 'Within budget' })],
    }),
    params: ofApproval,
  },
];
export const rejectExamples: Examples = [
  {
    name: 'reject',
    body: {},
    ...shown({
      status: 'failed',
      error_reason: 'approval_rejected',
      approvals: [decided({ status: 'rejected', decision: 'reject' })],
    }),
    params: ofApproval,
  },
];

const snapshotId = `${runId}.3`;
export const snapshotsExamples: Examples = [
  {
    name: 'approved',
    params,
    answer: {
      data: [
        {
          id: snapshotId,
          sequence: 3,
          step: 'approval',
          visit: 1,
          created_at: decidedAt,
          state: { data: { amount: 120 }, open: [{ step: 'end', visit: 1, status: 'pending' }] },
        },
      ],
      meta: { ...meta, pagination },
    },
  },
];
export const rollbackExamples: Examples = [
  {
    name: 'approved',
    body: { snapshot_id: snapshotId, reason: 'Wrong customer' },
    ...shown({ status: 'completed' }),
  },
];

const graph: JsonObject = {
  initialStep: 'approval',
  steps: [
    { id: 'approval', type: 'approval', message: 'Send ${data.amount}?' },
    { id: 'end', type: 'end-flow' },
  ],
  edges: [{ from: 'approval', to: 'end' }],
};
const variables = { amount: { type: 'number' } };
const summary: JsonObject = {
  id: templateId,
  key: 'refund',
  name: 'Refund',
  description: null,
  status: 'draft',
  version: 1,
  published_version: null,
  created_by: 'jane',
  inserted_at: insertedAt,
  updated_at: insertedAt,
};
const actions = [
  { id: 'approve', label: 'Approve' },
  { id: 'reject', label: 'Reject' },
];
const template: JsonObject = {
  ...graph,
  steps: [
    { id: 'approval', type: 'request-user-action', message: 'Send ${data.amount}?', actions },
    { id: 'end', type: 'end-flow' },
  ],
  ...summary,
  variables,
};
const ofTemplate = { id: 'refund' };

export const createTemplateExamples: Examples = [
  { name: 'refund', body: { name: 'Refund', variables, ...graph }, answer: template },
];
export const listTemplatesExamples: Examples = [
  {
    name: 'published',
    query: { status: 'published' },
    answer: { data: [{ ...summary, status: 'published', published_version: 1 }], meta: { ...meta, pagination } },
  },
];
export const showTemplateExamples: Examples = [{ name: 'latest', params: ofTemplate, answer: template }];
export const updateTemplateExamples: Examples = [
  {
    name: 'describe',
    params: ofTemplate,
    body: { description: 'Back to the customer' },
    answer: { ...template, description: 'Back to the customer', version: 2 },
  },
];
export const publishTemplateExamples: Examples = [
  {
    name: 'latest',
    params: ofTemplate,
    body: {},
    answer: { ...template, status: 'published', published_version: 1 },
  },
];

const webhook: JsonObject = {
  id: '0193b6f2-51c8-7e07-b5a4-2f9d8c6e1a70',
  url: 'https://example.com/hooks/holdpoint',
  events: ['run_completed', 'run_failed'],
  status: 'enabled',
  disabled_reason: null,
  created_by: 'jane',
  inserted_at: insertedAt,
};
const ofWebhook = { id: '0193b6f2-51c8-7e07-b5a4-2f9d8c6e1a70' };

export const listWebhooksExamples: Examples = [
  { name: 'all', answer: { data: [webhook], meta: { ...meta, pagination } } },
];
export const createWebhookExamples: Examples = [
  {
    name: 'runs',
    body: { url: 'https://example.com/hooks/holdpoint', events: ['run_completed', 'run_failed'] },
    answer: { ...webhook, secret: 'whsec_cGFzcyBpdCBvbiB0byB5b3VyIHJlY2VpdmVy…' },
  },
  {
    name: 'inside',
    body: { url: 'http://169.254.169.254/latest/meta-data', events: ['run_completed'] },
    status: 422,
  },
];
export const switchWebhookExamples: Examples = [
  {
    name: 'disable',
    params: ofWebhook,
    body: { status: 'disabled' },
    answer: { ...webhook, status: 'disabled', disabled_reason: 'by_hand' },
  },
  { name: 'enable', params: ofWebhook, body: { status: 'enabled' }, answer: webhook },
];
export const deleteWebhookExamples: Examples = [{ name: 'delete', params: ofWebhook }];

const deliveryId = '0193b6f3-6d10-7c58-8e24-b7a90c1f3d65';
const delivery: JsonObject = {
  id: deliveryId,
  event: 'run_completed',
  run_id: runId,
  sequence: 7,
  status: 'dead_letter',
  attempts: 0,
  next_attempt_at: null,
  attempt_log: [],
  inserted_at: insertedAt,
  completed_at: insertedAt,
};

export const listDeliveriesExamples: Examples = [
  {
    name: 'all',
    params: ofWebhook,
    query: { status: 'dead_letter' },
    answer: { data: [delivery], meta: { ...meta, pagination } },
  },
];
export const redeliverExamples: Examples = [
  {
    name: 'again',
    params: { ...ofWebhook, delivery_id: deliveryId },
    answer: { ...delivery, status: 'pending', next_attempt_at: insertedAt, completed_at: null },
  },
];
export const answerCallbackExamples: Examples = [
  {
    name: 'answer',
    params: { token: 'AZO282zQfFiOJLepDB89ZQcGFzcyBpdCBvbiB0byB5b3VyIHJlY2VpdmVyLCBvbm' },
    body: { approved: true },
    answer: { status: 'accepted' },
  },
  { name: 'unknown', params: { token: 'x'.repeat(64) }, body: { approved: true }, status: 404 },
];
