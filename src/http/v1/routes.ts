// The v1 face (API.md §2): each URL with its role, its schemas and what it does, into engine verbs and store reads; what may
// be sent is schemas.ts and the words of the answers are present.ts. No rule of the engine is known here. It has over
// 400 lines because it is a table: one entry a route, and whoever reads it knows the whole API.

import { AppError } from '../../core/errors.ts';
import type { Json } from '../../core/json.ts';
import type { Actor } from '../../core/run.ts';
import { answerCallback } from '../../engine/answer-callback.ts';
import { getDefinition } from '../../engine/change-definition.ts';
import { type ControlRequest, cancelRun, holdRun, releaseRun, retryRun } from '../../engine/control-run.ts';
import { createDefinition } from '../../engine/create-definition.ts';
import { decideApproval } from '../../engine/decide-approval.ts';
import type { Engine } from '../../engine/engine.ts';
import { explainRun } from '../../engine/explain-run.ts';
import { publishDefinition } from '../../engine/publish-definition.ts';
import { listRunSnapshots, rollbackRun } from '../../engine/rollback-run.ts';
import { startRun } from '../../engine/start-run.ts';
import { startSequence } from '../../engine/start-sequence.ts';
import { updateDefinition } from '../../engine/update-definition.ts';
import { createWebhook, endWebhook, redeliver, switchWebhook } from '../../engine/webhooks.ts';
import { findVersion, isUuid, listDefinitions } from '../../store/definitions.ts';
import { listDeliveries } from '../../store/delivery-views.ts';
import { listEvents } from '../../store/events.ts';
import type { Reader } from '../../store/readers.ts';
import { findRunDetails, listRuns, type RunScope } from '../../store/run-details.ts';
import { findStepNames } from '../../store/step-names.ts';
import { findWebhook, listWebhooks } from '../../store/webhooks.ts';
import { requireRole } from '../auth.ts';
import { locateInput } from '../errors.ts';
import { defineRoute, type Face, type Reply, type Route, type RouteRequest } from '../route.ts';
import * as present from './present.ts';
import * as schemas from './schemas.ts';

export function createV1Face(engine: Engine): Face {
  return {
    name: 'v1',
    prefixes: ['/api/v1'],
    routes: [
      ...runRoutes(engine),
      ...controlRoutes(engine),
      ...snapshotRoutes(engine),
      ...templateRoutes(engine),
      ...webhookRoutes(engine),
    ].map(withRefusals),
    presentError: present.presentError,
    statusOf: present.statusOf,
    errorSchema: present.errorAnswer,
  };
}

const RUNS = 'v1: runs';
const TEMPLATES = 'v1: templates';
const WEBHOOKS = 'v1: webhooks';

const PAGE = 20;
const EVENTS = 1_000;
const DEFINITION_LIMIT = 5 * 1_048_576;

/** What this face says with statuses of its own. */
const REFUSALS = {
  400: { description: 'The request cannot be read: its syntax, its headers.' },
  422: { description: 'The request says something wrong; `details` maps each part of it to what is wrong there.' },
};

function withRefusals(route: Route): Route {
  return { ...route, responses: { ...REFUSALS, ...route.responses } };
}

const shows = (description: string) => ({ description, schema: present.runAnswer });
const showsTemplate = (description: string) => ({ description, schema: present.templateAnswer });

type Asker = Pick<RouteRequest, 'actor' | 'reader'>;
type StartRequest = RouteRequest<unknown, schemas.StartBody>;

