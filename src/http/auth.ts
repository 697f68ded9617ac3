// Who is asking: turns the credential of a request into an actor, or refuses it. Keys come in `x-api-key` (with
// `x-tenant-id`), as Bearer, or, for the operators' pages only, as the password of HTTP Basic; never in a URL.

import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { LRUCache } from 'lru-cache';
import { AppError } from '../core/errors.ts';
import type { Actor } from '../core/run.ts';
import type { Logger } from '../log.ts';
import { type ApiKeyRow, findApiKey, hashApiKey, ROLES, type Role, touchApiKey } from '../store/access.ts';
import type { Database } from '../store/db.ts';

export interface AuthenticatorOptions {
  db: Database;
  log: Logger;
  clock: { now(): number };
}

export type Authenticate = (headers: IncomingHttpHeaders, options?: { allowBasic?: boolean }) => Promise<Actor>;

/** A revoked key may still work for this long on other processes. */
const CACHE_MS = 3_000;
const CACHED_KEYS = 10_000;
/** `last_used_at` is as exact as this. */
const TOUCH_MS = 60_000;

const KEY = /^sk_[A-Za-z0-9_-]{8,253}$/;

/**
 * Makes the function that every protected route asks first.
 * Throws `unauthenticated`, `forbidden` (another workspace's tenant id), `invalid_request` (credentials that disagree).
 */
export function createAuthenticator({ db, log, clock }: AuthenticatorOptions): Authenticate {
  const keys = new LRUCache<string, ApiKeyRow>({
    max: CACHED_KEYS,
    ttl: CACHE_MS,
    fetchMethod: async (hash) => (await findApiKey(db, Buffer.from(hash, 'hex'))) ?? undefined,
  });
  const touched = new LRUCache<string, true>({ max: CACHED_KEYS, ttl: TOUCH_MS });

  return async (headers, { allowBasic = false } = {}) => {
    const { key, needsTenant } = readCredential(headers, allowBasic);
    const tenant = headerOf(headers, 'x-tenant-id');
    if (needsTenant && tenant === '') throw refuse('send x-tenant-id (the workspace id or slug) beside x-api-key');
    const hash = hashApiKey(key);
    const row = await keys.fetch(hash.toString('hex'));
    if (row === undefined || !timingSafeEqual(row.hash, hash)) throw refuse('this API key is not known; check it');
    if (row.revokedAt !== null) throw refuse('this API key was revoked; use another one');
    if (row.expiresAt !== null && row.expiresAt <= clock.now())
      throw refuse('this API key has expired; use another one');
    if (tenant !== '' && tenant.toLowerCase() !== row.workspaceId && tenant !== row.workspaceSlug) {
      log.warn(
        { event: 'tenant_mismatch', keyId: row.id, workspaceId: row.workspaceId },
        'key used for another workspace',
      );
      throw new AppError('forbidden', 'x-tenant-id names a workspace that this API key does not belong to');
    }
    touch(row.id);
    return { workspaceId: row.workspaceId, userId: row.userId, keyId: row.id, role: row.role };
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

/** Throws `forbidden` unless the actor's role is at least `role`. */
export function requireRole(actor: Actor, role: Role): void {
  const ranks: readonly (string | undefined)[] = ROLES;
  if (ranks.indexOf(actor.role) >= ranks.indexOf(role)) return;
  throw new AppError('forbidden', `this needs the role ${role} or higher; the credential has ${actor.role ?? 'none'}`);
}

function readCredential(headers: IncomingHttpHeaders, allowBasic: boolean): { key: string; needsTenant: boolean } {
  const apiKey = headerOf(headers, 'x-api-key');
  const bearer = readAuthorization(headerOf(headers, 'authorization'), allowBasic);
  if (apiKey === '' && bearer === null) throw refuse('send an API key as x-api-key or as Authorization: Bearer');
  if (apiKey !== '' && bearer !== null && apiKey !== bearer) {
    throw new AppError('invalid_request', 'x-api-key and Authorization carry different credentials; send one of them');
  }
  const key = apiKey === '' ? bearer! : apiKey;
  if (!KEY.test(key)) throw refuse('this is not an API key; keys start with sk_');
  return { key, needsTenant: apiKey !== '' };
}

/** The key inside an Authorization header, or null when there is no such header. */
function readAuthorization(header: string, allowBasic: boolean): string | null {
  if (header === '') return null;
  const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(header) ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
      if (value.startsWith('sk_')) return value;
      throw refuse('tokens other than API keys are not accepted yet; send Authorization: Bearer sk_…');
    case 'basic': {
      if (!allowBasic) throw refuse('HTTP Basic is for /admin pages only; send Authorization: Bearer sk_…');
      const decoded = Buffer.from(value, 'base64').toString('utf8');
      return decoded.slice(decoded.indexOf(':') + 1);
    }
    default:
      throw refuse('the Authorization header could not be read; send Authorization: Bearer sk_…');
  }
}

function headerOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return (Array.isArray(value) ? value.join(', ') : (value ?? '')).trim();
}

function refuse(message: string): AppError {
  return new AppError('unauthenticated', message);
}
