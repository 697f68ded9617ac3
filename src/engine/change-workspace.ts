// The verb that gives a workspace another name or slug. Its id stays, and so does whatever names it by that.

import { AppError } from '../core/errors.ts';
import type { Actor } from '../core/run.ts';
import { updateWorkspace, type WorkspaceRow } from '../store/access-workspaces.ts';
import { recordChange } from '../store/audit.ts';
import type { Engine } from './engine.ts';

/** Throws `conflict` when another workspace has the slug. */
export async function changeWorkspace(
  { db }: Pick<Engine, 'db'>,
  { actor, ...change }: { actor: Actor; name?: string; slug?: string },
): Promise<WorkspaceRow> {
  const row = await recordChange(db, actor, {
    change: (connection) => updateWorkspace(connection, { id: actor.workspaceId, ...change }),
    tell: (row) => row && { action: 'workspace.updated', id: row.id, name: row.name, detail: change },
  });
  if (row === null) throw new AppError('conflict', 'another workspace has this slug; choose a different one');
  return row;
}
