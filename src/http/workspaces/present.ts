// Rows into the words of the workspaces face (API.md §3): camelCase, bare objects and arrays, and before each the JSON
// Schema of what comes out. Pure and total; no hash, seal or secret of a row is ever looked at.

import { AUDIT_ACTIONS } from '../../core/audit.ts';
import type { JsonObject } from '../../core/json.ts';
import { ROLES } from '../../core/roles.ts';
import { SECRET_NAME, SECRET_NAME_RULE } from '../../core/secrets.ts';
import type { ApiKeyRow } from '../../store/access-api-keys.ts';
import type { MemberRow } from '../../store/access-members.ts';
import { ALGORITHMS, type SigningKeyRow } from '../../store/access-signing-keys.ts';
import type { WorkspaceRow } from '../../store/access-workspaces.ts';
import type { AuditRow } from '../../store/audit.ts';
import type { PodRow } from '../../store/pods.ts';
import type { SecretRow } from '../../store/secrets.ts';
import { json, namedObject, oneOf, orNull, text, time, uuid } from '../json-schema.ts';
import { presentTime } from '../times.ts';

const role = oneOf(...ROLES);

export const workspaceAnswer = namedObject('Workspace', { id: uuid, slug: text, name: text, createdAt: time });

export const newWorkspaceAnswer = namedObject('NewWorkspace', {
  id: uuid,
  slug: text,
  name: text,
  createdAt: time,
  keyId: { ...uuid, description: 'of its first API key, an owner’s' },
  key: { type: ['string', 'null'], description: 'shown this once' },
});

export function presentWorkspace({ id, slug, name, createdAt }: WorkspaceRow): JsonObject {
  return { id, slug, name, createdAt: presentTime(createdAt) };
}

export const podAnswer = namedObject('Pod', {
  id: uuid,
  slug: text,
  name: text,
  isDefault: { type: 'boolean', description: 'What is made without naming a pod is in this one.' },
  createdBy: text,
  createdAt: time,
});

export function presentPod({ id, workspaceId, slug, name, createdBy, createdAt }: PodRow): JsonObject {
  return { id, slug, name, isDefault: id === workspaceId, createdBy, createdAt: presentTime(createdAt) };
}

export const memberAnswer = namedObject('Member', { userId: text, role, addedBy: text, addedAt: time });

export function presentMember({ userId, role, addedBy, addedAt }: MemberRow): JsonObject {
  return { userId, role, addedBy, addedAt: presentTime(addedAt) };
}

const apiKey = {
  id: uuid,
  name: text,
  prefix: text,
  role,
  podId: { ...orNull(uuid), description: 'the one pod that it is limited to' },
  userId: text,
  createdBy: text,
  createdAt: time,
  expiresAt: orNull(time),
  lastUsedAt: orNull(time),
  revokedAt: orNull(time),
  revokedBy: orNull(text),
};
export const apiKeyAnswer = namedObject('ApiKey', apiKey);
export const newApiKeyAnswer = namedObject('NewApiKey', {
  ...apiKey,
  key: { type: ['string', 'null'], description: 'shown this once' },
});

export function presentApiKey(row: ApiKeyRow): JsonObject {
  const { id, name, prefix, role, podId, userId, createdBy, revokedBy } = row;
  return {
    id,
    name,
    prefix,
    role,
    podId,
    userId,
    createdBy,
    createdAt: presentTime(row.createdAt),
    expiresAt: presentTime(row.expiresAt),
    lastUsedAt: presentTime(row.lastUsedAt),
    revokedAt: presentTime(row.revokedAt),
    revokedBy,
  };
}

const signingKey = {
  id: uuid,
  name: text,
  algorithm: oneOf(...ALGORITHMS),
  role,
  publicKey: orNull(text),
  audience: orNull(text),
  issuer: orNull(text),
  createdBy: text,
  createdAt: time,
  revokedAt: orNull(time),
  revokedBy: orNull(text),
};
export const signingKeyAnswer = namedObject('SigningKey', signingKey);
export const newSigningKeyAnswer = namedObject('NewSigningKey', {
  ...signingKey,
  secret: { type: ['string', 'null'], description: 'shown this once; null when it was sent along' },
});

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

export const secretAnswer = namedObject('Secret', {
  name: { type: 'string', pattern: SECRET_NAME.source, description: SECRET_NAME_RULE },
  updatedBy: text,
  createdAt: time,
  updatedAt: time,
});

export function presentSecret({ name, updatedBy, createdAt, updatedAt }: SecretRow): JsonObject {
  return { name, updatedBy, createdAt: presentTime(createdAt), updatedAt: presentTime(updatedAt) };
}

export const auditAnswer = namedObject('AuditLine', {
  id: uuid,
  at: time,
  action: oneOf(...AUDIT_ACTIONS),
  actor: { type: 'string', description: 'the user whom the credential stands for' },
  keyId: { ...orNull(uuid), description: 'the API key or signing key that was used' },
  object: namedObject('AuditObject', { type: text, id: text, name: orNull(text) }),
  address: { ...orNull(text), description: 'of the client, or of the first proxy that is not trusted' },
  userAgent: orNull(text),
  requestId: orNull(text),
  detail: json,
});

export function presentAuditLine(row: AuditRow): JsonObject {
  const { id, at, action, actor, keyId, objectId, objectName, address, userAgent, requestId, detail } = row;
  const object = { type: action.slice(0, action.indexOf('.')), id: objectId, name: objectName };
  return { id, at: presentTime(at), action, actor, keyId, object, address, userAgent, requestId, detail };
}
