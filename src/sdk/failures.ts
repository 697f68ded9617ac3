// What a request that failed becomes: an `ApiError` that says as much as the answer did, and whether it makes sense to try
// again. Knows answers and not what was asked.

import type { Problem } from './api-types.ts';
import { readRetryAfter } from './backoff.ts';
import { ApiError } from './errors.ts';

/** Statuses that pass by themselves. */
const PASSING = new Set([408, 425, 429, 502, 503, 504]);

/** The faces of the API and proxies in front of it have errors of different shapes; what is not known is left out. */
export async function readError(response: Response): Promise<ApiError> {
  const { status, statusText } = response;
  const text = await response.text().catch(() => '');
  const { error, message, details, requestId } = parseObject(text);
  const inner = typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {};
  const first = (...values: unknown[]) => values.find((value): value is string => typeof value === 'string');
  return new ApiError(first(message, inner['message']) ?? `the server answered ${status} ${statusText}`.trim(), {
    status,
    code:
      first(inner['code'], error)
        ?.toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, '_') ?? `http_${status}`,
    details: [details, inner['details']].find((value): value is Problem[] => Array.isArray(value)) ?? [],
    requestId: first(requestId, inner['requestId'], response.headers.get('x-request-id')) ?? null,
  });
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** A 409 that says when to come back is a request under the same key that still runs: that of a try before. */
export function readRetryDelay({ status, headers }: Response): number | null {
  const header = headers.get('retry-after');
  if (!PASSING.has(status) && !(status === 409 && header !== null)) return null;
  return header === null ? 0 : readRetryAfter(header, Date.now());
}

export function unreachable(baseUrl: string, cause: unknown): ApiError {
  const reason = cause instanceof Error ? describeCause(cause) : String(cause);
  return new ApiError(`${baseUrl} gave no answer: ${reason}`, { status: 0, code: 'unreachable', cause });
}

/** Node's fetch says "fetch failed", and why in a cause that may be several errors. */
function describeCause(error: Error): string {
  const { cause } = error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}
