// Rows into the words of the workflow face (API.md §1, seeds 000 and 001), and before each the JSON Schema of what comes
// out, for OpenAPI; a test holds real answers against them. Pure and total: nothing here loads, fails or decides. It may
// have over 400 lines, since a schema and its presenter belong side by side.

import { type Explanation, RUN_REASONS, STEP_REASONS } from '../../core/explain.ts';
import { findInputFields } from '../../core/input-fields.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { workflowStatus } from '../../core/publishing.ts';
import type { Cancellation, RunError, RunStatus } from '../../core/run.ts';
import type { DefinitionRow, VersionRow } from '../../store/definitions.ts';
import type { PauseView, RunHistory, RunView, StepView } from '../../store/run-views.ts';
import {
  anything,
  boolean,
  integer,
  json,
  listOf,
  namedObject,
  oneOf,
  orNull,
  problem,
  text,
  time,
  uuid,
} from '../json-schema.ts';
import type { ErrorReport } from '../route.ts';
import { presentTime } from '../times.ts';

/** Versions are integers inside and semver here. */
const number = { type: 'string', pattern: '^1\\.0\\.[0-9]+$' };

/** The words of seed 001's table of errors, by our codes; other codes follow the same pattern. */
const ERROR_WORDS: Readonly<Record<string, string>> = {
  invalid_request: 'Invalid input',
  invalid_definition: 'Invalid input',
  invalid_input: 'Invalid input',
  unauthenticated: 'Unauthorized',
  forbidden: 'Forbidden',
  not_found: 'Not found',
  workflow_not_found: 'Workflow not found',
  version_not_found: 'Workflow not found',
  version_changed: 'Precondition failed',
  run_not_found: 'Workflow run not found',
  file_not_found: 'File not found',
  method_not_allowed: 'Method not allowed',
  payload_too_large: 'Payload too large',
  unsupported_media_type: 'Unsupported media type',
  quota_exceeded: 'Quota exceeded',
  rate_limit_exceeded: 'Too many requests',
  internal: 'Internal server error',
  unavailable: 'Service unavailable',
};
const ERROR_CODES: Readonly<Record<string, string>> = {
  unauthenticated: 'UNAUTHORIZED',
  internal: 'INTERNAL_SERVER_ERROR',
};

export const errorAnswer = namedObject('WorkflowError', {
  success: { const: false },
  error: namedObject('WorkflowErrorBody', {
    code: { type: 'string', description: 'What went wrong, for programs: `WORKFLOW_NOT_FOUND`.' },
    message: { type: 'string', description: 'What went wrong and what to do, for people.' },
    details: listOf(problem),
    requestId: text,
  }),
});

export function presentError({ code, message, details, requestId }: ErrorReport): Json {
  const words = ERROR_WORDS[code] ?? 'Conflict';
  return {
    success: false,
    error: {
      code: ERROR_CODES[code] ?? code.toUpperCase(),
      message: message === '' ? words : `${words}: ${message}`,
      details: details.map((problem) => ({ ...problem })),
      requestId,
    },
  };
}

const status = oneOf('running', 'paused', 'completed', 'failed', 'cancelled');

export type StatusWord = 'running' | 'paused' | 'completed' | 'failed' | 'cancelled';

export function presentStatusWord(status: RunStatus): StatusWord {
  switch (status) {
    case 'queued':
    case 'running':
      return 'running';
    case 'waiting':
    case 'held':
      return 'paused';
    default:
      return status;
  }
}

export const startedAnswer = namedObject('StartedRun', { runId: uuid }, []);

const action = namedObject('Action', { id: text, label: text, fields: json }, ['fields']);

