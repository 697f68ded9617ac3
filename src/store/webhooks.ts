// Webhooks of a workspace and what they subscribe to. A webhook that is disabled keeps its row and loses its subscriptions,
// so that whoever commits events never meets it. Secrets are sealed before they come here.

import type { EventName } from '../core/event-names.ts';
import { matchesOf } from '../core/subscriptions.ts';
import type { Connection } from './db.ts';

/** Times are epoch milliseconds. */
export interface WebhookRow {
  id: string;
  url: string;
  events: EventName[];
  createdBy: string;
  createdAt: number;
  disabledAt: number | null;
  disabledReason: string | null;
}

export interface NewWebhook {
  id: string;
  workspaceId: string;
  url: string;
  events: readonly EventName[];
  sealedSecret: Buffer;
  createdBy: string;
}

/** Also the longest list that is ever answered; each commit of the workspace's runs looks at them. */
export const MAX_WEBHOOKS = 100;

const COLUMNS = `id, url, events, created_by AS "createdBy",
                 floor(extract(epoch FROM created_at) * 1000)::bigint AS "createdAt",
                 floor(extract(epoch FROM disabled_at) * 1000)::bigint AS "disabledAt", disabled_reason AS "disabledReason"`;

/** Newest first. */
export async function listWebhooks(db: Connection, workspaceId: string): Promise<WebhookRow[]> {
  const { rows } = await db.pool.query<WebhookRow>(
    `SELECT ${COLUMNS} FROM webhooks WHERE workspace_id = $1 ORDER BY id DESC LIMIT ${MAX_WEBHOOKS}`,
    [workspaceId],
  );
  return rows;
}

export async function findWebhook(
  db: Connection,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<WebhookRow | null> {
  const { rows } = await db.pool.query<WebhookRow>(
    `SELECT ${COLUMNS} FROM webhooks WHERE workspace_id = $1 AND id = $2`,
    [workspaceId, id],
  );
  return rows[0] ?? null;
}

/** `exists`: one with its id is there already; `full`: the workspace has as many as it may. */
export async function insertWebhook(db: Connection, webhook: NewWebhook): Promise<'inserted' | 'exists' | 'full'> {
  const { id, workspaceId, url, events, sealedSecret, createdBy } = webhook;
  // Two that are made at the same moment are made one after the other, or both would be the last that fits.
  await db.pool.query('SELECT FROM workspaces WHERE id = $1 FOR NO KEY UPDATE', [workspaceId]);
  const { rows } = await db.pool.query<{ isThere: boolean; count: number }>(
    `SELECT coalesce(bool_or(id = $2), false) AS "isThere", count(*)::int AS count FROM webhooks WHERE workspace_id = $1`,
    [workspaceId, id],
  );
  if (rows[0]!.isThere) return 'exists';
  if (rows[0]!.count >= MAX_WEBHOOKS) return 'full';
  await db.pool.query(
    `INSERT INTO webhooks (id, workspace_id, url, events, sealed_secret, created_by) VALUES ($1, $2, $3, $4, $5, $6)`,
    [id, workspaceId, url, events, sealedSecret, createdBy],
  );
  await subscribe(db, webhook);
  return 'inserted';
}

/** Whether there was one. Its deliveries are removed by the sweep. */
export async function deleteWebhook(
  db: Connection,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<boolean> {
  const { rowCount } = await db.pool.query('DELETE FROM webhooks WHERE workspace_id = $1 AND id = $2', [
    workspaceId,
    id,
  ]);
  return rowCount === 1;
}

/** From the next commit on it hears of nothing; says whether it did before. One that is disabled already keeps its reason. */
export async function disableWebhook(db: Connection, { id, reason }: { id: string; reason: string }): Promise<boolean> {
  const { rows } = await db.pool.query(
    `WITH disabled AS (UPDATE webhooks SET disabled_at = now(), disabled_reason = $2
                        WHERE id = $1 AND disabled_at IS NULL RETURNING id),
          ended AS (DELETE FROM webhook_subscriptions s USING disabled WHERE s.webhook_id = disabled.id)
     SELECT FROM disabled`,
    [id, reason],
  );
  return rows.length === 1;
}

/** From the next commit on it hears again; says whether it did not before. Only within a transaction. */
export async function enableWebhook(db: Connection, { id }: { id: string }): Promise<boolean> {
  const { rows } = await db.pool.query<Subscriber>(
    `UPDATE webhooks SET disabled_at = NULL, disabled_reason = NULL WHERE id = $1 AND disabled_at IS NOT NULL
     RETURNING id, workspace_id AS "workspaceId", events`,
    [id],
  );
  if (rows[0] !== undefined) await subscribe(db, rows[0]);
  return rows.length === 1;
}

type Subscriber = Pick<NewWebhook, 'id' | 'workspaceId' | 'events'>;

async function subscribe(db: Connection, { id, workspaceId, events }: Subscriber): Promise<void> {
  const rows = events.flatMap((event) => matchesOf(event).map((match) => ({ event, ...match })));
  await db.pool.query(
    `INSERT INTO webhook_subscriptions (workspace_id, webhook_id, type, event, condition)
     SELECT $1, $2, type, event, condition::jsonpath FROM unnest($3::text[], $4::text[], $5::text[]) AS s(type, event, condition)`,
    [workspaceId, id, rows.map(({ type }) => type), rows.map(({ event }) => event), rows.map((row) => row.condition)],
  );
}
