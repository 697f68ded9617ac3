// Deliveries on their way: who may send one now, what came of it, and which are due and not on their way. They are written by
// store/commit-statement.ts, with their cause; how they are shown is store/delivery-views.ts.

import type { RunEvent } from '../core/events.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { type Connection, type Database, transact } from './db.ts';

/** One try, as it is kept and shown. */
export interface DeliveryTry {
  /** ISO 8601. */
  at: string;
  durationMs: number;
  /** Of the response; null when there was none. */
  status: number | null;
  /** The beginning of the response's body, as text. */
  body: string | null;
  error: string | null;
}

/** A delivery that is this process' to send until its lease ends. */
export interface ClaimedDelivery {
  id: string;
  workspaceId: string;
  runId: string;
  event: string;
  /** Its number among those since it was made, or sent anew by hand. */
  attempt: number;
  fence: number;
  /** What a step run wants sent; null where it tells of an event. */
  callback: CallbackDelivery | null;
  /** Null where a step run wants it. */
  hook: HookDelivery | null;
}

export interface CallbackDelivery {
  step: string;
  visit: number;
  spec: JsonObject;
  /** The same while the receiver may have had it before. */
  messageId: string;
  /** Whether its step run still waits for this very delivery. */
  isWanted: boolean;
}

export interface HookDelivery {
  webhookId: string;
  url: string;
  sealedSecret: Buffer;
  isDisabled: boolean;
  /** What happened; `at` is epoch milliseconds. */
  told: Pick<RunEvent, 'seq' | 'type' | 'step' | 'visit' | 'actor' | 'data'> & { at: number };
  run: { definitionId: string; definitionKey: string; version: number; result: Json };
}

export type DeliveryEnd = 'delivered' | 'dead' | 'cancelled';

interface ClaimOptions {
  leaseMs: number;
  /** How many deliveries to one endpoint may be under way at once. */
  perEndpoint: number;
}

/** Tries that are kept and shown of one delivery, the newest. */
const MAX_TRIES_KEPT = 20;

/**
 * Takes a delivery that is due, unless somebody has it, or its endpoint has enough on its way: then it is due again when one
 * of those ends, or in the next sweep. Claims of one endpoint go one by one, or two could both be the last that fits.
 */
export function claimDelivery(
  db: Database,
  id: string,
  { leaseMs, perEndpoint }: ClaimOptions,
): Promise<ClaimedDelivery | null> {
  return transact(db, async ({ pool }) => {
    const { rows: due } = await pool.query<{ endpoint: string }>({
      name: 'lock-endpoint',
      text: `SELECT endpoint, pg_advisory_xact_lock(hashtextextended(endpoint, 0)) FROM deliveries
              WHERE id = $1 AND status = 'pending' AND due_at <= now()`,
      values: [id],
    });
    if (due.length === 0) return null;
    const { rowCount } = await pool.query({
      name: 'claim-delivery',
      text: `UPDATE deliveries SET status = 'sending', attempts = attempts + 1, fence = fence + 1,
                                   next_at = now() + $2 * interval '1 ms'
              WHERE id = $1 AND status = 'pending' AND due_at <= now()
                AND (SELECT count(*) FROM deliveries o
                      WHERE o.endpoint = $3 AND o.status = 'sending' AND o.next_at > now()) < $4`,
      values: [id, leaseMs, due[0]!.endpoint, perEndpoint],
    });
    return rowCount === 1 ? findClaimed({ pool }, id) : null;
  });
}

interface ClaimedRow {
  id: string;
  workspaceId: string;
  runId: string;
  event: string;
  attempt: number;
  fence: number;
  callback: CallbackDelivery | null;
  hook: Omit<HookDelivery, 'sealedSecret'> | null;
  sealedSecret: Buffer | null;
}

