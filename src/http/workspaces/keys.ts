// Routes of a workspace's API keys and signing keys. Whatever is secret about a key is answered once, when it is made.

import { AppError } from '../../core/errors.ts';
import { createApiKey, endApiKey } from '../../engine/api-keys.ts';
import type { Engine } from '../../engine/engine.ts';
import { createSigningKey, endSigningKey } from '../../engine/signing-keys.ts';
import { listApiKeys } from '../../store/access-api-keys.ts';
import { listSigningKeys } from '../../store/access-signing-keys.ts';
import { isUuid } from '../../store/definitions.ts';
import { defineRoute, type Reply, type Route, type RouteRequest } from '../route.ts';
import { answerPage } from './page.ts';
import { presentApiKey, presentSigningKey } from './present.ts';
import * as schemas from './schemas.ts';

const API_KEYS = 'API keys';
const SIGNING_KEYS = 'Signing keys';

export function keyRoutes(engine: Engine): Route[] {
  return [...apiKeyRoutes(engine), ...signingKeyRoutes(engine)];
}

function apiKeyRoutes(engine: Engine): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/workspaces/:wId/api-keys',
      role: 'admin',
      query: schemas.keyPageQuery,
      tag: API_KEYS,
      summary: 'API keys, newest first; revoked and expired ones too',
      responses: { 200: { description: 'A page of keys', schema: schemas.listOf(schemas.apiKeyAnswer) } },
      async handler({ actor, query }: RouteRequest<schemas.PageQuery>): Promise<Reply> {
        const list = listApiKeys.bind(null, engine.db);
        return answerPage(actor.workspaceId, query, { list, idOf: ({ id }) => id, present: presentApiKey });
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/workspaces/:wId/api-keys',
      role: 'admin',
      body: schemas.apiKeyBody,
      tag: API_KEYS,
      summary: 'Makes an API key; its text is shown this once',
      successStatus: 201,
      responses: { 201: { description: 'The key, with its text', schema: schemas.newApiKeyAnswer } },
      async handler({ actor, body, idempotencyId }: RouteRequest<unknown, schemas.ApiKeyBody>): Promise<Reply> {
        const { expiresAt, ...rest } = body;
        const request = { ...rest, ...(expiresAt === undefined ? {} : { expiresAt: Date.parse(expiresAt) }) };
        const { row, key } = await createApiKey(engine, { actor, request, id: idempotencyId });
        return { status: 201, body: { ...presentApiKey(row), key }, shownOnce: ['key'] };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/workspaces/:wId/api-keys/:keyId',
      role: 'admin',
      tag: API_KEYS,
      summary: 'Revokes an API key for good; within 5 seconds it is refused everywhere',
      successStatus: 204,
      responses: { 204: { description: 'Revoked, now or before' } },
      async handler({ actor, params }): Promise<Reply> {
        await endApiKey(engine, { actor, id: requireKeyId(params['keyId']!, 'API key') });
        return { status: 204, body: null };
      },
    }),
  ];
}

function signingKeyRoutes(engine: Engine): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/workspaces/:wId/signing-keys',
      role: 'admin',
      query: schemas.keyPageQuery,
      tag: SIGNING_KEYS,
      summary: 'Keys that tokens are signed with, newest first; revoked ones too',
      responses: { 200: { description: 'A page of keys', schema: schemas.listOf(schemas.signingKeyAnswer) } },
      async handler({ actor, query }: RouteRequest<schemas.PageQuery>): Promise<Reply> {
        const list = listSigningKeys.bind(null, engine.db);
        return answerPage(actor.workspaceId, query, { list, idOf: ({ id }) => id, present: presentSigningKey });
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/workspaces/:wId/signing-keys',
      role: 'admin',
      body: schemas.signingKeyBody,
      tag: SIGNING_KEYS,
      summary: 'Adds a key that tokens may be signed with; its id is their kid',
      successStatus: 201,
      responses: {
        201: { description: 'The key; a secret made here is shown this once', schema: schemas.newSigningKeyAnswer },
      },
      async handler({ actor, body, idempotencyId }: RouteRequest<unknown, schemas.SigningKeyBody>): Promise<Reply> {
        const { row, secret } = await createSigningKey(engine, { actor, request: body, id: idempotencyId });
        return { status: 201, body: { ...presentSigningKey(row), secret }, shownOnce: ['secret'] };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/workspaces/:wId/signing-keys/:keyId',
      role: 'admin',
      tag: SIGNING_KEYS,
      summary: 'Revokes a signing key for good; within 5 seconds its tokens are refused everywhere',
      successStatus: 204,
      responses: { 204: { description: 'Revoked, now or before' } },
      async handler({ actor, params }): Promise<Reply> {
        await endSigningKey(engine, { actor, id: requireKeyId(params['keyId']!, 'signing key') });
        return { status: 204, body: null };
      },
    }),
  ];
}

function requireKeyId(text: string, what: string): string {
  if (!isUuid(text)) throw new AppError('not_found', `no ${what} here has this id`);
  return text.toLowerCase();
}
