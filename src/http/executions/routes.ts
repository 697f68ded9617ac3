// The executions face (API.md §3): each URL with its role, its schemas and what it does, into engine verbs and store reads;
// what may be sent is schemas.ts and the words of the answers are present.ts. That `:wId` is the caller's own workspace and
// `:podId` a pod that they may see is the dispatcher's to check; that what is named is in the pod is checked here. It has over
// 400 lines because it is a table: one entry a route, and whoever reads it knows the whole API.

import { AppError, type Problem } from '../../core/errors.ts';
import { formatPosition, LOG_START, mergeLog, readPosition } from '../../core/log-places.ts';
import type { Answer } from '../../core/step-type.ts';
import { answerRun } from '../../engine/answer-run.ts';
import { getDefinition } from '../../engine/change-definition.ts';
import { cancelRun } from '../../engine/control-run.ts';
import type { Engine } from '../../engine/engine.ts';
import { explainRun } from '../../engine/explain-run.ts';
import { replayRun } from '../../engine/replay-run.ts';
import type { RunStreams } from '../../engine/run-streams.ts';
import { startRun } from '../../engine/start-run.ts';
import { issueTicket } from '../../engine/stream-tickets.ts';
import { findRunHead } from '../../store/followed-events.ts';
import { findPodRun, isPodRun, listPodRuns, type PodRun } from '../../store/pod-runs.ts';
import type { Reader } from '../../store/readers.ts';
import { listAttemptEnds, listLogLines } from '../../store/run-logs.ts';
import { locateInput } from '../errors.ts';
import { listOf } from '../json-schema.ts';
import { answerPage } from '../page.ts';
import { defineRoute, type Face, type Reply, type Route, type RouteRequest } from '../route.ts';
import { isReadToEnd, NOTHING_LEFT, readLastEventId, replyWithEvents } from '../sse.ts';
import { presentStatusError, statusError } from '../status-error.ts';
import { presentTime } from '../times.ts';
import * as present from './present.ts';
import * as schemas from './schemas.ts';

const POD = '/workspaces/:wId/pods/:podId';
const EXECUTIONS = `${POD}/executions`;

const TAG = 'Executions';

const LOG_PAGE = 200;

export function createExecutionsFace(engine: Engine, streams: RunStreams): Face {
  const routes = [...executionRoutes(engine), ...watchingRoutes(engine, streams), ...changingRoutes(engine)];
  return {
    name: 'executions',
    // What is below `/workspaces` is another face's, whose errors look the same.
    prefixes: [],
    // The product this face speaks to has the same API under both prefixes.
    routes: routes.flatMap((route) => [route, { ...route, path: `/v1${route.path}` }]),
    presentError: presentStatusError,
    errorSchema: statusError,
  };
}

const shows = (description: string) => ({ description, schema: present.executionAnswer });

const CLIENT = {
  'X-Holdpoint-Client': {
    description: '`sdk` or `console`, as which they say who they are: shown as `triggeredBy` `sdk` and `manual`.',
    schema: { type: 'string' },
  },
};

