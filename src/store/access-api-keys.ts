// API keys as people manage them: lists without hashes, and their end. What a request's key is checked against is
// access.ts.

import type { Role } from '../core/roles.ts';
import type { Connection, Database } from './db.ts';

/** Times are epoch milliseconds. */
export interface ApiKeyRow {
  id: string;
  workspaceId: string;
  name: string;
  prefix: string;
  role: Role;
  /** The pod that it is limited to, though it may be gone. */
  podId: string | null;
  userId: string;
  createdBy: string;
  createdAt: number;
  expiresAt: number | null;
  lastUsedAt: number | null;
  revokedAt: number | null;
  revokedBy: string | null;
}

/** What a list starts behind, and how long it is. */
export interface Page {
  workspaceId: string;
  limit: number;
  /** The last one of the page before. */
  after?: string;
}

const COLUMNS = `id, workspace_id AS "workspaceId", name, prefix, role, pod_id AS "podId", user_id AS "userId", created_by AS "createdBy",
  floor(extract(epoch FROM created_at) * 1000)::bigint AS "createdAt",
  floor(extract(epoch FROM expires_at) * 1000)::bigint AS "expiresAt",
  floor(extract(epoch FROM last_used_at) * 1000)::bigint AS "lastUsedAt",
  floor(extract(epoch FROM revoked_at) * 1000)::bigint AS "revokedAt", revoked_by AS "revokedBy"`;

/** Newest first; revoked and expired ones too. */
export async function listApiKeys(db: Connection, { workspaceId, limit, after }: Page): Promise<ApiKeyRow[]> {
  const { rows } = await db.pool.query<ApiKeyRow>(
    `SELECT ${COLUMNS} FROM api_keys
      WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
    [workspaceId, after ?? null, limit],
  );
  return rows;
}

export async function findApiKeyById(
  db: Database,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<ApiKeyRow | null> {
  const { rows } = await db.pool.query<ApiKeyRow>(
    `SELECT ${COLUMNS} FROM api_keys WHERE workspace_id = $1 AND id = $2`,
    [workspaceId, id],
  );
  return rows[0] ?? null;
}

/** Ends a key for good and says whether it did: one that was revoked before keeps who did it and when. */
export async function revokeApiKey(db: Connection, { id, by }: { id: string; by: string }): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    'UPDATE api_keys SET revoked_at = clock_timestamp(), revoked_by = $2 WHERE id = $1 AND revoked_at IS NULL',
    [id, by],
  );
  return rowCount === 1;
}
