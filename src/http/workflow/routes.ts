// The workflow face (API.md §1): its URLs and bodies into engine verbs and store reads, and their answers through
// present.ts. Those about workflows themselves are definition-routes.ts. No rule of the engine is known here.

import { AppError } from '../../core/errors.ts';
import type { Actor } from '../../core/run.ts';
import type { Answer } from '../../core/step-type.ts';
import { answerRun } from '../../engine/answer-run.ts';
import { cancelRun, terminateRun } from '../../engine/control-run.ts';
import type { Engine } from '../../engine/engine.ts';
import { startRun } from '../../engine/start-run.ts';
import { startRunWithForm } from '../../engine/start-with-form.ts';
import { waitUntilSettled } from '../../engine/watch-run.ts';
import { isTransient } from '../../store/db.ts';
import { isUuid } from '../../store/definitions.ts';
import { findRunView, findRunWithHistory } from '../../store/run-views.ts';
import { findStepNames } from '../../store/step-names.ts';
import { locateInput } from '../errors.ts';
import { createFileRoutes } from '../files.ts';
import { readPreferredWait } from '../prefer.ts';
import { defineRoute, documentRoutes, type Face, type Reply, type Route, type RouteRequest } from '../route.ts';
import * as answers from './answers.ts';
import { DEFINITION_DOCS } from './definition-docs.ts';
import { definitionRoutes } from './definition-routes.ts';
import {
  presentCancellation,
  presentError,
  presentRunStatus,
  presentStarted,
  presentStatusWord,
  presentUnknown,
} from './present.ts';
import { RUN_DOCS } from './run-docs.ts';
import * as schemas from './schemas.ts';

const DOCS = { ...RUN_DOCS, ...DEFINITION_DOCS };

export function createWorkflowFace(engine: Engine): Face {
  return {
    name: 'workflow',
    prefixes: ['/'],
    routes: documentRoutes([...runRoutes(engine), ...definitionRoutes(engine), ...createFileRoutes(engine)], DOCS),
    presentError,
    errorSchema: answers.error,
  };
}

type StartRequest = RouteRequest<Record<string, never>, schemas.StartBody>;

function runRoutes(engine: Engine): Route[] {
  const start = ({ actor, params, body, form, idempotencyId }: StartRequest) => {
    const request = {
      actor,
      workflow: params['workflowId']!,
      trigger: 'api',
      ...(idempotencyId === undefined ? {} : { origin: `idempotency:${idempotencyId}` }),
    };
    // Once the run is committed its file is stored, and need not be in memory while its end is waited for.
    if (form !== undefined) return startRunWithForm(engine, request, form).finally(() => form.release());
    const version = body.version === undefined ? {} : { version: body.version };
    return startRun(engine, { ...request, input: body.data ?? {}, ...version }).catch(locateInput('/data'));
  };

  return [
    defineRoute({
      method: 'POST',
      path: '/api/workflow/start/:workflowId',
      role: 'editor',
      isStart: true,
      takesForm: true,
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
      isStart: true,
      takesForm: true,
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
