// What the workspaces face takes (API.md §3, "Beside it"): JSON Schemas beside the types they describe, then calls as they
// look on the wire, with their answers; OpenAPI shows them and a test sends each. Ids, keys and times in them are made up.

import { AUDIT_ACTIONS, type AuditAction } from '../../core/audit.ts';
import type { JsonObject } from '../../core/json.ts';
import { ROLES, type Role } from '../../core/roles.ts';
import { MAX_SECRET_CHARS, MIN_SECRET_CHARS } from '../../core/secrets.ts';
import { ALGORITHMS } from '../../store/access-signing-keys.ts';
import { closedObject, time, uuid } from '../json-schema.ts';
import type { PageQuery } from '../page.ts';
import type { RouteExample } from '../route.ts';

const name = { type: 'string', minLength: 1, maxLength: 200 };
const slug = {
  type: 'string',
  pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$',
  description: 'a slug: lower-case letters, digits and inner hyphens, at most 63',
};
const role = { type: 'string', enum: [...ROLES] };
const userId = { type: 'string', minLength: 1, maxLength: 200 };

const limit = { type: 'integer', minimum: 1, maximum: 200 };
const pageBy = (id: JsonObject, filters: JsonObject = {}) =>
  closedObject({ limit, cursor: { ...id, description: 'X-Next-Cursor of the page before' }, ...filters });
export const keyPageQuery = pageBy(uuid);
export const memberPageQuery = pageBy(userId);

export interface AuditQuery extends PageQuery {
  actor?: string;
  action?: AuditAction;
  from?: string;
  to?: string;
}
export const auditQuery = pageBy(uuid, {
  actor: { ...userId, description: 'lines about what this user did' },
  action: { type: 'string', enum: [...AUDIT_ACTIONS] },
  from: { ...time, description: 'the earliest that is shown' },
  to: { ...time, description: 'the first that is not shown any more' },
});

export interface WorkspaceBody {
  name?: string;
  slug?: string;
}
export const workspaceBody: JsonObject = { ...closedObject({ name, slug }), minProperties: 1 };

export interface NewWorkspaceBody {
  name: string;
  slug?: string;
}
export const newWorkspaceBody = closedObject({ name, slug }, ['name']);

export interface PodBody {
  name: string;
  slug?: string;
}
export const podBody = closedObject({ name, slug }, ['name']);

export interface MemberBody {
  userId: string;
  role: Role;
}
export const memberBody = closedObject({ userId, role }, ['userId', 'role']);

export interface MemberRoleBody {
  role: Role;
}
export const memberRoleBody = closedObject({ role }, ['role']);

export interface ApiKeyBody {
  name: string;
  role: Role;
  userId?: string;
  expiresAt?: string;
  podId?: string;
}
const podId = {
  type: 'string',
  minLength: 1,
  maxLength: 200,
  description: 'Id or slug of the one pod that it is for.',
};
export const apiKeyBody = closedObject({ name, role, userId, expiresAt: time, podId }, ['name', 'role']);

