// The workspaces face (API.md §3, "Beside it"): a workspace, its pods, members, API keys, signing keys and secrets. URLs and
// bodies into engine verbs and store reads; that `:wId` is the caller's own, and `:podId` a pod of it, has been seen to by the
// dispatcher. Whatever is secret about a key is answered once, when it is made; the value of a secret never. It has over 400 lines
// because it is a table: one entry a route.

import { AppError } from '../../core/errors.ts';
import { findJsonProblems, type JsonObject } from '../../core/json.ts';
import { createApiKey, endApiKey } from '../../engine/api-keys.ts';
import { changeWorkspace } from '../../engine/change-workspace.ts';
import { createWorkspace } from '../../engine/create-workspace.ts';
import type { Engine } from '../../engine/engine.ts';
import { commandMember } from '../../engine/members.ts';
import { changePod, createPod, endPod } from '../../engine/pods.ts';
import { deleteSecret, setSecret } from '../../engine/secrets.ts';
import { createSigningKey, endSigningKey } from '../../engine/signing-keys.ts';
import { listApiKeys, type Page } from '../../store/access-api-keys.ts';
import { listMembers } from '../../store/access-members.ts';
import { listSigningKeys } from '../../store/access-signing-keys.ts';
import { findWorkspace } from '../../store/access-workspaces.ts';
import { listAuditLines } from '../../store/audit.ts';
import { isUuid } from '../../store/definitions.ts';
import { findPod, listPods } from '../../store/pods.ts';
import type { Reader } from '../../store/readers.ts';
import { listSecrets } from '../../store/secrets.ts';
import { listOf } from '../json-schema.ts';
import { answerPage, type PageQuery } from '../page.ts';
import { defineRoute, type Face, type Reply, type Route, type RouteRequest } from '../route.ts';
import { presentStatusError, statusError } from '../status-error.ts';
import * as present from './present.ts';
import * as schemas from './schemas.ts';

export function createWorkspacesFace(engine: Engine): Face {
  const routes = [
    ...workspaceRoutes(engine),
    ...podRoutes(engine),
    ...memberRoutes(engine),
    ...apiKeyRoutes(engine),
    ...signingKeyRoutes(engine),
    ...secretRoutes(engine),
    ...auditRoutes(),
  ];
  return {
    name: 'workspaces',
    prefixes: ['/workspaces', '/v1/workspaces'],
    // The product this face speaks to has the same API under both prefixes.
    routes: routes.flatMap((route) => [route, { ...route, path: `/v1${route.path}` }]),
    presentError: presentStatusError,
    errorSchema: statusError,
  };
}

const WORKSPACES = 'Workspaces';
const PODS = 'Pods';
const MEMBERS = 'Members';
const API_KEYS = 'API keys';
const SIGNING_KEYS = 'Signing keys';
const SECRETS = 'Secrets';
const AUDIT = 'Audit log';

const LAST_OWNER = { description: 'This is the last owner' };
const REVOKED = { description: 'Revoked, now or before' };

