// `Idempotency-Key` on requests that change something (API.md §0): the first answer is kept and given again. Decides what
// makes two requests the same and which answers are worth keeping; who may work on a key is engine/claim-request.ts.

import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { AppError, type ErrorCode, type Problem } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { Actor } from '../core/run.ts';
import type { ClaimedRequest, Requests } from '../engine/claim-request.ts';
import { toHttpFailure } from './errors.ts';
import type { Reply } from './route.ts';

export interface NamedRequest {
  actor: Actor;
  method: string;
  /** Path and query as they were sent. */
  url: string;
  headers: IncomingHttpHeaders;
  body: unknown;
  /** Members of the body that are secrets. */
  secretFields: readonly string[];
  /** Whether the client still listens. */
  isHeard(): boolean;
  /** Told before an answer is given again. */
  onReplay(): void;
}

/** A kept answer: a reply, or the error that becomes one in its face's shape. */
type Kept = { status: number; headers: Record<string, string>; body: Json };
type KeptError = { code: ErrorCode; message: string; details: Problem[] };

const MAX_KEY = 255;
/** What says more about the request than about what was asked: a better request may use the same key. */
const REFUSED = new Set([400, 401, 403, 412, 413, 415, 422, 429]);

/**
 * Answers as `handle` does, or as it did when the same request was first made. `handle` is given an id that is the same
 * however often the request has to be worked on. Throws `invalid_request`, `idempotency_pending`,
 * `idempotency_mismatch`, `unavailable`, the error that was kept, and whatever `handle` throws.
 */
export async function answerOnce(
  requests: Requests,
  request: NamedRequest,
  handle: (id?: string) => Promise<Reply>,
): Promise<Reply> {
  const key = readKey(request.headers);
  if (key === null) return handle();
  const { workspaceId } = request.actor;
  const claimed = await requests.claim({ workspaceId, key, content: contentOf(request, requests.keepsSecrets) });
  if ('answer' in claimed) {
    request.onReplay();
    return readKept(claimed.answer);
  }
  try {
    const reply = await handle(claimed.id);
    await keepReply(claimed, reply, request.isHeard());
    return reply;
  } catch (error) {
    await keepError(claimed, error);
    throw error;
  }
}

/** Whether a request has a key, good or not. */
export function isNamed(headers: IncomingHttpHeaders): boolean {
  return 'idempotency-key' in headers || 'x-idempotency-key' in headers;
}

/** The key under either of its names, or null when there is none; a header that is there must hold one. */
function readKey(headers: IncomingHttpHeaders): string | null {
  const sent = ['idempotency-key', 'x-idempotency-key'].flatMap((name) => headers[name] ?? []);
  const [key, other = key] = sent;
  if (key === undefined) return null;
  if (key !== other) throw refuse('Idempotency-Key and X-Idempotency-Key name different keys; send one of them');
  if (key === '' || key.length > MAX_KEY) {
    throw refuse(`Idempotency-Key must have 1 to ${MAX_KEY} characters; a UUID of your own is a good one`);
  }
  return key;
}

function refuse(message: string): AppError {
  return new AppError('invalid_request', message);
}

/** Another user is another requester: what one was told is not repeated to the other. */
function contentOf({ actor, method, url, body, secretFields }: NamedRequest, withSecrets: boolean): string {
  // A server without a key to seal with takes no secrets, so nothing is done twice for leaving them out.
  const left = withSecrets ? [] : secretFields;
  const known =
    left.length === 0 ? body : { ...(body as JsonObject), ...Object.fromEntries(left.map((name) => [name, null])) };
  return JSON.stringify([actor.userId, method, url, known ?? null]);
}

async function keepReply(claimed: ClaimedRequest, reply: Reply, isHeard: boolean): Promise<void> {
  const { status = 200, headers = {}, body, shownOnce = [], isRemade = false } = reply;
  // "Not finished yet", and nobody heard it: whoever asks again would rather wait for the end.
  if (isRemade || body instanceof Readable || (status === 202 && !isHeard)) return claimed.release();
  const hidden = Object.fromEntries(shownOnce.map((name) => [name, null]));
  const kept = shownOnce.length === 0 ? body : { ...(body as JsonObject), ...hidden };
  await claimed.keep(JSON.stringify({ status, headers, body: kept } satisfies Kept));
}

/** 5xx: it may have happened all the same, so the same request, and no other, may be tried again. */
async function keepError(claimed: ClaimedRequest, error: unknown): Promise<void> {
  const { status, code, message, details } = toHttpFailure(error);
  if (status >= 500) return claimed.release();
  if (REFUSED.has(status)) return claimed.forget();
  await claimed.keep(JSON.stringify({ code, message, details } satisfies KeptError));
}

function readKept(answer: string): Reply {
  const kept = JSON.parse(answer) as Kept | KeptError; // written by this file
  if ('code' in kept) throw new AppError(kept.code, kept.message, kept.details);
  return kept;
}
