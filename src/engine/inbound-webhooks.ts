// The verbs of inbound webhooks: make one, change it, give it another secret, delete it. One without a secret cannot be made
// unless it is public. What comes of the messages that are sent there is receive-message.ts.

import { v7 as newId } from 'uuid';
import { AppError } from '../core/errors.ts';
import { recordChange } from '../store/audit.ts';
import {
  type Dedupe,
  deleteInboundWebhook,
  findInboundWebhook,
  type InboundWebhookRow,
  insertInboundWebhook,
  MAX_INBOUND_WEBHOOKS,
  replaceWebhookSecret,
  type SealedWebhookSecret,
  updateInboundWebhook,
} from '../store/inbound-webhooks.ts';
import { checkStartable } from './check-startable.ts';
import type { Engine } from './engine.ts';
import { type OnceRequest, recordOnce } from './record-once.ts';
import { createSigningSecret, isSigningSecret, SIGNING_SECRET_RULE } from './sign-message.ts';

export interface InboundWebhookRequest extends OnceRequest {
  podId: string;
  id: string;
}

export interface NewInboundWebhookRequest {
  /** Id or key. */
  workflowId: string;
  name: string;
  version?: string;
  enabled?: boolean;
  /** Takes messages that nobody has signed. */
  public?: boolean;
  /** What makes two messages one; default their id. */
  dedupe?: Dedupe;
  /** Made here when it is left out. */
  secret?: string;
}

/** A secret that was made here and now, or null: it is shown once. */
export interface Shown {
  row: InboundWebhookRow;
  secret: string | null;
}

/**
 * Throws `invalid_request`, `workflow_not_found`, `version_not_found`, `workflow_archived`, and `conflict` when no secret can be
 * kept or the workspace has as many as it may.
 */
export function createInboundWebhook(
  engine: Engine,
  { request, ...owner }: Omit<InboundWebhookRequest, 'id'> & { request: NewInboundWebhookRequest },
): Promise<Shown> {
  const named = { ...owner, id: owner.idempotencyId ?? newId() };
  const secret = request.secret ?? (request.public ? null : createSigningSecret());
  const again = async () => ({ row: await getInboundWebhook(engine, named), secret: null });
  return recordOnce(engine, named, {
    async change() {
      const done = await insertNew(engine, named, { ...request, secret });
      if (done === 'full')
        throw new AppError(
          'conflict',
          `the workspace has ${MAX_INBOUND_WEBHOOKS} inbound webhooks, the most there may be; delete one first`,
        );
      const isNew = done === 'inserted' && request.secret === undefined;
      return { row: await getInboundWebhook(engine, named), secret: isNew ? secret : null };
    },
    again,
  });
}

async function insertNew(
  engine: Engine,
  { actor, podId, id, idempotencyId: commandId }: InboundWebhookRequest,
  request: Omit<NewInboundWebhookRequest, 'secret'> & { secret: string | null },
): Promise<'inserted' | 'exists' | 'full'> {
  const { workspaceId, userId } = actor;
  const { workflowId, name, version = 'latest', enabled = true, public: isPublic = false, dedupe = 'id' } = request;
  if (isPublic && request.secret !== null)
    throw refuseSecret('is not asked for by a public webhook', 'leave out the secret, or `public`');
  const definition = await checkStartable(engine, { actor, workflow: workflowId, podId, version });
  const secret = request.secret === null ? null : sealSecret(engine, { workspaceId, id, secret: request.secret });
  const owned = { id, workspaceId, podId, definitionId: definition.id, createdBy: userId };
  return recordChange(engine.db, actor, {
    change: (db) => insertInboundWebhook(db, { ...owned, name, version, enabled, isPublic, dedupe, secret }),
    tell: (done) =>
      done === 'inserted'
        ? { action: 'inbound_webhook.created', id, name, detail: { workflow: definition.key, public: isPublic } }
        : null,
    commandId,
  });
}

