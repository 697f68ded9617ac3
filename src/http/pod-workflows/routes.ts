// The workflows of a pod (API.md §3): each URL with its role, its schemas and what it does, into engine verbs and store reads;
// what may be sent is schemas.ts and the words of the answers are present.ts. That `:wId` and `:podId` are the caller's has been
// seen to by the dispatcher; that a workflow is in the pod is checked by who looks for it.

import { AppError } from '../../core/errors.ts';
import { getDefinition } from '../../engine/change-definition.ts';
import { createDefinition } from '../../engine/create-definition.ts';
import type { Engine } from '../../engine/engine.ts';
import { publishDefinition } from '../../engine/publish-definition.ts';
import { updateDefinition } from '../../engine/update-definition.ts';
import { findVersion, listDefinitions, listVersions, resolveVersion } from '../../store/definitions.ts';
import { readIfMatch } from '../if-match.ts';
import { listOf } from '../json-schema.ts';
import { defineRoute, type Face, type Reply, type Route, type RouteRequest } from '../route.ts';
import { presentStatusError, statusError } from '../status-error.ts';
import * as present from './present.ts';
import * as schemas from './schemas.ts';

const WORKFLOWS = '/workspaces/:wId/pods/:podId/workflows';

const TAG = 'Pods: workflows';

const PAGE = 50;
const DEFINITION_LIMIT = 5 * 1_048_576;

export function createPodWorkflowsFace(engine: Engine): Face {
  return {
    name: 'pod-workflows',
    // What is below `/workspaces` is another face's, whose errors look the same.
    prefixes: [],
    // The product this face speaks to has the same API under both prefixes.
    routes: workflowRoutes(engine).flatMap((route) => [route, { ...route, path: `/v1${route.path}` }]),
    presentError: presentStatusError,
    errorSchema: statusError,
  };
}

const showsWorkflow = (description: string) => ({ description, schema: present.workflowAnswer });

