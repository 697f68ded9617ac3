// The workspaces face (API.md §3, "Beside it"): a workspace, its members, API keys and signing keys. URLs and bodies into
// engine verbs and store reads; that `:wId` is the caller's own has been seen to by the dispatcher.

import { AppError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import { changeWorkspace } from '../../engine/change-workspace.ts';
import type { Engine } from '../../engine/engine.ts';
import { findWorkspace } from '../../store/access-workspaces.ts';
import { defineRoute, documentRoutes, type Face, type Reply, type Route, type RouteRequest } from '../route.ts';
import { EXAMPLES } from './examples.ts';
import { keyRoutes } from './keys.ts';
import { memberRoutes } from './members.ts';
import { presentError, presentWorkspace } from './present.ts';
import * as schemas from './schemas.ts';
import { secretRoutes } from './secrets.ts';

const TAG = 'Workspaces';

export function createWorkspacesFace(engine: Engine): Face {
  const routes = documentRoutes(
    [...workspaceRoutes(engine), ...memberRoutes(engine), ...keyRoutes(engine), ...secretRoutes(engine)],
    EXAMPLES,
  );
  return {
    name: 'workspaces',
    prefixes: ['/workspaces', '/v1/workspaces'],
    // The product this face speaks to has the same API under both prefixes.
    routes: routes.flatMap((route) => [route, { ...route, path: `/v1${route.path}` }]),
    presentError,
    errorSchema: schemas.errorAnswer,
  };
}

function workspaceRoutes(engine: Engine): Route[] {
  const show = async (id: string): Promise<JsonObject> => {
    const row = await findWorkspace(engine.db, id);
    if (row === null) throw new AppError('not_found', 'no workspace here has this id or slug');
    return presentWorkspace(row);
  };

  return [
    defineRoute({
      method: 'GET',
      path: '/workspaces',
      role: 'viewer',
      tag: TAG,
      summary: 'The workspaces that the credential belongs to: one',
      responses: { 200: { description: 'The workspaces', schema: schemas.listOf(schemas.workspaceAnswer) } },
      async handler({ actor }): Promise<Reply> {
        return { body: [await show(actor.workspaceId)] };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/workspaces/:wId',
      role: 'viewer',
      tag: TAG,
      summary: 'A workspace, by its id or slug',
      responses: { 200: { description: 'The workspace', schema: schemas.workspaceAnswer } },
      async handler({ actor }): Promise<Reply> {
        return { body: await show(actor.workspaceId) };
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: '/workspaces/:wId',
      role: 'owner',
      body: schemas.workspaceBody,
      tag: TAG,
      summary: 'Gives a workspace another name or slug',
      responses: {
        200: { description: 'The workspace as it is now', schema: schemas.workspaceAnswer },
        409: { description: 'Another workspace has the slug' },
      },
      async handler({ actor, body }: RouteRequest<unknown, schemas.WorkspaceBody>): Promise<Reply> {
        return { body: presentWorkspace(await changeWorkspace(engine, { actor, ...body })) };
      },
    }),
  ];
}
