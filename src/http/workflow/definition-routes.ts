// The workflow face's routes about workflows themselves: their definitions, versions and life. What a change does is the
// engine's; what may be sent is schemas.ts and, for definitions, core/validation.ts.

import { AppError } from '../../core/errors.ts';
import type { Actor } from '../../core/run.ts';
import { archiveDefinition, deleteArchivedDefinition, unarchiveDefinition } from '../../engine/archive-definition.ts';
import { getDefinition } from '../../engine/change-definition.ts';
import { cloneDefinition } from '../../engine/clone-definition.ts';
import { createDefinition } from '../../engine/create-definition.ts';
import type { Engine } from '../../engine/engine.ts';
import { publishDefinition } from '../../engine/publish-definition.ts';
import { updateDefinition } from '../../engine/update-definition.ts';
import { findVersion, listDefinitions, listVersions, resolveVersion } from '../../store/definitions.ts';
import { readIfMatch } from '../if-match.ts';
import { defineRoute, type Reply, type Route, type RouteRequest } from '../route.ts';
import {
  presentInputSchema,
  presentVersion,
  presentVersionSummary,
  presentWorkflow,
  presentWorkflowSummary,
} from './present.ts';
import * as schemas from './schemas.ts';

const DEFINITION_LIMIT = 5 * 1_048_576;
const PAGE = 50;
const VERSIONS_PAGE = 1_000;

type UpdateRequest = RouteRequest<Record<string, never>, schemas.UpdateBody>;
type CloneRequest = RouteRequest<Record<string, never>, schemas.CloneBody>;

export function definitionRoutes(engine: Engine): Route[] {
  const show = async (actor: Actor, workflow: string, selector?: string): Promise<Reply> => {
    const { row, version } = await getVersion(engine, { actor, workflow, selector });
    return { body: presentWorkflow(row, version), headers: { etag: `"${presentVersion(version.version)}"` } };
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
      async handler({ actor, body, idempotencyId }: RouteRequest): Promise<Reply> {
        const named = idempotencyId === undefined ? {} : { id: idempotencyId };
        const { id } = await createDefinition(engine, { actor, definition: body, ...named });
        return { ...(await show(actor, id)), status: 201 };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/workflows/:id',
      role: 'viewer',
      query: schemas.versionQuery,
      async handler({ actor, params, query }: RouteRequest<schemas.VersionQuery>): Promise<Reply> {
        return show(actor, params['id']!, query.version);
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflows/:id/publish',
      role: 'editor',
      body: schemas.publishBody,
      async handler({ actor, params, body }: RouteRequest<Record<string, never>, schemas.PublishBody>): Promise<Reply> {
        const { id } = await publishDefinition(engine, { actor, workflow: params['id']!, ...body });
        return show(actor, id);
      },
    }),
    defineRoute({
      method: 'PUT',
      path: '/api/workflows/:id',
      role: 'editor',
      body: schemas.updateBody,
      bodyLimit: DEFINITION_LIMIT,
      async handler({ actor, params, body, header, idempotencyId }: UpdateRequest): Promise<Reply> {
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
        return show(actor, id, `${version}`);
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/api/workflows/:id/versions',
      role: 'viewer',
      query: schemas.versionsQuery,
      async handler({ actor, params, query }: RouteRequest<schemas.VersionsQuery>): Promise<Reply> {
        const row = await getDefinition(engine, { actor, workflow: params['id']! });
        const page = { limit: VERSIONS_PAGE, offset: 0, ...query, definitionId: row.id };
        const { rows, total } = await listVersions(engine.db, page);
        const body = rows.map((version) => presentVersionSummary(row, version));
        return { body, headers: { 'x-total-count': String(total) } };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflows/:id/clone',
      role: 'editor',
      body: schemas.cloneBody,
      async handler({ actor, params, body, idempotencyId }: CloneRequest): Promise<Reply> {
        const named = idempotencyId === undefined ? {} : { id: idempotencyId };
        const { id } = await cloneDefinition(engine, { actor, workflow: params['id']!, ...body, ...named });
        return { ...(await show(actor, id)), status: 201 };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/workflows/:id/unarchive',
      role: 'editor',
      body: schemas.noBody,
      async handler({ actor, params }: RouteRequest): Promise<Reply> {
        const { id } = await unarchiveDefinition(engine, { actor, workflow: params['id']! });
        return show(actor, id);
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/workflows/:id',
      role: 'editor',
      body: schemas.noBody,
      async handler({ actor, params }: RouteRequest): Promise<Reply> {
        await archiveDefinition(engine, { actor, workflow: params['id']! });
        return { body: { success: true } };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/workflows/:id/permanent',
      role: 'owner',
      body: schemas.noBody,
      async handler({ actor, params }: RouteRequest): Promise<Reply> {
        await deleteArchivedDefinition(engine, { actor, workflow: params['id']! });
        return { body: { success: true } };
      },
    }),
  ];
}

/** Throws `workflow_not_found`, `version_not_found`. */
async function getVersion(
  engine: Engine,
  { actor, workflow, selector }: { actor: Actor; workflow: string; selector: string | undefined },
) {
  const row = await getDefinition(engine, { actor, workflow });
  const number = resolveVersion(row, selector);
  const version = number === null ? null : await findVersion(engine.db, { definitionId: row.id, version: number });
  if (version === null)
    throw new AppError('version_not_found', 'the workflow has no such version; leave it out for the latest');
  return { row, version };
}
