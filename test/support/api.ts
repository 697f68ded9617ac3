// A workspace with a key of every role, and an HTTP client that knows nothing but fetch. For tests of the HTTP edge.

import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { ROLES, type Role } from '../../src/core/roles.ts';
import { ensureApiKey, ensureWorkspace, hashApiKey } from '../../src/store/access.ts';
import { type Database, openDatabase } from '../../src/store/db.ts';
import { createDatabase } from './services.ts';

export interface TestWorkspace {
  id: string;
  slug: string;
  keys: Record<Role, string>;
}

export async function openTestDatabase(): Promise<{ db: Database; drop(): Promise<void> }> {
  const { url, drop } = await createDatabase();
  const db = openDatabase({ url, max: 4, name: 'holdpoint test', onError: () => {} });
  return {
    db,
    async drop() {
      await db.close();
      await drop();
    },
  };
}

export async function createWorkspace(db: Database): Promise<TestWorkspace> {
  const slug = `w-${randomBytes(6).toString('hex')}`;
  const { id } = await ensureWorkspace(db, { id: uuidv7(), slug, name: slug });
  const keys = await Promise.all(ROLES.map(async (role) => [role, await createKey(db, { workspaceId: id, role })]));
  return { id, slug, keys: Object.fromEntries(keys) as Record<Role, string> };
}

/** Creates a key and answers its text, which is stored nowhere. */
export async function createKey(
  db: Database,
  { workspaceId, role, expiresAt }: { workspaceId: string; role: Role; expiresAt?: number },
): Promise<string> {
  const key = `sk_${randomBytes(24).toString('base64url')}`;
  await ensureApiKey(db, {
    id: uuidv7(),
    workspaceId,
    name: role,
    prefix: key.slice(0, 8),
    hash: hashApiKey(key),
    role,
    userId: `user-${role}`,
    ...(expiresAt === undefined ? {} : { expiresAt }),
  });
  return key;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a body is whatever the server said, and tests assert all of it
  body: any;
}

export interface Call {
  method?: string;
  key?: string;
  headers?: Record<string, string>;
  /** Sent as JSON, unless it is text. */
  body?: unknown;
}

/** Calls the server; the answer's body is parsed when it is JSON. */
export async function call(url: string, { method, key, headers = {}, body }: Call = {}): Promise<Answer> {
  const response = await fetch(url, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : text };
}
