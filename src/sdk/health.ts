// How a server is, by its own word. The one question that needs no credential.

import { ApiError } from './errors.ts';
import { unreachable } from './failures.ts';
import { type ClientOptions, REQUEST_TIMEOUT_MS } from './transport.ts';

export interface Health {
  status: 'ready' | 'degraded' | 'stopping' | 'unavailable';
  parts: Record<string, { status: 'ok' | 'error'; message?: string }>;
}

/** Throws `ApiError` when nobody answers, or somebody else does. */
export async function askHealth(
  { baseUrl, requestTimeoutMs = REQUEST_TIMEOUT_MS }: Pick<ClientOptions, 'baseUrl' | 'requestTimeoutMs'>,
  signal: AbortSignal | undefined,
): Promise<Health> {
  const timeout = AbortSignal.timeout(requestTimeoutMs);
  const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const address = `${baseUrl.replace(/\/+$/, '')}/health/ready`;
  const response = await fetch(address, { signal: either }).catch((error: unknown) => {
    throw signal?.aborted ? signal.reason : unreachable(baseUrl, error);
  });
  const health: unknown = await response.json().catch(() => null);
  // Not ready is 503, and told with the same body.
  if (isHealth(health)) return health;
  const { status } = response;
  throw new ApiError(`${baseUrl} answers, but is no Holdpoint`, { status, code: 'not_holdpoint' });
}

function isHealth(value: unknown): value is Health {
  return typeof value === 'object' && value !== null && 'status' in value && 'parts' in value;
}