export interface SigningKeyBody {
  name: string;
  algorithm: (typeof ALGORITHMS)[number];
  role: Role;
  publicKey?: string;
  secret?: string;
  audience?: string;
  issuer?: string;
}
export const signingKeyBody = closedObject(
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

export interface SecretBody {
  value: string;
}
export const secretBody = closedObject(
  { value: { type: 'string', minLength: MIN_SECRET_CHARS, maxLength: MAX_SECRET_CHARS, writeOnly: true } },
  ['value'],
);

type Examples = readonly RouteExample[];

const wId = 'acme';
const createdAt = '2026-11-20T09:30:00.000Z';
const params = { wId };

const keyId = '0193b6f2-51c8-7e07-b5a4-2f9d8c6e1a70';
const workspace: JsonObject = { id: '0193b6ee-0a12-7b44-9f3e-8d2c5b7a6e01', slug: wId, name: wId, createdAt };

export const listWorkspacesExamples: Examples = [{ name: 'own', answer: [workspace] }];
export const createWorkspaceExamples: Examples = [
  {
    name: 'another',
    body: { name: 'Acme Labs', slug: 'acme-labs' },
    answer: { ...workspace, slug: 'acme-labs', name: 'Acme Labs', keyId, key: 'sk_Zk3q9…' },
  },
];
export const showWorkspaceExamples: Examples = [{ name: 'own', params, answer: workspace }];
export const changeWorkspaceExamples: Examples = [
  { name: 'rename', params, body: { name: 'Acme Ltd' }, answer: { ...workspace, name: 'Acme Ltd' } },
];

const ofPod = { wId, podId: 'payroll' };
const pod: JsonObject = {
  id: '0193b6ef-3b70-7a91-8c25-4e6f0d9b2a13',
  slug: 'payroll',
  name: 'Payroll',
  isDefault: false,
  createdBy: 'jane',
  createdAt,
};

export const listPodsExamples: Examples = [{ name: 'newest', params, query: { limit: '1' }, answer: [pod] }];
export const createPodExamples: Examples = [{ name: 'payroll', params, body: { name: 'Payroll' }, answer: pod }];
export const showPodExamples: Examples = [{ name: 'payroll', params: ofPod, answer: pod }];
export const changePodExamples: Examples = [
  { name: 'rename', params: ofPod, body: { name: 'Wages' }, answer: { ...pod, name: 'Wages' } },
];
export const deletePodExamples: Examples = [{ name: 'delete', params: ofPod }];

const ofKim = { wId, userId: 'kim' };
const kim: JsonObject = { userId: 'kim', role: 'editor', addedBy: 'jane', addedAt: createdAt };

export const listMembersExamples: Examples = [{ name: 'kim', params, query: { limit: '50' }, answer: [kim] }];
export const addMemberExamples: Examples = [
  { name: 'add', params, body: { userId: 'kim', role: 'editor' }, answer: kim },
];
export const changeMemberExamples: Examples = [
  { name: 'lower', params: ofKim, body: { role: 'viewer' }, answer: { ...kim, role: 'viewer' } },
];
export const removeMemberExamples: Examples = [{ name: 'remove', params: ofKim }];

const ofKey = { wId, keyId };
const made: JsonObject = { id: keyId, createdBy: 'jane', createdAt, revokedAt: null, revokedBy: null };

const expiresAt = '2099-12-31T00:00:00.000Z';
const billing: JsonObject = {
  ...made,
  name: 'Billing',
  prefix: 'sk_Zk3q9',
  role: 'editor',
  podId: null,
  userId: 'jane',
  expiresAt,
  lastUsedAt: null,
};

export const listApiKeysExamples: Examples = [{ name: 'newest', params, query: { limit: '1' }, answer: [billing] }];
export const createApiKeyExamples: Examples = [
  {
    name: 'billing',
    params,
    body: { name: 'Billing', role: 'editor', expiresAt },
    answer: { ...billing, key: 'sk_Zk3q9…' },
  },
];
export const revokeApiKeyExamples: Examples = [{ name: 'revoke', params: ofKey }];

const portal: JsonObject = {
  ...made,
  name: 'Customer portal',
  algorithm: 'HS256',
  role: 'editor',
  publicKey: null,
  audience: 'portal',
  issuer: null,
};

export const listSigningKeysExamples: Examples = [{ name: 'newest', params, answer: [portal] }];
export const createSigningKeyExamples: Examples = [
  {
    name: 'shared',
    params,
    body: { name: 'Customer portal', algorithm: 'HS256', role: 'editor', audience: 'portal' },
    answer: { ...portal, secret: 'dGhpcyBpcyBhIHNlY3JldA…' },
  },
];
export const revokeSigningKeyExamples: Examples = [{ name: 'revoke', params: ofKey }];

const ofSecret = { wId, name: 'CRM_KEY' };
const secret: JsonObject = { name: 'CRM_KEY', updatedBy: 'jane', createdAt, updatedAt: createdAt };
const value = 'Bearer 9f2c41d07b';

export const listSecretsExamples: Examples = [{ name: 'all', params, answer: [secret] }];
export const setSecretExamples: Examples = [
  { name: 'new', params: ofSecret, body: { value }, status: 201, answer: secret },
  { name: 'changed', params: ofSecret, body: { value }, answer: secret },
];
export const deleteSecretExamples: Examples = [{ name: 'delete', params: ofSecret }];

export const listAuditExamples: Examples = [
  {
    name: 'keys',
    params,
    query: { action: 'api_key.created', limit: '1' },
    answer: [
      {
        id: '0193b6f2-51c9-7c1f-8a55-61a0e1c9b3d2',
        at: createdAt,
        action: 'api_key.created',
        actor: 'jane',
        keyId: '0193b6ee-0a13-7e0a-b0c4-f2a95d6f1b07',
        object: { type: 'api_key', id: keyId, name: 'Billing' },
        address: '203.0.113.7',
        userAgent: 'curl/8.11.0',
        requestId: '5b8f1f6e-7c1c-4c39-9d84-0c8c1b1a5f10',
        detail: { role: 'editor', userId: 'jane' },
      },
    ],
  },
];
