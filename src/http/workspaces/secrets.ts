// Routes of a workspace's secrets (API.md §3): set, list, delete. A value goes in and no route ever answers one.

import type { JsonObject } from '../../core/json.ts';
import { MAX_SECRET_CHARS, MIN_SECRET_CHARS, SECRET_NAME, SECRET_NAME_RULE } from '../../core/secrets.ts';
import type { Engine } from '../../engine/engine.ts';
import { deleteSecret, setSecret } from '../../engine/secrets.ts';
import { listSecrets, type SecretRow } from '../../store/secrets.ts';
import { defineRoute, type Reply, type Route, type RouteRequest } from '../route.ts';

const TAG = 'Secrets';

interface SecretBody {
  value: string;
}
const secretBody: JsonObject = {
  type: 'object',
  properties: {
    value: { type: 'string', minLength: MIN_SECRET_CHARS, maxLength: MAX_SECRET_CHARS, writeOnly: true },
  },
  required: ['value'],
  additionalProperties: false,
};

const time = { type: 'string', format: 'date-time' };
const secretAnswer: JsonObject = {
  type: 'object',
  properties: {
    name: { type: 'string', pattern: SECRET_NAME.source, description: SECRET_NAME_RULE },
    updatedBy: { type: 'string' },
    createdAt: time,
    updatedAt: time,
  },
  required: ['name', 'updatedBy', 'createdAt', 'updatedAt'],
  additionalProperties: false,
};

export function secretRoutes(engine: Engine): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/workspaces/:wId/secrets',
      role: 'admin',
      tag: TAG,
      summary: 'Names of the secrets that steps may use; never a value',
      responses: { 200: { description: 'All secrets, by name', schema: { type: 'array', items: secretAnswer } } },
      async handler({ actor }): Promise<Reply> {
        return { body: (await listSecrets(engine.db, actor.workspaceId)).map(presentSecret) };
      },
    }),
    defineRoute({
      method: 'PUT',
      path: '/workspaces/:wId/secrets/:name',
      role: 'admin',
      body: secretBody,
      tag: TAG,
      summary: 'Sets a secret, new or over an old one',
      description: 'Steps that reach out use it as `${secrets.NAME}`. Runs use the value that it has when they call.',
      responses: {
        200: { description: 'The secret has the new value', schema: secretAnswer },
        201: { description: 'The secret was made', schema: secretAnswer },
        409: { description: 'The server keeps no secrets, or the workspace has as many as it may' },
      },
      async handler({ actor, params, body }: RouteRequest<unknown, SecretBody>): Promise<Reply> {
        const { isNew, ...row } = await setSecret(engine, { actor, name: params['name']!, value: body.value });
        return { status: isNew ? 201 : 200, body: presentSecret(row) };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/workspaces/:wId/secrets/:name',
      role: 'admin',
      tag: TAG,
      summary: 'Deletes a secret; steps that use it fail from then on',
      successStatus: 204,
      responses: { 204: { description: 'Deleted' } },
      async handler({ actor, params }): Promise<Reply> {
        await deleteSecret(engine, { actor, name: params['name']! });
        return { status: 204, body: null };
      },
    }),
  ];
}

function presentSecret({ name, updatedBy, createdAt, updatedAt }: SecretRow): JsonObject {
  const presentTime = (epochMs: number) => new Date(epochMs).toISOString();
  return { name, updatedBy, createdAt: presentTime(createdAt), updatedAt: presentTime(updatedAt) };
}