function runRoutes(engine: Engine): Route[] {
  const start = ({ actor, body, idempotencyId }: StartRequest): Promise<{ runId: string }> => {
    const { template, sequence } = readStart(body);
    const input = body.input ?? {};
    const asked = { actor, input, trigger: 'api' };
    const named = idempotencyId === undefined ? {} : { id: idempotencyId };
    if (sequence !== undefined) return startSequence(engine, { ...asked, sequence, ...named });
    const origin = idempotencyId === undefined ? {} : { origin: `idempotency:${idempotencyId}` };
    return startRun(engine, { ...asked, workflow: template, version: 'published', ...origin })
      .catch(locateInput('/input'))
      .catch(nameUnpublished);
  };

  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/workflows',
      role: 'editor',
      isStart: true,
      body: schemas.startBody,
      tag: RUNS,
      summary: 'Starts a run',
      description:
        'Of a published template, with `input` for its variables; or of `steps` that are written out for this run alone, and ' +
        'run one after the other. Answers as soon as the run is stored.',
      successStatus: 201,
      responses: {
        201: { description: 'The run, as it was created.', schema: present.createdAnswer },
        404: { description: 'There is no such template, or it is not published.' },
      },
      examples: schemas.startExamples,
      async handler(request: StartRequest): Promise<Reply> {
        const { runId } = await start(request);
        const run = await findRunDetails(request.reader, { workspaceId: request.actor.workspaceId, runId });
        return { status: 201, body: present.presentCreated(run!) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/workflows',
      role: 'viewer',
      query: schemas.listQuery,
      tag: RUNS,
      summary: 'Lists the caller’s own runs, newest first',
      responses: { 200: { description: 'A page of runs.', schema: present.listAnswer(present.summaryAnswer) } },
      examples: schemas.listExamples,
      async handler({ actor, query, reader }: RouteRequest<schemas.ListQuery>): Promise<Reply> {
        const { status, cursor, limit = PAGE, offset = 0 } = query;
        const { rows, total, hasMore } = await listRuns(reader, {
          ...scopeOf(actor, query),
          limit,
          offset,
          ...(status === undefined ? {} : { statuses: [present.readStatusWord(status)] }),
          ...(cursor === undefined ? {} : { before: cursor }),
        });
        const next = hasMore ? rows.at(-1)!.id : null;
        return { body: present.presentList(rows.map(present.presentSummary), { total, cursor: next }) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/workflows/:id',
      role: 'viewer',
      query: schemas.showQuery,
      tag: RUNS,
      summary: 'A run with its steps, events and approvals',
      responses: { 200: shows('The run.') },
      examples: schemas.showExamples,
      handler: ({ actor, params, query, reader }: RouteRequest<schemas.ShowQuery>) =>
        show(reader, { ...scopeOf(actor, query), runId: params['id']!, after: query.after }),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/workflows/:id/explain',
      role: 'viewer',
      query: schemas.scopeQuery,
      tag: RUNS,
      summary: 'Why a run does not move',
      description: 'For each open step: whom or what it waits for and until when, or how it stands with the workers.',
      responses: {
        200: { description: 'What the run and its open steps wait for.', schema: present.explanationAnswer },
      },
      examples: schemas.explainExamples,
      async handler({ actor, params, query, reader }: RouteRequest<schemas.ScopeQuery>): Promise<Reply> {
        const asked = { ...scopeOf(actor, query), runId: params['id']! };
        return { body: present.presentExplanation(await explainRun(engine, reader, asked)) };
      },
    }),
  ];
}

type Control = (engine: Engine, request: ControlRequest) => Promise<unknown>;

function controlRoutes(engine: Engine): Route[] {
  const control = async (
    request: RouteRequest<schemas.ScopeQuery, schemas.ReasonBody>,
    verb: Control,
  ): Promise<Reply> => {
    const { actor, params, query, body, reader, idempotencyId } = request;
    const runId = requireRunId(params['id']!);
    await verb(engine, { actor, runId, idempotencyId, ...ownerOf(actor, query), ...body });
    return show(reader, { ...scopeOf(actor, query), runId });
  };
  const decide = async (
    { actor, params, body, reader, idempotencyId }: RouteRequest<unknown, schemas.DecisionBody>,
    outcome: 'approved' | 'rejected',
  ): Promise<Reply> => {
    const runId = requireRunId(params['id']!);
    const approvalId = params['approval_id']!.toLowerCase();
    await decideApproval(engine, { actor, runId, approvalId, outcome, idempotencyId, ...body });
    return show(reader, { workspaceId: actor.workspaceId, runId });
  };
  type Asked = RouteRequest<schemas.ScopeQuery, schemas.ReasonBody>;
  type Decided = RouteRequest<unknown, schemas.DecisionBody>;

  return [
    defineRoute({
      method: 'POST',
      path: '/api/v1/workflows/:id/pause',
      role: 'editor',
      query: schemas.scopeQuery,
      body: schemas.reasonBody,
      tag: RUNS,
      summary: 'Pauses a run',
      description:
        'The step in flight finishes and is kept; nothing after it begins. An approval that is decided meanwhile is kept, and ' +
        'moves nothing. Pausing again is answered the same.',
      responses: {
        200: shows('The run is paused.'),
        409: { description: 'The run has ended, or is being cancelled.' },
      },
      examples: schemas.pauseExamples,
      handler: (request: Asked) => control(request, holdRun),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/workflows/:id/resume',
      role: 'editor',
      query: schemas.scopeQuery,
      body: schemas.reasonBody,
      tag: RUNS,
      summary: 'Lets a paused run go on',
      description: 'From what is stored, whatever has become of the processes that began it.',
      responses: { 200: shows('The run goes on.'), 409: { description: 'The run is not paused.' } },
      examples: schemas.resumeExamples,
      handler: (request: Asked) => control(request, releaseRun),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/workflows/:id/cancel',
      role: 'editor',
      query: schemas.scopeQuery,
      body: schemas.reasonBody,
      tag: RUNS,
      summary: 'Cancels a run, with its clean-up',
      description:
        'No new steps begin; the running one is told, and has 30 seconds; then the template’s `onCancel` step runs. Open ' +
        'approvals are closed. Cancelling again is answered the same.',
      responses: { 200: shows('It is being cancelled, or is.'), 409: { description: 'The run has ended otherwise.' } },
      examples: schemas.cancelExamples,
      handler: (request: Asked) => control(request, cancelRun),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/workflows/:id/retry',
      role: 'editor',
      query: schemas.scopeQuery,
      body: schemas.reasonBody,
      tag: RUNS,
      summary: 'Retries a run that failed or was cancelled',
      description:
        'Under its own id, from the step that failed or was interrupted; what completed is kept. What was rejected is asked ' +
        'anew, as another approval.',
      responses: {
        200: shows('The run goes on.'),
        409: { description: 'The run has not failed, nor was it cancelled.' },
      },
      examples: schemas.retryExamples,
      handler: (request: Asked) => control(request, retryRun),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/workflows/:id/approvals/:approval_id/approve',
      role: 'editor',
      body: schemas.decisionBody,
      tag: RUNS,
      summary: 'Approves',
      description:
        'By any editor, or by its assignees where it has some. The same again, by the same user, is answered the same.',
      responses: {
        200: shows('It is approved, and the run goes on.'),
        409: { description: 'It was decided before, or is over.' },
      },
      examples: schemas.approveExamples,
      handler: (request: Decided) => decide(request, 'approved'),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/workflows/:id/approvals/:approval_id/reject',
      role: 'editor',
      body: schemas.decisionBody,
      tag: RUNS,
      summary: 'Rejects',
      description:
        'The run fails with the reason `approval_rejected`, unless its template leads on from a rejection. The same again, by ' +
        'the same user, is answered the same.',
      responses: { 200: shows('It is rejected.'), 409: { description: 'It was decided before, or is over.' } },
      examples: schemas.rejectExamples,
      handler: (request: Decided) => decide(request, 'rejected'),
    }),
  ];
}

function snapshotRoutes(engine: Engine): Route[] {
  type Asked = RouteRequest<schemas.ScopeQuery, schemas.RollbackBody>;

  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/workflows/:id/snapshots',
      role: 'viewer',
      query: schemas.snapshotsQuery,
      tag: RUNS,
      summary: 'The states of a run that one may go back to, newest first',
      description:
        'One for every step that completed and was not undone since: what was open then, and the data of the run.',
      responses: { 200: { description: 'A page of snapshots.', schema: present.listAnswer(present.snapshotAnswer) } },
      examples: schemas.snapshotsExamples,
      async handler({ actor, params, query, reader }: RouteRequest<schemas.SnapshotsQuery>): Promise<Reply> {
        const { limit = PAGE, cursor } = query;
        const runId = requireRunId(params['id']!);
        const page = { limit, ...(cursor === undefined ? {} : { before: Number(cursor) }) };
        const asked = { ...scopeOf(actor, query), runId, ...page };
        const { rows, total, hasMore } = await listRunSnapshots(engine, reader, asked);
        const next = hasMore ? String(rows.at(-1)!.seq) : null;
        const shown = rows.map((row) => present.presentSnapshot(runId, row));
        return { body: present.presentList(shown, { total, cursor: next }) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/workflows/:id/rollback',
      role: 'editor',
      query: schemas.scopeQuery,
      body: schemas.rollbackBody,
      tag: RUNS,
      summary: 'Takes a run back to a snapshot',
      description:
        'A run that is paused or over goes on from there. What has come since is undone, and stays in its history; steps that ' +
        'run again do so as another visit.',
      responses: {
        200: shows('The run goes on from the snapshot.'),
        404: { description: 'There is no such run or snapshot, or it was undone.' },
        409: { description: 'The run is neither paused nor over, or has changed meanwhile.' },
      },
      examples: schemas.rollbackExamples,
      async handler({ actor, params, query, body, reader, idempotencyId }: Asked): Promise<Reply> {
        const runId = requireRunId(params['id']!);
        const { snapshot_id: id, ...reason } = body;
        const to = present.readSnapshotId(runId, id);
        if (to === null) throw new AppError('not_found', 'the run has no such snapshot; list those it has');
        await rollbackRun(engine, { actor, runId, to, idempotencyId, ...ownerOf(actor, query), ...reason });
        return show(reader, { ...scopeOf(actor, query), runId });
      },
    }),
  ];
}

