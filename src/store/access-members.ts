// Members of a workspace and their roles. Changes are decided by the caller while the workspace's row is locked, so two
// owners cannot remove each other at the same moment.

import type { Knex } from 'knex';
import type { MemberSituation } from '../core/membership.ts';
import type { Role } from '../core/roles.ts';
import type { Page } from './access-api-keys.ts';
import type { Database } from './db.ts';

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
    name: 'member',
    text: `SELECT ${COLUMNS} FROM members WHERE workspace_id = $1 AND user_id = $2`,
    values: [workspaceId, userId],
  });
  return rows[0] ?? null;
}

/** By user id; removed ones are left out. */
export async function listMembers(db: Database, { workspaceId, limit, after }: Page): Promise<MemberRow[]> {
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
  db: Database,
  { workspaceId, userId, role, by }: MemberChange & { role: Role },
): Promise<void> {
  await db.pool.query(
    `INSERT INTO members (workspace_id, user_id, role, added_by) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
    [workspaceId, userId, role, by],
  );
}

/** Applies a change unless `check`, which is shown how things stand, throws; changes of one workspace go one by one. */
export async function changeMember(
  db: Database,
  change: MemberChange,
  check: (situation: MemberSituation) => void,
): Promise<void> {
  const { workspaceId } = change;
  await db.knex.transaction(async (trx) => {
    await trx.raw('SELECT FROM workspaces WHERE id = :workspaceId FOR NO KEY UPDATE', { workspaceId });
    check(await findSituation(trx, change));
    if (change.role === null) await removeMember(trx, change);
    else await putMember(trx, change, change.role);
  });
}

async function findSituation(trx: Knex, { workspaceId, userId }: MemberChange): Promise<MemberSituation> {
  const { rows } = await trx.raw<{ rows: MemberSituation[] }>(
    `SELECT max(role) FILTER (WHERE user_id = :userId) AS role,
            (count(*) FILTER (WHERE user_id <> :userId AND role = 'owner'))::int AS "otherOwners"
       FROM members WHERE workspace_id = :workspaceId AND removed_at IS NULL`,
    { workspaceId, userId },
  );
  return rows[0]!;
}

async function putMember(trx: Knex, { workspaceId, userId, by }: MemberChange, role: Role): Promise<void> {
  await trx.raw(
    `INSERT INTO members (workspace_id, user_id, role, added_by) VALUES (:workspaceId, :userId, :role, :by)
     ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role, removed_at = NULL, removed_by = NULL`,
    { workspaceId, userId, role, by },
  );
}

async function removeMember(trx: Knex, { workspaceId, userId, by }: MemberChange): Promise<void> {
  const names = { workspaceId, userId, by };
  await trx.raw(
    `UPDATE members SET removed_at = clock_timestamp(), removed_by = :by
      WHERE workspace_id = :workspaceId AND user_id = :userId`,
    names,
  );
  await trx.raw(
    `UPDATE api_keys SET revoked_at = clock_timestamp(), revoked_by = :by
      WHERE workspace_id = :workspaceId AND user_id = :userId AND revoked_at IS NULL`,
    names,
  );
}
