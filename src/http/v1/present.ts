// Rows into the words of the v1 face (API.md §2, seed 002), and before each the JSON Schema of what comes out, for OpenAPI;
// a test holds real answers against them. Pure and total, but for the time of an answer: nothing here loads or decides. It
// has over 400 lines, since a schema and its presenter belong side by side.

import { findChosen } from '../../core/approvals.ts';
import { EVENT_NAMES, type EventName, SEVERITIES, viewEvent } from '../../core/event-names.ts';
import { type Explanation, RUN_REASONS, STEP_REASONS, type StepExplanation } from '../../core/explain.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { workflowStatus } from '../../core/publishing.ts';
import type { OpenStatus, RunStatus, StepRunStatus } from '../../core/run.ts';
import type { SnapshotView } from '../../engine/fold-history.ts';
import type { DefinitionRow, VersionRow } from '../../store/definitions.ts';
import type { DeliveryStatus, DeliveryView } from '../../store/delivery-views.ts';
import type { EventRow } from '../../store/events.ts';
import type { ApprovalView, RunDetails, RunSummary } from '../../store/run-details.ts';
import type { StepView } from '../../store/run-views.ts';
import type { WebhookRow } from '../../store/webhooks.ts';
import {
  anything,
  boolean,
  integer,
  json,
  listOf,
  namedObject,
  oneOf,
  orNull,
  text,
  time,
  uuid,
} from '../json-schema.ts';
import type { ErrorReport } from '../route.ts';
import { presentTime } from '../times.ts';
import { DELIVERY_WORDS, type DeliveryWord, STATUS_WORDS, type StatusWord } from './schemas.ts';

const VERSION = 'v1';

const meta = { version: { const: VERSION }, timestamp: time };

/** Ours of an error's code where it is not `CONFLICT`, as most are. */
const ERROR_CODES: Readonly<Record<string, string>> = {
  invalid_request: 'VALIDATION_ERROR',
  invalid_definition: 'VALIDATION_ERROR',
  invalid_input: 'VALIDATION_ERROR',
  unauthenticated: 'UNAUTHORIZED',
  forbidden: 'FORBIDDEN',
  not_found: 'NOT_FOUND',
  workflow_not_found: 'NOT_FOUND',
  version_not_found: 'NOT_FOUND',
  run_not_found: 'NOT_FOUND',
  file_not_found: 'NOT_FOUND',
  method_not_allowed: 'METHOD_NOT_ALLOWED',
  idempotency_pending: 'IDEMPOTENCY_PENDING',
  idempotency_mismatch: 'IDEMPOTENCY_MISMATCH',
  payload_too_large: 'PAYLOAD_TOO_LARGE',
  quota_exceeded: 'PAYLOAD_TOO_LARGE',
  unsupported_media_type: 'UNSUPPORTED_MEDIA_TYPE',
  rate_limit_exceeded: 'RATE_LIMIT_EXCEEDED',
  unavailable: 'SERVICE_UNAVAILABLE',
  internal: 'INTERNAL_ERROR',
};

export const errorAnswer = namedObject('V1Error', {
  data: { type: 'null' },
  meta: namedObject('V1ErrorMeta', { ...meta, request_id: text }),
  errors: listOf(
    namedObject('V1ErrorBody', {
      code: { type: 'string', description: 'What went wrong, for programs: `NOT_FOUND`.' },
      message: { type: 'string', description: 'What went wrong and what to do, for people.' },
      details: {
        type: 'object',
        description: 'What is wrong with which part of the request: `{"input.source": ["is required"]}`.',
        additionalProperties: listOf(text),
      },
    }),
  ),
});

/** A request that says the wrong thing is 422 here; one that cannot be read stays 400. */
export function statusOf({ status, code, details }: Omit<ErrorReport, 'requestId'>): number {
  return status === 400 && (code !== 'invalid_request' || details.length > 0) ? 422 : status;
}

export function presentError(report: ErrorReport): Json {
  const { code, message, details, requestId } = report;
  const isUnreadable = code === 'invalid_request' && statusOf(report) === 400;
  return {
    data: null,
    meta: { ...presentMeta(), request_id: requestId },
    errors: [
      {
        code: isUnreadable ? 'BAD_REQUEST' : (ERROR_CODES[code] ?? 'CONFLICT'),
        message: message === '' ? 'the request cannot be answered' : message,
        details: presentDetails(details),
      },
    ],
  };
}

