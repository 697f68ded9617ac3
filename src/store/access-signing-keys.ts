// Keys that tokens are verified with: public ones as they are, secret ones sealed. How a token is verified, and how a
// secret is sealed, is not known here.

import type { Role } from '../core/roles.ts';
import type { Page } from './access-api-keys.ts';
import type { Database } from './db.ts';

export const ALGORITHMS = ['HS256', 'RS256', 'ES256', 'EdDSA'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** Times are epoch milliseconds. */
export interface SigningKeyRow {
  id: string;
  workspaceId: string;
  workspaceSlug: string;
  name: string;
  algorithm: Algorithm;
  role: Role;
  /** PEM (SPKI); null for HS256. */
  publicKey: string | null;
  sealedSecret: Buffer | null;
  audience: string | null;
  issuer: string | null;
  createdBy: string;
  createdAt: number;
  revokedAt: number | null;
  revokedBy: string | null;
}

export type NewSigningKey = Omit<SigningKeyRow, 'workspaceSlug' | 'createdAt' | 'revokedAt' | 'revokedBy'>;

const SELECT = `
  SELECT k.id, k.workspace_id AS "workspaceId", w.slug AS "workspaceSlug", k.name, k.algorithm, k.role,
         k.public_key AS "publicKey", k.sealed_secret AS "sealedSecret", k.audience, k.issuer,
         k.created_by AS "createdBy", floor(extract(epoch FROM k.created_at) * 1000)::bigint AS "createdAt",
         floor(extract(epoch FROM k.revoked_at) * 1000)::bigint AS "revokedAt", k.revoked_by AS "revokedBy"
    FROM signing_keys k JOIN workspaces w ON w.id = k.workspace_id`;

/** Finds a key of any workspace: its id is what says whose token this is. Revoked ones too. */
export async function findSigningKey(db: Database, id: string): Promise<SigningKeyRow | null> {
  const { rows } = await db.pool.query<SigningKeyRow>({
    name: 'signing-key',
    text: `${SELECT} WHERE k.id = $1`,
    values: [id],
  });
  return rows[0] ?? null;
}

/** Newest first; revoked ones too. */
export async function listSigningKeys(db: Database, { workspaceId, limit, after }: Page): Promise<SigningKeyRow[]> {
  const { rows } = await db.pool.query<SigningKeyRow>(
    `${SELECT} WHERE k.workspace_id = $1 AND ($2::uuid IS NULL OR k.id < $2) ORDER BY k.id DESC LIMIT $3`,
    [workspaceId, after ?? null, limit],
  );
  return rows;
}

/** Inserts a key unless one with its id is there already; says whether it did. */
export async function insertSigningKey(db: Database, key: NewSigningKey): Promise<boolean> {
  const inserted = await db
    .knex('signing_keys')
    .insert({
      id: key.id,
      workspace_id: key.workspaceId,
      name: key.name,
      algorithm: key.algorithm,
      role: key.role,
      public_key: key.publicKey,
      sealed_secret: key.sealedSecret,
      audience: key.audience,
      issuer: key.issuer,
      created_by: key.createdBy,
    })
    .onConflict('id')
    .ignore()
    .returning('id');
  return inserted.length === 1;
}

/** Ends a key for good; one that was revoked before keeps who did it and when. */
export async function revokeSigningKey(db: Database, { id, by }: { id: string; by: string }): Promise<void> {
  await db.pool.query(
    'UPDATE signing_keys SET revoked_at = clock_timestamp(), revoked_by = $2 WHERE id = $1 AND revoked_at IS NULL',
    [id, by],
  );
}
