// Tickets for live streams, by their hashes. One that is used is gone, so no two requests can use it, whatever process they
// come to.

import type { Connection } from './db.ts';
import { isUuid } from './definitions.ts';

/** Times are epoch milliseconds. */
export interface TicketRow {
  hash: Buffer;
  runId: string;
  workspaceId: string;
  /** Of the credential that it was asked with, and when that one ends by itself. */
  keyId: string;
  userId: string;
  endsAt: number | null;
  expiresAt: number;
}

export interface TicketHolder {
  workspaceId: string;
  workspaceSlug: string;
  keyId: string;
  userId: string;
  endsAt?: number;
}

const DELETED_PER_INSERT = 3;

/** Stores one, and removes a few that nobody has used in their time. */
export async function insertTicket({ pool }: Connection, ticket: TicketRow): Promise<void> {
  await pool.query({
    name: 'insert-stream-ticket',
    text: `WITH expired AS (
             DELETE FROM stream_tickets WHERE hash IN (
               SELECT hash FROM stream_tickets WHERE expires_at < now()
                ORDER BY expires_at LIMIT ${DELETED_PER_INSERT} FOR UPDATE SKIP LOCKED)
           )
           INSERT INTO stream_tickets (hash, run_id, workspace_id, key_id, user_id, ends_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, to_timestamp($6::float8 / 1000), to_timestamp($7::float8 / 1000))`,
    values: [
      ticket.hash,
      ticket.runId,
      ticket.workspaceId,
      ticket.keyId,
      ticket.userId,
      ticket.endsAt,
      ticket.expiresAt,
    ],
  });
}

/** Takes the ticket of this run away, and answers whose it was; null when there is none that is good. */
export async function deleteTicket(
  { pool }: Connection,
  { hash, runId }: { hash: Buffer; runId: string },
): Promise<TicketHolder | null> {
  if (!isUuid(runId)) return null;
  const { rows } = await pool.query<Omit<TicketHolder, 'endsAt'> & { endsAt: number | null }>({
    name: 'delete-stream-ticket',
    text: `DELETE FROM stream_tickets t USING workspaces w
            WHERE t.hash = $1 AND t.run_id = $2 AND t.expires_at > now() AND w.id = t.workspace_id
              AND (t.ends_at IS NULL OR t.ends_at > now())
            RETURNING t.workspace_id AS "workspaceId", w.slug AS "workspaceSlug", t.key_id AS "keyId",
                      t.user_id AS "userId", floor(extract(epoch FROM t.ends_at) * 1000)::bigint AS "endsAt"`,
    values: [hash, runId],
  });
  const [row] = rows;
  if (row === undefined) return null;
  const { endsAt, ...holder } = row;
  return endsAt === null ? holder : { ...holder, endsAt };
}
