// Idempotency keys as rows: one winner per key and workspace, a lease while it works, the first answer for a day. Knows
// neither what was asked nor what an answer says. Every claim also deletes a few expired rows, so nothing piles up.

import { randomUUID } from 'node:crypto';
import { v7 as newId } from 'uuid';
import type { Database } from './db.ts';

/** A request that its client has named. */
export interface KeyedRequest {
  workspaceId: string;
  key: string;
  /** 32 bytes that stand for everything that makes it this request and no other: as written now, and as before. */
  digests: readonly Buffer[];
}

/** What came of asking for a key: ours to work on, answered, at work elsewhere, or used for another request. */
export type KeyClaim =
  | { kind: 'claimed'; id: string; claim: string }
  | { kind: 'answered'; answer: string }
  | { kind: 'running' }
  | { kind: 'mismatch' };

const LIFETIME = `interval '24 hours'`;
/** Long enough to live through a pause of the process; a claim that is lost earlier costs a repetition, no duplicate. */
const LEASE = `interval '10 seconds'`;
/** More than one, so that deleting keeps ahead of inserting. */
const DELETED_PER_CLAIM = 3;
/** A row that goes away between the two statements of a claim is asked for again. */
const MAX_TRIES = 5;

/** Claims the key for this request: it is new, expired, or its lease has lapsed without an answer. */
export async function claimKey(db: Database, request: KeyedRequest): Promise<KeyClaim> {
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const claimed = (await insertClaim(db, request)) ?? (await readKey(db, request));
    if (claimed !== null) return claimed;
  }
  return { kind: 'running' };
}

async function insertClaim(db: Database, { workspaceId, key, digests }: KeyedRequest): Promise<KeyClaim | null> {
  const claim = randomUUID();
  const { rows } = await db.pool.query<{ id: string }>({
    name: 'claim-idempotency-key',
    text: `WITH expired AS (
             DELETE FROM idempotency_keys WHERE (workspace_id, key) IN (
               SELECT workspace_id, key FROM idempotency_keys
                WHERE created_at < now() - ${LIFETIME} AND NOT (workspace_id = $1 AND key = $2)
                ORDER BY created_at LIMIT ${DELETED_PER_CLAIM} FOR UPDATE SKIP LOCKED)
           )
           INSERT INTO idempotency_keys AS k (workspace_id, key, id, digest, claim, lease_until)
           VALUES ($1, $2, $3, $4, $5, now() + ${LEASE})
           ON CONFLICT (workspace_id, key) DO UPDATE
              SET id = CASE WHEN k.created_at < now() - ${LIFETIME} THEN EXCLUDED.id ELSE k.id END,
                  created_at = CASE WHEN k.created_at < now() - ${LIFETIME} THEN now() ELSE k.created_at END,
                  digest = EXCLUDED.digest, claim = EXCLUDED.claim, lease_until = EXCLUDED.lease_until, answer = NULL
            WHERE k.created_at < now() - ${LIFETIME} OR (k.lease_until <= now() AND k.digest = ANY ($6::bytea[]))
           RETURNING id`,
    values: [workspaceId, key, newId(), digests[0], claim, digests],
  });
  return rows[0] === undefined ? null : { kind: 'claimed', id: rows[0].id, claim };
}

async function readKey(db: Database, { workspaceId, key, digests }: KeyedRequest): Promise<KeyClaim | null> {
  const { rows } = await db.pool.query<{ digest: Buffer; answer: string | null; lapsed: boolean | null }>({
    name: 'read-idempotency-key',
    text: `SELECT digest, answer, lease_until <= now() AS lapsed
             FROM idempotency_keys WHERE workspace_id = $1 AND key = $2`,
    values: [workspaceId, key],
  });
  const [row] = rows;
  if (row === undefined) return null;
  if (!digests.some((digest) => row.digest.equals(digest))) return { kind: 'mismatch' };
  if (row.answer !== null) return { kind: 'answered', answer: row.answer };
  return row.lapsed ? null : { kind: 'running' };
}

/** Keeps these claims alive for another lease. */
export async function renewClaims(db: Database, claims: readonly string[]): Promise<void> {
  await db.pool.query({
    name: 'renew-idempotency-claims',
    text: `UPDATE idempotency_keys SET lease_until = now() + ${LEASE}
            WHERE lease_until IS NOT NULL AND claim = ANY ($1::uuid[])`,
    values: [claims],
  });
}

type Owned = Pick<KeyedRequest, 'workspaceId' | 'key'> & { claim: string };

/** Stores the answer, unless the claim was lost to somebody else. */
export async function storeAnswer(db: Database, owned: Owned, answer: string): Promise<void> {
  await db.pool.query({
    name: 'store-idempotent-answer',
    text: `UPDATE idempotency_keys SET answer = $4, lease_until = NULL
            WHERE workspace_id = $1 AND key = $2 AND claim = $3 AND answer IS NULL`,
    values: [owned.workspaceId, owned.key, owned.claim, answer],
  });
}

/** Lets the same request be worked on again at once; for work that may or may not have been done. */
export async function releaseKey(db: Database, owned: Owned): Promise<void> {
  await db.pool.query({
    name: 'release-idempotency-key',
    text: `UPDATE idempotency_keys SET lease_until = now()
            WHERE workspace_id = $1 AND key = $2 AND claim = $3 AND answer IS NULL`,
    values: [owned.workspaceId, owned.key, owned.claim],
  });
}

/** Lets any request have the key; for work that was refused and left nothing. */
export async function deleteKey(db: Database, owned: Owned): Promise<void> {
  await db.pool.query({
    name: 'delete-idempotency-key',
    text: 'DELETE FROM idempotency_keys WHERE workspace_id = $1 AND key = $2 AND claim = $3 AND answer IS NULL',
    values: [owned.workspaceId, owned.key, owned.claim],
  });
}
