// JSON Schemas of what the workspaces face takes and answers (API.md §3, "Beside it"), next to the types they describe.

import type { JsonObject } from '../../core/json.ts';
import { ROLES, type Role } from '../../core/roles.ts';
import { ALGORITHMS } from '../../store/access-signing-keys.ts';

const name = { type: 'string', minLength: 1, maxLength: 200 };
const slug = {
  type: 'string',
  pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$',
  description: 'a slug: lower-case letters, digits and inner hyphens, at most 63',
};
const role = { type: 'string', enum: [...ROLES] };
const userId = { type: 'string', minLength: 1, maxLength: 200 };
const id = { type: 'string', format: 'uuid' };
const text = { type: 'string' };
const time = { type: 'string', format: 'date-time' };

function object(properties: JsonObject, required: string[] = []): JsonObject {
  return { type: 'object', properties, required, additionalProperties: false };
}

/** A body of which everything is always there; what may be missing is null. */
function answer(properties: JsonObject): JsonObject {
  return object(properties, Object.keys(properties));
}

function orNull(schema: JsonObject): JsonObject {
  return { ...schema, type: [schema['type'] ?? 'string', 'null'] };
}

export function listOf(items: JsonObject): JsonObject {
  return { type: 'array', items };
}

const problem = object({ pointer: text, message: text, hint: text }, ['pointer', 'message']);
export const errorAnswer: JsonObject = {
  ...answer({ statusCode: { type: 'integer' }, message: text, error: text, requestId: text, details: listOf(problem) }),
  title: 'WorkspaceError',
};

const limit = { type: 'integer', minimum: 1, maximum: 200 };

export interface PageQuery {
  limit?: number;
  cursor?: string;
}
export const keyPageQuery = object({ limit, cursor: { ...id, description: 'X-Next-Cursor of the page before' } });
export const memberPageQuery = object({
  limit,
  cursor: { ...userId, description: 'X-Next-Cursor of the page before' },
});

export interface WorkspaceBody {
  name?: string;
  slug?: string;
}
export const workspaceBody: JsonObject = { ...object({ name, slug }), minProperties: 1 };
export const workspaceAnswer = answer({ id, slug: text, name: text, createdAt: time });

export interface ApiKeyBody {
  name: string;
  role: Role;
  userId?: string;
  expiresAt?: string;
}
export const apiKeyBody = object({ name, role, userId, expiresAt: time }, ['name', 'role']);
const apiKey = {
  id,
  name: text,
  prefix: text,
  role,
  userId: text,
  createdBy: text,
  createdAt: time,
  expiresAt: orNull(time),
  lastUsedAt: orNull(time),
  revokedAt: orNull(time),
  revokedBy: orNull(text),
};
export const apiKeyAnswer = answer(apiKey);
export const newApiKeyAnswer = answer({ ...apiKey, key: { type: ['string', 'null'], description: 'shown this once' } });

export interface SigningKeyBody {
  name: string;
  algorithm: (typeof ALGORITHMS)[number];
  role: Role;
  publicKey?: string;
  secret?: string;
  audience?: string;
  issuer?: string;
}
export const signingKeyBody = object(
  {
    name,
    algorithm: { type: 'string', enum: [...ALGORITHMS] },
    role,
    publicKey: { type: 'string', minLength: 1, maxLength: 10_000 },
    secret: { type: 'string', maxLength: 1_000, writeOnly: true },
    audience: name,
    issuer: name,
  },
  ['name', 'algorithm', 'role'],
);
const signingKey = {
  id,
  name: text,
  algorithm: { type: 'string', enum: [...ALGORITHMS] },
  role,
  publicKey: orNull(text),
  audience: orNull(text),
  issuer: orNull(text),
  createdBy: text,
  createdAt: time,
  revokedAt: orNull(time),
  revokedBy: orNull(text),
};
export const signingKeyAnswer = answer(signingKey);
export const newSigningKeyAnswer = answer({
  ...signingKey,
  secret: { type: ['string', 'null'], description: 'shown this once; null when it was sent along' },
});

export interface MemberBody {
  userId: string;
  role: Role;
}
export const memberBody = object({ userId, role }, ['userId', 'role']);
export interface MemberRoleBody {
  role: Role;
}
export const memberRoleBody = object({ role }, ['role']);
export const memberAnswer = answer({ userId: text, role, addedBy: text, addedAt: time });
