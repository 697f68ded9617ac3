// The workflow face (API.md §1): each URL with its role, its schemas and what it does, into engine verbs and store reads;
// what may be sent is schemas.ts and the words of the answers are present.ts. No rule of the engine is known here. It has
// over 400 lines because it is a table: one entry a route, and whoever reads it knows the whole API.

import { AppError } from '../../core/errors.ts';
import type { Answer } from '../../core/step-type.ts';
import { answerRun } from '../../engine/answer-run.ts';
import { archiveDefinition, deleteArchivedDefinition, unarchiveDefinition } from '../../engine/archive-definition.ts';
import { getDefinition } from '../../engine/change-definition.ts';
import { cloneDefinition } from '../../engine/clone-definition.ts';
import { cancelRun, terminateRun } from '../../engine/control-run.ts';
import { createDefinition } from '../../engine/create-definition.ts';
import type { Engine } from '../../engine/engine.ts';
import { explainRun } from '../../engine/explain-run.ts';
import { openFile } from '../../engine/open-file.ts';
import { publishDefinition } from '../../engine/publish-definition.ts';
import { startRun } from '../../engine/start-run.ts';
import { startRunWithForm } from '../../engine/start-with-form.ts';
import { updateDefinition } from '../../engine/update-definition.ts';
import { waitUntilSettled } from '../../engine/watch-run.ts';
import { isTransient } from '../../store/db.ts';
import { findVersion, isUuid, listDefinitions, listVersions, resolveVersion } from '../../store/definitions.ts';
import { findRunView, findRunWithHistory } from '../../store/run-views.ts';
import { findStepNames } from '../../store/step-names.ts';
import { describeDownload } from '../download.ts';
import { locateInput } from '../errors.ts';
import { readIfMatch } from '../if-match.ts';
import { listOf } from '../json-schema.ts';
import { readPreferredWait } from '../prefer.ts';
import { defineRoute, type Face, type Reply, type Route, type RouteRequest } from '../route.ts';
import * as present from './present.ts';
import * as schemas from './schemas.ts';

export function createWorkflowFace(engine: Engine): Face {
  return {
    name: 'workflow',
    prefixes: ['/'],
    routes: [...runRoutes(engine), ...definitionRoutes(engine), fileRoute(engine)],
    presentError: present.presentError,
    errorSchema: present.errorAnswer,
  };
}

const RUNS = 'Runs';
const WORKFLOWS = 'Workflows';
const FILES = 'Files';

const DEFINITION_LIMIT = 5 * 1_048_576;
const PAGE = 50;
const VERSIONS_PAGE = 1_000;

const TOTAL = { description: 'How many there are in all.', schema: { type: 'integer' } };
const ETAG = { description: 'The version, for `If-Match`.', schema: { type: 'string' } };
const PREFER = { description: '`wait=N`: wait at most so many seconds, 1 to 300.', schema: { type: 'string' } };
const IF_MATCH = { description: 'The version that the change was made for.', schema: { type: 'string' } };
const ARCHIVED = { description: 'The workflow is archived: unarchive it first.' };
const UNSTARTABLE = {
  description: 'The workflow is archived, or a request with this `Idempotency-Key` is still running.',
};
const shows = (description: string) => ({ description, schema: present.workflowAnswer, headers: { etag: ETAG } });
const pageOf = (description: string, schema: typeof present.versionAnswer) => ({
  description,
  schema: listOf(schema),
  headers: { 'x-total-count': TOTAL },
});

