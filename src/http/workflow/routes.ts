// The workflow face (API.md §1): its URLs and bodies into engine verbs and store reads, and their answers through
// present.ts. No rule of the engine is known here.

import { AppError } from '../../core/errors.ts';
import type { Actor } from '../../core/run.ts';
import type { Answer } from '../../core/step-type.ts';
import { answerRun } from '../../engine/answer-run.ts';
import { cancelRun, terminateRun } from '../../engine/control-run.ts';
import { createDefinition } from '../../engine/create-definition.ts';
import type { Engine } from '../../engine/engine.ts';
import { publishDefinition } from '../../engine/publish-definition.ts';
import { startRun } from '../../engine/start-run.ts';
import { waitUntilSettled } from '../../engine/watch-run.ts';
import { isTransient } from '../../store/db.ts';
import { findDefinition, findVersion, isUuid, listDefinitions, resolveVersion } from '../../store/definitions.ts';
import { findRunView, findRunWithHistory } from '../../store/run-views.ts';
import { findStepNames } from '../../store/step-names.ts';
import { readPreferredWait } from '../prefer.ts';
import { defineRoute, type Face, type Reply, type Route, type RouteRequest } from '../route.ts';
import {
  presentCancellation,
  presentError,
  presentInputSchema,
  presentRunStatus,
  presentStarted,
  presentStatusWord,
  presentUnknown,
  presentWorkflow,
  presentWorkflowSummary,
} from './present.ts';
import * as schemas from './schemas.ts';

const DEFINITION_LIMIT = 5 * 1_048_576;
const PAGE = 50;

export function createWorkflowFace(engine: Engine): Face {
  return {
    name: 'workflow',
    prefixes: ['/'],
    routes: [...runRoutes(engine), ...definitionRoutes(engine)],
    presentError,
  };
}

type StartRequest = RouteRequest<Record<string, never>, schemas.StartBody>;

