// JSON Schemas of what the workflow face answers, for OpenAPI: present.ts in another notation. A test holds real answers
// against them; requests are checked by schemas.ts.

import type { Json, JsonObject } from '../../core/json.ts';

const text: JsonObject = { type: 'string' };
const time: JsonObject = { type: 'string', format: 'date-time' };
const uuid: JsonObject = { type: 'string', format: 'uuid' };
const integer: JsonObject = { type: 'integer' };
const anything: JsonObject = {};
const json: JsonObject = { type: 'object' };
const number: JsonObject = { type: 'string', pattern: '^1\\.0\\.[0-9]+$' };

/** Everything is always there, but for what `optional` names. */
function object(title: string, properties: JsonObject, optional: string[] = []): JsonObject {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { title, type: 'object', properties, required };
}

function orNull(schema: JsonObject): JsonObject {
  return { anyOf: [schema, { type: 'null' }] };
}

function oneOf(...words: Json[]): JsonObject {
  return { enum: words };
}

export function listOf(items: JsonObject): JsonObject {
  return { type: 'array', items };
}

export const error = object('WorkflowError', {
  success: { const: false },
  error: object('WorkflowErrorBody', {
    code: { type: 'string', description: 'What went wrong, for programs: `WORKFLOW_NOT_FOUND`.' },
    message: { type: 'string', description: 'What went wrong and what to do, for people.' },
    details: listOf(
      object('Problem', { pointer: { type: 'string', format: 'json-pointer' }, message: text, hint: text }, ['hint']),
    ),
    requestId: text,
  }),
});

const status = oneOf('running', 'paused', 'completed', 'failed', 'cancelled');
const action = object('Action', { id: text, label: text, fields: json }, ['fields']);

export const pauseSignal = object(
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

const runError = object('RunError', { code: text, message: text, stepId: text }, ['stepId']);
const cancellation = object('Cancellation', {
  type: oneOf('cancel', 'terminate'),
  reason: orNull(text),
  by: text,
  at: time,
});

const historyEntry = object('StepExecution', {
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

const pauses = { pauseSignal: orNull(pauseSignal), pauseSignals: listOf(pauseSignal) };

export const started = object('StartedRun', { runId: uuid }, []);

export const settled = object(
  'SettledRun',
  { runId: uuid, status, data: json, result: anything, ...pauses, error: orNull(runError), cancellation },
  ['data', 'result', 'pauseSignal', 'pauseSignals', 'error', 'cancellation'],
);

export const runStatus = object(
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

export const resumed = object('ResumedRun', { runId: uuid, status });

export const stopped = object('StoppedRun', {
  success: { const: true },
  data: object('StoppedRunData', { runId: uuid, status, cancellation: orNull(cancellation) }),
});

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

export const workflowSummary = object('WorkflowSummary', summary);

/** The keys of the definition stand beside these. */
export const workflow = object('Workflow', {
  ...summary,
  uuid,
  createdBy: text,
  initialStep: text,
  steps: listOf(json),
  edges: listOf(json),
});

export const version = object('WorkflowVersion', {
  id: text,
  version: number,
  status: oneOf('draft', 'testing', 'published'),
  createdAt: time,
  createdBy: text,
  publishedAt: orNull(time),
  isLatest: { type: 'boolean' },
  isPublished: { type: 'boolean' },
});

export const inputSchema = object('WorkflowInput', {
  success: { const: true },
  data: object('WorkflowInputData', {
    workflowId: text,
    payload: { type: 'object', description: 'A field map, or JSON Schema when its `type` is `object`.' },
  }),
});