function workspaceRoutes(engine: Engine): Route[] {
  const show = async (reader: Reader): Promise<JsonObject> => {
    const row = await findWorkspace(reader, reader.workspaceId);
    if (row === null) throw new AppError('not_found', 'no workspace here has this id or slug');
    return present.presentWorkspace(row);
  };

  return [
    defineRoute({
      method: 'GET',
      path: '/workspaces',
      role: 'viewer',
      tag: WORKSPACES,
      summary: 'The workspaces that the credential belongs to: one',
      responses: { 200: { description: 'The workspaces', schema: listOf(present.workspaceAnswer) } },
      examples: schemas.listWorkspacesExamples,
      async handler({ reader }): Promise<Reply> {
        return { body: [await show(reader)] };
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/workspaces',
      role: 'owner',
      body: schemas.newWorkspaceBody,
      tag: WORKSPACES,
      summary: 'Makes a workspace, with a first API key that is shown this once',
      description:
        'Owners of a workspace make others. Whose credential it is becomes the owner of the new one, which is entered with ' +
        'the new key. Without a `slug` one is made from the name. Under the same `Idempotency-Key`, as after an answer that never ' +
        'came, it is the same workspace with another key: no copy of a key is kept.',
      successStatus: 201,
      responses: {
        201: { description: 'The workspace, with the text of its first key', schema: present.newWorkspaceAnswer },
        409: { description: 'Another workspace has the slug' },
      },
      examples: schemas.createWorkspaceExamples,
      async handler({ actor, body, idempotencyId }: RouteRequest<unknown, schemas.NewWorkspaceBody>): Promise<Reply> {
        const { row, keyId, key } = await createWorkspace(engine, { actor, ...body, id: idempotencyId });
        return { status: 201, body: { ...present.presentWorkspace(row), keyId, key }, isRemade: true };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/workspaces/:wId',
      role: 'viewer',
      tag: WORKSPACES,
      summary: 'A workspace, by its id or slug',
      responses: { 200: { description: 'The workspace', schema: present.workspaceAnswer } },
      examples: schemas.showWorkspaceExamples,
      async handler({ reader }): Promise<Reply> {
        return { body: await show(reader) };
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: '/workspaces/:wId',
      role: 'owner',
      mayBeGone: 'wId',
      body: schemas.workspaceBody,
      tag: WORKSPACES,
      summary: 'Gives a workspace another name or slug',
      responses: {
        200: { description: 'The workspace as it is now', schema: present.workspaceAnswer },
        409: { description: 'Another workspace has the slug' },
      },
      examples: schemas.changeWorkspaceExamples,
      async handler(request: RouteRequest<unknown, schemas.WorkspaceBody>): Promise<Reply> {
        const { actor, params, body, idempotencyId } = request;
        const row = await changeWorkspace(engine, { actor, workspace: params['wId']!, ...body, idempotencyId });
        return { body: present.presentWorkspace(row) };
      },
    }),
  ];
}

function podRoutes(engine: Engine): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/workspaces/:wId/pods',
      role: 'viewer',
      query: schemas.keyPageQuery,
      tag: PODS,
      summary: 'The pods of a workspace, newest first; the default one is last',
      responses: { 200: { description: 'A page of pods', schema: listOf(present.podAnswer) } },
      examples: schemas.listPodsExamples,
      async handler({ actor, query, reader }: RouteRequest<PageQuery>): Promise<Reply> {
        const list = listPods.bind(null, reader);
        return answerPage(actor.workspaceId, query, { list, idOf: readId, present: present.presentPod });
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/workspaces/:wId/pods',
      role: 'admin',
      body: schemas.podBody,
      tag: PODS,
      summary: 'Makes a pod: a division of the workspace with workflows and executions of its own',
      description: 'Without a `slug` one is made from the name. Both it and the id may stand in paths.',
      successStatus: 201,
      responses: {
        201: { description: 'The pod', schema: present.podAnswer },
        409: { description: 'Another pod has the slug' },
      },
      examples: schemas.createPodExamples,
      async handler({ actor, body, idempotencyId }: RouteRequest<unknown, schemas.PodBody>): Promise<Reply> {
        return { status: 201, body: present.presentPod(await createPod(engine, { actor, ...body, idempotencyId })) };
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/workspaces/:wId/pods/:podId',
      role: 'viewer',
      tag: PODS,
      summary: 'A pod, by its id or slug',
      responses: { 200: { description: 'The pod', schema: present.podAnswer } },
      examples: schemas.showPodExamples,
      async handler({ actor: { workspaceId }, params, reader }): Promise<Reply> {
        const row = await findPod(reader, { workspaceId, idOrSlug: params['podId']! });
        if (row === null) throw new AppError('not_found', 'no pod here has this id or slug');
        return { body: present.presentPod(row) };
      },
    }),
    defineRoute({
      method: 'PUT',
      path: '/workspaces/:wId/pods/:podId',
      role: 'admin',
      mayBeGone: 'podId',
      body: schemas.podBody,
      tag: PODS,
      summary: 'Gives a pod another name or slug',
      responses: {
        200: { description: 'The pod as it is now', schema: present.podAnswer },
        409: { description: 'Another pod has the slug, or this is the default one, which keeps its own' },
      },
      examples: schemas.changePodExamples,
      async handler(request: RouteRequest<unknown, schemas.PodBody>): Promise<Reply> {
        const { actor, params, body, idempotencyId } = request;
        const row = await changePod(engine, { actor, pod: params['podId']!, ...body, idempotencyId });
        return { body: present.presentPod(row) };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/workspaces/:wId/pods/:podId',
      role: 'admin',
      mayBeGone: 'podId',
      tag: PODS,
      summary: 'Deletes a pod in which there is nothing',
      description: 'API keys that are limited to it stay, and find nothing any more.',
      successStatus: 204,
      responses: {
        204: { description: 'Deleted' },
        409: { description: 'There is something in it, or it is the default one' },
      },
      examples: schemas.deletePodExamples,
      async handler({ actor, params, idempotencyId }): Promise<Reply> {
        await endPod(engine, { actor, pod: params['podId']!, idempotencyId });
        return { status: 204, body: null };
      },
    }),
  ];
}

function memberRoutes(engine: Engine): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/workspaces/:wId/members',
      role: 'admin',
      query: schemas.memberPageQuery,
      tag: MEMBERS,
      summary: 'Members, by user id',
      responses: { 200: { description: 'A page of members', schema: listOf(present.memberAnswer) } },
      examples: schemas.listMembersExamples,
      async handler({ actor, query, reader }: RouteRequest<PageQuery>): Promise<Reply> {
        const list = listMembers.bind(null, reader);
        const rows = { list, idOf: ({ userId }: { userId: string }) => userId, present: present.presentMember };
        return answerPage(actor.workspaceId, query, rows);
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/workspaces/:wId/members',
      role: 'admin',
      body: schemas.memberBody,
      tag: MEMBERS,
      summary: "Adds a member; a member's role is the most that their keys and tokens may do",
      successStatus: 201,
      responses: {
        201: { description: 'The member', schema: present.memberAnswer },
        409: { description: 'The user is a member already' },
      },
      examples: schemas.addMemberExamples,
      async handler({ actor, body, idempotencyId }: RouteRequest<unknown, schemas.MemberBody>): Promise<Reply> {
        const member = await commandMember(engine, { actor, command: { type: 'add', ...body }, idempotencyId });
        return { status: 201, body: present.presentMember(member) };
      },
    }),
    defineRoute({
      method: 'PATCH',
      path: '/workspaces/:wId/members/:userId',
      role: 'admin',
      body: schemas.memberRoleBody,
      tag: MEMBERS,
      summary: 'Gives a member another role',
      responses: {
        200: { description: 'The member as they are now', schema: present.memberAnswer },
        409: LAST_OWNER,
      },
      examples: schemas.changeMemberExamples,
      async handler(request: RouteRequest<unknown, schemas.MemberRoleBody>): Promise<Reply> {
        const { actor, idempotencyId } = request;
        const userId = requireUserId(request.params['userId']!);
        const command = { type: 'change', userId, ...request.body } as const;
        const member = await commandMember(engine, { actor, command, idempotencyId });
        return { body: present.presentMember(member) };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/workspaces/:wId/members/:userId',
      role: 'admin',
      tag: MEMBERS,
      summary: 'Removes a member, revokes their API keys, and refuses tokens that name them',
      successStatus: 204,
      responses: { 204: { description: 'Removed' }, 409: LAST_OWNER },
      examples: schemas.removeMemberExamples,
      async handler({ actor, params, idempotencyId }): Promise<Reply> {
        const userId = requireUserId(params['userId']!);
        await commandMember(engine, { actor, command: { type: 'remove', userId }, idempotencyId });
        return { status: 204, body: null };
      },
    }),
  ];
}

