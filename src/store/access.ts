// What is asked of keys on every request, and the first key of all. A key is stored only as its SHA-256, so nobody who
// reads this table can use one; who may do what with a role is decided elsewhere.

import { createHash } from 'node:crypto';
import type { Role } from '../core/roles.ts';
import { insertWorkspace } from './access-workspaces.ts';
import { type Connection, type Database, READ_PATIENCE } from './db.ts';

/** A key with its workspace, and its user as a member there. Times are epoch milliseconds. */
export interface ApiKeyCredential {
  id: string;
  workspaceId: string;
  workspaceSlug: string;
  hash: Buffer;
  role: Role;
  userId: string;
  expiresAt: number | null;
  revokedAt: number | null;
  /** The pod that it is limited to, though it may be gone. */
  podId: string | null;
  /** Null when the user is no member, and never was. */
  memberRole: Role | null;
  memberRemovedAt: number | null;
}

export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** Finds a key by the SHA-256 of its text; expired and revoked ones too, so the edge can say which it was. */
export async function findApiKey(db: Database, hash: Buffer): Promise<ApiKeyCredential | null> {
  const { rows } = await db.pool.query<ApiKeyCredential>({
    ...READ_PATIENCE,
    name: 'api-key-by-hash',
    text: `SELECT k.id, k.workspace_id AS "workspaceId", w.slug AS "workspaceSlug", k.hash, k.role,
                  k.user_id AS "userId",
                  k.pod_id AS "podId", floor(extract(epoch FROM k.expires_at) * 1000)::bigint AS "expiresAt",
                  floor(extract(epoch FROM k.revoked_at) * 1000)::bigint AS "revokedAt",
                  m.role AS "memberRole", floor(extract(epoch FROM m.removed_at) * 1000)::bigint AS "memberRemovedAt"
             FROM api_keys k JOIN workspaces w ON w.id = k.workspace_id
             LEFT JOIN members m ON m.workspace_id = k.workspace_id AND m.user_id = k.user_id
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
  db: Connection,
  { id, slug, name }: { id: string; slug: string; name: string },
): Promise<{ id: string; created: boolean }> {
  const created = await insertWorkspace(db, { id, slug, name });
  const { rows } = await db.pool.query<{ id: string }>('SELECT id FROM workspaces WHERE slug = $1', [slug]);
  return { id: rows[0]!.id, created };
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
  /** Id of the pod that it is limited to; default none. */
  podId?: string;
  /** Default `bootstrap`. */
  createdBy?: string;
}

/** Inserts a key unless the same key, or one with its id, is there already; says whether it did. */
export async function ensureApiKey(db: Connection, key: NewApiKey): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `INSERT INTO api_keys (id, workspace_id, name, prefix, hash, role, user_id, expires_at, created_by, pod_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, to_timestamp($8::float8 / 1000), $9, $10) ON CONFLICT DO NOTHING`,
    [
      key.id,
      key.workspaceId,
      key.name,
      key.prefix,
      key.hash,
      key.role,
      key.userId,
      key.expiresAt ?? null,
      key.createdBy ?? 'bootstrap',
      key.podId ?? null,
    ],
  );
  return rowCount === 1;
}

export async function hasApiKeys(db: Database): Promise<boolean> {
  const { rows } = await db.pool.query<{ any: boolean }>('SELECT EXISTS (SELECT FROM api_keys) AS any');
  return rows[0]?.any ?? false;
}
