// Inbound webhooks as stored: addresses that start runs of a workflow, and the secrets that their senders sign with. Secrets
// are sealed before they come here.

import type { Page } from './access-api-keys.ts';
import type { Connection } from './db.ts';

export const DEDUPES = ['id', 'body'] as const;
/** What makes two messages one: what their sender calls them, or what they say. */
export type Dedupe = (typeof DEDUPES)[number];

/** Times are epoch milliseconds. */
export interface InboundWebhookRow {
  id: string;
  workspaceId: string;
  podId: string;
  definitionId: string;
  /** A selector: `latest`, `published`, `3`. */
  version: string;
  name: string;
  enabled: boolean;
  /** Takes whatever comes, signed or not. */
  isPublic: boolean;
  dedupe: Dedupe;
  createdBy: string;
  createdAt: number;
  updatedAt: number;
}

export interface InboundWebhookRef {
  workspaceId: string;
  podId: string;
  id: string;
}

export interface SealedWebhookSecret {
  id: string;
  sealed: Buffer;
}

/** Also how many a list could ever have to show. */
export const MAX_INBOUND_WEBHOOKS = 1_000;
/** Secrets of one webhook that count at a time: each is tried on a message that none of them has signed. */
const MAX_SECRETS = 5;

const COLUMNS = `id, workspace_id AS "workspaceId", pod_id AS "podId", definition_id AS "definitionId", version, name, enabled,
  is_public AS "isPublic", dedupe, created_by AS "createdBy", floor(extract(epoch FROM created_at) * 1000)::bigint AS "createdAt",
  floor(extract(epoch FROM updated_at) * 1000)::bigint AS "updatedAt"`;

/** Newest first. */
export async function listInboundWebhooks(
  { pool }: Connection,
  { workspaceId, podId, limit, after }: Page & { podId: string },
): Promise<InboundWebhookRow[]> {
  const { rows } = await pool.query<InboundWebhookRow>(
    `SELECT ${COLUMNS} FROM inbound_webhooks
      WHERE workspace_id = $1 AND pod_id = $2 AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $4`,
    [workspaceId, podId, after ?? null, limit],
  );
  return rows;
}

export async function findInboundWebhook(
  { pool }: Connection,
  { workspaceId, podId, id }: InboundWebhookRef,
): Promise<InboundWebhookRow | null> {
  const { rows } = await pool.query<InboundWebhookRow>(
    `SELECT ${COLUMNS} FROM inbound_webhooks WHERE workspace_id = $1 AND pod_id = $2 AND id = $3`,
    [workspaceId, podId, id],
  );
  return rows[0] ?? null;
}

/** Whoever's it is, with the secrets that count now, the newest first: for a message whose sender is not known yet. */
export async function findWebhookForMessage(
  { pool }: Connection,
  id: string,
): Promise<(InboundWebhookRow & { sealedSecrets: Buffer[] }) | null> {
  const { rows } = await pool.query<InboundWebhookRow & { sealedSecrets: Buffer[] }>({
    name: 'find-webhook-for-message',
    text: `SELECT ${COLUMNS},
                  ARRAY(SELECT s.sealed FROM inbound_webhook_secrets s
                         WHERE s.webhook_id = w.id AND (s.valid_until IS NULL OR s.valid_until > now())
                         ORDER BY s.id DESC) AS "sealedSecrets"
             FROM inbound_webhooks w WHERE id = $1`,
    values: [id],
  });
  return rows[0] ?? null;
}

export type NewInboundWebhook = Omit<InboundWebhookRow, 'createdAt' | 'updatedAt'> & {
  /** Null when it is public. */
  secret: SealedWebhookSecret | null;
};

