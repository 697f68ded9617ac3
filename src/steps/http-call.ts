// Sends a request for a step and makes of the response an output, or a failure that says whether to try again. Shared by
// the call-api step and the http tool, which only differ in where their fields stand.

import type { Json, JsonObject } from '../core/json.ts';
import { readRetryAfter } from '../core/retry-after.ts';
import { StepError } from '../core/step-type.ts';
import type { Egress, EgressResponse } from '../egress/egress.ts';
import { EgressError, type EgressErrorCode } from '../egress/egress-error.ts';
import { buildRequest } from './http-request.ts';

/** A step's signal and key; `now` is for a `Retry-After` that names a time. */
export interface Calling {
  effectKey: string;
  signal: AbortSignal;
  now?: number;
}

/** Refused now, but not for good. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);
const RETRYABLE: ReadonlySet<EgressErrorCode> = new Set([
  'connection_failed',
  'connection_timeout',
  'response_timeout',
  'aborted',
]);

/** Sends the request that `fields` describe. Throws a `StepError` with a code of the egress, or `http_<status>`. */
export async function callHttp(egress: Egress, fields: JsonObject, calling: Calling): Promise<JsonObject> {
  const request = buildRequest(fields, calling.effectKey);
  const response = await egress.request({ ...request, signal: calling.signal }).catch((error: unknown) => {
    throw error instanceof EgressError ? toStepError(error) : error;
  });
  if (isSuccess(response.status, fields['successStatus'])) return presentResponse(response);
  throw toFailure(response, calling.now ?? Date.now());
}

function isSuccess(status: number, expected: Json | undefined): boolean {
  if (expected === undefined || expected === null) return status >= 200 && status < 300;
  return Array.isArray(expected) ? expected.includes(status) : status === expected;
}

function presentResponse({ status, headers, body }: EgressResponse): JsonObject {
  return { status, headers, data: readData(body, headers['content-type'] ?? '') };
}

/** JSON as what it says, text as text, anything else as base64; nothing as null. */
function readData(body: Buffer, contentType: string): Json {
  if (body.length === 0) return null;
  const text = body.toString('utf8');
  if (/[/+]json\b/i.test(contentType)) {
    try {
      return JSON.parse(text) as Json;
    } catch {
      return clean(text);
    }
  }
  const isText =
    contentType === '' || /^text\/|[/+](xml|html|javascript|yaml|x-www-form-urlencoded)\b/i.test(contentType);
  return isText ? clean(text) : body.toString('base64');
}

/** Postgres keeps no NUL; a text with one is still of use. */
function clean(text: string): string {
  return text.replaceAll('\u0000', '\ufffd');
}

function toFailure({ status, headers }: EgressResponse, now: number): StepError {
  const isFinal = status < 500 && !PASSING.has(status);
  const retryAfterMs = isFinal ? null : readRetryAfter(headers['retry-after'], now);
  return new StepError(`http_${status}`, `The external service answered ${status}`, {
    retryable: !isFinal,
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
  });
}

function toStepError(error: EgressError): StepError {
  return new StepError(error.code, error.message, { retryable: RETRYABLE.has(error.code), cause: error });
}