type StartRequest = RouteRequest<unknown, schemas.StartBody>;
type UpdateRequest = RouteRequest<unknown, schemas.UpdateBody>;
/** Who reads, and with what. */
type Asker = Pick<RouteRequest, 'actor' | 'reader'>;

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
      headers: { Prefer: PREFER },
      tag: RUNS,
      summary: 'Starts a run and waits for it',
      description:
        'Answers when the run has ended or waits for somebody, or after 60 seconds (`Prefer: wait=N`). The run is stored ' +
        'before anything is awaited: it goes on whether or not anybody listens. `version` is `latest` (default), ' +
        '`published`, `1.0.3` or `3`.',
      responses: {
        200: { description: 'The run has ended, or is paused; `status` says which.', schema: present.settledAnswer },
        202: { description: 'The run goes on; ask for its status.', schema: present.settledAnswer },
        409: UNSTARTABLE,
      },
      examples: schemas.startExamples,
      async handler(request: StartRequest): Promise<Reply> {
        const { runId } = await start(request);
        const { workspaceId } = request.actor;
        const wait = readPreferredWait(request.header('prefer'));
        await waitUntilSettled(engine, { runId, workspaceId, timeoutMs: wait.timeoutMs, signal: request.signal });
        const run = await findRunView(request.reader, { workspaceId, runId }).catch(hideOutage);
        const answer = run === null ? present.presentUnknown(runId) : present.presentStarted(run);
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
      tag: RUNS,
      summary: 'Starts a run',
      description: 'Answers as soon as the run is stored. `version` as for a start that waits.',
      responses: { 200: { description: 'The run.', schema: present.startedAnswer }, 409: UNSTARTABLE },
      examples: schemas.startAsyncExamples,
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
      tag: RUNS,
      summary: 'Where a run is, and how it came there',
      description:
        'The newest 1,000 entries of the history; when there are more, `after` with the answer’s `next` gives them.',
      responses: { 200: { description: 'The run.', schema: present.runStatusAnswer } },
      examples: schemas.statusExamples,
      async handler({ actor, params, query, reader }: RouteRequest<schemas.StatusQuery>): Promise<Reply> {
        const { workspaceId } = actor;
        const run = await findRunWithHistory(reader, { workspaceId, runId: params['runId']!, ...query });
        if (run === null) throw runNotFound();
        return { body: present.presentRunStatus(run, await findStepNames(reader, run)) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/workflow/status/:runId/explain',
      role: 'viewer',
      tag: RUNS,
      summary: 'Why a run does not move',
      description: 'For each open step: whom or what it waits for and until when, or how it stands with the workers.',
      responses: {
        200: { description: 'What the run and its open steps wait for.', schema: present.explanationAnswer },
      },
      examples: schemas.explainExamples,
      async handler({ actor, params, reader }): Promise<Reply> {
        const asked = { workspaceId: actor.workspaceId, runId: params['runId']! };
        return { body: present.presentExplanation(await explainRun(engine, reader, asked)) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflow/resume/:runId',
      role: 'editor',
      body: schemas.resumeBody,
      tag: RUNS,
      summary: 'Answers a pause',
      description:
        'Exactly one answer to a pause wins. An answer that does not fit leaves the pause open. With several pauses of the ' +
        'same type open, `stepId` or `pauseId` says which is meant.',
      responses: {
        200: { description: 'The answer is stored, and the run goes on.', schema: present.resumedAnswer },
        409: { description: 'Nobody is waited for, the pause was answered before, or several are open.' },
      },
      examples: schemas.resumeExamples,
      async handler(request: RouteRequest<unknown, schemas.ResumeBody>): Promise<Reply> {
        const { actor, idempotencyId } = request;
        const runId = requireRunId(request.params['runId']!);
        const { stepId, pauseId, ...rest } = request.body;
        const answer: Answer = rest;
        const target = { ...(stepId === undefined ? {} : { stepId }), ...(pauseId === undefined ? {} : { pauseId }) };
        const { status } = await answerRun(engine, { actor, runId, answer, ...target, idempotencyId });
        return { body: { runId, status: present.presentStatusWord(status) } };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflow/management/cancel',
      role: 'editor',
      body: schemas.controlBody,
      tag: RUNS,
      summary: 'Cancels a run, with its clean-up',
      description:
        'No new steps begin; the running one is told, and has 30 seconds; then the definition’s `onCancel` step runs. ' +
        'Cancelling again is answered the same.',
      responses: stops('It is being cancelled, or is.'),
      examples: schemas.cancelExamples,
      handler: (request: ControlRequest) => control(request, (command) => cancelRun(engine, command)),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflow/management/terminate',
      role: 'editor',
      body: schemas.controlBody,
      tag: RUNS,
      summary: 'Ends a run at once',
      description: 'Without clean-up; what steps in flight still bring is refused.',
      responses: stops('It is cancelled.'),
      examples: schemas.terminateExamples,
      handler: (request: ControlRequest) => control(request, (command) => terminateRun(engine, command)),
    }),
  ];
}

const stops = (description: string) => ({
  200: { description, schema: present.stoppedAnswer },
  404: { description: 'There is no such run, or it is not of this workflow.' },
  409: { description: 'The run has ended.' },
});

type ControlRequest = RouteRequest<unknown, schemas.ControlBody>;
type Verb = (command: Parameters<typeof cancelRun>[1]) => ReturnType<typeof cancelRun>;

async function control({ actor, body, idempotencyId }: ControlRequest, verb: Verb): Promise<Reply> {
  const runId = requireRunId(body.runId);
  const { status, cancellation } = await verb({
    actor,
    runId,
    idempotencyId,
    ...(body.workflowId === undefined ? {} : { workflow: body.workflowId }),
    ...(body.reason === undefined ? {} : { reason: body.reason }),
  });
  return { body: present.presentStopped(runId, { status, cancellation }) };
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

function definitionRoutes(engine: Engine): Route[] {
  const show = async (asker: Asker, workflow: string, selector?: string): Promise<Reply> => {
    const { row, version } = await getVersion(asker, { workflow, selector });
    const etag = `"${present.presentVersion(version.version)}"`;
    return { body: present.presentWorkflow(row, version), headers: { etag } };
  };

  return [
    defineRoute({
      method: 'GET',
      path: '/api/workflow/metadata/input/:workflowId',
      role: 'viewer',
      query: schemas.versionQuery,
      tag: WORKFLOWS,
      summary: 'What a run is to be given',
      description: 'The workflow’s `payload`; without one, what its first collect-inputs step asks for.',
      responses: { 200: { description: 'The input.', schema: present.inputSchemaAnswer } },
      examples: schemas.inputExamples,
      async handler({ actor, params, query, reader }: RouteRequest<schemas.VersionQuery>): Promise<Reply> {
        const asked = { workflow: params['workflowId']!, selector: query.version };
        const { row, version } = await getVersion({ actor, reader }, asked);
        return { body: present.presentInputSchema(row, version) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/workflows',
      role: 'viewer',
      query: schemas.listQuery,
      tag: WORKFLOWS,
      summary: 'Lists workflows, newest update first',
      description: '`search` looks into names and descriptions. Archived ones are left out unless asked for.',
      responses: { 200: pageOf('A page of workflows.', present.workflowSummaryAnswer) },
      examples: schemas.listExamples,
      async handler({ actor, query, reader }: RouteRequest<schemas.ListQuery>): Promise<Reply> {
        const page = { limit: PAGE, offset: 0, ...query, workspaceId: actor.workspaceId };
        const { rows, total } = await listDefinitions(reader, page);
        return { body: rows.map(present.presentWorkflowSummary), headers: { 'x-total-count': String(total) } };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflows',
      role: 'editor',
      body: schemas.definitionBody,
      bodyLimit: DEFINITION_LIMIT,
      tag: WORKFLOWS,
      summary: 'Creates a workflow',
      description:
        'It becomes a draft of version 1.0.0, with a key made from its name. A definition that is wrong is refused with ' +
        'every problem at once, each with its place and a hint.',
      successStatus: 201,
      responses: { 201: shows('The workflow.') },
      examples: schemas.createExamples,
      async handler({ actor, body, idempotencyId, reader }: RouteRequest): Promise<Reply> {
        const named = idempotencyId === undefined ? {} : { id: idempotencyId };
        const { id } = await createDefinition(engine, { actor, definition: body, ...named });
        return { ...(await show({ actor, reader }, id)), status: 201 };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/workflows/:id',
      role: 'viewer',
      query: schemas.versionQuery,
      tag: WORKFLOWS,
      summary: 'One workflow, with its definition',
      responses: { 200: shows('The workflow, as it is in the version asked for; default the latest.') },
      examples: schemas.showExamples,
      async handler({ actor, params, query, reader }: RouteRequest<schemas.VersionQuery>): Promise<Reply> {
        return show({ actor, reader }, params['id']!, query.version);
      },
    }),
    defineRoute({
      method: 'PUT',
      path: '/api/workflows/:id',
      role: 'editor',
      body: schemas.updateBody,
      bodyLimit: DEFINITION_LIMIT,
      headers: { 'If-Match': IF_MATCH },
      tag: WORKFLOWS,
      summary: 'Adds a version',
      description:
        'Takes a whole definition, or only the keys that change (`null` takes one away). Every update is a new version, ' +
        'also when nothing changed; runs stay on theirs. With `If-Match`, an update that would overwrite somebody else’s ' +
        'is refused.',
      responses: {
        200: shows('The workflow, in its new version.'),
        409: ARCHIVED,
        412: { description: 'There is a newer version than `If-Match` names: get it, and change that one.' },
      },
      examples: schemas.updateExamples,
      async handler({ actor, params, body, header, idempotencyId, reader }: UpdateRequest): Promise<Reply> {
        const { status, ...changes } = body;
        const expected = readIfMatch(header('if-match'));
        const { id, version } = await updateDefinition(engine, {
          actor,
          workflow: params['id']!,
          changes,
          ...(status === undefined ? {} : { status }),
          ...(expected === null ? {} : { expected }),
          ...(idempotencyId === undefined ? {} : { requestId: idempotencyId }),
        });
        return show({ actor, reader }, id, `${version}`);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/workflows/:id/versions',
      role: 'viewer',
      query: schemas.versionsQuery,
      tag: WORKFLOWS,
      summary: 'The versions of a workflow, newest first',
      responses: { 200: pageOf('A page of versions.', present.versionAnswer) },
      examples: schemas.versionsExamples,
      async handler({ actor, params, query, reader }: RouteRequest<schemas.VersionsQuery>): Promise<Reply> {
        const row = await getDefinition({ db: reader }, { actor, workflow: params['id']! });
        const page = { limit: VERSIONS_PAGE, offset: 0, ...query, definitionId: row.id };
        const { rows, total } = await listVersions(reader, page);
        const body = rows.map((version) => present.presentVersionSummary(row, version));
        return { body, headers: { 'x-total-count': String(total) } };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflows/:id/publish',
      role: 'editor',
      body: schemas.publishBody,
      tag: WORKFLOWS,
      summary: 'Publishes a version',
      description: 'The latest, or the one named. Publishing another version later replaces it.',
      responses: { 200: shows('The workflow.'), 409: ARCHIVED },
      examples: schemas.publishExamples,
      async handler(request: RouteRequest<unknown, schemas.PublishBody>): Promise<Reply> {
        const { id } = await publishDefinition(engine, { ...nameWorkflow(request), ...request.body });
        return show(request, id);
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflows/:id/clone',
      role: 'editor',
      body: schemas.cloneBody,
      tag: WORKFLOWS,
      summary: 'Copies a workflow',
      successStatus: 201,
      responses: { 201: shows('The copy: a draft of version 1.0.0.') },
      examples: schemas.cloneExamples,
      async handler({
        actor,
        params,
        body,
        idempotencyId,
        reader,
      }: RouteRequest<unknown, schemas.CloneBody>): Promise<Reply> {
        const named = idempotencyId === undefined ? {} : { id: idempotencyId };
        const { id } = await cloneDefinition(engine, { actor, workflow: params['id']!, ...body, ...named });
        return { ...(await show({ actor, reader }, id)), status: 201 };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/workflows/:id',
      role: 'editor',
      body: schemas.noBody,
      tag: WORKFLOWS,
      summary: 'Archives a workflow',
      description: 'Runs in flight go on; new ones are refused. Archiving it again is answered the same.',
      responses: { 200: { description: 'It is archived.', schema: present.doneAnswer } },
      examples: schemas.archiveExamples,
      async handler(request: RouteRequest): Promise<Reply> {
        await archiveDefinition(engine, nameWorkflow(request));
        return { body: { success: true } };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflows/:id/unarchive',
      role: 'editor',
      body: schemas.noBody,
      tag: WORKFLOWS,
      summary: 'Takes a workflow out of the archive',
      responses: { 200: shows('The workflow.'), 409: { description: 'The workflow is not archived.' } },
      examples: schemas.unarchiveExamples,
      async handler(request: RouteRequest): Promise<Reply> {
        const { id } = await unarchiveDefinition(engine, nameWorkflow(request));
        return show(request, id);
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/workflows/:id/permanent',
      role: 'owner',
      body: schemas.noBody,
      tag: WORKFLOWS,
      summary: 'Deletes an archived workflow for good',
      description: 'With its versions, its finished runs and their files; they go within minutes.',
      responses: {
        200: { description: 'It is gone.', schema: present.doneAnswer },
        409: { description: 'The workflow is not archived, or has unfinished runs.' },
      },
      examples: schemas.deleteExamples,
      async handler(request: RouteRequest): Promise<Reply> {
        await deleteArchivedDefinition(engine, nameWorkflow(request));
        return { body: { success: true } };
      },
    }),
  ];
}

/** The workflow that a request is about. */
function nameWorkflow({ actor, params, idempotencyId }: RouteRequest) {
  return { actor, workflow: params['id']!, idempotencyId };
}

/** Throws `workflow_not_found`, `version_not_found`. */
async function getVersion(
  { actor, reader }: Asker,
  { workflow, selector }: { workflow: string; selector: string | undefined },
) {
  const row = await getDefinition({ db: reader }, { actor, workflow });
  const number = resolveVersion(row, selector);
  const version = number === null ? null : await findVersion(reader, { definitionId: row.id, version: number });
  if (version === null)
    throw new AppError('version_not_found', 'the workflow has no such version; leave it out for the latest');
  return { row, version };
}

function fileRoute(engine: Engine): Route {
  return defineRoute({
    method: 'GET',
    path: '/api/files/:fileId',
    role: 'viewer',
    tag: FILES,
    summary: 'Download a file that a run was started with',
    responses: { 200: { description: 'The content, as an attachment', contentType: 'application/octet-stream' } },
    examples: schemas.fileExamples,
    async handler({ actor, params, reader }: RouteRequest): Promise<Reply> {
      const { workspaceId } = actor;
      const opened = await openFile(engine, { workspaceId, fileId: params['fileId']!, reader });
      if (opened === null) throw new AppError('file_not_found', 'no file here has this id');
      return { headers: describeDownload(opened.file), body: opened.content };
    },
  });
}
