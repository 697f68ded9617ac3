// Verbs for API keys: make one, which is the only time its text is seen, and revoke one. Nobody makes or revokes a key
// that may do more than they may.

import { randomBytes } from 'node:crypto';
import { v7 as newId } from 'uuid';
import { AppError } from '../core/errors.ts';
import { refuseMoreThanOwn } from '../core/membership.ts';
import { isAtLeast, type Role } from '../core/roles.ts';
import type { Actor } from '../core/run.ts';
import { ensureApiKey, hashApiKey, type NewApiKey } from '../store/access.ts';
import { type ApiKeyRow, findApiKeyById, revokeApiKey } from '../store/access-api-keys.ts';
import { recordChange } from '../store/audit.ts';
import { findPod } from '../store/pods.ts';
import type { Engine } from './engine.ts';

export interface ApiKeyRequest {
  name: string;
  role: Role;
  /** Whom the key acts for; default the actor. */
  userId?: string;
  /** Epoch milliseconds. */
  expiresAt?: number;
  /** Id or slug of the one pod that it is for; default the whole workspace. */
  pod?: string;
}

interface Creation {
  actor: Actor;
  request: ApiKeyRequest;
  /** Of the request, where it may be made again: a key that it has made before is found, and its text is gone. */
  id?: string | undefined;
}

const SHOWN_PREFIX = 8;
const KEY_BYTES = 32;

type Access = Pick<Engine, 'db' | 'clock'>;

/** The text of a new key, to be shown once, and what is kept of it. */
export function generateKey(): { key: string } & Pick<NewApiKey, 'prefix' | 'hash'> {
  const key = `sk_${randomBytes(KEY_BYTES).toString('base64url')}`;
  return { key, prefix: key.slice(0, SHOWN_PREFIX), hash: hashApiKey(key) };
}

/** Answers the key's row and, this once, its text; null when the same request made it before. Throws `forbidden`, `invalid_request` (an expiry that has passed, no such pod). */
export async function createApiKey(
  { db, clock }: Access,
  { actor, request, id = newId() }: Creation,
): Promise<{ row: ApiKeyRow; key: string | null }> {
  const { name, role, userId = actor.userId, expiresAt, pod } = request;
  refuseMoreThanOwn(actor, role);
  // Not `<=`: a leap second is a valid time in JSON Schema and NaN in JavaScript.
  if (expiresAt !== undefined && !(expiresAt > clock.now())) {
    const problem = { pointer: '/expiresAt', message: 'must be in the future' };
    throw new AppError('invalid_request', '/expiresAt must be in the future', [problem]);
  }
  const { key, ...kept } = generateKey();
  const { workspaceId } = actor;
  const podId = pod === undefined ? undefined : await requirePod(db, { workspaceId, pod });
  const stored: NewApiKey = {
    id,
    workspaceId,
    name,
    ...kept,
    role,
    userId,
    createdBy: actor.userId,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(podId === undefined ? {} : { podId }),
  };
  const detail = { role, userId, ...(podId === undefined ? {} : { podId }) };
  const isNew = await recordChange(db, actor, {
    change: (connection) => ensureApiKey(connection, stored),
    tell: (isNew) => (isNew ? { action: 'api_key.created', id, name, detail } : null),
  });
  const row = await findApiKeyById(db, { workspaceId, id });
  if (row === null) throw new AppError('internal', 'the key was stored and is not there');
  return { row, key: isNew ? key : null };
}

/** Refused everywhere within five seconds. Revoking again changes nothing. Throws `not_found`, `forbidden`. */
export async function endApiKey({ db }: Access, { actor, id }: { actor: Actor; id: string }): Promise<void> {
  const row = await findApiKeyById(db, { workspaceId: actor.workspaceId, id });
  if (row === null) throw new AppError('not_found', 'no API key here has this id');
  if (!isAtLeast(actor.role, row.role))
    throw new AppError('forbidden', `only the role ${row.role} or higher may revoke this key`);
  await recordChange(db, actor, {
    change: (connection) => revokeApiKey(connection, { id, by: actor.userId }),
    tell: (isDone) => (isDone ? { action: 'api_key.revoked', id, name: row.name } : null),
  });
}

async function requirePod(
  db: Access['db'],
  { workspaceId, pod }: { workspaceId: string; pod: string },
): Promise<string> {
  const row = await findPod(db, { workspaceId, idOrSlug: pod });
  if (row !== null) return row.id;
  const problem = { pointer: '/podId', message: 'is no pod of the workspace', hint: 'send the id or slug of one' };
  throw new AppError('invalid_request', '/podId is no pod of the workspace', [problem]);
}