function runRoutes(engine: Engine): Route[] {
  const start = ({ actor, params, body }: StartRequest) =>
    startRun(engine, {
      actor,
      workflow: params['workflowId']!,
      input: body.data ?? {},
      trigger: 'api',
      ...(body.version === undefined ? {} : { version: body.version }),
    });

  return [
    defineRoute({
      method: 'POST',
      path: '/api/workflow/start/:workflowId',
      role: 'editor',
      body: schemas.startBody,
      async handler(request: StartRequest): Promise<Reply> {
        const { runId } = await start(request);
        const { workspaceId } = request.actor;
        const wait = readPreferredWait(request.header('prefer'));
        await waitUntilSettled(engine, { runId, workspaceId, timeoutMs: wait.timeoutMs, signal: request.signal });
        const run = await findRunView(engine.db, { workspaceId, runId }).catch(hideOutage);
        const answer = run === null ? presentUnknown(runId) : presentStarted(run);
        return { ...answer, headers: wait.headers };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflow/start-async/:workflowId',
      role: 'editor',
      body: schemas.startBody,
      async handler(request: StartRequest): Promise<Reply> {
        const { runId } = await start(request);
        return { body: { runId } };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/workflow/status/:runId',
      role: 'viewer',
      query: schemas.statusQuery,
      async handler({ actor, params, query }: RouteRequest<schemas.StatusQuery>): Promise<Reply> {
        const { workspaceId } = actor;
        const run = await findRunWithHistory(engine.db, { workspaceId, runId: params['runId']!, ...query });
        if (run === null) throw runNotFound();
        return { body: presentRunStatus(run, await findStepNames(engine.db, run)) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflow/resume/:runId',
      role: 'editor',
      body: schemas.resumeBody,
      async handler({ actor, params, body }: RouteRequest<unknown, schemas.ResumeBody>): Promise<Reply> {
        const runId = requireRunId(params['runId']!);
        const { stepId, pauseId, ...answer } = body;
        const target = { ...(stepId === undefined ? {} : { stepId }), ...(pauseId === undefined ? {} : { pauseId }) };
        const { status } = await answerRun(engine, { actor, runId, answer: answer satisfies Answer, ...target });
        return { body: { runId, status: presentStatusWord(status) } };
      },
    }),
    controlRoute('/api/workflow/management/cancel', (command) => cancelRun(engine, command)),
    controlRoute('/api/workflow/management/terminate', (command) => terminateRun(engine, command)),
  ];
}

type Control = (command: {
  actor: Actor;
  runId: string;
  workflow?: string;
  reason?: string;
}) => ReturnType<typeof cancelRun>;

function controlRoute(path: string, control: Control): Route {
  return defineRoute({
    method: 'POST',
    path,
    role: 'editor',
    body: schemas.controlBody,
    async handler({ actor, body }: RouteRequest<Record<string, never>, schemas.ControlBody>): Promise<Reply> {
      const runId = requireRunId(body.runId);
      const { status, cancellation } = await control({
        actor,
        runId,
        ...(body.workflowId === undefined ? {} : { workflow: body.workflowId }),
        ...(body.reason === undefined ? {} : { reason: body.reason }),
      });
      const data = { runId, status: presentStatusWord(status), cancellation: presentCancellation(cancellation) };
      return { body: { success: true, data } };
    },
  });
}

function definitionRoutes(engine: Engine): Route[] {
  const show = async (actor: Actor, workflow: string, selector?: string) => {
    const { row, version } = await getVersion(engine, { actor, workflow, selector });
    return presentWorkflow(row, version);
  };

  return [
    defineRoute({
      method: 'GET',
      path: '/api/workflow/metadata/input/:workflowId',
      role: 'viewer',
      query: schemas.versionQuery,
      async handler({ actor, params, query }: RouteRequest<schemas.VersionQuery>): Promise<Reply> {
        const { row, version } = await getVersion(engine, {
          actor,
          workflow: params['workflowId']!,
          selector: query.version,
        });
        return { body: presentInputSchema(row, version) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/workflows',
      role: 'viewer',
      query: schemas.listQuery,
      async handler({ actor, query }: RouteRequest<schemas.ListQuery>): Promise<Reply> {
        const page = { limit: PAGE, offset: 0, ...query, workspaceId: actor.workspaceId };
        const { rows, total } = await listDefinitions(engine.db, page);
        return { body: rows.map(presentWorkflowSummary), headers: { 'x-total-count': String(total) } };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflows',
      role: 'editor',
      body: schemas.definitionBody,
      bodyLimit: DEFINITION_LIMIT,
      async handler({ actor, body }: RouteRequest): Promise<Reply> {
        const { id } = await createDefinition(engine, { actor, definition: body });
        return { status: 201, body: await show(actor, id) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/workflows/:id',
      role: 'viewer',
      query: schemas.versionQuery,
      async handler({ actor, params, query }: RouteRequest<schemas.VersionQuery>): Promise<Reply> {
        return { body: await show(actor, params['id']!, query.version) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflows/:id/publish',
      role: 'editor',
      body: schemas.publishBody,
      async handler({ actor, params, body }: RouteRequest<Record<string, never>, schemas.PublishBody>): Promise<Reply> {
        const { id } = await publishDefinition(engine, { actor, workflow: params['id']!, ...body });
        return { body: await show(actor, id) };
      },
    }),
  ];
}

/** Throws `workflow_not_found`, `version_not_found`. */
async function getVersion(
  engine: Engine,
  { actor, workflow, selector }: { actor: Actor; workflow: string; selector: string | undefined },
) {
  const row = await findDefinition(engine.db, { workspaceId: actor.workspaceId, idOrKey: workflow });
  if (row === null) throw new AppError('workflow_not_found', 'no workflow here has this id or key');
  const number = resolveVersion(row, selector);
  const version = number === null ? null : await findVersion(engine.db, { definitionId: row.id, version: number });
  if (version === null)
    throw new AppError('version_not_found', 'the workflow has no such version; leave it out for the latest');
  return { row, version };
}

/** The run is committed: losing sight of it is no reason to keep its id from the caller, who would start another. */
function hideOutage(error: unknown): null {
  if (isTransient(error)) return null;
  throw error;
}

function requireRunId(text: string): string {
  if (!isUuid(text)) throw runNotFound();
  return text.toLowerCase();
}

function runNotFound(): AppError {
  return new AppError('run_not_found', 'no run here has this id');
}
