// The one place where codes become numbers. Turns whatever was thrown into a status, a code and words for the caller;
// what nobody foresaw becomes a 500 that says nothing about our insides.

import { AppError, type ErrorCode, type Problem } from '../core/errors.ts';
import { isTransient } from '../store/db.ts';

export const STATUS_OF: Readonly<Record<ErrorCode, number>> = {
  invalid_request: 400,
  invalid_definition: 400,
  invalid_input: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  workflow_not_found: 404,
  version_not_found: 404,
  run_not_found: 404,
  file_not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  workflow_archived: 409,
  version_changed: 412,
  run_finished: 409,
  run_not_paused: 409,
  already_answered: 409,
  ambiguous_pause: 409,
  idempotency_pending: 409,
  claim_lost: 409,
  not_due: 409,
  step_not_open: 409,
  payload_too_large: 413,
  quota_exceeded: 413,
  unsupported_media_type: 415,
  rate_limit_exceeded: 429,
  idempotency_mismatch: 422,
  internal: 500,
  unavailable: 503,
};

export interface HttpFailure {
  status: number;
  code: ErrorCode;
  message: string;
  details: Problem[];
  headers: Record<string, string>;
  /** Nobody foresaw it: log it, with its stack. */
  unexpected: boolean;
}

const PASSING: ReadonlySet<ErrorCode> = new Set(['unavailable', 'idempotency_pending', 'rate_limit_exceeded']);

/** Seconds after which a client may ask again when Postgres is away, there is no room, or its own first request still runs. */
const RETRY_AFTER_S = 2;

export function toHttpFailure(error: unknown): HttpFailure {
  if (error instanceof AppError) return fromAppError(error);
  const status = statusOf(error);
  if (status === 413) {
    return failure('payload_too_large', 'the body is larger than this route takes; send less');
  }
  if (status === 415) {
    return failure('unsupported_media_type', 'the Content-Encoding is not known; use gzip, deflate or none');
  }
  if (status !== null && status >= 400 && status < 500) {
    return failure('invalid_request', 'the body could not be read as JSON; check its syntax and length');
  }
  if (isTransient(error)) {
    return failure('unavailable', 'the database cannot be reached at the moment; try again shortly');
  }
  if (isSchemaMissing(error)) {
    return { ...failure('unavailable', 'the database is not migrated yet; try again shortly'), unexpected: true };
  }
  return {
    ...failure('internal', 'something failed on our side; quote the requestId when you report it'),
    unexpected: true,
  };
}

/** For `catch`: the engine tells what is wrong with an input from the input's root, and a caller sent it as a part. */
export function locateInput(prefix: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof AppError) || error.code !== 'invalid_input') throw error;
    const details = error.details.map((problem) => ({ ...problem, pointer: `${prefix}${problem.pointer}` }));
    throw new AppError(error.code, error.message, details, { cause: error });
  };
}

function fromAppError(error: AppError): HttpFailure {
  const result = failure(error.code, error.message);
  return { ...result, details: error.details, unexpected: error.code === 'internal' };
}

function failure(code: ErrorCode, message: string): HttpFailure {
  const headers: Record<string, string> = PASSING.has(code) ? { 'retry-after': String(RETRY_AFTER_S) } : {};
  return { status: STATUS_OF[code], code, message, details: [], headers, unexpected: false };
}

/** The status that body parsers put on their errors: `status` by co-body and raw-body, `httpCode` by formidable. */
function statusOf(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  for (const key of ['status', 'httpCode'] as const) {
    const value: unknown = Reflect.get(error, key);
    if (typeof value === 'number') return value;
  }
  return null;
}

/** Undefined table or column: this program is newer than the schema. */
function isSchemaMissing(error: unknown): boolean {
  return ['42P01', '42703'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' ? code : '';
}
