// Deliveries of a webhook as readers see them: the log of what was sent, when, and what the receiver said. Writes nothing.

import type { Connection } from './db.ts';
import type { DeliveryTry } from './deliveries.ts';

/** Times are epoch milliseconds. */
export interface DeliveryView {
  id: string;
  runId: string;
  event: string;
  seq: number;
  status: DeliveryStatus;
  attempts: number;
  /** When it is tried next; null once it is over. */
  nextTryAt: number | null;
  createdAt: number;
  finishedAt: number | null;
  /** The newest tries, oldest first. */
  log: DeliveryTry[];
}

export const DELIVERY_STATUSES = ['pending', 'sending', 'delivered', 'dead', 'cancelled'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

export interface DeliveryPage {
  workspaceId: string;
  webhookId: string;
  limit: number;
  status?: DeliveryStatus;
  /** The last of the page before. */
  after?: string;
}

const ms = (column: string) => `floor(extract(epoch FROM ${column}) * 1000)::bigint`;
const COLUMNS = `id, run_id AS "runId", event, seq, status, attempts,
                 CASE WHEN status = 'pending' THEN ${ms('due_at')} END AS "nextTryAt",
                 ${ms('created_at')} AS "createdAt", ${ms('finished_at')} AS "finishedAt", log`;

/** Newest first; `total` counts all of that status. */
export async function listDeliveries(
  db: Connection,
  { workspaceId, webhookId, limit, status, after }: DeliveryPage,
): Promise<{ rows: DeliveryView[]; total: number; hasMore: boolean }> {
  const wanted = 'workspace_id = $1 AND webhook_id = $2 AND ($3::text IS NULL OR status = $3)';
  const { rows } = await db.pool.query<DeliveryView>(
    `SELECT ${COLUMNS} FROM deliveries WHERE ${wanted} AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5`,
    [workspaceId, webhookId, status ?? null, after ?? null, limit + 1],
  );
  const counted = await db.pool.query<{ total: number }>(
    `SELECT count(*)::int AS total FROM deliveries WHERE ${wanted}`,
    [workspaceId, webhookId, status ?? null],
  );
  return { rows: rows.slice(0, limit), total: counted.rows[0]!.total, hasMore: rows.length > limit };
}

export async function findDelivery(
  db: Connection,
  { workspaceId, webhookId, id }: { workspaceId: string; webhookId: string; id: string },
): Promise<DeliveryView | null> {
  const { rows } = await db.pool.query<DeliveryView>(
    `SELECT ${COLUMNS} FROM deliveries WHERE workspace_id = $1 AND webhook_id = $2 AND id = $3`,
    [workspaceId, webhookId, id],
  );
  return rows[0] ?? null;
}
