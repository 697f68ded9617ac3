// Which web pages may call the API from a browser (CORS, fetch.spec.whatwg.org): those of the origins that an operator
// names, with every header the API knows. Pages bring a token or a key of their own; nothing here is sent by a browser
// unasked, so no cookies are spoken of, and who may do what is decided elsewhere.

import type { Context, Middleware, Next } from 'koa';

const METHODS = 'GET, POST, PUT, PATCH, DELETE';
/** What a page may send. */
export const SENDABLE_HEADERS: readonly string[] = [
  'authorization',
  'content-type',
  'idempotency-key',
  'if-match',
  'last-event-id',
  'prefer',
  'x-api-key',
  'x-holdpoint-client',
  'x-idempotency-key',
  'x-request-id',
  'x-tenant-id',
];
/** What a page may read of an answer, beside what every page may. */
export const READABLE_HEADERS: readonly string[] = [
  'allow',
  'content-disposition',
  'etag',
  'idempotent-replayed',
  'location',
  'preference-applied',
  'retry-after',
  'www-authenticate',
  'x-next-cursor',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-request-id',
  'x-total-count',
];
/** How long a browser may remember what it was told, in seconds. */
const MAX_AGE_S = '600';

/** `origins` are as browsers send them, `https://app.example.com`; `*` is every page. With none it does nothing. */
export function allowOrigins(origins: readonly string[]): Middleware {
  const allowed = new Set(origins);
  return async (context: Context, next: Next) => {
    if (allowed.size === 0) return next();
    context.vary('origin');
    const origin = context.get('origin');
    if (origin === '' || !(allowed.has('*') || allowed.has(origin))) return next();
    context.set('access-control-allow-origin', allowed.has('*') ? '*' : origin);
    context.set('access-control-expose-headers', READABLE_HEADERS.join(', '));
    if (context.method !== 'OPTIONS' || context.get('access-control-request-method') === '') return next();
    context.state['route'] = 'preflight';
    context.set('access-control-allow-methods', METHODS);
    context.set('access-control-allow-headers', SENDABLE_HEADERS.join(', '));
    context.set('access-control-max-age', MAX_AGE_S);
    context.status = 204;
  };
}
