// A message that comes to an inbound webhook: whether its sender may send one, decided by its signature alone, and the run
// that it starts. A webhook that is not public takes nothing that is not signed, also where it has lost its secrets.

import { createHash } from 'node:crypto';
import { AppError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { isUuid } from '../store/definitions.ts';
import { findWebhookForMessage, type InboundWebhookRow } from '../store/inbound-webhooks.ts';
import type { Engine } from './engine.ts';
import { labelOf, webhookNotFound } from './inbound-webhooks.ts';
import { startRun } from './start-run.ts';
import { isSignedWith, type SignedMessage } from './verify-message.ts';

const MESSAGE_ID = /^[\x21-\x7e]{1,255}$/;

/** What a sender may do: they were told apart from everybody else by a secret, or nobody was asked for one. */
export interface AdmittedMessage {
  webhook: InboundWebhookRow;
  message: SignedMessage;
}

/** Throws `not_found`, and `unauthenticated` for what is not signed with one of the webhook's secrets. */
export async function admitMessage(
  engine: Engine,
  { id, ...message }: SignedMessage & { id: string },
): Promise<AdmittedMessage> {
  const webhook = isUuid(id) ? await findWebhookForMessage(engine.db, id) : null;
  if (webhook === null) throw webhookNotFound();
  const now = engine.clock.now();
  const isSigned = webhook.sealedSecrets.some((sealed) => {
    const secret = openSecret(engine, webhook, sealed);
    return secret !== null && isSignedWith(secret, message, now);
  });
  if (!isSigned && !webhook.isPublic)
    throw new AppError(
      'unauthenticated',
      'the signature is missing, wrong, or too old: sign the body as it is sent with the secret of this webhook',
    );
  return { webhook, message };
}

/**
 * Starts a run with what was sent, once for each message. Throws `conflict` while the webhook is disabled, `invalid_request`
 * for an id that cannot be kept, and what starting throws.
 */
export function takeMessage(
  engine: Engine,
  { webhook, message }: AdmittedMessage,
  input: JsonObject,
): Promise<{ runId: string }> {
  const { id, workspaceId, definitionId, version, name, enabled, createdBy } = webhook;
  if (!enabled) throw new AppError('conflict', 'the webhook is disabled; its owners can enable it');
  const messageId = readMessageId(message);
  const origin = findOrigin(webhook, messageId, message.body);
  const context = { webhook: { id, name, ...(messageId === '' ? {} : { messageId }) } };
  return startRun(engine, {
    actor: { workspaceId, userId: createdBy, context },
    workflow: definitionId,
    version,
    input,
    trigger: 'webhook',
    ...(origin === null ? {} : { origin }),
  });
}

function readMessageId({ header }: SignedMessage): string {
  const messageId = header('webhook-id') || header('x-github-delivery');
  if (messageId !== '' && !MESSAGE_ID.test(messageId))
    throw new AppError('invalid_request', 'the header webhook-id must be 1 to 255 visible ASCII characters');
  return messageId;
}

/** What a second message like this has as well; null: each is one of its own. */
function findOrigin({ id, dedupe }: InboundWebhookRow, messageId: string, body: string): string | null {
  if (dedupe === 'body') return `webhook-body:${id}:${createHash('sha256').update(body).digest('hex')}`;
  return messageId === '' ? null : `webhook:${id}:${messageId}`;
}

/** Null, and nothing is taken, where the operator's key is another than the one that it was sealed under. */
function openSecret({ sealer, log }: Engine, webhook: InboundWebhookRow, sealed: Buffer): string | null {
  try {
    return sealer?.open(sealed, labelOf(webhook)) ?? null;
  } catch (error) {
    log.error({ webhookId: webhook.id, error: String(error) }, 'the secret of an inbound webhook cannot be opened');
    return null;
  }
}
