// Members of a workspace and their roles. Changes are decided by the caller while the workspace's row is locked, so two
// owners cannot remove each other at the same moment.

import type { MemberSituation } from '../core/membership.ts';
import type { Role } from '../core/roles.ts';
import type { Page } from './access-api-keys.ts';
import { type Connection, type Database, READ_PATIENCE } from './db.ts';

/** Times are epoch milliseconds. */
export interface MemberRow {
  workspaceId: string;
  userId: string;
  role: Role;
  addedBy: string;
  addedAt: number;
  removedAt: number | null;
}

export interface MemberChange {
  workspaceId: string;
  userId: string;
  /** The role to have; null removes the member and revokes their API keys. */
  role: Role | null;
  by: string;
}

const COLUMNS = `workspace_id AS "workspaceId", user_id AS "userId", role, added_by AS "addedBy",
  floor(extract(epoch FROM added_at) * 1000)::bigint AS "addedAt",
  floor(extract(epoch FROM removed_at) * 1000)::bigint AS "removedAt"`;

/** Finds a member, removed ones too. */
export async function findMember(
  db: Database,
  { workspaceId, userId }: { workspaceId: string; userId: string },
): Promise<MemberRow | null> {
  const { rows } = await db.pool.query<MemberRow>({
    ...READ_PATIENCE,
    name: 'member',
    text: `SELECT ${COLUMNS} FROM members WHERE workspace_id = $1 AND user_id = $2`,
    values: [workspaceId, userId],
  });
  return rows[0] ?? null;
}

/** By user id; removed ones are left out. */
export async function listMembers(db: Connection, { workspaceId, limit, after }: Page): Promise<MemberRow[]> {
  const { rows } = await db.pool.query<MemberRow>(
    `SELECT ${COLUMNS} FROM members
      WHERE workspace_id = $1 AND removed_at IS NULL AND ($2::text IS NULL OR user_id COLLATE "C" > $2)
      ORDER BY user_id COLLATE "C" LIMIT $3`,
    [workspaceId, after ?? null, limit],
  );
  return rows;
}

/** Makes somebody a member unless they are, or were, one. */
export async function ensureMember(
  db: Connection,
  { workspaceId, userId, role, by }: MemberChange & { role: Role },
): Promise<void> {
  await db.pool.query(
    `INSERT INTO members (workspace_id, user_id, role, added_by) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
    [workspaceId, userId, role, by],
  );
}

/**
 * Applies a change unless `check`, which is shown how things stand, throws; answers how many API keys it revoked. Only within
 * a transaction: until its end the other changes of the workspace wait.
 */
export async function changeMember(
  db: Connection,
  change: MemberChange,
  check: (situation: MemberSituation) => void,
): Promise<{ revokedKeys: number }> {
  await db.pool.query('SELECT FROM workspaces WHERE id = $1 FOR NO KEY UPDATE', [change.workspaceId]);
  check(await findSituation(db, change));
  if (change.role === null) return { revokedKeys: await removeMember(db, change) };
  await putMember(db, change, change.role);
  return { revokedKeys: 0 };
}

async function findSituation({ pool }: Connection, { workspaceId, userId }: MemberChange): Promise<MemberSituation> {
  const { rows } = await pool.query<MemberSituation>(
    `SELECT max(role) FILTER (WHERE user_id = $2) AS role,
            (count(*) FILTER (WHERE user_id <> $2 AND role = 'owner'))::int AS "otherOwners"
       FROM members WHERE workspace_id = $1 AND removed_at IS NULL`,
    [workspaceId, userId],
  );
  return rows[0]!;
}

async function putMember(db: Connection, change: MemberChange, role: Role): Promise<void> {
  const { workspaceId, userId, by } = change;
  await db.pool.query(
    `INSERT INTO members (workspace_id, user_id, role, added_by) VALUES ($1, $2, $3, $4)
     ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role, removed_at = NULL, removed_by = NULL`,
    [workspaceId, userId, role, by],
  );
}

async function removeMember({ pool }: Connection, change: MemberChange): Promise<number> {
  const { workspaceId, userId, by } = change;
  await pool.query(
    `UPDATE members SET removed_at = clock_timestamp(), removed_by = $3 WHERE workspace_id = $1 AND user_id = $2`,
    [workspaceId, userId, by],
  );
  const { rowCount } = await pool.query(
    `UPDATE api_keys SET revoked_at = clock_timestamp(), revoked_by = $3
      WHERE workspace_id = $1 AND user_id = $2 AND revoked_at IS NULL`,
    [workspaceId, userId, by],
  );
  return rowCount ?? 0;
}