async function findClaimed({ pool }: Connection, id: string): Promise<ClaimedDelivery | null> {
  const { rows } = await pool.query<ClaimedRow>({
    name: 'claimed-delivery',
    text: `
      SELECT d.id, d.workspace_id AS "workspaceId", d.run_id AS "runId", d.event, d.attempts AS attempt, d.fence,
             w.sealed_secret AS "sealedSecret",
             CASE WHEN d.step_id IS NOT NULL THEN json_build_object(
               'step', d.step_id, 'visit', d.visit, 'spec', d.spec, 'messageId', d.message_id,
               'isWanted', coalesce(r.open @> jsonb_build_array(jsonb_build_object('deliveryId', d.id)), false)) END AS callback,
             CASE WHEN w.id IS NOT NULL AND e.run_id IS NOT NULL THEN json_build_object(
               'webhookId', w.id, 'url', w.url, 'isDisabled', w.disabled_at IS NOT NULL,
               'told', json_build_object('seq', e.seq, 'type', e.type, 'step', e.step_id, 'visit', e.visit, 'actor', e.actor,
                                         'data', e.data, 'at', floor(extract(epoch FROM e.at) * 1000)::bigint),
               'run', json_build_object('definitionId', r.definition_id, 'definitionKey', f.key, 'version', r.version,
                                        'result', CASE WHEN e.type = 'run.completed' THEN r.result END)) END AS hook
        FROM deliveries d
        LEFT JOIN webhooks w ON w.id = d.webhook_id
        LEFT JOIN events e ON e.run_id = d.run_id AND e.seq = d.seq
        LEFT JOIN runs r ON r.id = d.run_id
        LEFT JOIN definitions f ON f.id = r.definition_id
       WHERE d.id = $1`,
    values: [id],
  });
  const row = rows[0];
  if (row === undefined) return null;
  const { sealedSecret, hook, ...rest } = row;
  return { ...rest, hook: hook && sealedSecret ? { ...hook, sealedSecret } : null };
}

type Held = Pick<ClaimedDelivery, 'id' | 'fence'>;

/** Ends a delivery; false when it was taken from this process meanwhile. What was to be sent is not kept. */
export async function endDelivery(
  db: Database,
  { id, fence }: Held,
  { status, tried }: { status: DeliveryEnd; tried: DeliveryTry | null },
): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: 'end-delivery',
    text: `UPDATE deliveries SET status = $3, next_at = NULL, finished_at = now(), spec = spec - 'payload',
                                 log = ${KEPT_LOG}
            WHERE id = $1 AND fence = $2 AND status = 'sending'`,
    values: [id, fence, status, JSON.stringify(tried === null ? [] : [tried])],
  });
  return rowCount === 1;
}

/** Puts a delivery back until its next try; false when it was taken from this process meanwhile. */
export async function postponeDelivery(
  db: Database,
  { id, fence }: Held,
  { delayMs, tried }: { delayMs: number; tried: DeliveryTry },
): Promise<boolean> {
  const { rowCount } = await db.pool.query({
    name: 'postpone-delivery',
    text: `UPDATE deliveries SET status = 'pending', due_at = now() + $3 * interval '1 ms',
                                 next_at = now() + $3 * interval '1 ms', log = ${KEPT_LOG}
            WHERE id = $1 AND fence = $2 AND status = 'sending'`,
    values: [id, fence, delayMs, JSON.stringify([tried])],
  });
  return rowCount === 1;
}

/** `log || $4`, the newest only. */
const KEPT_LOG = `(SELECT coalesce(jsonb_agg(t ORDER BY n), '[]') FROM (
                     SELECT t, n FROM jsonb_array_elements(log || $4::jsonb) WITH ORDINALITY AS a(t, n)
                      ORDER BY n DESC LIMIT ${MAX_TRIES_KEPT}) AS kept)`;

/** Adds a way to answer, before the receiver is told of it: every try has one of its own, since any may have arrived. */
export async function addAnswerHash(db: Database, { id, fence }: Held, hash: Buffer): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    `UPDATE deliveries SET answer_hashes = answer_hashes || $3::bytea WHERE id = $1 AND fence = $2 AND status = 'sending'`,
    [id, fence, hash],
  );
  return rowCount === 1;
}