function workflowRoutes(engine: Engine): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: WORKFLOWS,
      role: 'viewer',
      query: schemas.listWorkflowsQuery,
      tag: TAG,
      summary: 'Lists the workflows of a pod, newest update first',
      description: '`search` looks into names and descriptions. Archived ones are listed by that status only.',
      responses: { 200: { description: 'A page of workflows.', schema: listOf(present.workflowSummaryAnswer) } },
      examples: schemas.listWorkflowsExamples,
      async handler({ actor, params, query, reader }: RouteRequest<schemas.ListWorkflowsQuery>): Promise<Reply> {
        const { cursor, limit = PAGE, ...filter } = query;
        const page = { limit, offset: Number(cursor ?? 0) };
        const scope = { workspaceId: actor.workspaceId, podId: params['podId']! };
        const { rows, total } = await listDefinitions(reader, { ...filter, ...page, ...scope });
        return answerOffset(rows.map(present.presentWorkflowSummary), { ...page, total });
      },
    }),
    defineRoute({
      method: 'POST',
      path: WORKFLOWS,
      role: 'editor',
      body: schemas.workflowBody,
      bodyLimit: DEFINITION_LIMIT,
      tag: TAG,
      summary: 'Creates a workflow in a pod',
      description:
        'It becomes a draft, version 1. A definition that is wrong is refused with every problem at once, each with its ' +
        'place and a hint. In expressions `{{…}}` is another spelling of `${…}`, in which `input` and `variables` are `data`, and ' +
        '`lastOutput` is the output of the one node that leads here; `${…}` is what is stored and shown.',
      successStatus: 201,
      responses: { 201: showsWorkflow('The workflow.') },
      examples: schemas.createWorkflowExamples,
      async handler(request: RouteRequest<unknown, schemas.WorkflowBody>): Promise<Reply> {
        const { actor, params, body, idempotencyId } = request;
        const named = idempotencyId === undefined ? {} : { id: idempotencyId };
        const { id } = await createDefinition(engine, {
          actor,
          definition: body,
          hasMustache: true,
          podId: params['podId']!,
          ...named,
        });
        return { ...(await showWorkflow(request, { workflow: id })), status: 201 };
      },
    }),
    defineRoute({
      method: 'GET',
      path: `${WORKFLOWS}/:id`,
      role: 'viewer',
      query: schemas.versionQuery,
      tag: TAG,
      summary: 'A workflow of a pod, with its definition',
      responses: { 200: showsWorkflow('The workflow, in the version asked for; default the latest.') },
      examples: schemas.showWorkflowExamples,
      handler: (request: RouteRequest<schemas.VersionQuery>) =>
        showWorkflow(request, { workflow: request.params['id']!, version: request.query.version }),
    }),
    defineRoute({
      method: 'PUT',
      path: `${WORKFLOWS}/:id`,
      role: 'editor',
      body: schemas.updateWorkflowBody,
      bodyLimit: DEFINITION_LIMIT,
      headers: {
        'If-Match': {
          description: 'The version that was changed, so that nobody’s is lost.',
          schema: { type: 'string' },
        },
      },
      tag: TAG,
      summary: 'Adds a version to a workflow of a pod',
      description:
        'Takes a whole definition, or only the keys that change (`null` takes one away). Executions stay on the version they ' +
        'began on.',
      responses: {
        200: showsWorkflow('The workflow, in its new version.'),
        409: { description: 'It is archived.' },
        412: { description: 'There is a newer version than `If-Match` names: get it, and change that one.' },
      },
      examples: schemas.updateWorkflowExamples,
      async handler(request: RouteRequest<unknown, schemas.WorkflowBody>): Promise<Reply> {
        const { actor, params, header, idempotencyId } = request;
        const { status, ...changes } = request.body;
        const expected = readIfMatch(header('if-match'));
        const { id, version } = await updateDefinition(engine, {
          actor,
          workflow: params['id']!,
          podId: params['podId']!,
          changes,
          hasMustache: true,
          ...(status === undefined ? {} : { status }),
          ...(expected === null ? {} : { expected }),
          ...(idempotencyId === undefined ? {} : { requestId: idempotencyId }),
        });
        return showWorkflow(request, { workflow: id, version: String(version) });
      },
    }),
    defineRoute({
      method: 'POST',
      path: `${WORKFLOWS}/:id/deploy`,
      role: 'editor',
      body: schemas.deployBody,
      tag: TAG,
      summary: 'Deploys a version of a workflow',
      description: 'The latest, or the one named: it becomes the `published` one.',
      responses: { 200: showsWorkflow('The workflow.'), 409: { description: 'It is archived.' } },
      examples: schemas.deployExamples,
      async handler(request: RouteRequest<unknown, schemas.DeployBody>): Promise<Reply> {
        const { actor, params, body, idempotencyId } = request;
        const version = body.version === undefined ? {} : { version: String(body.version) };
        const named = { workflow: params['id']!, podId: params['podId']! };
        const { id } = await publishDefinition(engine, { actor, ...named, ...version, idempotencyId });
        return showWorkflow(request, { workflow: id });
      },
    }),
    defineRoute({
      method: 'GET',
      path: `${WORKFLOWS}/:id/versions`,
      role: 'viewer',
      query: schemas.versionsQuery,
      tag: TAG,
      summary: 'The versions of a workflow of a pod, newest first',
      responses: { 200: { description: 'A page of versions.', schema: listOf(present.versionAnswer) } },
      examples: schemas.versionsExamples,
      async handler({ actor, params, query, reader }: RouteRequest<schemas.VersionsQuery>): Promise<Reply> {
        const named = { actor, workflow: params['id']!, podId: params['podId']! };
        const row = await getDefinition({ db: reader }, named);
        const page = { limit: query.limit ?? PAGE, offset: Number(query.cursor ?? 0) };
        const { rows, total } = await listVersions(reader, { ...page, definitionId: row.id });
        return answerOffset(
          rows.map((version) => present.presentVersion(row, version)),
          { ...page, total },
        );
      },
    }),
  ];
}

type Asked = Pick<RouteRequest, 'actor' | 'params' | 'reader'>;

/** Throws `workflow_not_found`, `version_not_found`. */
async function showWorkflow(
  { actor, params, reader }: Asked,
  { workflow, version }: { workflow: string; version?: string | undefined },
): Promise<Reply> {
  const row = await getDefinition({ db: reader }, { actor, workflow, podId: params['podId']! });
  const number = resolveVersion(row, version);
  const found = number === null ? null : await findVersion(reader, { definitionId: row.id, version: number });
  if (found === null)
    throw new AppError('version_not_found', 'the workflow has no such version; leave it out for the latest');
  return { body: present.presentWorkflow(row, found) };
}

/** A page whose cursor is how many come before it. */
function answerOffset(body: Reply['body'] & unknown[], { offset, total }: { offset: number; total: number }): Reply {
  const end = offset + body.length;
  return { body, headers: end < total && body.length > 0 ? { 'x-next-cursor': String(end) } : {} };
}
