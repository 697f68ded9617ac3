// Rows into the words of the executions face (API.md §3, seed 003): camelCase, bare objects and arrays, and before each the
// JSON Schema of what comes out, for OpenAPI; a test holds real answers against them. Pure and total. It has over
// 400 lines, since a schema and its presenter belong side by side.

import { type Explanation, RUN_REASONS, STEP_REASONS } from '../../core/explain.ts';
import type { JsonObject } from '../../core/json.ts';
import { LOG_LEVELS } from '../../core/log-lines.ts';
import { formatPosition, type LogEntry } from '../../core/log-places.ts';
import type { RunError, RunStatus, StepRunStatus } from '../../core/run.ts';
import type { FollowedEvent } from '../../store/followed-events.ts';
import type { NodeView, PodRun, PodRunSummary } from '../../store/pod-runs.ts';
import type { AttemptEnd, StoredLogLine } from '../../store/run-logs.ts';
import type { PauseView } from '../../store/run-views.ts';
import { anything, integer, json, listOf, namedObject, oneOf, orNull, text, time, uuid } from '../json-schema.ts';
import { presentTime } from '../times.ts';
import { STATUS_WORDS, type StatusWord, TRIGGERS } from './schemas.ts';

/** What the statuses of runs are called here. */
const WORDS: Readonly<Record<RunStatus, StatusWord>> = {
  queued: 'queued',
  running: 'running',
  waiting: 'suspended',
  held: 'suspended',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'cancelled',
};

/** The statuses that a word stands for. */
export function readStatusWord(word: StatusWord): RunStatus[] {
  return (Object.keys(WORDS) as RunStatus[]).filter((status) => WORDS[status] === word); // the keys that its type names
}

/** Types of steps that wait for people; others that wait do so for time, or for somebody outside. */
const ASKING: ReadonlySet<string> = new Set(['collect-inputs', 'request-user-action']);

export const nodeStatus = oneOf('queued', 'running', 'suspended', 'completed', 'failed', 'cancelled');

/** Of a step that was entered; `type` is its step's. */
export function presentNodeStatus(status: StepRunStatus, type: string): StatusWord {
  switch (status) {
    case 'pending':
    case 'queued':
      return 'queued';
    case 'waiting':
      return ASKING.has(type) ? 'suspended' : 'running';
    case 'undone':
      return 'cancelled';
    default:
      return status;
  }
}

export const executionError = namedObject('ExecutionError', {
  code: { type: 'string', description: 'For programs: `approval_rejected`.' },
  message: text,
  nodeId: { ...orNull(text), description: 'The node that failed, where it was one.' },
});

export function presentExecutionError({ code, message, step }: RunError): JsonObject {
  return { code, message, nodeId: step ?? null };
}

const nodeError = namedObject('NodeError', { code: text, message: text });

const nodeResult = namedObject(
  'NodeResult',
  {
    status: nodeStatus,
    output: anything,
    error: orNull(nodeError),
    durationMs: orNull(integer),
    attempts: integer,
    visit: { type: 'integer', description: 'Which time round, where the workflow leads back; the latest is shown.' },
    replayed: {
      const: true,
      description: 'It was not run here: its output is that of the execution that this one replays.',
    },
  },
  ['replayed'],
);

function presentNode({ type, status, output, error, durationMs, attempt, visit }: NodeView): JsonObject {
  return {
    status: presentNodeStatus(status, type),
    output,
    error: error && { code: error.code, message: error.message },
    durationMs,
    attempts: attempt,
    visit,
    ...(attempt === 0 ? { replayed: true } : {}),
  };
}

const action = namedObject(
  'InterruptAction',
  { id: text, label: text, outcome: oneOf('approved', 'rejected'), fields: json },
  ['outcome', 'fields'],
);