const pauseSignal = namedObject(
  'PauseSignal',
  {
    type: oneOf('collect_inputs', 'request_user_action', 'hold'),
    id: { ...uuid, description: 'The `pauseId` of an answer.' },
    stepId: text,
    fields: { type: 'object', description: 'What `collect_inputs` asks for: a JSON Schema per field.' },
    actions: { ...listOf(action), description: 'What `request_user_action` offers.' },
    message: text,
    dueAt: time,
    reason: orNull(text),
  },
  ['id', 'stepId', 'fields', 'actions', 'message', 'dueAt', 'reason'],
);

const runError = namedObject('RunError', { code: text, message: text, stepId: text }, ['stepId']);
const cancellation = namedObject('Cancellation', {
  type: oneOf('cancel', 'terminate'),
  reason: orNull(text),
  by: text,
  at: time,
});

const pauses = { pauseSignal: orNull(pauseSignal), pauseSignals: listOf(pauseSignal) };

export const settledAnswer = namedObject(
  'SettledRun',
  { runId: uuid, status, data: json, result: anything, ...pauses, error: orNull(runError), cancellation },
  ['data', 'result', 'pauseSignal', 'pauseSignals', 'error', 'cancellation'],
);

/** The answer of a synchronous start: 202 while nobody can say more than that it runs. */
export function presentStarted(run: RunView): { status: number; body: Json } {
  const status = presentStatusWord(run.status);
  const head = { runId: run.id, status };
  switch (status) {
    case 'running':
      return { status: 202, body: head };
    case 'completed':
      return { status: 200, body: { ...head, data: run.data, result: run.result } };
    case 'paused':
      return { status: 200, body: { ...head, data: run.data, ...presentPauses(run) } };
    case 'failed':
      return { status: 200, body: { ...head, data: run.data, error: presentRunError(run.error) } };
    case 'cancelled':
      return { status: 200, body: { ...head, data: run.data, cancellation: presentCancellation(run.cancellation) } };
  }
}

/** The answer of a synchronous start whose run cannot be looked at just now. */
export function presentUnknown(runId: string): { status: number; body: Json } {
  return { status: 202, body: { runId, status: 'running' } };
}

const historyEntry = namedObject('StepExecution', {
  stepId: text,
  stepType: text,
  stepName: text,
  status: oneOf('running', 'completed', 'failed'),
  startTime: time,
  endTime: orNull(time),
  duration: { ...orNull(integer), description: 'Milliseconds.' },
  inputData: anything,
  outputData: anything,
  error: orNull(text),
  visit: integer,
  attempts: integer,
});

export const runStatusAnswer = namedObject(
  'RunStatus',
  {
    runId: uuid,
    workflowId: text,
    version: number,
    status,
    currentStepId: orNull(text),
    ...pauses,
    data: json,
    stepExecutionHistory: listOf(historyEntry),
    truncated: { const: true },
    next: { type: 'string', description: 'The `after` of the next page of a long history.' },
    result: anything,
    error: orNull(runError),
    cancellation,
    startTime: time,
    endTime: orNull(time),
  },
  ['truncated', 'next', 'cancellation'],
);

export function presentRunStatus(run: RunView & RunHistory, names: ReadonlyMap<string, string>): Json {
  return {
    runId: run.id,
    workflowId: run.definitionKey,
    version: presentVersion(run.version),
    status: presentStatusWord(run.status),
    currentStepId: findCurrentStep(run) ?? run.lastStepId,
    ...presentPauses(run),
    data: run.data,
    stepExecutionHistory: run.steps.map((step) => presentStep(step, names)),
    ...(run.truncated ? { truncated: true, next: run.next } : {}),
    result: run.result,
    error: presentRunError(run.error),
    ...(run.cancellation === null ? {} : { cancellation: presentCancellation(run.cancellation) }),
    startTime: presentTime(run.startedAt ?? run.createdAt),
    endTime: presentTime(run.finishedAt),
  };
}

const stepExplanation = namedObject('StepExplanation', {
  stepId: text,
  visit: integer,
  attempt: integer,
  reason: oneOf(...STEP_REASONS),
  message: { type: 'string', description: 'A plain sentence.' },
  since: time,
  until: { ...orNull(time), description: 'When it ends by itself.' },
  waitsFor: { ...listOf(text), description: 'The people, or the steps, that alone can end it.' },
  ahead: { ...orNull(integer), description: 'How many steps are queued before it; counted to 1,001.' },
});