/** `/input/source` as `input.source`; the whole of what was sent is `request`. */
function presentDetails(details: ErrorReport['details']): JsonObject {
  const byPath = new Map<string, string[]>();
  for (const { pointer, message, hint } of details) {
    const path = pointer.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~') || 'request';
    byPath.set(path, [...(byPath.get(path) ?? []), hint === undefined ? message : `${message}; ${hint}`]);
  }
  return Object.fromEntries(byPath);
}

function presentMeta(): JsonObject {
  return { version: VERSION, timestamp: presentTime(Date.now()) };
}

export function listAnswer(items: JsonObject): JsonObject {
  const pagination = namedObject('V1Pagination', {
    total_count: integer,
    cursor: { ...orNull(text), description: 'The `cursor` of the next page; null on the last.' },
    has_more: boolean,
  });
  const { title } = items;
  return namedObject(`${title}List`, {
    data: listOf(items),
    meta: { type: 'object', properties: { ...meta, pagination } },
  });
}

export function presentList(data: Json[], { total, cursor }: { total: number; cursor: string | null }): Json {
  const pagination = { total_count: total, cursor, has_more: cursor !== null };
  return { data, meta: { ...presentMeta(), pagination } };
}

const WORDS: Readonly<Record<RunStatus, StatusWord>> = {
  queued: 'pending',
  running: 'running',
  waiting: 'waiting_approval',
  held: 'paused',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
};

/** The status that a word stands for. */
export function readStatusWord(word: StatusWord): RunStatus {
  const statuses = Object.keys(WORDS) as RunStatus[]; // the keys that the type above names
  return statuses.find((status) => WORDS[status] === word)!;
}

const summary = {
  id: uuid,
  status: oneOf(...STATUS_WORDS),
  template: namedObject('V1RunTemplate', { id: uuid, name: text, version: integer }),
  trigger_type: text,
  owner: { type: 'string', description: 'The user whose credential started it.' },
  current_step: { ...orNull(text), description: 'The step that runs or is waited for; null when the run is over.' },
  retry_count: { type: 'integer', description: 'How often the run was retried.' },
  error_reason: { ...orNull(text), description: 'Why it failed, for programs: `approval_rejected`.' },
  error_message: orNull(text),
  cancellation: orNull(
    namedObject('V1Cancellation', { type: oneOf('cancel', 'terminate'), reason: orNull(text), by: text, at: time }),
  ),
  inserted_at: time,
  started_at: orNull(time),
  completed_at: orNull(time),
};

export const summaryAnswer = namedObject('V1RunSummary', summary);

export function presentSummary(run: RunSummary): JsonObject {
  const { cancellation, error } = run;
  return {
    id: run.id,
    status: WORDS[run.status],
    template: { id: run.definitionId, name: run.definitionName, version: run.version },
    trigger_type: run.trigger,
    owner: run.owner,
    current_step: findCurrentStep(run),
    retry_count: run.retries,
    error_reason: run.status === 'failed' ? (error?.code ?? null) : null,
    error_message: run.status === 'failed' ? (error?.message ?? null) : null,
    cancellation:
      cancellation === null
        ? null
        : {
            type: cancellation.type,
            reason: cancellation.reason ?? null,
            by: cancellation.by,
            at: presentTime(cancellation.at),
          },
    inserted_at: presentTime(run.createdAt),
    started_at: presentTime(run.startedAt),
    completed_at: presentTime(run.finishedAt),
  };
}

/** A step that is waited for in a run that waits; else one that is at work, else one that is about to be. */
function findCurrentStep({ open, status }: RunSummary): string | null {
  const order: OpenStatus[] = status === 'waiting' ? ['waiting'] : ['running', 'queued', 'waiting', 'pending'];
  for (const wanted of order) {
    const found = open.find((step) => step.status === wanted && (status !== 'waiting' || step.awaits === 'person'));
    if (found) return found.step;
  }
  return null;
}

const created = { ...summary, input: json, output: anything, progress_percent: integer };

export const createdAnswer = namedObject('V1CreatedRun', created);