/** Why an execution is suspended: what a node asks, or that an operator holds it. */
export const interrupt = namedObject(
  'Interrupt',
  {
    type: { ...oneOf('approval', 'question', 'inputs', 'hold'), description: 'What is to be answered, if anything.' },
    id: uuid,
    nodeId: text,
    message: orNull(text),
    actions: { ...listOf(action), description: 'What an `approval` offers.' },
    options: { ...listOf(anything), description: 'What the answer to a `question` may be, where it is not free.' },
    fields: { type: 'object', description: 'What is asked for: a JSON Schema per field.' },
    assignees: { ...listOf(text), description: 'Who alone may answer.' },
    dueAt: orNull(time),
    createdAt: time,
    reason: { ...orNull(text), description: 'Why it is held.' },
  },
  ['id', 'nodeId', 'message', 'actions', 'options', 'fields', 'assignees', 'dueAt', 'createdAt', 'reason'],
);

export function presentPause({ id, stepId, spec, dueAt, openedAt }: PauseView): JsonObject {
  const { message = null, fields = {}, actions = [], assignees } = spec;
  const asked = { id, nodeId: stepId, message, ...(assignees === undefined ? {} : { assignees }) };
  const times = { dueAt: presentTime(dueAt), createdAt: presentTime(openedAt) };
  if (spec.type === 'request_user_action')
    return { type: 'approval', ...asked, actions: actions.map((one) => ({ ...one })), ...times };
  const question = findQuestion(fields);
  return question === null
    ? { type: 'inputs', ...asked, fields, ...times }
    : { type: 'question', ...asked, ...question, fields, ...times };
}

/** What asks for one field, `answer`, is a question. */
function findQuestion(fields: JsonObject): JsonObject | null {
  const [name, ...others] = Object.keys(fields);
  if (name !== 'answer' || others.length > 0) return null;
  const options = (fields['answer'] as JsonObject | null)?.['enum'];
  return options === undefined ? {} : { options };
}

function listInterrupts({
  status,
  holdReason,
  pauses,
}: Pick<PodRun, 'status' | 'holdReason' | 'pauses'>): JsonObject[] {
  if (WORDS[status] !== 'suspended') return [];
  const held = status === 'held' ? [{ type: 'hold', reason: holdReason }] : [];
  return [...held, ...pauses.map(presentPause)];
}

const summary = {
  id: uuid,
  workspaceId: uuid,
  podId: uuid,
  workflowId: uuid,
  version: { type: 'integer', description: 'The version of the workflow that it runs, to its end.' },
  status: oneOf(...STATUS_WORDS),
  triggeredBy: oneOf(...TRIGGERS),
  error: { ...orNull(executionError), description: 'Why it failed.' },
  cancellation: orNull(
    namedObject('ExecutionCancellation', {
      type: oneOf('cancel', 'terminate'),
      reason: orNull(text),
      by: text,
      at: time,
    }),
  ),
  replayOf: { ...orNull(uuid), description: 'The execution that this one replays.' },
  createdAt: time,
  startedAt: orNull(time),
  finishedAt: orNull(time),
};

export const executionSummaryAnswer = namedObject('ExecutionSummary', summary);

export function presentExecutionSummary(run: PodRunSummary): JsonObject {
  const { cancellation } = run;
  return {
    id: run.id,
    workspaceId: run.workspaceId,
    podId: run.podId,
    workflowId: run.definitionId,
    version: run.version,
    status: WORDS[run.status],
    triggeredBy: run.trigger,
    error: run.status === 'failed' && run.error ? presentExecutionError(run.error) : null,
    cancellation: cancellation && {
      type: cancellation.type,
      reason: cancellation.reason ?? null,
      by: cancellation.by,
      at: presentTime(cancellation.at),
    },
    replayOf: run.replayOf,
    createdAt: presentTime(run.createdAt),
    startedAt: presentTime(run.startedAt),
    finishedAt: presentTime(run.finishedAt),
  };
}