export const explanationAnswer = namedObject('Explanation', {
  runId: uuid,
  status,
  reason: oneOf(...RUN_REASONS),
  message: { type: 'string', description: 'A plain sentence.' },
  until: orNull(time),
  steps: { ...listOf(stepExplanation), description: 'What is open, oldest first; at most 100.' },
});

export function presentExplanation(told: Explanation & { runId: string; status: RunStatus }): Json {
  const { runId, reason, message, until, steps } = told;
  return {
    runId,
    status: presentStatusWord(told.status),
    reason,
    message,
    until: presentTime(until),
    steps: steps.map(({ step, waitsFor, ...one }) => ({
      ...one,
      stepId: step,
      waitsFor: [...waitsFor],
      since: presentTime(one.since),
      until: presentTime(one.until),
    })),
  };
}

/** The step of the pause that is shown, else one that is at work, else one that is about to be. */
function findCurrentStep(run: RunView): string | undefined {
  const first = (isCurrent: (step: RunView['open'][number]) => boolean) => run.open.find(isCurrent)?.step;
  return (
    (presentStatusWord(run.status) === 'paused' ? run.pauses[0]?.stepId : undefined) ??
    first((step) => step.status === 'running') ??
    first((step) => step.status === 'queued') ??
    first((step) => step.status === 'waiting') ??
    first(() => true)
  );
}

function presentPauses(run: RunView): { pauseSignal: Json; pauseSignals: Json[] } {
  const hold: Json[] = run.status === 'held' ? [{ type: 'hold', reason: run.holdReason }] : [];
  const pauseSignals = [...hold, ...run.pauses.map(presentPause)];
  const isPaused = presentStatusWord(run.status) === 'paused';
  return { pauseSignal: isPaused ? (pauseSignals[0] ?? null) : null, pauseSignals };
}

function presentPause({ id, stepId, spec, dueAt }: PauseView): JsonObject {
  const asked: JsonObject =
    spec.type === 'collect_inputs'
      ? { fields: spec.fields ?? {} }
      : {
          actions: (spec.actions ?? []).map(({ id, label, fields }) => ({ id, label, ...(fields ? { fields } : {}) })),
        };
  return {
    type: spec.type,
    stepId,
    ...asked,
    id,
    ...(spec.message === undefined ? {} : { message: spec.message }),
    ...(dueAt === null ? {} : { dueAt: presentTime(dueAt) }),
  };
}

function presentStep(step: StepView, names: ReadonlyMap<string, string>): JsonObject {
  const start = step.startedAt ?? step.createdAt;
  return {
    stepId: step.stepId,
    stepType: step.type,
    stepName: names.get(step.stepId) ?? step.stepId,
    status: presentStepStatus(step),
    startTime: presentTime(start),
    endTime: presentTime(step.finishedAt),
    duration: step.finishedAt === null ? null : Math.max(0, step.finishedAt - start),
    inputData: step.input,
    outputData: step.output,
    error: step.status === 'cancelled' ? 'Cancelled' : (step.error?.message ?? null),
    visit: step.visit,
    attempts: step.attempt,
  };
}

function presentStepStatus({ status, error }: StepView): 'running' | 'completed' | 'failed' {
  switch (status) {
    case 'completed':
      return 'completed';
    case 'undone':
      return error === null ? 'completed' : 'failed';
    case 'failed':
    case 'cancelled':
      return 'failed';
    default:
      return 'running';
  }
}

export const resumedAnswer = namedObject('ResumedRun', { runId: uuid, status });

export const stoppedAnswer = namedObject('StoppedRun', {
  success: { const: true },
  data: namedObject('StoppedRunData', { runId: uuid, status, cancellation: orNull(cancellation) }),
});