/** What could not be stored is nobody's id. */
function requireUserId(text: string): string {
  if (text.length > 200 || findJsonProblems(text).length > 0)
    throw new AppError('not_found', 'no member here has this user id');
  return text;
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
      responses: { 200: { description: 'A page of keys', schema: listOf(present.apiKeyAnswer) } },
      examples: schemas.listApiKeysExamples,
      async handler({ actor, query, reader }: RouteRequest<PageQuery>): Promise<Reply> {
        const list = listApiKeys.bind(null, reader);
        return answerPage(actor.workspaceId, query, { list, idOf: readId, present: present.presentApiKey });
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/workspaces/:wId/api-keys',
      role: 'admin',
      body: schemas.apiKeyBody,
      tag: API_KEYS,
      summary: 'Makes an API key; its text is shown this once',
      description: 'With `podId`, for what is below that pod only: to such a key nothing else is there.',
      successStatus: 201,
      responses: { 201: { description: 'The key, with its text', schema: present.newApiKeyAnswer } },
      examples: schemas.createApiKeyExamples,
      async handler({ actor, body, idempotencyId }: RouteRequest<unknown, schemas.ApiKeyBody>): Promise<Reply> {
        const { expiresAt, podId, ...rest } = body;
        const expiry = expiresAt === undefined ? {} : { expiresAt: Date.parse(expiresAt) };
        const request = { ...rest, ...expiry, ...(podId === undefined ? {} : { pod: podId }) };
        const { row, key } = await createApiKey(engine, { actor, request, id: idempotencyId });
        return { status: 201, body: { ...present.presentApiKey(row), key }, shownOnce: ['key'] };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/workspaces/:wId/api-keys/:keyId',
      role: 'admin',
      tag: API_KEYS,
      summary: 'Revokes an API key for good; within 5 seconds it is refused everywhere',
      successStatus: 204,
      responses: { 204: REVOKED },
      examples: schemas.revokeApiKeyExamples,
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
      responses: { 200: { description: 'A page of keys', schema: listOf(present.signingKeyAnswer) } },
      examples: schemas.listSigningKeysExamples,
      async handler({ actor, query, reader }: RouteRequest<PageQuery>): Promise<Reply> {
        const list = listSigningKeys.bind(null, reader);
        return answerPage(actor.workspaceId, query, { list, idOf: readId, present: present.presentSigningKey });
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
        201: { description: 'The key; a secret made here is shown this once', schema: present.newSigningKeyAnswer },
      },
      examples: schemas.createSigningKeyExamples,
      async handler({ actor, body, idempotencyId }: RouteRequest<unknown, schemas.SigningKeyBody>): Promise<Reply> {
        const { row, secret } = await createSigningKey(engine, { actor, request: body, id: idempotencyId });
        return { status: 201, body: { ...present.presentSigningKey(row), secret }, shownOnce: ['secret'] };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/workspaces/:wId/signing-keys/:keyId',
      role: 'admin',
      tag: SIGNING_KEYS,
      summary: 'Revokes a signing key for good; within 5 seconds its tokens are refused everywhere',
      successStatus: 204,
      responses: { 204: REVOKED },
      examples: schemas.revokeSigningKeyExamples,
      async handler({ actor, params }): Promise<Reply> {
        await endSigningKey(engine, { actor, id: requireKeyId(params['keyId']!, 'signing key') });
        return { status: 204, body: null };
      },
    }),
  ];
}

