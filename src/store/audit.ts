// The audit log of a workspace: lines are added with the change they tell of, in one transaction, and read newest first.
// What is worth a line is for the engine to say.

import { v7 as newId } from 'uuid';
import type { AuditAction, AuditEntry } from '../core/audit.ts';
import type { JsonObject } from '../core/json.ts';
import type { Actor } from '../core/run.ts';
import { reach } from '../failpoints.ts';
import { type Connection, type Database, transact } from './db.ts';

/** A line as stored; `at` is epoch milliseconds. */
export interface AuditRow {
  id: string;
  at: number;
  actor: string;
  keyId: string | null;
  action: AuditAction;
  objectId: string;
  objectName: string | null;
  address: string | null;
  userAgent: string | null;
  requestId: string | null;
  detail: JsonObject;
}

export interface RecordedChange<Result> {
  change(connection: Connection): Promise<Result>;
  /** The line about what `change` has answered; null where it changed nothing, or lost to another. */
  tell(result: Result): AuditEntry | null;
  /** Of a request that may come again: no second line has it. */
  commandId?: string | undefined;
}

/**
 * Makes a change and adds the line about it in one transaction: neither is there without the other. Throws a unique violation
 * where another line has the same command.
 */
export async function recordChange<Result>(
  db: Pick<Database, 'pool'>,
  actor: Actor,
  { change, tell, commandId }: RecordedChange<Result>,
): Promise<Result> {
  const done = await transact(db, async (connection) => {
    const result = await change(connection);
    const entry = tell(result);
    if (entry !== null) await insertAuditLine(connection, actor, entry, commandId);
    return result;
  });
  reach('change.after_commit');
  return done;
}

/** What the request with this id has done; null where it has done nothing. */
export async function findRecorded(
  { pool }: Connection,
  { workspaceId, commandId }: { workspaceId: string; commandId: string },
): Promise<Pick<AuditRow, 'action' | 'objectId'> | null> {
  const { rows } = await pool.query<Pick<AuditRow, 'action' | 'objectId'>>(
    'SELECT action, object_id AS "objectId" FROM audit_log WHERE workspace_id = $1 AND command_id = $2',
    [workspaceId, commandId],
  );
  return rows[0] ?? null;
}

/** Adds a line of its own, for what is no change. */
export async function insertAuditLine(
  { pool }: Connection,
  { workspaceId, userId, keyId, via }: Actor,
  { action, id, name, detail = {} }: AuditEntry,
  commandId?: string,
): Promise<void> {
  await pool.query(
    `INSERT INTO audit_log (id, workspace_id, actor, key_id, action, object_id, object_name, address, user_agent, request_id, detail,
                            command_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      newId(),
      workspaceId,
      userId,
      keyId ?? null,
      action,
      id,
      name ?? null,
      via?.address ?? null,
      via?.userAgent ?? null,
      via?.requestId ?? null,
      detail,
      commandId ?? null,
    ],
  );
}

export interface AuditPage {
  workspaceId: string;
  limit: number;
  /** The last line of the page before. */
  after?: string;
  actor?: string;
  action?: AuditAction;
  /** Epoch milliseconds; lines at `from` or later, and before `to`. */
  from?: number;
  to?: number;
}

/** Newest first. */
export async function listAuditLines(
  db: Connection,
  { workspaceId, limit, after, actor, action, from, to }: AuditPage,
): Promise<AuditRow[]> {
  const { rows } = await db.pool.query<AuditRow>(
    `SELECT id, floor(extract(epoch FROM at) * 1000)::bigint AS at, actor, key_id AS "keyId", action,
            object_id AS "objectId", object_name AS "objectName", address, user_agent AS "userAgent",
            request_id AS "requestId", detail
       FROM audit_log
      WHERE workspace_id = $1
        AND ($2::uuid IS NULL OR (at, id) < (SELECT at, id FROM audit_log WHERE workspace_id = $1 AND id = $2))
        AND ($3::text IS NULL OR actor = $3)
        AND ($4::text IS NULL OR action = $4)
        AND ($5::float8 IS NULL OR at >= to_timestamp($5::float8 / 1000))
        AND ($6::float8 IS NULL OR at < to_timestamp($6::float8 / 1000))
      ORDER BY at DESC, id DESC LIMIT $7`,
    [workspaceId, after ?? null, actor ?? null, action ?? null, from ?? null, to ?? null, limit],
  );
  return rows;
}
