// Workspaces as their members see and change them. Making the first one is access.ts.

import type { Database } from './db.ts';

/** Times are epoch milliseconds. */
export interface WorkspaceRow {
  id: string;
  slug: string;
  name: string;
  createdAt: number;
}

const UNIQUE_VIOLATION = '23505';
const COLUMNS = 'id, slug, name, floor(extract(epoch FROM created_at) * 1000)::bigint AS "createdAt"';

export async function findWorkspace(db: Database, id: string): Promise<WorkspaceRow | null> {
  const { rows } = await db.pool.query<WorkspaceRow>(`SELECT ${COLUMNS} FROM workspaces WHERE id = $1`, [id]);
  return rows[0] ?? null;
}

/** Changes what is given; null when another workspace has the slug. */
export async function updateWorkspace(
  db: Database,
  { id, name, slug }: { id: string; name?: string; slug?: string },
): Promise<WorkspaceRow | null> {
  try {
    const { rows } = await db.pool.query<WorkspaceRow>(
      `UPDATE workspaces SET name = coalesce($2, name), slug = coalesce($3, slug) WHERE id = $1 RETURNING ${COLUMNS}`,
      [id, name ?? null, slug ?? null],
    );
    return rows[0] ?? null;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION) return null;
    throw error;
  }
}