export const executionAnswer = namedObject('Execution', {
  ...summary,
  input: json,
  output: anything,
  nodeResults: {
    type: 'object',
    additionalProperties: nodeResult,
    description: 'By the id of the node: its latest visit.',
  },
  nodeResultsTruncated: { type: 'boolean', description: 'There are more than these, which are the newest.' },
  variables: { type: 'object', description: 'What expressions see as `data`, or as `variables`.' },
  interrupt: { ...orNull(interrupt), description: 'Why it is suspended: the oldest of its interrupts.' },
  interrupts: listOf(interrupt),
  replays: { ...listOf(uuid), description: 'The executions that replay this one, newest first; at most 100.' },
});

export function presentExecution(run: PodRun): JsonObject {
  const interrupts = listInterrupts(run);
  return {
    ...presentExecutionSummary(run),
    input: run.input,
    output: run.result,
    nodeResults: Object.fromEntries(run.nodes.map((node) => [node.stepId, presentNode(node)])),
    nodeResultsTruncated: run.nodesTruncated,
    variables: run.data,
    interrupt: interrupts[0] ?? null,
    interrupts,
    replays: run.replays,
  };
}

/** The execution as it was created, whatever has become of it since. */
export function presentCreated(run: PodRun): JsonObject {
  const since = { status: 'queued', error: null, cancellation: null, startedAt: null, finishedAt: null } as const;
  // What a replay copies is there from its beginning.
  const isReplay = run.replayOf !== null;
  const replayed = run.nodes.filter(({ attempt }) => attempt === 0);
  const data = isReplay ? run.data : run.input;
  return presentExecution({ ...run, ...since, data, result: null, nodes: replayed, pauses: [], replays: [] });
}

/** What the live stream tells of one event of an execution's history. */
export const executionEvent: JsonObject = {
  title: 'ExecutionEvent',
  anyOf: [
    namedObject(
      'NodeUpdate',
      {
        type: { const: 'node_update' },
        nodeId: text,
        status: nodeStatus,
        output: anything,
        error: nodeError,
        durationMs: integer,
      },
      ['output', 'error', 'durationMs'],
    ),
    namedObject('ExecutionSuspended', { type: { const: 'execution_suspended' }, interrupt }),
    namedObject('ExecutionComplete', {
      type: { const: 'execution_complete' },
      status: { const: 'completed' },
      output: anything,
    }),
    namedObject('ExecutionFailed', { type: { const: 'execution_failed' }, error: executionError }),
    namedObject('ExecutionCancelled', { type: { const: 'execution_cancelled' }, reason: orNull(text) }),
  ],
};

/** One event is one frame at most, or a reader that is cut between two would get one of them again. */
export function presentEvent(event: FollowedEvent): JsonObject | null {
  const { detail = {} } = event.data;
  switch (event.type) {
    case 'step.started':
      return presentUpdate(event, { status: 'running' });
    case 'step.completed':
      return presentUpdate(event, { status: 'completed', output: event.output });
    case 'step.failed':
      return presentUpdate(event, { status: 'failed', error: pickError(detail) });
    case 'step.paused':
      return event.pause === null
        ? presentUpdate(event, { status: 'running' })
        : { type: 'execution_suspended', interrupt: presentPause({ ...event.pause, stepId: event.step ?? '' }) };
    case 'attempt.failed':
      // Without another try the step's own failure follows.
      return detail['retryInMs'] === undefined
        ? null
        : presentUpdate(event, { status: 'queued', error: pickError(detail) });
    case 'lease.expired':
      return presentUpdate(event, { status: 'queued' });
    case 'run.held':
      return { type: 'execution_suspended', interrupt: { type: 'hold', reason: detail['reason'] ?? null } };
    case 'run.completed':
      return { type: 'execution_complete', status: 'completed', output: event.output };
    case 'run.failed':
      return { type: 'execution_failed', error: { ...pickError(detail), nodeId: detail['step'] ?? null } };
    case 'run.cancelled':
      return { type: 'execution_cancelled', reason: detail['reason'] ?? null };
    case 'run.created':
    case 'run.cancel_requested':
    case 'run.cancel_expired':
    case 'run.cleanup_started':
    case 'run.released':
    case 'run.retried':
    case 'run.rolled_back':
      return null;
  }
}

