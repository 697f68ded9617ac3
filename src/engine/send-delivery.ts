// Sends one delivery, if it is due and nobody else has it. In call order: claim it → compose the request → one request
// through the guard, without redirects → judge the answer (core/delivery.ts) → tell the step run that waits for it → record. A
// process that dies in between leaves a lease; the delivery is then sent again under the same message id.

import type { CallbackResult } from '../core/commands.ts';
import { type DeliveryVerdict, judgeTry } from '../core/delivery.ts';
import { AppError } from '../core/errors.ts';
import { findJsonProblems, type Json } from '../core/json.ts';
import { readRetryAfter } from '../core/retry-after.ts';
import type { EgressResponse } from '../egress/egress.ts';
import { EgressError } from '../egress/egress-error.ts';
import { reach } from '../failpoints.ts';
import { recordChange } from '../store/audit.ts';
import {
  type CallbackDelivery,
  type ClaimedDelivery,
  claimDelivery,
  type DeliveryTry,
  endDelivery,
  postponeDelivery,
  takeNextOfEndpoint,
} from '../store/deliveries.ts';
import { disableWebhook } from '../store/webhooks.ts';
import { changeRun, systemActor } from './change-run.ts';
import { composeMessage, MessageError } from './compose-message.ts';
import type { Engine, Hooks } from './engine.ts';

const MAX_BODY_CHARS = 1_000;

/** How one try ended. */
interface Ending {
  tried: DeliveryTry;
  verdict: DeliveryVerdict;
  /** Code of the failure; null when it was delivered. */
  code: string | null;
  answer: Json;
}

/** A delivery that is not due, or another's, is left alone. Throws where Postgres is away; the lease then ends by itself. */
export async function sendDelivery(engine: Engine, hooks: Hooks, id: string): Promise<void> {
  const { timeoutMs, perEndpoint } = hooks.settings;
  const claimed = await claimDelivery(engine.db, id, { leaseMs: timeoutMs + engine.leaseMs, perEndpoint });
  if (claimed === null) return;
  try {
    await deliver(engine, hooks, claimed);
  } finally {
    const next = await takeNextOfEndpoint(engine.db, { id, graceMs: engine.leaseMs });
    if (next !== null) hooks.queue.offer([next]);
  }
}

async function deliver(engine: Engine, hooks: Hooks, claimed: ClaimedDelivery): Promise<void> {
  if (isUnwanted(claimed)) {
    engine.metrics.deliveries.inc({ outcome: 'cancelled' });
    await endDelivery(engine.db, claimed, { status: 'cancelled', tried: null });
    return;
  }
  reach('delivery.before_send');
  const ending = await attempt(engine, hooks, claimed);
  reach('delivery.before_record');
  await record(engine, claimed, ending);
}

/** Nobody waits for it any more: its webhook is disabled, its step run has gone on. */
function isUnwanted({ callback, hook }: ClaimedDelivery): boolean {
  return callback === null ? (hook?.isDisabled ?? true) : !callback.isWanted;
}

async function attempt(engine: Engine, hooks: Hooks, claimed: ClaimedDelivery): Promise<Ending> {
  const startedAt = engine.clock.now();
  const policy = { delaysMs: hooks.settings.delaysMs, ...maxTriesOf(claimed) };
  const end = (status: number | null, failure: Failure | null, response: EgressResponse | null = null): Ending => {
    const retryAfterMs = readRetryAfter(response?.headers['retry-after'], engine.clock.now());
    const tried = {
      at: new Date(startedAt).toISOString(),
      durationMs: Math.round(engine.clock.now() - startedAt),
      status,
      body: response === null ? null : readText(response.body).slice(0, MAX_BODY_CHARS),
      error: failure?.message ?? null,
    };
    const seen = { status, isRefused: failure?.isFinal ?? false, retryAfterMs };
    const verdict = judgeTry(seen, claimed.attempt, policy, Math.random());
    return { tried, verdict, code: failure?.code ?? null, answer: response === null ? null : readAnswer(response) };
  };
  // Every sender so far was lost on it: one more would be, too.
  if (claimed.attempt > policy.delaysMs.length + 1)
    return end(null, { code: 'sender_lost', message: 'No sender lived to see the answer', isFinal: true });
  try {
    const response = await post(engine, hooks, claimed);
    const isDone = response.status >= 200 && response.status < 300;
    const message = `The receiver answered ${response.status}`;
    return end(response.status, isDone ? null : { code: `http_${response.status}`, message, isFinal: false }, response);
  } catch (error) {
    return end(null, toFailure(error));
  }
}