/** The step run that `hash` answers, if it is one of the delivery's. */
export async function findByAnswerHash(
  db: Database,
  { id, hash }: { id: string; hash: Buffer },
): Promise<{ workspaceId: string; runId: string; step: string; visit: number } | null> {
  const { rows } = await db.pool.query<{ workspaceId: string; runId: string; step: string; visit: number }>(
    `SELECT workspace_id AS "workspaceId", run_id AS "runId", step_id AS step, visit FROM deliveries
      WHERE id = $1 AND $2::bytea = ANY (answer_hashes)`,
    [id, hash],
  );
  return rows[0] ?? null;
}

/**
 * Deliveries that are due and were not offered for `graceMs`, and those whose sender's lease has ended; longest ago first.
 * The caller then makes their jobs.
 */
export async function takeDueDeliveries(
  db: Database,
  { limit, graceMs }: { limit: number; graceMs: number },
): Promise<Held[]> {
  const { rows } = await db.pool.query<Held>({
    name: 'take-due-deliveries',
    text: `UPDATE deliveries d SET status = 'pending', next_at = now() + $2 * interval '1 ms'
             FROM (SELECT id FROM deliveries WHERE next_at <= now() ORDER BY next_at LIMIT $1
                   FOR NO KEY UPDATE SKIP LOCKED) due
            WHERE d.id = due.id RETURNING d.id, d.fence`,
    values: [limit, graceMs],
  });
  return rows;
}

/** The delivery to the same endpoint that has waited longest for a place, if one waits. */
export async function takeNextOfEndpoint(
  db: Database,
  { id, graceMs }: { id: string; graceMs: number },
): Promise<Held | null> {
  const { rows } = await db.pool.query<Held>({
    name: 'take-next-of-endpoint',
    text: `UPDATE deliveries d SET next_at = now() + $2 * interval '1 ms'
             FROM (SELECT id FROM deliveries
                    WHERE endpoint = (SELECT endpoint FROM deliveries WHERE id = $1) AND status = 'pending' AND due_at <= now()
                    ORDER BY due_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) next
            WHERE d.id = next.id RETURNING d.id, d.fence`,
    values: [id, graceMs],
  });
  return rows[0] ?? null;
}

/** Makes a finished delivery due again, from the first try; null when it is none of the webhook's, or still being tried. */
export async function renewDelivery(
  db: Connection,
  { workspaceId, webhookId, id, graceMs }: { workspaceId: string; webhookId: string; id: string; graceMs: number },
): Promise<Held | null> {
  const { rows } = await db.pool.query<Held>(
    `UPDATE deliveries SET status = 'pending', attempts = 0, due_at = now(), finished_at = NULL,
                           next_at = now() + $4 * interval '1 ms'
      WHERE id = $1 AND workspace_id = $2 AND webhook_id = $3 AND next_at IS NULL RETURNING id, fence`,
    [id, workspaceId, webhookId, graceMs],
  );
  return rows[0] ?? null;
}

/** Removes deliveries of webhooks that were deleted, and all but the newest of each webhook; answers how many. */
export async function trimDeliveries(db: Database, { keep, limit }: { keep: number; limit: number }): Promise<number> {
  const { rowCount } = await db.pool.query(
    `DELETE FROM deliveries WHERE id IN (
       (SELECT d.id FROM webhooks w CROSS JOIN LATERAL (
          SELECT id FROM deliveries WHERE webhook_id = w.id AND next_at IS NULL ORDER BY id DESC OFFSET $1 LIMIT $2) d)
       UNION ALL
       (SELECT id FROM deliveries d WHERE webhook_id IS NOT NULL AND NOT EXISTS (SELECT FROM webhooks w WHERE w.id = d.webhook_id)
         LIMIT $2))`,
    [keep, limit],
  );
  return rowCount ?? 0;
}
