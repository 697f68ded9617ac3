// The verbs of outgoing webhooks: subscribe, switch off and on, end a subscription, and send something again. What is sent is
// engine/send-delivery.ts.

import { v7 as newId } from 'uuid';
import { AppError, type Problem } from '../core/errors.ts';
import type { EventName } from '../core/event-names.ts';
import type { Actor } from '../core/run.ts';
import { BLOCKED_HINT } from '../egress/egress-error.ts';
import { recordChange } from '../store/audit.ts';
import { renewDelivery } from '../store/deliveries.ts';
import { type DeliveryView, findDelivery } from '../store/delivery-views.ts';
import type { Sealer } from '../store/sealing.ts';
import {
  deleteWebhook,
  disableWebhook,
  enableWebhook,
  findWebhook,
  insertWebhook,
  MAX_WEBHOOKS,
  type WebhookRow,
} from '../store/webhooks.ts';
import { labelOfWebhook } from './compose-message.ts';
import type { Engine } from './engine.ts';
import { type OnceRequest, recordOnce } from './record-once.ts';
import { createSigningSecret, isSigningSecret, SIGNING_SECRET_RULE } from './sign-message.ts';

/** Why a webhook is disabled that somebody has disabled. */
const BY_HAND = 'by_hand';

export interface WebhookRequest {
  url: string;
  events: readonly EventName[];
  /** Made here when it is left out. */
  secret?: string;
}

/**
 * Answers the webhook and, when it was made here and now, its secret. `id`: of the request, where it may be made again. Throws
 * `invalid_request`, and `conflict` when no secret can be kept or the workspace has as many webhooks as it may.
 */
export async function createWebhook(
  engine: Engine,
  { actor, request, id = newId() }: { actor: Actor; request: WebhookRequest; id?: string | undefined },
): Promise<{ row: WebhookRow; secret: string | null }> {
  const { url, secret = createSigningSecret() } = request;
  const events = [...new Set(request.events)];
  const problems = findProblems(engine, { url, secret });
  if (problems.length > 0)
    throw new AppError('invalid_request', 'the webhook cannot be made; details says why', problems);
  const { workspaceId, userId } = actor;
  const sealedSecret = requireSealer(engine).seal(secret, labelOfWebhook({ workspaceId, id }));
  const webhook = { id, workspaceId, url, events, sealedSecret, createdBy: userId };
  const done = await recordChange(engine.db, actor, {
    change: (connection) => insertWebhook(connection, webhook),
    // A URL may hold a secret of its receiver's, and a line is never taken away.
    tell: (done) =>
      done === 'inserted' ? { action: 'webhook.created', id, detail: { origin: new URL(url).origin, events } } : null,
  });
  if (done === 'full')
    throw new AppError(
      'conflict',
      `the workspace has ${MAX_WEBHOOKS} webhooks, the most there may be; delete one first`,
    );
  const row = await requireWebhook(engine, { workspaceId, id });
  return { row, secret: done === 'inserted' && request.secret === undefined ? secret : null };
}

export interface WebhookChange extends OnceRequest {
  id: string;
}

/**
 * Disabled, it hears of nothing from the next commit on, and what was not sent yet is not sent; enabled, it hears again, also
 * where its receiver had said that it is gone. Again is the same as once. Throws `not_found`.
 */
export async function switchWebhook(
  engine: Engine,
  { id, status, ...request }: WebhookChange & { status: 'enabled' | 'disabled' },
): Promise<WebhookRow> {
  const { actor, idempotencyId: commandId } = request;
  const ref = { workspaceId: actor.workspaceId, id };
  await requireWebhook(engine, ref);
  const change = () =>
    recordChange(engine.db, actor, {
      change: (connection) =>
        status === 'enabled' ? enableWebhook(connection, ref) : disableWebhook(connection, { id, reason: BY_HAND }),
      tell: (isDone) => (isDone ? { action: `webhook.${status}` as const, id } : null),
      commandId,
    });
  await recordOnce(engine, request, { change, again: () => true });
  return requireWebhook(engine, ref);
}

/** It hears of nothing from the next commit on, and what was not sent yet is not sent. Throws `not_found`. */
export async function endWebhook(engine: Engine, { id, ...request }: WebhookChange): Promise<void> {
  const { actor, idempotencyId: commandId } = request;
  const change = async () => {
    const isDone = await recordChange(engine.db, actor, {
      change: (connection) => deleteWebhook(connection, { workspaceId: actor.workspaceId, id }),
      tell: (isDone) => (isDone ? { action: 'webhook.deleted', id } : null),
      commandId,
    });
    if (!isDone) throw webhookNotFound();
  };
  return recordOnce(engine, request, { change, again: () => {} });
}

interface Redelivery extends OnceRequest {
  webhookId: string;
  /** Of the delivery. */
  id: string;
}

/** Sends a finished delivery again, under its own id. Throws `not_found`, and `conflict` while it is still being tried. */
export async function redeliver(engine: Engine, redelivery: Redelivery): Promise<DeliveryView> {
  const { webhookId, id, ...request } = redelivery;
  const { workspaceId } = request.actor;
  const { disabledAt } = await requireWebhook(engine, { workspaceId, id: webhookId });
  const ref = { workspaceId, webhookId, id };
  await requireDelivery(engine, ref);
  const change = async () => {
    if (disabledAt !== null) throw new AppError('conflict', 'the webhook is disabled; enable it, and try again');
    await renew(engine, redelivery);
  };
  await recordOnce(engine, request, { change, again: () => {} });
  return requireDelivery(engine, ref);
}

async function renew(engine: Engine, { actor, webhookId, id, idempotencyId: commandId }: Redelivery): Promise<void> {
  const { workspaceId } = actor;
  const due = await recordChange(engine.db, actor, {
    change: (connection) => renewDelivery(connection, { workspaceId, webhookId, id, graceMs: engine.leaseMs }),
    tell: (due) => (due ? { action: 'webhook.redelivered', id: webhookId, detail: { deliveryId: id } } : null),
    commandId,
  });
  if (due === null)
    throw new AppError('conflict', 'the delivery is still being tried; wait until it is delivered or dead');
  engine.hooks?.queue.offer([due]);
}

async function requireDelivery(
  { db }: Engine,
  ref: { workspaceId: string; webhookId: string; id: string },
): Promise<DeliveryView> {
  const delivery = await findDelivery(db, ref);
  if (delivery === null) throw new AppError('not_found', 'no delivery here has this id');
  return delivery;
}

async function requireWebhook(engine: Engine, ref: { workspaceId: string; id: string }): Promise<WebhookRow> {
  const row = await findWebhook(engine.db, ref);
  if (row === null) throw webhookNotFound();
  return row;
}

function findProblems({ hooks }: Engine, { url, secret }: { url: string; secret: string }): Problem[] {
  const problems: Problem[] = [];
  if (hooks?.egress.isRefused(url) ?? !URL.canParse(url))
    problems.push({ pointer: '/url', message: 'may not be called', hint: BLOCKED_HINT });
  if (!isSigningSecret(secret))
    problems.push({ pointer: '/secret', message: 'cannot be used', hint: `send ${SIGNING_SECRET_RULE}, or none` });
  return problems;
}

function requireSealer({ sealer }: Engine): Sealer {
  if (sealer) return sealer;
  throw new AppError('conflict', 'this server keeps no secrets: its operator has to set HOLDPOINT_SECRET_KEY first');
}

function webhookNotFound(): AppError {
  return new AppError('not_found', 'no webhook here has this id');
}
