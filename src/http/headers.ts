// Headers that every answer carries: the request's id, and what keeps browsers from guessing, caching or framing it.

import { randomUUID } from 'node:crypto';
import type { Context, Next } from 'koa';

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** A caller's id is taken when it cannot break a log line or a header; anything else gets a fresh one. */
const SANE_ID = /^[A-Za-z0-9._-]{1,64}$/;

export async function setHeaders(context: Context, next: Next): Promise<void> {
  const sent = context.get('x-request-id');
  const requestId = SANE_ID.test(sent) ? sent : randomUUID();
  context.state['requestId'] = requestId;
  context.set(SECURITY_HEADERS);
  context.set('x-request-id', requestId);
  await next();
}
