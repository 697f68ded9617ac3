// Pods as stored: the divisions of a workspace. The default one has the workspace's own id, is made with it
// (access-workspaces.ts) and is never deleted; what belongs into a pod is the other tables' own.

import type { Page } from './access-api-keys.ts';
import { type Connection, isDuplicate, isReferenced } from './db.ts';
import { isUuid } from './definitions.ts';

/** Times are epoch milliseconds. */
export interface PodRow {
  id: string;
  workspaceId: string;
  slug: string;
  name: string;
  createdBy: string;
  createdAt: number;
}

const SLUG = /^[a-z0-9](|[a-z0-9-]{0,61}[a-z0-9])$/;

const COLUMNS = `id, workspace_id AS "workspaceId", slug, name, created_by AS "createdBy",
  floor(extract(epoch FROM created_at) * 1000)::bigint AS "createdAt"`;

/** By id or slug; an id wins over another pod's slug that looks like one. */
export async function findPod(
  { pool }: Connection,
  { workspaceId, idOrSlug }: { workspaceId: string; idOrSlug: string },
): Promise<PodRow | null> {
  const id = isUuid(idOrSlug) ? idOrSlug.toLowerCase() : null;
  if (id === null && !SLUG.test(idOrSlug)) return null;
  const { rows } = await pool.query<PodRow>({
    name: 'find-pod',
    text: `SELECT ${COLUMNS} FROM pods WHERE workspace_id = $1 AND (slug = $2 OR id = $3) ORDER BY id = $3 DESC LIMIT 1`,
    values: [workspaceId, idOrSlug, id],
  });
  return rows[0] ?? null;
}

/** Newest first. */
export async function listPods({ pool }: Connection, { workspaceId, limit, after }: Page): Promise<PodRow[]> {
  const { rows } = await pool.query<PodRow>(
    `SELECT ${COLUMNS} FROM pods WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
    [workspaceId, after ?? null, limit],
  );
  return rows;
}

/** Inserts a pod unless its slug, or its id, is taken; says whether it did. */
export async function insertPod(
  { pool }: Connection,
  { id, workspaceId, slug, name, createdBy }: Omit<PodRow, 'createdAt'>,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `INSERT INTO pods (id, workspace_id, slug, name, created_by) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
    [id, workspaceId, slug, name, createdBy],
  );
  return rowCount === 1;
}

/** Changes what is given; null when another pod of the workspace has the slug. */
export async function updatePod(
  { pool }: Connection,
  { workspaceId, id, name, slug }: { workspaceId: string; id: string; name?: string; slug?: string },
): Promise<PodRow | null> {
  try {
    const { rows } = await pool.query<PodRow>(
      `UPDATE pods SET name = coalesce($3, name), slug = coalesce($4, slug) WHERE workspace_id = $1 AND id = $2
       RETURNING ${COLUMNS}`,
      [workspaceId, id, name ?? null, slug ?? null],
    );
    return rows[0] ?? null;
  } catch (error) {
    if (isDuplicate(error)) return null;
    throw error;
  }
}

/** Deletes a pod in which there is nothing. Records of workflows that were deleted for ever count until they are removed. */
export async function deletePod(
  { pool }: Connection,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<'deleted' | 'in_use' | 'unknown'> {
  try {
    const { rowCount } = await pool.query('DELETE FROM pods WHERE workspace_id = $1 AND id = $2', [workspaceId, id]);
    return rowCount === 1 ? 'deleted' : 'unknown';
  } catch (error) {
    if (isReferenced(error)) return 'in_use';
    throw error;
  }
}
