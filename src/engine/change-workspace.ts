// The verb that gives a workspace another name or slug. Its id stays, and so does whatever names it by that.

import { AppError } from '../core/errors.ts';
import { findWorkspace, updateWorkspace, type WorkspaceRow } from '../store/access-workspaces.ts';
import { recordChange } from '../store/audit.ts';
import type { Engine } from './engine.ts';
import { type OnceRequest, recordOnce } from './record-once.ts';

export interface WorkspaceChangeRequest extends OnceRequest {
  /** Id or slug of the actor's workspace; its slug before, where the same request has changed it. */
  workspace: string;
  name?: string;
  slug?: string;
}

/** Throws `not_found`, and `conflict` when another workspace has the slug. */
export function changeWorkspace(
  { db }: Pick<Engine, 'db'>,
  { workspace, name, slug, ...request }: WorkspaceChangeRequest,
): Promise<WorkspaceRow> {
  const { actor, idempotencyId: commandId } = request;
  const id = actor.workspaceId;
  const wanted = { ...(name === undefined ? {} : { name }), ...(slug === undefined ? {} : { slug }) };
  const find = async () => {
    const row = await findWorkspace(db, id);
    if (row === null) throw new AppError('not_found', 'no workspace here has this id or slug');
    return row;
  };
  const change = async () => {
    const known = await find();
    if (workspace !== known.slug && workspace.toLowerCase() !== id)
      throw new AppError('not_found', 'no workspace here has this id or slug');
    const row = await recordChange(db, actor, {
      change: (connection) => updateWorkspace(connection, { id, ...wanted }),
      tell: (row) => row && { action: 'workspace.updated', id: row.id, name: row.name, detail: wanted },
      commandId,
    });
    if (row === null) throw new AppError('conflict', 'another workspace has this slug; choose a different one');
    return row;
  };
  return recordOnce({ db }, request, { change, again: find });
}
