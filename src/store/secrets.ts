// The sealed secrets of workspaces. Nothing here opens one; the engine does, with store/sealing.ts.

import type { Connection, Database } from './db.ts';

/** What may be told of a secret. Times are epoch milliseconds. */
export interface SecretRow {
  name: string;
  updatedBy: string;
  createdAt: number;
  updatedAt: number;
}

export interface SealedSecret {
  workspaceId: string;
  name: string;
  sealed: Buffer;
}

/** Also the longest list that is ever answered. */
export const MAX_SECRETS = 1_000;

const TOLD = `name, updated_by AS "updatedBy", floor(extract(epoch FROM created_at) * 1000)::bigint AS "createdAt",
              floor(extract(epoch FROM updated_at) * 1000)::bigint AS "updatedAt"`;

export async function listSecrets(db: Connection, workspaceId: string): Promise<SecretRow[]> {
  const { rows } = await db.pool.query<SecretRow>(
    `SELECT ${TOLD} FROM secrets WHERE workspace_id = $1 ORDER BY name LIMIT ${MAX_SECRETS}`,
    [workspaceId],
  );
  return rows;
}

export async function findSecret(
  { pool }: Connection,
  { workspaceId, name }: { workspaceId: string; name: string },
): Promise<SecretRow | null> {
  const { rows } = await pool.query<SecretRow>(`SELECT ${TOLD} FROM secrets WHERE workspace_id = $1 AND name = $2`, [
    workspaceId,
    name,
  ]);
  return rows[0] ?? null;
}

/** Those of `names` that the workspace has. */
export async function findSealedSecrets(
  db: Database,
  { workspaceId, names }: { workspaceId: string; names: readonly string[] },
): Promise<SealedSecret[]> {
  const { rows } = await db.pool.query<SealedSecret>({
    name: 'find-sealed-secrets',
    text: `SELECT workspace_id AS "workspaceId", name, sealed FROM secrets
            WHERE workspace_id = $1 AND name = ANY ($2::text[])`,
    values: [workspaceId, names],
  });
  return rows;
}

/** Writes a secret, over one of this name if there is one; null when the workspace has no room for another. */
export async function putSecret(
  db: Connection,
  { workspaceId, name, sealed, updatedBy }: SealedSecret & { updatedBy: string },
): Promise<(SecretRow & { isNew: boolean }) | null> {
  const { rows } = await db.pool.query<SecretRow & { isNew: boolean }>(
    `INSERT INTO secrets (workspace_id, name, sealed, updated_by)
     SELECT $1::uuid, $2::text, $3::bytea, $4::text
      WHERE EXISTS (SELECT FROM secrets WHERE workspace_id = $1::uuid AND name = $2::text)
         OR (SELECT count(*) FROM secrets WHERE workspace_id = $1::uuid) < ${MAX_SECRETS}
     ON CONFLICT (workspace_id, name) DO UPDATE
        SET sealed = excluded.sealed, updated_by = excluded.updated_by, updated_at = now()
     RETURNING ${TOLD}, xmax = 0 AS "isNew"`,
    [workspaceId, name, sealed, updatedBy],
  );
  return rows[0] ?? null;
}

/** Whether there was one. */
export async function deleteSecretRow(
  db: Connection,
  { workspaceId, name }: { workspaceId: string; name: string },
): Promise<boolean> {
  const { rowCount } = await db.pool.query('DELETE FROM secrets WHERE workspace_id = $1 AND name = $2', [
    workspaceId,
    name,
  ]);
  return rowCount === 1;
}
