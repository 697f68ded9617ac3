// Workspaces and API keys. A key is stored only as its SHA-256, so nobody who reads this table can use one; who may do
// what with a role is decided at the edge.

import { createHash } from 'node:crypto';
import type { Database } from './db.ts';

export const ROLES = ['viewer', 'editor', 'admin', 'owner'] as const;
export type Role = (typeof ROLES)[number];

/** A stored key and its workspace. Times are epoch milliseconds. */
export interface ApiKeyRow {
  id: string;
  workspaceId: string;
  workspaceSlug: string;
  hash: Buffer;
  role: Role;
  userId: string;
  expiresAt: number | null;
  revokedAt: number | null;
}

export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** Finds a key by the SHA-256 of its text; expired and revoked ones too, so the edge can say which it was. */
export async function findApiKey(db: Database, hash: Buffer): Promise<ApiKeyRow | null> {
  const { rows } = await db.pool.query<ApiKeyRow>({
    name: 'api-key-by-hash',
    text: `SELECT k.id, k.workspace_id AS "workspaceId", w.slug AS "workspaceSlug", k.hash, k.role,
                  k.user_id AS "userId",
                  floor(extract(epoch FROM k.expires_at) * 1000)::bigint AS "expiresAt",
                  floor(extract(epoch FROM k.revoked_at) * 1000)::bigint AS "revokedAt"
             FROM api_keys k JOIN workspaces w ON w.id = k.workspace_id
            WHERE k.hash = $1`,
    values: [hash],
  });
  return rows[0] ?? null;
}

/** Notes that a key was used, at most once a minute, however many processes ask. */
export async function touchApiKey(db: Database, id: string): Promise<void> {
  await db.pool.query({
    name: 'touch-api-key',
    text: `UPDATE api_keys SET last_used_at = now()
            WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
    values: [id],
  });
}

/** Inserts a workspace unless its slug is taken; answers the id of the one that is there now. */
export async function ensureWorkspace(
  db: Database,
  { id, slug, name }: { id: string; slug: string; name: string },
): Promise<{ id: string; created: boolean }> {
  const { rowCount } = await db.pool.query(
    'INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING',
    [id, slug, name],
  );
  const { rows } = await db.pool.query<{ id: string }>('SELECT id FROM workspaces WHERE slug = $1', [slug]);
  return { id: rows[0]!.id, created: rowCount === 1 };
}

export interface NewApiKey {
  id: string;
  workspaceId: string;
  name: string;
  /** The first characters of the key, so that people can tell keys apart. */
  prefix: string;
  hash: Buffer;
  role: Role;
  userId: string;
  expiresAt?: number;
}

/** Inserts a key unless the same key is there already; says whether it did. */
export async function ensureApiKey(db: Database, key: NewApiKey): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `INSERT INTO api_keys (id, workspace_id, name, prefix, hash, role, user_id, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, to_timestamp($8::float8 / 1000)) ON CONFLICT (hash) DO NOTHING`,
    [key.id, key.workspaceId, key.name, key.prefix, key.hash, key.role, key.userId, key.expiresAt ?? null],
  );
  return rowCount === 1;
}

export async function hasApiKeys(db: Database): Promise<boolean> {
  const { rows } = await db.pool.query<{ any: boolean }>('SELECT EXISTS (SELECT FROM api_keys) AS any');
  return rows[0]?.any ?? false;
}