interface Failure {
  code: string;
  message: string;
  isFinal: boolean;
}

function toFailure(error: unknown): Failure {
  if (error instanceof MessageError) return error;
  if (!(error instanceof EgressError)) throw error;
  const { code, message } = error;
  return { code, message, isFinal: code === 'egress_blocked' || code === 'request_invalid' };
}

async function post(engine: Engine, hooks: Hooks, claimed: ClaimedDelivery): Promise<EgressResponse> {
  const { url, headers, body } = await composeMessage(engine, hooks, claimed);
  return hooks.egress.request({ url, method: 'POST', headers, body, followsRedirects: false });
}

async function record(engine: Engine, claimed: ClaimedDelivery, ending: Ending): Promise<void> {
  const { verdict, tried } = ending;
  const { callback, hook } = claimed;
  engine.metrics.deliveries.inc({ outcome: verdict.kind === 'retry' ? 'retried' : verdict.kind });
  if (verdict.kind === 'retry') {
    await postponeDelivery(engine.db, claimed, { delayMs: verdict.delayMs, tried });
    return;
  }
  if (callback !== null) await tellStep(engine, { claimed, callback, ending });
  if (verdict.kind === 'dead' && verdict.isGone && hook !== null) {
    engine.log.warn({ webhookId: hook.webhookId }, 'a webhook is disabled: its receiver answered 410');
    await recordChange(engine.db, systemActor(claimed.workspaceId), {
      change: (connection) => disableWebhook(connection, { id: hook.webhookId, reason: 'gone' }),
      tell: (isDone) =>
        isDone ? { action: 'webhook.disabled', id: hook.webhookId, detail: { reason: 'gone' } } : null,
    });
  }
  await endDelivery(engine.db, claimed, { status: verdict.kind, tried });
}

/** Before it is recorded: told twice, a step run refuses the second; told never, it would wait for ever. */
async function tellStep(
  engine: Engine,
  { claimed, callback, ending }: { claimed: ClaimedDelivery; callback: CallbackDelivery; ending: Ending },
): Promise<void> {
  const { workspaceId, runId, id } = claimed;
  const { step, visit, spec } = callback;
  if (ending.verdict.kind === 'delivered' && spec['waitForAnswer'] === true) return;
  const result = resultOf(ending);
  const command = { type: 'settle-callback', step, visit, deliveryId: id, result } as const;
  await changeRun(engine, runId, command, { actor: systemActor(workspaceId) }).catch((error: unknown) => {
    if (!(error instanceof AppError && error.code === 'run_not_found')) throw error;
  });
}

function resultOf({ verdict, code, tried, answer }: Ending): CallbackResult {
  if (verdict.kind !== 'delivered')
    return { error: { code: code ?? 'callback_failed', message: `The callback was not delivered: ${tried.error}` } };
  const [problem] = findJsonProblems(answer);
  if (problem === undefined) return { output: answer };
  const message = `The receiver's answer cannot be kept: ${problem.pointer} ${problem.message}`;
  return { error: { code: 'invalid_output', message } };
}

function maxTriesOf({ callback }: ClaimedDelivery): { maxTries?: number } {
  const maxTries = callback?.spec['attempts'];
  return typeof maxTries === 'number' ? { maxTries } : {};
}

/** JSON as what it says, anything else as text; nothing as null. */
function readAnswer({ body }: EgressResponse): Json {
  const text = readText(body);
  if (text === '') return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

/** Postgres keeps no NUL; a text with one is still of use. */
function readText(body: Buffer): string {
  return body.toString('utf8').toWellFormed().replaceAll('\u0000', '\ufffd');
}