export function presentStopped(runId: string, run: { status: RunStatus; cancellation: Cancellation | null }): Json {
  const data = { runId, status: presentStatusWord(run.status), cancellation: presentCancellation(run.cancellation) };
  return { success: true, data };
}

function presentCancellation(cancellation: Cancellation | null): Json {
  if (cancellation === null) return null;
  const { type, reason, by, at } = cancellation;
  return { type, reason: reason ?? null, by, at: presentTime(at) };
}

function presentRunError(error: RunError | null): Json {
  if (error === null) return null;
  return { code: error.code, message: error.message, ...(error.step === undefined ? {} : { stepId: error.step }) };
}

const summary = {
  id: { type: 'string', description: 'The workflow’s key.' },
  name: text,
  description: orNull(text),
  status: oneOf('draft', 'testing', 'published', 'archived'),
  version: number,
  publishedVersion: orNull(number),
  createdAt: time,
  updatedAt: time,
};

export const workflowSummaryAnswer = namedObject('WorkflowSummary', summary);

/** One workflow as lists show it; `version` is the latest. */
export function presentWorkflowSummary(row: DefinitionRow): JsonObject {
  return {
    id: row.key,
    name: row.name,
    description: row.description,
    status: workflowStatus(row),
    version: presentVersion(row.latestVersion),
    publishedVersion: row.publishedVersion === null ? null : presentVersion(row.publishedVersion),
    createdAt: presentTime(row.createdAt),
    updatedAt: presentTime(row.updatedAt),
  };
}

/** The keys of the definition stand beside these. */
export const workflowAnswer = namedObject('Workflow', {
  ...summary,
  uuid,
  createdBy: text,
  initialStep: text,
  steps: listOf(json),
  edges: listOf(json),
});

/** One version of a workflow: its definition, with what is known about it; `version` is the one shown. */
export function presentWorkflow(row: DefinitionRow, version: VersionRow): Json {
  const { name, description = null, ...graph } = version.body;
  return {
    ...(graph as unknown as JsonObject), // a definition is JSON; its interface only has no index signature
    ...presentWorkflowSummary(row),
    name,
    description,
    version: presentVersion(version.version),
    uuid: row.id,
    createdBy: row.createdBy,
  };
}

export const versionAnswer = namedObject('WorkflowVersion', {
  id: text,
  version: number,
  status: oneOf('draft', 'testing', 'published'),
  createdAt: time,
  createdBy: text,
  publishedAt: orNull(time),
  isLatest: boolean,
  isPublished: boolean,
});

export function presentVersionSummary(row: DefinitionRow, version: Omit<VersionRow, 'body'>): JsonObject {
  return {
    id: row.key,
    version: presentVersion(version.version),
    status: version.status,
    createdAt: presentTime(version.createdAt),
    createdBy: version.createdBy,
    publishedAt: presentTime(version.publishedAt),
    isLatest: version.version === row.latestVersion,
    isPublished: version.version === row.publishedVersion,
  };
}

/** Archived, or gone. */
export const doneAnswer = {
  type: 'object',
  properties: { success: { const: true } },
  required: ['success'],
} satisfies JsonObject;

export const inputSchemaAnswer = namedObject('WorkflowInput', {
  success: { const: true },
  data: namedObject('WorkflowInputData', {
    workflowId: text,
    payload: { type: 'object', description: 'A field map, or JSON Schema when its `type` is `object`.' },
  }),
});

/** What a run of this version is to be given: its `payload`, or what its first collect-inputs step asks for. */
export function presentInputSchema(row: DefinitionRow, version: VersionRow): Json {
  return { success: true, data: { workflowId: row.key, payload: findInputFields(version.body) } };
}

/** Version numbers are integers inside and semver here: 1 is `1.0.0`, 4 is `1.0.3`. */
export function presentVersion(version: number): string {
  return `1.0.${version - 1}`;
}