/** The run as it was created, whatever has become of it since. */
export function presentCreated(run: RunDetails): JsonObject {
  const fresh: RunSummary = { ...run, status: 'queued', open: [], error: null, cancellation: null, retries: 0 };
  return {
    ...presentSummary({ ...fresh, startedAt: null, finishedAt: null }),
    input: run.input,
    output: null,
    progress_percent: 0,
  };
}

const step = namedObject('V1Step', {
  id: text,
  name: text,
  type: text,
  status: oneOf('pending', 'running', 'waiting', 'waiting_approval', 'completed', 'failed', 'undone', 'cancelled'),
  visit: { type: 'integer', description: 'Which time round, where the template leads back.' },
  attempts: integer,
  input: anything,
  output: anything,
  error: orNull(namedObject('V1StepError', { code: text, message: text })),
  started_at: orNull(time),
  completed_at: orNull(time),
});
const event = namedObject('V1Event', {
  id: text,
  sequence: { type: 'integer', description: 'From 1 on, without a gap.' },
  type: oneOf(...EVENT_NAMES),
  also: { ...listOf(oneOf(...EVENT_NAMES)), description: 'What else it stands for, as webhooks may subscribe to it.' },
  severity: oneOf(...SEVERITIES),
  actor: { type: 'string', description: 'A user, or `system`.' },
  reason: { ...orNull(text), description: 'As it was given; of a failure, its code.' },
  data: json,
  inserted_at: time,
});
const approval = namedObject('V1Approval', {
  id: uuid,
  step: text,
  visit: integer,
  status: oneOf('pending', 'approved', 'rejected', 'answered', 'expired', 'cancelled'),
  message: orNull(text),
  assignees: { ...listOf(text), description: 'Who alone may decide; empty: any editor.' },
  decision: { ...orNull(text), description: 'The action that was chosen.' },
  comment: orNull(text),
  decided_by: orNull(text),
  decided_at: orNull(time),
  due_at: orNull(time),
  inserted_at: time,
});

export const runAnswer = namedObject('V1Run', {
  ...created,
  steps: { ...listOf(step), description: 'The newest 1,000.' },
  steps_truncated: { type: 'boolean', description: 'There are older ones; `events` tell of all.' },
  events: { ...listOf(event), description: 'At most 1,000: the newest, or those after `after`.' },
  approvals: listOf(approval),
});

export function presentRun(run: RunDetails, events: EventRow[], names: ReadonlyMap<string, string>): Json {
  return {
    ...presentSummary(run),
    input: run.input,
    output: run.result,
    progress_percent: presentProgress(run),
    steps: run.steps.map((one) => presentStep(one, names)),
    steps_truncated: run.stepsTruncated,
    events: events.map((one) => presentEvent(run.id, one)),
    approvals: run.approvals.map(presentApproval),
  };
}

/** How many of the steps have completed; all only once the run has, since a run may leave some out. */
function presentProgress({ status, stepsDone, stepCount }: RunDetails): number {
  if (status === 'completed') return 100;
  return Math.min(99, Math.floor((100 * stepsDone) / Math.max(1, stepCount)));
}

/** The types that this face has words of its own for. */
const STEP_TYPES: Readonly<Record<string, string>> = { 'call-tool': 'task', 'request-user-action': 'approval' };

function presentStep(step: StepView, names: ReadonlyMap<string, string>): JsonObject {
  const { stepId, type, error, visit, attempt, input, output } = step;
  return {
    id: stepId,
    name: names.get(stepId) ?? stepId,
    type: STEP_TYPES[type] ?? type,
    status: presentStepStatus(step.status, type),
    visit,
    attempts: attempt,
    input,
    output,
    error: error === null ? null : { code: error.code, message: error.message },
    started_at: presentTime(step.startedAt),
    completed_at: presentTime(step.finishedAt),
  };
}

function presentStepStatus(status: StepRunStatus, type: string): string {
  if (status === 'queued') return 'pending';
  return status === 'waiting' && type === 'request-user-action' ? 'waiting_approval' : status;
}

function presentEvent(runId: string, event: EventRow): JsonObject {
  const { id, sequence, name, also, severity, actor, reason, data } = viewEvent(runId, event);
  return {
    id,
    sequence,
    type: name,
    also: [...also],
    severity,
    actor,
    reason,
    data: presentEventData(name, data),
    inserted_at: presentTime(event.at),
  };
}