function presentUpdate({ step, durationMs }: FollowedEvent, what: JsonObject & { status: StatusWord }): JsonObject {
  return { type: 'node_update', nodeId: step, ...what, ...(durationMs === null ? {} : { durationMs }) };
}

function pickError({ code = '', message = '' }: JsonObject): JsonObject {
  return { code, message };
}

export const ticketAnswer = namedObject('StreamTicket', {
  ticket: { type: 'string', description: 'Shown this once.' },
  expiresAt: time,
});

export const logLineAnswer = namedObject('ExecutionLog', {
  id: { type: 'string', description: 'Its place; `after` takes it.' },
  executionId: uuid,
  nodeId: text,
  level: oneOf(...LOG_LEVELS),
  message: text,
  data: orNull(json),
  durationMs: { ...orNull(integer), description: 'Of an attempt that has ended.' },
  attempt: integer,
  timestamp: time,
});

export function presentLogEntry(executionId: string, entry: LogEntry<StoredLogLine, AttemptEnd>): JsonObject {
  const { stepId, level, attempt, at } = 'line' in entry ? entry.line : entry.end;
  const said = 'line' in entry ? { ...entry.line, durationMs: null } : describeEnd(entry.end);
  return {
    id: formatPosition(entry.position),
    executionId,
    nodeId: stepId,
    level,
    message: said.message,
    data: said.data,
    durationMs: said.durationMs,
    attempt,
    timestamp: presentTime(at),
  };
}

function describeEnd({ type, attempt, detail, durationMs }: AttemptEnd) {
  const { code, message, retryInMs } = detail;
  const data = Object.keys(detail).length === 0 ? null : detail;
  switch (type) {
    case 'step.completed':
      return { message: attempt > 1 ? `Completed at attempt ${attempt}` : 'Completed', data, durationMs };
    case 'lease.expired':
      return { message: 'Its worker was lost, or let go of it; another one takes over', data, durationMs };
    case 'attempt.failed': {
      const next = retryInMs === undefined ? '' : `; the next one is due in ${retryInMs} ms`;
      return { message: `Attempt ${attempt} failed with ${code}: ${message}${next}`, data, durationMs };
    }
    case 'step.failed':
      return { message: `Failed with ${code}: ${message}`, data, durationMs };
  }
}

const nodeExplanation = namedObject('NodeExplanation', {
  nodeId: text,
  visit: integer,
  attempt: integer,
  reason: oneOf(...STEP_REASONS),
  message: { type: 'string', description: 'A plain sentence.' },
  since: time,
  until: { ...orNull(time), description: 'When it ends by itself.' },
  waitsFor: { ...listOf(text), description: 'The people, or the nodes, that alone can end it.' },
  ahead: { ...orNull(integer), description: 'How many nodes are queued before it; counted to 1,001.' },
});

export const explanationAnswer = namedObject('ExecutionExplanation', {
  executionId: uuid,
  status: oneOf(...STATUS_WORDS),
  reason: oneOf(...RUN_REASONS),
  message: { type: 'string', description: 'A plain sentence.' },
  until: orNull(time),
  nodes: { ...listOf(nodeExplanation), description: 'What is open, oldest first; at most 100.' },
});

export function presentExplanation(told: Explanation & { runId: string; status: RunStatus }): JsonObject {
  const { runId, status, reason, message, until, steps } = told;
  return {
    executionId: runId,
    status: WORDS[status],
    reason,
    message,
    until: presentTime(until),
    nodes: steps.map(({ step, since, until, waitsFor, ...told }) => ({
      ...told,
      nodeId: step,
      since: presentTime(since),
      until: presentTime(until),
      waitsFor: [...waitsFor],
    })),
  };
}
