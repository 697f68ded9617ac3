// Calls of the workspaces face as OpenAPI shows them, by route; a test sends each as it stands. Ids, keys and times in them
// are made up.

import type { JsonObject } from '../../core/json.ts';
import type { RouteDocs } from '../route.ts';

const wId = 'acme';
const keyId = '0193b6f2-51c8-7e07-b5a4-2f9d8c6e1a70';
const createdAt = '2026-11-20T09:30:00.000Z';
const expiresAt = '2099-12-31T00:00:00.000Z';
const params = { wId };
const ofKim = { wId, userId: 'kim' };
const ofKey = { wId, keyId };

const workspace: JsonObject = { id: '0193b6ee-0a12-7b44-9f3e-8d2c5b7a6e01', slug: wId, name: wId, createdAt };
const kim: JsonObject = { userId: 'kim', role: 'editor', addedBy: 'jane', addedAt: createdAt };
const made: JsonObject = { id: keyId, createdBy: 'jane', createdAt, revokedAt: null, revokedBy: null };

type Examples = Readonly<Record<string, Pick<RouteDocs, 'examples'>>>;

export const EXAMPLES: Examples = {
  'GET /workspaces': { examples: [{ name: 'own', answer: [workspace] }] },
  'GET /workspaces/:wId': { examples: [{ name: 'own', params, answer: workspace }] },
  'PATCH /workspaces/:wId': {
    examples: [{ name: 'rename', params, body: { name: 'Acme Ltd' }, answer: { ...workspace, name: 'Acme Ltd' } }],
  },
  'POST /workspaces/:wId/members': {
    examples: [{ name: 'add', params, body: { userId: 'kim', role: 'editor' }, answer: kim }],
  },
  'PATCH /workspaces/:wId/members/:userId': {
    examples: [{ name: 'lower', params: ofKim, body: { role: 'viewer' }, answer: { ...kim, role: 'viewer' } }],
  },
  'DELETE /workspaces/:wId/members/:userId': { examples: [{ name: 'remove', params: ofKim }] },
  'POST /workspaces/:wId/api-keys': {
    examples: [
      {
        name: 'billing',
        params,
        body: { name: 'Billing', role: 'editor', expiresAt },
        answer: {
          ...made,
          name: 'Billing',
          prefix: 'sk_Zk3q9',
          role: 'editor',
          userId: 'jane',
          expiresAt,
          lastUsedAt: null,
          key: 'sk_Zk3q9…',
        },
      },
    ],
  },
  'DELETE /workspaces/:wId/api-keys/:keyId': { examples: [{ name: 'revoke', params: ofKey }] },
  'POST /workspaces/:wId/signing-keys': {
    examples: [
      {
        name: 'shared',
        params,
        body: { name: 'Customer portal', algorithm: 'HS256', role: 'editor', audience: 'portal' },
        answer: {
          ...made,
          name: 'Customer portal',
          algorithm: 'HS256',
          role: 'editor',
          publicKey: null,
          audience: 'portal',
          issuer: null,
          secret: 'dGhpcyBpcyBhIHNlY3JldA…',
        },
      },
    ],
  },
  'DELETE /workspaces/:wId/signing-keys/:keyId': { examples: [{ name: 'revoke', params: ofKey }] },
};