function templateRoutes(engine: Engine): Route[] {
  const showVersion = async ({ actor, reader }: Asker, workflow: string, wanted?: number): Promise<Reply> => {
    const row = await getDefinition({ db: reader }, { actor, workflow });
    const version = await findVersion(reader, { definitionId: row.id, version: wanted ?? row.latestVersion });
    return { body: present.presentTemplate(row, version!) };
  };

  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/workflow_templates',
      role: 'viewer',
      query: schemas.listTemplatesQuery,
      tag: TEMPLATES,
      summary: 'Lists templates, newest update first',
      responses: {
        200: { description: 'A page of templates.', schema: present.listAnswer(present.templateSummaryAnswer) },
      },
      examples: schemas.listTemplatesExamples,
      async handler({ actor, query, reader }: RouteRequest<schemas.ListTemplatesQuery>): Promise<Reply> {
        const { cursor, limit = PAGE, ...filter } = query;
        const offset = cursor === undefined ? (filter.offset ?? 0) : Number(cursor);
        const page = { ...filter, limit, offset, workspaceId: actor.workspaceId };
        const { rows, total } = await listDefinitions(reader, page);
        const end = offset + rows.length;
        const next = end < total && rows.length > 0 ? String(end) : null;
        return { body: present.presentList(rows.map(present.presentTemplateSummary), { total, cursor: next }) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/workflow_templates',
      role: 'editor',
      body: schemas.templateBody,
      bodyLimit: DEFINITION_LIMIT,
      tag: TEMPLATES,
      summary: 'Creates a template',
      description: 'It becomes a draft, version 1: publish it before runs are started from it.',
      successStatus: 201,
      responses: { 201: showsTemplate('The template.') },
      examples: schemas.createTemplateExamples,
      async handler({
        actor,
        body,
        idempotencyId,
        reader,
      }: RouteRequest<unknown, schemas.TemplateBody>): Promise<Reply> {
        const named = idempotencyId === undefined ? {} : { id: idempotencyId };
        const asked = { actor, definition: readTemplate(body), ...named };
        const { id } = await createDefinition(engine, asked).catch(locateVariables);
        return { ...(await showVersion({ actor, reader }, id)), status: 201 };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/workflow_templates/:id',
      role: 'viewer',
      tag: TEMPLATES,
      summary: 'One template, in its latest version',
      responses: { 200: showsTemplate('The template.') },
      examples: schemas.showTemplateExamples,
      handler: (request: RouteRequest) => showVersion(request, request.params['id']!),
    }),
    defineRoute({
      method: 'PUT',
      path: '/api/v1/workflow_templates/:id',
      role: 'editor',
      body: schemas.updateTemplateBody,
      bodyLimit: DEFINITION_LIMIT,
      tag: TEMPLATES,
      summary: 'Adds a version to a template',
      description:
        'Takes a whole template, or only the keys that change (`null` takes one away). Runs stay on the version they began on, ' +
        'and new ones get the published one.',
      responses: { 200: showsTemplate('The template, in its new version.'), 409: { description: 'It is archived.' } },
      examples: schemas.updateTemplateExamples,
      async handler({
        actor,
        params,
        body,
        idempotencyId,
        reader,
      }: RouteRequest<unknown, schemas.TemplateBody>): Promise<Reply> {
        const { status, ...changes } = body;
        const { id, version } = await updateDefinition(engine, {
          actor,
          workflow: params['id']!,
          changes: readTemplate(changes),
          ...(status === undefined ? {} : { status }),
          ...(idempotencyId === undefined ? {} : { requestId: idempotencyId }),
        }).catch(locateVariables);
        return showVersion({ actor, reader }, id, version);
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/workflow_templates/:id/publish',
      role: 'editor',
      body: schemas.publishBody,
      tag: TEMPLATES,
      summary: 'Publishes a version of a template',
      description: 'From now on runs are started from it; those that were started before stay on theirs.',
      responses: { 200: showsTemplate('The template.'), 409: { description: 'It is archived.' } },
      examples: schemas.publishTemplateExamples,
      async handler(request: RouteRequest<unknown, schemas.PublishBody>): Promise<Reply> {
        const { actor, params, body, idempotencyId } = request;
        const version = body.version === undefined ? {} : { version: String(body.version) };
        const { id } = await publishDefinition(engine, { actor, workflow: params['id']!, ...version, idempotencyId });
        return showVersion(request, id);
      },
    }),
  ];
}

/** The run with the newest of its events, or those after one; they are those of the very state that is shown. */
async function show(reader: Reader, asked: RunScope & { runId: string; after?: number | undefined }): Promise<Reply> {
  const run = await findRunDetails(reader, asked);
  if (run === null) throw runNotFound();
  const after = asked.after ?? Math.max(0, run.seq - EVENTS);
  const limit = Math.min(EVENTS, Math.max(0, run.seq - after));
  const [events, names] = await Promise.all([
    listEvents(reader, { workspaceId: asked.workspaceId, runId: run.id, after, limit }),
    findStepNames(reader, run),
  ]);
  return { body: present.presentRun(run, events, names) };
}

/** Whose runs a request is about. Throws `forbidden` where everybody's are asked for by less than an admin. */
function ownerOf(actor: Actor, { owner }: schemas.ScopeQuery): { owner?: string } {
  if (owner !== 'all') return { owner: actor.userId };
  requireRole(actor, 'admin');
  return {};
}

function scopeOf(actor: Actor, query: schemas.ScopeQuery): RunScope {
  return { workspaceId: actor.workspaceId, ...ownerOf(actor, query) };
}

/** Which of the two a start is of. Throws `invalid_request` when it is neither or both. */
function readStart({ template_id: template, name, steps }: schemas.StartBody) {
  const hasSteps = name !== undefined || steps !== undefined;
  if (template !== undefined && !hasSteps) return { template };
  if (template === undefined && name !== undefined && steps !== undefined) return { sequence: { name, steps } };
  const hint = 'send template_id and input, or name and steps';
  const wrong = (key: string, message: string) => ({ pointer: `/${key}`, message, hint });
  const missing = hasSteps
    ? [...(name === undefined ? ['name'] : []), ...(steps === undefined ? ['steps'] : [])]
    : ['template_id'];
  const details =
    template !== undefined && hasSteps
      ? [wrong('template_id', 'cannot be beside name and steps')]
      : missing.map((key) => wrong(key, 'is required'));
  throw new AppError('invalid_request', `what is to run is not clear: ${hint}`, details);
}

/** A template as a definition: what this face calls variables is its payload. */
function readTemplate({ variables, ...definition }: schemas.TemplateBody): schemas.TemplateBody {
  if (variables === undefined) return definition;
  if (!('payload' in definition)) return { ...definition, payload: variables };
  const details = [{ pointer: '/payload', message: 'is another name of variables', hint: 'send one of them' }];
  throw new AppError('invalid_request', 'the template declares its variables twice', details);
}

/** For `catch`: problems of a payload are problems of the variables here. */
function locateVariables(error: unknown): never {
  if (!(error instanceof AppError) || error.code !== 'invalid_definition') throw error;
  const details = error.details.map((one) => ({ ...one, pointer: one.pointer.replace(/^\/payload\b/, '/variables') }));
  throw new AppError(error.code, error.message, details, { cause: error });
}

/** For `catch`: here the only version that a start may want is the published one. */
function nameUnpublished(error: unknown): never {
  if (!(error instanceof AppError) || error.code !== 'version_not_found') throw error;
  throw new AppError('version_not_found', 'the template is not published; publish it first', [], { cause: error });
}

function webhookRoutes(engine: Engine): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/v1/webhooks',
      role: 'admin',
      tag: WEBHOOKS,
      summary: 'Lists the webhooks of the workspace, newest first',
      responses: { 200: { description: 'All of them.', schema: present.listAnswer(present.webhookAnswer) } },
      examples: schemas.listWebhooksExamples,
      async handler({ actor, reader }): Promise<Reply> {
        const rows = await listWebhooks(reader, actor.workspaceId);
        return { body: present.presentList(rows.map(present.presentWebhook), { total: rows.length, cursor: null }) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/webhooks',
      role: 'admin',
      body: schemas.webhookBody,
      tag: WEBHOOKS,
      summary: 'Subscribes a URL to events of runs',
      description:
        'Each event is sent as `{type, timestamp, data}`, signed by the Standard Webhooks specification (`webhook-id`, ' +
        '`webhook-timestamp`, `webhook-signature`), with `x-webhook-event` and `x-webhook-signature` beside it. Anything but ' +
        '2xx is tried again, ten times over three days; 410 disables the webhook. Redirects are not followed.',
      successStatus: 201,
      responses: {
        201: { description: 'The webhook, with its secret.', schema: present.newWebhookAnswer },
        409: { description: 'The workspace has as many as it may, or the server keeps no secrets.' },
      },
      examples: schemas.createWebhookExamples,
      async handler({ actor, body, idempotencyId }: RouteRequest<unknown, schemas.WebhookBody>): Promise<Reply> {
        const { row, secret } = await createWebhook(engine, { actor, request: body, id: idempotencyId });
        return { status: 201, body: { ...present.presentWebhook(row), secret }, shownOnce: ['secret'] };
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: '/api/v1/webhooks/:id',
      role: 'admin',
      body: schemas.switchBody,
      tag: WEBHOOKS,
      summary: 'Switches a webhook off, or on again',
      description:
        'Disabled, it is told of nothing, and what was not sent yet is not sent. Enabled, it is told of what happens from then ' +
        'on, also where a 410 had disabled it; what it has missed is not sent.',
      responses: { 200: { description: 'The webhook.', schema: present.webhookAnswer } },
      examples: schemas.switchWebhookExamples,
      async handler({ actor, params, body, idempotencyId }: RouteRequest<unknown, schemas.SwitchBody>): Promise<Reply> {
        const id = requireWebhookId(params['id']!);
        return { body: present.presentWebhook(await switchWebhook(engine, { actor, id, ...body, idempotencyId })) };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/v1/webhooks/:id',
      role: 'admin',
      tag: WEBHOOKS,
      summary: 'Ends a webhook; what was not sent yet is not sent',
      successStatus: 204,
      responses: { 204: { description: 'It is gone.' } },
      examples: schemas.deleteWebhookExamples,
      async handler({ actor, params, idempotencyId }): Promise<Reply> {
        await endWebhook(engine, { actor, id: requireWebhookId(params['id']!), idempotencyId });
        return { status: 204, body: null };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/v1/webhooks/:id/deliveries',
      role: 'admin',
      query: schemas.deliveriesQuery,
      tag: WEBHOOKS,
      summary: 'What was sent to a webhook, and what its receiver said; newest first',
      description: 'Of those that are over, the newest 1,000 are kept.',
      responses: {
        200: { description: 'A page of deliveries.', schema: present.listAnswer(present.deliveryAnswer) },
      },
      examples: schemas.listDeliveriesExamples,
      async handler({ actor, params, query, reader }: RouteRequest<schemas.DeliveriesQuery>): Promise<Reply> {
        const { status, cursor, limit = PAGE } = query;
        const { workspaceId } = actor;
        const webhookId = requireWebhookId(params['id']!);
        if ((await findWebhook(reader, { workspaceId, id: webhookId })) === null) throw webhookNotFound();
        const { rows, total, hasMore } = await listDeliveries(reader, {
          workspaceId,
          webhookId,
          limit,
          ...(status === undefined ? {} : { status: present.readDeliveryWord(status) }),
          ...(cursor === undefined ? {} : { after: cursor }),
        });
        const next = hasMore ? rows.at(-1)!.id : null;
        return { body: present.presentList(rows.map(present.presentDelivery), { total, cursor: next }) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/webhooks/:id/deliveries/:delivery_id/redeliver',
      role: 'admin',
      body: schemas.noBody,
      tag: WEBHOOKS,
      summary: 'Sends a delivery again, from the first attempt',
      description: 'Under the same `webhook-id`, so that a receiver that has had it can tell.',
      successStatus: 202,
      responses: {
        202: { description: 'It is on its way.', schema: present.deliveryAnswer },
        409: { description: 'It is still being tried, or the webhook is disabled.' },
      },
      examples: schemas.redeliverExamples,
      async handler({ actor, params, idempotencyId }): Promise<Reply> {
        const [webhookId, id] = [requireWebhookId(params['id']!), params['delivery_id']!.toLowerCase()];
        if (!isUuid(id)) throw new AppError('not_found', 'no delivery here has this id');
        const delivery = await redeliver(engine, { actor, webhookId, id, idempotencyId });
        return { status: 202, body: present.presentDelivery(delivery) };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/v1/callbacks/:token',
      role: 'public',
      body: schemas.callbackBody,
      tag: WEBHOOKS,
      summary: 'Answers a callback',
      description:
        'The address that came with a callback as `x-callback-url`; whoever has it may use it once. What is sent becomes the ' +
        'output of the step that waits.',
      responses: {
        200: { description: 'The answer is kept, and the run goes on.', schema: present.callbackAnswer },
        409: { description: 'It was answered before, or nobody waits any more.' },
      },
      examples: schemas.answerCallbackExamples,
      async handler({ params, body }: RouteRequest<unknown, Json>): Promise<Reply> {
        await answerCallback(engine, { token: params['token']!, answer: body });
        return { body: { status: 'accepted' } };
      },
    }),
  ];
}

function requireWebhookId(text: string): string {
  if (!isUuid(text)) throw webhookNotFound();
  return text.toLowerCase();
}

function webhookNotFound(): AppError {
  return new AppError('not_found', 'no webhook here has this id');
}

function requireRunId(text: string): string {
  if (!isUuid(text)) throw runNotFound();
  return text.toLowerCase();
}

function runNotFound(): AppError {
  return new AppError('run_not_found', 'no run here has this id');
}