/** `exists`: one with its id is there already; `full`: the workspace has as many as it may. */
export async function insertInboundWebhook(
  db: Connection,
  row: NewInboundWebhook,
): Promise<'inserted' | 'exists' | 'full'> {
  const { id, workspaceId, secret } = row;
  // Two that are made at the same moment are made one after the other, or both would be the last that fits.
  await db.pool.query('SELECT FROM workspaces WHERE id = $1 FOR NO KEY UPDATE', [workspaceId]);
  const { rows } = await db.pool.query<{ isThere: boolean; count: number }>(
    `SELECT coalesce(bool_or(id = $2), false) AS "isThere", count(*)::int AS count
       FROM inbound_webhooks WHERE workspace_id = $1`,
    [workspaceId, id],
  );
  if (rows[0]!.isThere) return 'exists';
  if (rows[0]!.count >= MAX_INBOUND_WEBHOOKS) return 'full';
  await db.pool.query(
    `INSERT INTO inbound_webhooks (id, workspace_id, pod_id, definition_id, version, name, enabled, is_public, dedupe, created_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      id,
      workspaceId,
      row.podId,
      row.definitionId,
      row.version,
      row.name,
      row.enabled,
      row.isPublic,
      row.dedupe,
      row.createdBy,
    ],
  );
  if (secret !== null) await insertSecret(db, id, secret);
  return 'inserted';
}

/** Changes what is given; null when there is no such webhook. */
export async function updateInboundWebhook(
  { pool }: Connection,
  { workspaceId, podId, id }: InboundWebhookRef,
  { name, enabled, version, dedupe }: { name?: string; enabled?: boolean; version?: string; dedupe?: Dedupe },
): Promise<InboundWebhookRow | null> {
  const { rows } = await pool.query<InboundWebhookRow>(
    `UPDATE inbound_webhooks
        SET name = coalesce($4, name), enabled = coalesce($5, enabled), version = coalesce($6, version),
            dedupe = coalesce($7, dedupe), updated_at = now()
      WHERE workspace_id = $1 AND pod_id = $2 AND id = $3
      RETURNING ${COLUMNS}`,
    [workspaceId, podId, id, name ?? null, enabled ?? null, version ?? null, dedupe ?? null],
  );
  return rows[0] ?? null;
}

/**
 * From now on messages are signed with this secret; those before it count for `graceMs` more, and no longer than they did.
 * False when there is no such webhook.
 */
export async function replaceWebhookSecret(
  db: Connection,
  webhookId: string,
  { secret, graceMs }: { secret: SealedWebhookSecret; graceMs: number },
): Promise<boolean> {
  // One after the other, or both would find the same current secret.
  const { rowCount } = await db.pool.query('UPDATE inbound_webhooks SET updated_at = now() WHERE id = $1', [webhookId]);
  if (rowCount === 0) return false;
  const until = `now() + $2::float8 * interval '1 millisecond'`;
  await db.pool.query(
    `UPDATE inbound_webhook_secrets SET valid_until = least(coalesce(valid_until, 'infinity'), ${until}) WHERE webhook_id = $1`,
    [webhookId, graceMs],
  );
  await insertSecret(db, webhookId, secret);
  await db.pool.query(
    `DELETE FROM inbound_webhook_secrets
      WHERE webhook_id = $1 AND (valid_until <= now() OR id NOT IN (
        SELECT id FROM inbound_webhook_secrets WHERE webhook_id = $1 ORDER BY id DESC LIMIT ${MAX_SECRETS}))`,
    [webhookId],
  );
  return true;
}

/** Whether there was one, and what it was called. */
export async function deleteInboundWebhook(
  { pool }: Connection,
  { workspaceId, podId, id }: InboundWebhookRef,
): Promise<{ name: string } | null> {
  const { rows } = await pool.query<{ name: string }>(
    'DELETE FROM inbound_webhooks WHERE workspace_id = $1 AND pod_id = $2 AND id = $3 RETURNING name',
    [workspaceId, podId, id],
  );
  return rows[0] ?? null;
}

async function insertSecret(
  { pool }: Connection,
  webhookId: string,
  { id, sealed }: SealedWebhookSecret,
): Promise<void> {
  await pool.query(
    `INSERT INTO inbound_webhook_secrets (id, workspace_id, webhook_id, sealed)
     SELECT $1, workspace_id, id, $3 FROM inbound_webhooks WHERE id = $2`,
    [id, webhookId, sealed],
  );
}
