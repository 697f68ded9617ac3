// Whose a run is: the user whose credential started it. Decides nothing about who may do what.

import type { Connection } from './db.ts';

/** Whether the run exists in the workspace and was started by this user. */
export async function isRunOwner(
  { pool }: Connection,
  { workspaceId, runId, owner }: { workspaceId: string; runId: string; owner: string },
): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'is-run-owner',
    text: 'SELECT FROM runs WHERE id = $1 AND workspace_id = $2 AND owner = $3',
    values: [runId, workspaceId, owner],
  });
  return rowCount === 1;
}
