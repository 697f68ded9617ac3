// Keys that tokens are verified with: public ones as they are, secret ones sealed. How a token is verified, and how a
// secret is sealed, is not known here.

import type { Role } from '../core/roles.ts';
import type { Page } from './access-api-keys.ts';
import { type Connection, type Database, READ_PATIENCE } from './db.ts';

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
    ...READ_PATIENCE,
    name: 'signing-key',
    text: `${SELECT} WHERE k.id = $1`,
    values: [id],
  });
  return rows[0] ?? null;
}

/** Newest first; revoked ones too. */
export async function listSigningKeys(db: Connection, { workspaceId, limit, after }: Page): Promise<SigningKeyRow[]> {
  const { rows } = await db.pool.query<SigningKeyRow>(
    `${SELECT} WHERE k.workspace_id = $1 AND ($2::uuid IS NULL OR k.id < $2) ORDER BY k.id DESC LIMIT $3`,
    [workspaceId, after ?? null, limit],
  );
  return rows;
}

/** Inserts a key unless one with its id is there already; says whether it did. */
export async function insertSigningKey(db: Connection, key: NewSigningKey): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `INSERT INTO signing_keys (id, workspace_id, name, algorithm, role, public_key, sealed_secret, audience, issuer, created_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING`,
    [
      key.id,
      key.workspaceId,
      key.name,
      key.algorithm,
      key.role,
      key.publicKey,
      key.sealedSecret,
      key.audience,
      key.issuer,
      key.createdBy,
    ],
  );
  return rowCount === 1;
}

/** Ends a key for good and says whether it did: one that was revoked before keeps who did it and when. */
export async function revokeSigningKey(db: Connection, { id, by }: { id: string; by: string }): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    'UPDATE signing_keys SET revoked_at = clock_timestamp(), revoked_by = $2 WHERE id = $1 AND revoked_at IS NULL',
    [id, by],
  );
  return rowCount === 1;
}