function executionRoutes(engine: Engine): Route[] {
  return [
    defineRoute({
      method: 'POST',
      path: EXECUTIONS,
      role: 'editor',
      isStart: true,
      body: schemas.triggerBody,
      headers: CLIENT,
      tag: TAG,
      summary: 'Triggers an execution of a workflow of the pod',
      description: 'Answers as soon as it is stored, whatever becomes of it: `queued`.',
      successStatus: 201,
      responses: {
        201: shows('The execution, as it was created.'),
        404: { description: 'The pod has no such workflow, or the workflow no such version.' },
        409: { description: 'The workflow is archived.' },
      },
      examples: schemas.triggerExamples,
      async handler(request: RouteRequest<unknown, schemas.TriggerBody>): Promise<Reply> {
        const { actor, params, body, header, reader, idempotencyId } = request;
        const { runId } = await startRun(engine, {
          actor,
          workflow: body.workflowId,
          podId: params['podId']!,
          input: body.input ?? {},
          trigger: readClient(header('x-holdpoint-client')),
          ...(body.version === undefined ? {} : { version: String(body.version) }),
          ...originOf(idempotencyId),
        }).catch(locateInput('/input'));
        const run = await getExecution(reader, { podId: params['podId']!, runId });
        return { status: 201, body: present.presentCreated(run) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: EXECUTIONS,
      role: 'viewer',
      query: schemas.listQuery,
      tag: TAG,
      summary: 'Lists the executions of a pod, newest first',
      responses: { 200: { description: 'A page of executions.', schema: listOf(present.executionSummaryAnswer) } },
      examples: schemas.listExamples,
      async handler({ actor, params, query, reader }: RouteRequest<schemas.ListQuery>): Promise<Reply> {
        const { status, workflowId } = query;
        const podId = params['podId']!;
        const workflow =
          workflowId === undefined ? null : await getDefinition({ db: reader }, { actor, workflow: workflowId, podId });
        const filter = {
          podId,
          ...(status === undefined ? {} : { statuses: present.readStatusWord(status) }),
          ...(workflow === null ? {} : { definitionId: workflow.id }),
        };
        return answerPage(actor.workspaceId, query, {
          list: (page) => listPodRuns(reader, { ...filter, ...page }),
          idOf: ({ id }) => id,
          present: present.presentExecutionSummary,
        });
      },
    }),
    defineRoute({
      method: 'GET',
      path: `${EXECUTIONS}/:id`,
      role: 'viewer',
      tag: TAG,
      summary: 'An execution, with the results of its nodes',
      responses: { 200: shows('The execution.') },
      examples: schemas.showExamples,
      handler: (request: RouteRequest) => showExecution(request),
    }),
    defineRoute({
      method: 'GET',
      path: `${EXECUTIONS}/:id/explain`,
      role: 'viewer',
      tag: TAG,
      summary: 'Why an execution does not move',
      description: 'For each open node: whom or what it waits for and until when, or how it stands with the workers.',
      responses: {
        200: { description: 'What the execution and its open nodes wait for.', schema: present.explanationAnswer },
      },
      examples: schemas.explainExamples,
      async handler(request: RouteRequest): Promise<Reply> {
        const asked = { workspaceId: request.actor.workspaceId, runId: await requireExecution(request) };
        return { body: present.presentExplanation(await explainRun(engine, request.reader, asked)) };
      },
    }),
  ];
}

/** What an execution tells while it runs, and afterwards. */
function watchingRoutes(engine: Engine, streams: RunStreams): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: `${EXECUTIONS}/:id/events`,
      role: 'viewer',
      takesTicket: true,
      query: schemas.eventsQuery,
      headers: {
        'Last-Event-ID': {
          description: 'The `id:` of the last event that was read: what comes after it is sent.',
          schema: { type: 'string' },
        },
      },
      tag: TAG,
      summary: 'The events of an execution, live',
      description:
        'Server-sent events: each `data:` is one JSON object as below, each `id:` its number in the execution’s history; some ' +
        'are left out, and they ascend. Begins with the first event, or after `Last-Event-ID`, and goes on live. Ends when the ' +
        'execution has ended, and in any case after 10 minutes: come again with the last id, and nothing is lost or sent twice. ' +
        'Browsers, whose `EventSource` sends no headers, open it with a `ticket`.',
      responses: {
        200: {
          description: 'The events; this is the schema of one.',
          contentType: 'text/event-stream',
          schema: present.executionEvent,
        },
        204: { description: 'The execution has ended, and its last event was read: do not come again.' },
        429: { description: 'The workspace has too many streams open, or too many requests were made.' },
      },
      examples: schemas.eventsExamples,
      async handler(request: RouteRequest<schemas.EventsQuery>): Promise<Reply> {
        const { actor, params, query, header, reader, signal } = request;
        const runId = params['id']!.toLowerCase();
        const run = await findRunHead(reader, { workspaceId: actor.workspaceId, podId: params['podId']!, runId });
        if (run === null) throw executionNotFound();
        const after = readLastEventId(header('last-event-id'), query.lastEventId, run);
        if (isReadToEnd(after, run)) return NOTHING_LEFT;
        return replyWithEvents(streams.open({ actor, runId, after, signal }), present.presentEvent);
      },
    }),
    defineRoute({
      method: 'POST',
      path: `${EXECUTIONS}/:id/events/ticket`,
      role: 'viewer',
      body: schemas.ticketBody,
      tag: TAG,
      summary: 'A ticket for the live stream of an execution',
      description:
        'For a browser: `new EventSource("…/events?ticket=…")`. It is good for a minute, once, and for this execution.',
      successStatus: 201,
      responses: { 201: { description: 'The ticket.', schema: present.ticketAnswer } },
      examples: schemas.ticketExamples,
      async handler(request: RouteRequest): Promise<Reply> {
        const { ticket, expiresAt } = await issueTicket(engine, {
          actor: request.actor,
          runId: await requireExecution(request),
        });
        return { status: 201, body: { ticket, expiresAt: presentTime(expiresAt) }, shownOnce: ['ticket'] };
      },
    }),
    defineRoute({
      method: 'GET',
      path: `${EXECUTIONS}/:id/logs`,
      role: 'viewer',
      query: schemas.logsQuery,
      tag: TAG,
      summary: 'The log of an execution, oldest line first',
      description:
        'What handlers of nodes log, and a line for each attempt that has ended, in the order of time. May be read while the ' +
        'execution runs: go on after the `id` of the last line, and no line is missing or there twice. Only a line that was ' +
        'stored after it was read past comes later than its time.',
      responses: { 200: { description: 'A page of lines.', schema: listOf(present.logLineAnswer) } },
      examples: schemas.logsExamples,
      async handler(request: RouteRequest<schemas.LogsQuery>): Promise<Reply> {
        const { actor, query, reader } = request;
        const { nodeId, level, after, limit = LOG_PAGE } = query;
        const runId = await requireExecution(request);
        const position = after === undefined ? LOG_START : readPosition(after);
        const filter = {
          workspaceId: actor.workspaceId,
          runId,
          after: position,
          limit: limit + 1,
          ...(nodeId === undefined ? {} : { stepId: nodeId }),
          ...(level === undefined ? {} : { level }),
        };
        const [found, ends] = await Promise.all([listLogLines(reader, filter), listAttemptEnds(reader, filter)]);
        const entries = mergeLog({ ...found, ends }, { after: position, limit });
        const isMore = entries.length < found.lines.length + ends.length;
        return {
          body: entries.map((entry) => present.presentLogEntry(runId, entry)),
          headers: isMore ? { 'x-next-cursor': formatPosition(entries.at(-1)!.position) } : {},
        };
      },
    }),
  ];
}

