// Whether an API key is good: known, alive, and whose. Keys are remembered for a second, so that a busy one costs Postgres
// a look-up a second and process, and a revoked one is refused everywhere well within five.

import { timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Logger } from '../log.ts';
import { type ApiKeyCredential, findApiKey, hashApiKey, touchApiKey } from '../store/access.ts';
import type { Database } from '../store/db.ts';
import type { Bearer } from './auth.ts';
import { refuse } from './credentials.ts';

/** For so long a process may believe what it read of a key, a signing key or a member (GUARANTEES S-08 allows 5 s). */
export const REMEMBERED_MS = 1_000;
const REMEMBERED_KEYS = 10_000;
/** `last_used_at` is as exact as this. */
const TOUCH_MS = 60_000;

interface Options {
  db: Database;
  log: Logger;
  clock: { now(): number };
}

/** Makes the check; it throws `unauthenticated`. */
export function createApiKeyCheck({ db, log, clock }: Options): (key: string) => Promise<Bearer> {
  const keys = rememberRows<ApiKeyCredential>((hash) => findApiKey(db, Buffer.from(hash, 'hex')));
  const touched = new LRUCache<string, true>({ max: REMEMBERED_KEYS, ttl: TOUCH_MS });

  return async (key) => {
    const hash = hashApiKey(key);
    const row = await keys.fetch(hash.toString('hex'));
    if (row === undefined || !timingSafeEqual(row.hash, hash)) throw refuse('this API key is not known; check it');
    if (row.revokedAt !== null) throw refuse('this API key was revoked; use another one');
    if (row.expiresAt !== null && row.expiresAt <= clock.now())
      throw refuse('this API key has expired; use another one');
    touch(row.id);
    const { workspaceId, workspaceSlug, userId, role, podId, memberRole } = row;
    const isMemberRemoved = row.memberRemovedAt !== null;
    const pod = podId === null ? {} : { podId };
    return { workspaceId, workspaceSlug, userId, keyId: row.id, role, ...pod, memberRole, isMemberRemoved };
  };

  function touch(id: string): void {
    if (touched.has(id)) return;
    touched.set(id, true);
    touchApiKey(db, id).catch((error: unknown) => {
      touched.delete(id);
      log.debug({ err: error, keyId: id }, 'last use of a key was not noted');
    });
  }
}

/** A bounded memory of rows, each as old as the moment it was asked for, not the moment the answer came. */
export function rememberRows<Row extends object>(find: (id: string) => Promise<Row | null>): LRUCache<string, Row> {
  return new LRUCache<string, Row>({
    max: REMEMBERED_KEYS,
    ttl: REMEMBERED_MS,
    fetchMethod: async (id, _stale, { options }) => {
      const askedAt = performance.now();
      const row = await find(id);
      options.ttl = Math.max(1, REMEMBERED_MS - (performance.now() - askedAt));
      return row ?? undefined;
    },
  });
}