function readId({ id }: { id: string }): string {
  return id;
}

function requireKeyId(text: string, what: string): string {
  if (!isUuid(text)) throw new AppError('not_found', `no ${what} here has this id`);
  return text.toLowerCase();
}

function secretRoutes(engine: Engine): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/workspaces/:wId/secrets',
      role: 'admin',
      tag: SECRETS,
      summary: 'Names of the secrets that steps may use; never a value',
      responses: { 200: { description: 'All secrets, by name', schema: listOf(present.secretAnswer) } },
      examples: schemas.listSecretsExamples,
      async handler({ reader }): Promise<Reply> {
        return { body: (await listSecrets(reader, reader.workspaceId)).map(present.presentSecret) };
      },
    }),
    defineRoute({
      method: 'PUT',
      path: '/workspaces/:wId/secrets/:name',
      role: 'admin',
      body: schemas.secretBody,
      tag: SECRETS,
      summary: 'Sets a secret, new or over an old one',
      description: 'Steps that reach out use it as `${secrets.NAME}`. Runs use the value that it has when they call.',
      responses: {
        200: { description: 'The secret has the new value', schema: present.secretAnswer },
        201: { description: 'The secret was made', schema: present.secretAnswer },
        409: { description: 'The server keeps no secrets, or the workspace has as many as it may' },
      },
      examples: schemas.setSecretExamples,
      async handler({ actor, params, body, idempotencyId }: RouteRequest<unknown, schemas.SecretBody>): Promise<Reply> {
        const secret = { name: params['name']!, value: body.value };
        const { isNew, ...row } = await setSecret(engine, { actor, ...secret, idempotencyId });
        return { status: isNew ? 201 : 200, body: present.presentSecret(row) };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: '/workspaces/:wId/secrets/:name',
      role: 'admin',
      tag: SECRETS,
      summary: 'Deletes a secret; steps that use it fail from then on',
      successStatus: 204,
      responses: { 204: { description: 'Deleted' } },
      examples: schemas.deleteSecretExamples,
      async handler({ actor, params, idempotencyId }): Promise<Reply> {
        await deleteSecret(engine, { actor, name: params['name']!, idempotencyId });
        return { status: 204, body: null };
      },
    }),
  ];
}

function auditRoutes(): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/workspaces/:wId/audit',
      role: 'admin',
      query: schemas.auditQuery,
      tag: AUDIT,
      summary: 'Who changed what outside runs, newest first, and attempts to use a credential for another workspace',
      description: 'Lines are added with the change they tell of, never changed, and kept for ever.',
      responses: { 200: { description: 'A page of lines', schema: listOf(present.auditAnswer) } },
      examples: schemas.listAuditExamples,
      async handler({ actor, query, reader }: RouteRequest<schemas.AuditQuery>): Promise<Reply> {
        const { from, to, actor: by, action } = query;
        const filters = { ...(by === undefined ? {} : { actor: by }), ...(action === undefined ? {} : { action }) };
        const times = { ...readTime('from', from), ...readTime('to', to) };
        const list = (page: Page) => listAuditLines(reader, { ...page, ...filters, ...times });
        return answerPage(actor.workspaceId, query, { list, idOf: readId, present: present.presentAuditLine });
      },
    }),
  ];
}

/** Nothing where nothing was sent. A leap second is a valid time in JSON Schema and NaN in JavaScript. */
function readTime(name: 'from' | 'to', text: string | undefined): { [name in 'from' | 'to']?: number } {
  if (text === undefined) return {};
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return { [name]: time };
  const problem = { pointer: `/${name}`, message: 'in the query: is a second that no clock here has' };
  throw new AppError('invalid_request', `/${name} ${problem.message}`, [problem]);
}