/** What people do to an execution. */
function changingRoutes(engine: Engine): Route[] {
  return [
    defineRoute({
      method: 'PATCH',
      path: `${EXECUTIONS}/:id/respond`,
      role: 'editor',
      body: schemas.respondBody,
      tag: TAG,
      summary: 'Resumes a suspended execution',
      description:
        'With `approved` (and a `reason`), an `answer` or `data`, as its interrupt asks. An approval that is refused fails the ' +
        'execution, unless its workflow leads on from there. What does not fit changes nothing: it may be sent again.',
      responses: {
        200: shows('The execution, which goes on.'),
        409: { description: 'It is not suspended for this, was answered before, or several nodes ask: name one.' },
      },
      examples: schemas.respondExamples,
      async handler(request: RouteRequest<unknown, schemas.RespondBody>): Promise<Reply> {
        const { actor, body, idempotencyId } = request;
        const runId = await requireExecution(request);
        const answer = readAnswer(body);
        const node = body.nodeId === undefined ? {} : { stepId: body.nodeId };
        await answerRun(engine, { actor, runId, answer, ...node, idempotencyId }).catch(locateAnswer(body));
        return showExecution(request);
      },
    }),
    defineRoute({
      method: 'POST',
      path: `${EXECUTIONS}/:id/replay`,
      role: 'editor',
      isStart: true,
      body: schemas.replayBody,
      tag: TAG,
      summary: 'Runs a completed, failed or cancelled execution again, as a new one',
      description:
        'On the same version of the workflow, with the same input. With `fromNodeId`, it begins where that node was entered ' +
        'last: what had completed by then is copied, marked `replayed`, and not run again.',
      successStatus: 201,
      responses: {
        201: shows('The new execution, as it was created; `replayOf` is the other one.'),
        409: { description: 'The execution is not over, or its workflow is archived.' },
      },
      examples: schemas.replayExamples,
      async handler(request: RouteRequest<unknown, schemas.ReplayBody>): Promise<Reply> {
        const { actor, params, body, reader, idempotencyId } = request;
        const { fromNodeId } = body;
        const { runId } = await replayRun(engine, {
          actor,
          runId: await requireExecution(request),
          ...(fromNodeId === undefined ? {} : { fromStep: fromNodeId }),
          ...originOf(idempotencyId),
        }).catch(locateNode);
        const run = await getExecution(reader, { podId: params['podId']!, runId });
        return { status: 201, body: present.presentCreated(run) };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: `${EXECUTIONS}/:id`,
      role: 'editor',
      tag: TAG,
      summary: 'Cancels an execution',
      description:
        'At once when nothing of it runs; else what runs is told within two seconds, and has 30 to end. Cancelling again is ' +
        'answered the same.',
      successStatus: 204,
      responses: {
        204: { description: 'It is being cancelled, or is.' },
        409: { description: 'It has ended otherwise.' },
      },
      examples: schemas.cancelExamples,
      async handler(request: RouteRequest): Promise<Reply> {
        const { actor, idempotencyId } = request;
        await cancelRun(engine, { actor, runId: await requireExecution(request), idempotencyId }).catch(nameRefusal);
        return { status: 204, body: null };
      },
    }),
  ];
}

function readClient(name: string): string {
  return name === 'console' ? 'manual' : name === 'sdk' ? 'sdk' : 'api';
}

function originOf(idempotencyId: string | undefined): { origin?: string } {
  return idempotencyId === undefined ? {} : { origin: `idempotency:${idempotencyId}` };
}

type Asked = Pick<RouteRequest, 'actor' | 'params' | 'reader'>;

/** Throws `run_not_found` unless the pod has this execution; answers its id. */
async function requireExecution({ actor, params, reader }: Asked): Promise<string> {
  const runId = params['id']!.toLowerCase();
  if (!(await isPodRun(reader, { workspaceId: actor.workspaceId, podId: params['podId']!, runId })))
    throw executionNotFound();
  return runId;
}

async function getExecution(reader: Reader, { podId, runId }: { podId: string; runId: string }): Promise<PodRun> {
  const run = await findPodRun(reader, { workspaceId: reader.workspaceId, podId, runId });
  if (run === null) throw executionNotFound();
  return run;
}

function executionNotFound(): AppError {
  return new AppError('run_not_found', 'the pod has no execution with this id');
}

async function showExecution({ params, reader }: Asked): Promise<Reply> {
  const run = await getExecution(reader, { podId: params['podId']!, runId: params['id']! });
  return { body: present.presentExecution(run) };
}

/** For `catch`: the step to replay from is `fromNodeId` here. */
function locateNode(error: unknown): never {
  if (!(error instanceof AppError) || error.code !== 'invalid_request') throw error;
  const details = error.details.map((problem) => ({ ...problem, pointer: '/fromNodeId' }));
  throw new AppError(error.code, error.message, details, { cause: error });
}

/** What a response says to the node that asks. Throws `invalid_request` when that is nothing, or several things at once. */
function readAnswer(body: schemas.RespondBody): Answer {
  const problems = findContradictions(body);
  if (problems.length > 0) throw new AppError('invalid_request', 'the response says several things at once', problems);
  const { approved, actionId, reason, answer, data } = body;
  const fields = data === undefined ? {} : { data };
  if (approved !== undefined || actionId !== undefined) {
    const choice = actionId === undefined ? ({ outcome: approved ? 'approved' : 'rejected' } as const) : { actionId };
    return { type: 'request_user_action', ...choice, ...fields, ...(reason === undefined ? {} : { comment: reason }) };
  }
  if (answer !== undefined) return { type: 'collect_inputs', data: { answer } };
  if (data !== undefined) return { type: 'collect_inputs', data };
  const missing = {
    pointer: '/approved',
    message: 'is required',
    hint: 'or send answer or data, as the interrupt asks',
  };
  throw new AppError('invalid_request', 'the response says nothing: send approved, answer or data', [missing]);
}

function findContradictions({ approved, actionId, reason, answer, data }: schemas.RespondBody): Problem[] {
  const isChoice = approved !== undefined || actionId !== undefined;
  const problems: Problem[] = [];
  if (approved !== undefined && actionId !== undefined)
    problems.push({ pointer: '/actionId', message: 'cannot be beside approved', hint: 'send one of them' });
  if (answer !== undefined && (isChoice || data !== undefined))
    problems.push({
      pointer: '/answer',
      message: 'cannot be beside approved, actionId or data',
      hint: 'send one of them',
    });
  if (reason !== undefined && !isChoice && (answer !== undefined || data !== undefined))
    problems.push({ pointer: '/reason', message: 'stands beside approved or actionId only', hint: 'leave it out' });
  return problems;
}

/** For `catch`: what is wrong with an answer, in the words that it was sent in. */
function locateAnswer({ answer }: schemas.RespondBody): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof AppError)) throw error;
    const rename = ({ pointer, ...problem }: Problem): Problem => ({
      ...problem,
      pointer: locate(pointer, answer !== undefined),
    });
    throw new AppError(error.code, MESSAGES[error.code] ?? error.message, error.details.map(rename), { cause: error });
  };
}

/** For `catch`: a refusal in the words of this face. */
function nameRefusal(error: unknown): never {
  if (!(error instanceof AppError)) throw error;
  throw new AppError(error.code, MESSAGES[error.code] ?? error.message, error.details, { cause: error });
}

const MESSAGES: Readonly<Partial<Record<AppError['code'], string>>> = {
  run_finished: 'the execution is over, and takes nothing any more; replay it to run it again',
  ambiguous_pause: 'several nodes ask for this; say which one with nodeId',
  run_not_paused: 'the execution does not wait for such a response; its interrupts say what it waits for',
  already_answered: 'this node does not wait for an answer any more; the interrupts say which do',
};

const POINTERS: Readonly<Record<string, string>> = {
  '/outcome': '/approved',
  '/comment': '/reason',
  '/stepId': '/nodeId',
};

function locate(pointer: string, isAnswer: boolean): string {
  if (isAnswer && pointer.startsWith('/data/answer')) return pointer.slice('/data'.length);
  return POINTERS[pointer] ?? pointer;
}
