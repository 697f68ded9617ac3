// Rows into the words of the workspaces face (API.md §3): camelCase, bare objects and arrays. Pure and total; no hash, seal
// or secret of a row is ever looked at.

import { STATUS_CODES } from 'node:http';
import type { Json, JsonObject } from '../../core/json.ts';
import type { ApiKeyRow } from '../../store/access-api-keys.ts';
import type { MemberRow } from '../../store/access-members.ts';
import type { SigningKeyRow } from '../../store/access-signing-keys.ts';
import type { WorkspaceRow } from '../../store/access-workspaces.ts';
import type { ErrorReport } from '../route.ts';

export function presentError({ status, message, details, requestId }: ErrorReport): Json {
  const error = STATUS_CODES[status] ?? 'Error';
  return {
    statusCode: status,
    message: message === '' ? error : message,
    error,
    requestId,
    details: details.map((problem) => ({ ...problem })),
  };
}

export function presentWorkspace({ id, slug, name, createdAt }: WorkspaceRow): JsonObject {
  return { id, slug, name, createdAt: presentTime(createdAt) };
}

export function presentApiKey(row: ApiKeyRow): JsonObject {
  const { id, name, prefix, role, userId, createdBy, revokedBy } = row;
  return {
    id,
    name,
    prefix,
    role,
    userId,
    createdBy,
    createdAt: presentTime(row.createdAt),
    expiresAt: presentTime(row.expiresAt),
    lastUsedAt: presentTime(row.lastUsedAt),
    revokedAt: presentTime(row.revokedAt),
    revokedBy,
  };
}

export function presentSigningKey(row: SigningKeyRow): JsonObject {
  const { id, name, algorithm, role, publicKey, audience, issuer, createdBy, revokedBy } = row;
  return {
    id,
    name,
    algorithm,
    role,
    publicKey,
    audience,
    issuer,
    createdBy,
    createdAt: presentTime(row.createdAt),
    revokedAt: presentTime(row.revokedAt),
    revokedBy,
  };
}

export function presentMember({ userId, role, addedBy, addedAt }: MemberRow): JsonObject {
  return { userId, role, addedBy, addedAt: presentTime(addedAt) };
}

function presentTime(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString();
}