/** Throws `not_found`, `version_not_found`, `workflow_archived`. */
export function changeInboundWebhook(
  engine: Engine,
  request: InboundWebhookRequest,
  change: Partial<Pick<NewInboundWebhookRequest, 'name' | 'enabled' | 'version' | 'dedupe'>>,
): Promise<InboundWebhookRow> {
  const { actor, podId, id, idempotencyId: commandId } = request;
  return recordOnce(engine, request, {
    async change() {
      const { definitionId } = await getInboundWebhook(engine, request);
      if (change.version !== undefined)
        await checkStartable(engine, { actor, podId, workflow: definitionId, version: change.version });
      const row = await recordChange(engine.db, actor, {
        change: (db) => updateInboundWebhook(db, { workspaceId: actor.workspaceId, podId, id }, change),
        tell: (row) => row && { action: 'inbound_webhook.updated', id, name: row.name, detail: { ...change } },
        commandId,
      });
      if (row === null) throw webhookNotFound();
      return row;
    },
    again: () => getInboundWebhook(engine, request),
  });
}

/** The secrets so far go on counting for `graceMs`, so that senders can change over. Throws `not_found`, `invalid_request`, `conflict`. */
export function rotateWebhookSecret(
  engine: Engine,
  { secret: given, graceMs, ...request }: InboundWebhookRequest & { secret?: string; graceMs: number },
): Promise<Shown> {
  const secret = given ?? createSigningSecret();
  const show = async (shown: string | null) => ({ row: await getInboundWebhook(engine, request), secret: shown });
  return recordOnce(engine, request, {
    async change() {
      await replaceSecret(engine, request, { secret, graceMs });
      return show(given === undefined ? secret : null);
    },
    again: () => show(null),
  });
}

async function replaceSecret(
  engine: Engine,
  request: InboundWebhookRequest,
  { secret, graceMs }: { secret: string; graceMs: number },
): Promise<void> {
  const { actor, id, idempotencyId: commandId } = request;
  const { isPublic, name } = await getInboundWebhook(engine, request);
  if (isPublic) throw new AppError('conflict', 'the webhook is public and has no secret; make another one that is not');
  const sealed = sealSecret(engine, { workspaceId: actor.workspaceId, id, secret });
  const isDone = await recordChange(engine.db, actor, {
    change: (db) => replaceWebhookSecret(db, id, { secret: sealed, graceMs }),
    tell: (isDone) => (isDone ? { action: 'inbound_webhook.rotated', id, name, detail: { graceMs } } : null),
    commandId,
  });
  if (!isDone) throw webhookNotFound();
}

/** Runs that it has started go on. Throws `not_found`. */
export function endInboundWebhook(engine: Engine, request: InboundWebhookRequest): Promise<void> {
  const { actor, podId, id, idempotencyId: commandId } = request;
  return recordOnce(engine, request, {
    async change() {
      const ended = await recordChange(engine.db, actor, {
        change: (db) => deleteInboundWebhook(db, { workspaceId: actor.workspaceId, podId, id }),
        tell: (ended) => ended && { action: 'inbound_webhook.deleted', id, name: ended.name },
        commandId,
      });
      if (ended === null) throw webhookNotFound();
    },
    again: () => {},
  });
}

async function getInboundWebhook(
  engine: Engine,
  { actor, podId, id }: InboundWebhookRequest,
): Promise<InboundWebhookRow> {
  const row = await findInboundWebhook(engine.db, { workspaceId: actor.workspaceId, podId, id });
  if (row === null) throw webhookNotFound();
  return row;
}

/** What a secret is sealed for: it opens for no other webhook, and in no other workspace. */
export function labelOf({ workspaceId, id }: Pick<InboundWebhookRow, 'workspaceId' | 'id'>): string {
  return `inbound webhook ${workspaceId}/${id}`;
}

function sealSecret(
  { sealer }: Engine,
  { secret, ...webhook }: { workspaceId: string; id: string; secret: string },
): SealedWebhookSecret {
  if (!isSigningSecret(secret)) throw refuseSecret('cannot be used', `send ${SIGNING_SECRET_RULE}, or none`);
  if (!sealer)
    throw new AppError('conflict', 'this server keeps no secrets: its operator has to set HOLDPOINT_SECRET_KEY first');
  return { id: newId(), sealed: sealer.seal(secret, labelOf(webhook)) };
}

function refuseSecret(message: string, hint: string): AppError {
  return new AppError('invalid_request', `/secret ${message}`, [{ pointer: '/secret', message, hint }]);
}

export function webhookNotFound(): AppError {
  return new AppError('not_found', 'no inbound webhook here has this id');
}
