// Workspaces as their members see and change them. Making the first one is access.ts.

import { type Connection, isDuplicate } from './db.ts';

/** Times are epoch milliseconds. */
export interface WorkspaceRow {
  id: string;
  slug: string;
  name: string;
  createdAt: number;
}

const COLUMNS = 'id, slug, name, floor(extract(epoch FROM created_at) * 1000)::bigint AS "createdAt"';

export async function findWorkspace(db: Connection, id: string): Promise<WorkspaceRow | null> {
  const { rows } = await db.pool.query<WorkspaceRow>(`SELECT ${COLUMNS} FROM workspaces WHERE id = $1`, [id]);
  return rows[0] ?? null;
}

/** Inserts a workspace with its default pod, unless its slug, or its id, is taken; says whether it did. */
export async function insertWorkspace(
  db: Connection,
  { id, slug, name }: Omit<WorkspaceRow, 'createdAt'>,
): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `WITH made AS (
       INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING id
     )
     INSERT INTO pods (id, workspace_id, slug, name, created_by) SELECT id, id, 'default', 'Default', 'system' FROM made`,
    [id, slug, name],
  );
  return rowCount === 1;
}

/** Changes what is given; null when another workspace has the slug. */
export async function updateWorkspace(
  db: Connection,
  { id, name, slug }: { id: string; name?: string; slug?: string },
): Promise<WorkspaceRow | null> {
  try {
    const { rows } = await db.pool.query<WorkspaceRow>(
      `UPDATE workspaces SET name = coalesce($2, name), slug = coalesce($3, slug) WHERE id = $1 RETURNING ${COLUMNS}`,
      [id, name ?? null, slug ?? null],
    );
    return rows[0] ?? null;
  } catch (error) {
    if (isDuplicate(error)) return null;
    throw error;
  }
}
