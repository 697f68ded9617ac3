// What a delivery says: address, headers and body of its request, from the row and what it points to. Nothing is sent here.

import { createHash, randomBytes } from 'node:crypto';
import { severityOf } from '../core/event-names.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { addAnswerHash, type CallbackDelivery, type ClaimedDelivery, type HookDelivery } from '../store/deliveries.ts';
import { findSealedSecrets } from '../store/secrets.ts';
import type { Engine, Hooks } from './engine.ts';
import { labelOf as labelOfSecret } from './secrets.ts';
import { signMessage } from './sign-message.ts';

export interface ComposedMessage {
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** Why there is nothing to send. */
export class MessageError extends Error {
  readonly code: string;
  /** Trying again would not help. */
  readonly isFinal: boolean;

  constructor(code: string, message: string, { isFinal, cause }: { isFinal: boolean; cause?: unknown }) {
    super(message, { cause });
    this.name = 'MessageError';
    this.code = code;
    this.isFinal = isFinal;
  }
}

/** The secret of the workspace that callbacks are signed with, unless their step names another. */
const CALLBACK_SECRET = 'CALLBACK_SECRET';
/** A larger result is left out: receivers that want it ask for the run. */
const MAX_OUTPUT_CHARS = 262_144;
const ANSWER_TOKEN_BYTES = 32;
const UUID_BYTES = 16;

/** Throws a `MessageError`. */
export function composeMessage(
  engine: Engine,
  { settings }: Hooks,
  claimed: ClaimedDelivery,
): Promise<ComposedMessage> | ComposedMessage {
  const { callback, hook } = claimed;
  if (callback !== null) return composeCallback(engine, settings.publicUrl, { claimed, callback });
  if (hook !== null) return composeHook(engine, claimed, hook);
  throw new MessageError('nothing_to_tell', 'What the delivery tells of is gone', { isFinal: true });
}

/** What a webhook's secret is sealed for: it opens for no other webhook. */
export function labelOfWebhook({ workspaceId, id }: { workspaceId: string; id: string }): string {
  return `webhook ${workspaceId}/${id}`;
}

/** The delivery and the hash that an answer's token names; null for what is none. */
export function readAnswerToken(token: string): { deliveryId: string; hash: Buffer } | null {
  if (!/^[A-Za-z0-9_-]{64}$/.test(token)) return null;
  const id = Buffer.from(token, 'base64url').toString('hex', 0, UUID_BYTES);
  return { deliveryId: id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'), hash: hashOf(token) };
}

function composeHook(engine: Engine, { id, workspaceId, runId, event }: ClaimedDelivery, hook: HookDelivery) {
  const { told, run, url, webhookId, sealedSecret } = hook;
  const output = run.result !== null && JSON.stringify(run.result).length > MAX_OUTPUT_CHARS ? null : run.result;
  const data: JsonObject = {
    run_id: runId,
    template_id: run.definitionId,
    template_key: run.definitionKey,
    template_version: run.version,
    sequence: told.seq,
    severity: severityOf(told),
    step: told.step,
    visit: told.visit,
    actor: told.actor,
    detail: spellOutside(told.data.detail ?? {}),
    ...(told.type === 'run.completed' ? { output } : {}),
  };
  const body = JSON.stringify({ type: event, timestamp: new Date(told.at).toISOString(), data });
  const secret = openSeal(engine, sealedSecret, labelOfWebhook({ workspaceId, id: webhookId }));
  return { url, body, headers: sign(engine, { id, event, body, secret }) };
}

async function composeCallback(
  engine: Engine,
  publicUrl: string,
  { claimed, callback: { spec, messageId } }: { claimed: ClaimedDelivery; callback: CallbackDelivery },
): Promise<ComposedMessage> {
  const { url, payload = {}, secret: named, waitForAnswer } = spec;
  if (typeof url !== 'string' || !URL.canParse(url))
    throw new MessageError('invalid_url', 'The URL is not one', { isFinal: true });
  const body = JSON.stringify(payload satisfies Json);
  const name = typeof named === 'string' ? named : CALLBACK_SECRET;
  const secret = await openCallbackSecret(engine, claimed.workspaceId, name);
  const signed = sign(engine, { id: messageId, event: claimed.event, body, secret });
  if (waitForAnswer !== true) return { url, body, headers: signed };
  const token = createAnswerToken(claimed.id);
  if (!(await addAnswerHash(engine.db, claimed, hashOf(token))))
    throw new MessageError('claim_lost', 'The delivery was given to another sender', { isFinal: false });
  return { url, body, headers: { ...signed, 'x-callback-url': `${publicUrl}/api/v1/callbacks/${token}` } };
}

async function openCallbackSecret(engine: Engine, workspaceId: string, name: string): Promise<string> {
  const [row] = await findSealedSecrets(engine.db, { workspaceId, names: [name] });
  if (row !== undefined) return openSeal(engine, row.sealed, labelOfSecret(row));
  const message = `Callbacks are signed with the secret "${name}", which the workspace does not have; set it and retry the run`;
  throw new MessageError('secret_not_found', message, { isFinal: true });
}

function openSeal({ sealer }: Engine, sealed: Buffer, label: string): string {
  try {
    if (sealer) return sealer.open(sealed, label);
  } catch {
    // Told below, like having no key at all.
  }
  const message = 'The signing secret was sealed under a key that this server does not list in HOLDPOINT_SECRET_KEY';
  throw new MessageError('secret_unreadable', message, { isFinal: false });
}

function sign({ clock }: Engine, message: { id: string; event: string; body: string; secret: string }) {
  return { 'content-type': 'application/json', ...signMessage({ ...message, at: clock.now() }) };
}

/** Names in what is sent are in snake_case, as the API that takes subscriptions has them. */
function spellOutside(detail: JsonObject): JsonObject {
  const spell = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(detail).map(([name, value]) => [spell(name), value]));
}

/** The delivery's id and chance enough that nobody guesses the rest. */
function createAnswerToken(deliveryId: string): string {
  const id = Buffer.from(deliveryId.replaceAll('-', ''), 'hex');
  return Buffer.concat([id, randomBytes(ANSWER_TOKEN_BYTES)]).toString('base64url');
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