function presentEventData(name: EventName, { type, pauseId, ...data }: JsonObject): JsonObject {
  const told = Object.fromEntries(Object.entries(data).map(([key, value]) => [snakeCase(key), value]));
  if (name === 'approval_requested') return { ...told, approval_id: pauseId! };
  return { ...told, ...(type === undefined ? {} : { type }), ...(pauseId === undefined ? {} : { pause_id: pauseId }) };
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function presentApproval(approval: ApprovalView): JsonObject {
  const { id, stepId, visit, status, spec, answer, answeredBy, closedAt, dueAt } = approval;
  const chosen = findChosen(spec, answer);
  const isDecided = status === 'answered' || (status === 'expired' && answer !== null);
  return {
    id,
    step: stepId,
    visit,
    status: status === 'open' ? 'pending' : status === 'answered' ? (chosen?.outcome ?? 'answered') : status,
    message: spec.message ?? null,
    assignees: spec.assignees ?? [],
    decision: chosen?.id ?? null,
    comment: answer?.comment ?? null,
    decided_by: answeredBy,
    decided_at: isDecided ? presentTime(closedAt) : null,
    due_at: presentTime(dueAt),
    inserted_at: presentTime(approval.openedAt),
  };
}

export const snapshotAnswer = namedObject('V1Snapshot', {
  id: {
    type: 'string',
    description: 'The `snapshot_id` of a rollback; also the id of the event after which it stands.',
  },
  sequence: integer,
  step: { type: 'string', description: 'The step that had just completed.' },
  visit: integer,
  created_at: time,
  state: namedObject('V1SnapshotState', {
    data: { type: 'object', description: 'The data of the run.' },
    open: {
      ...listOf(namedObject('V1OpenStep', { step: text, visit: integer, status: text })),
      description: 'What goes on from there, anew.',
    },
  }),
});

export function presentSnapshot(runId: string, { seq, step, visit, at, open, data }: SnapshotView): JsonObject {
  const steps = open.map((one) => ({ step: one.step, visit: one.visit, status: one.status }));
  const state = { data, open: steps };
  return { id: `${runId}.${seq}`, sequence: seq, step, visit, created_at: presentTime(at), state };
}

/** Number of the event that the id of a snapshot of this run names, or null. */
export function readSnapshotId(runId: string, id: string): number | null {
  const [, named, seq] = /^(.+)\.([1-9][0-9]{0,14})$/.exec(id) ?? [];
  return named?.toLowerCase() === runId ? Number(seq) : null;
}

const stepExplanation = namedObject('V1StepExplanation', {
  step: text,
  visit: integer,
  attempt: integer,
  reason: oneOf(...STEP_REASONS),
  message: { type: 'string', description: 'A plain sentence.' },
  since: time,
  until: { ...orNull(time), description: 'When it ends by itself.' },
  waits_for: { ...listOf(text), description: 'The people, or the steps, that alone can end it.' },
  ahead: { ...orNull(integer), description: 'How many steps are queued before it; counted to 1,001.' },
});

export const explanationAnswer = namedObject('V1Explanation', {
  id: uuid,
  status: oneOf(...STATUS_WORDS),
  reason: oneOf(...RUN_REASONS),
  message: { type: 'string', description: 'A plain sentence.' },
  until: orNull(time),
  steps: { ...listOf(stepExplanation), description: 'What is open, oldest first; at most 100.' },
});

export function presentExplanation({
  runId,
  status,
  ...told
}: Explanation & { runId: string; status: RunStatus }): Json {
  return {
    id: runId,
    status: WORDS[status],
    reason: told.reason,
    message: told.message,
    until: presentTime(told.until),
    steps: told.steps.map(presentStepExplanation),
  };
}

function presentStepExplanation(told: StepExplanation): JsonObject {
  const { step, visit, attempt, reason, message, since, until, waitsFor, ahead } = told;
  const times = { since: presentTime(since), until: presentTime(until) };
  return { step, visit, attempt, reason, message, ...times, waits_for: [...waitsFor], ahead };
}

const template = {
  id: uuid,
  key: { type: 'string', description: 'Stands for the id wherever one is asked for.' },
  name: text,
  description: orNull(text),
  status: oneOf('draft', 'testing', 'published', 'archived'),
  version: { type: 'integer', description: 'The latest, or the one shown.' },
  published_version: orNull(integer),
  created_by: text,
  inserted_at: time,
  updated_at: time,
};

export const templateSummaryAnswer = namedObject('V1TemplateSummary', template);

export function presentTemplateSummary(row: DefinitionRow): JsonObject {
  return {
    id: row.id,
    key: row.key,
    name: row.name,
    description: row.description,
    status: workflowStatus(row),
    version: row.latestVersion,
    published_version: row.publishedVersion,
    created_by: row.createdBy,
    inserted_at: presentTime(row.createdAt),
    updated_at: presentTime(row.updatedAt),
  };
}

/** The other keys of the definition stand beside these. */
export const templateAnswer = namedObject('V1Template', {
  ...template,
  variables: { type: 'object', description: 'What a run is to be given: a field map, or JSON Schema of an object.' },
  initialStep: text,
  steps: listOf(json),
  edges: listOf(json),
});

export function presentTemplate(row: DefinitionRow, { version, body }: VersionRow): Json {
  const { name, description = null, payload = {}, ...graph } = body;
  return {
    ...(graph as unknown as JsonObject), // a definition is JSON; its interface only has no index signature
    ...presentTemplateSummary(row),
    name,
    description,
    version,
    variables: payload,
  };
}

const webhook = {
  id: uuid,
  url: text,
  events: listOf(oneOf(...EVENT_NAMES)),
  status: oneOf('enabled', 'disabled'),
  disabled_reason: { ...orNull(text), description: '`gone`: the receiver answered 410; `by_hand`: somebody did it.' },
  created_by: text,
  inserted_at: time,
};
export const webhookAnswer = namedObject('V1Webhook', webhook);
export const newWebhookAnswer = namedObject('V1NewWebhook', {
  ...webhook,
  secret: {
    ...orNull(text),
    description: 'What messages are signed with, shown this once; null when it was sent along.',
  },
});

export function presentWebhook(row: WebhookRow): JsonObject {
  const { id, url, events, disabledAt, disabledReason, createdBy, createdAt } = row;
  return {
    id,
    url,
    events,
    status: disabledAt === null ? 'enabled' : 'disabled',
    disabled_reason: disabledReason,
    created_by: createdBy,
    inserted_at: presentTime(createdAt),
  };
}

const tried = namedObject('V1DeliveryAttempt', {
  at: time,
  duration_ms: integer,
  response_status: orNull(integer),
  response_body: { ...orNull(text), description: 'Its first 1,000 characters.' },
  error: orNull(text),
});
export const deliveryAnswer = namedObject('V1Delivery', {
  id: { ...uuid, description: 'Sent as `webhook-id`, the same with every attempt.' },
  event: oneOf(...EVENT_NAMES),
  run_id: uuid,
  sequence: { type: 'integer', description: 'Of the event.' },
  status: oneOf(...DELIVERY_WORDS),
  attempts: { type: 'integer', description: 'Since it was made, or sent again by hand.' },
  next_attempt_at: orNull(time),
  attempt_log: { ...listOf(tried), description: 'The newest 20, oldest first.' },
  inserted_at: time,
  completed_at: orNull(time),
});

const DELIVERIES: Readonly<Record<DeliveryStatus, DeliveryWord>> = {
  pending: 'pending',
  sending: 'sending',
  delivered: 'delivered',
  dead: 'dead_letter',
  cancelled: 'cancelled',
};

export function readDeliveryWord(word: DeliveryWord): DeliveryStatus {
  return word === 'dead_letter' ? 'dead' : word;
}

export function presentDelivery(row: DeliveryView): JsonObject {
  return {
    id: row.id,
    event: row.event,
    run_id: row.runId,
    sequence: row.seq,
    status: DELIVERIES[row.status],
    attempts: row.attempts,
    next_attempt_at: presentTime(row.nextTryAt),
    attempt_log: row.log.map(({ at, durationMs, status, body, error }) => ({
      at,
      duration_ms: durationMs,
      response_status: status,
      response_body: body,
      error,
    })),
    inserted_at: presentTime(row.createdAt),
    completed_at: presentTime(row.finishedAt),
  };
}

export const callbackAnswer = namedObject('V1CallbackAnswer', { status: oneOf('accepted') });
