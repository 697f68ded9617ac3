// One log line and one measurement per request, written when the answer has left (or the client has). Never logs a
// query, a header or a body: that is where secrets travel.

import type { Context, Middleware, Next } from 'koa';
import type { Logger } from '../log.ts';
import type { Metrics } from '../telemetry.ts';

const MAX_LOGGED_PATH = 300;
/** Asked every few seconds by machines; logged only when somebody is debugging. */
const QUIET_ROUTES = new Set(['/health/live', '/health/ready', '/metrics']);

export function observeRequests({ log, metrics }: { log: Logger; metrics: Metrics }): Middleware {
  return async (context: Context, next: Next) => {
    const startedAt = performance.now();
    context.res.once('close', () => {
      const seconds = (performance.now() - startedAt) / 1_000;
      const { route = 'none', actor, requestId } = context.state;
      const status = context.res.statusCode;
      metrics.httpDuration.observe({ method: knownMethod(context.method), route, status: String(status) }, seconds);
      const line = {
        requestId,
        method: context.method,
        path: showPath(context.path, route),
        route,
        status,
        durationMs: Math.round(seconds * 1_000_000) / 1_000,
        workspaceId: actor?.workspaceId,
        keyId: actor?.keyId,
        ...(context.res.writableFinished ? {} : { aborted: true }),
      };
      if (status >= 500) log.warn(line, 'request');
      else if (QUIET_ROUTES.has(route)) log.debug(line, 'request');
      else log.info(line, 'request');
    });
    await next();
  };
}

/** What a credential begins with, ours or a token's; some send theirs in the path, where it does not belong. */
const CREDENTIAL = /(?<![A-Za-z0-9])(sk_|eyJ)[\w.~%-]+/g;

/** A path without what opens doors; where the route itself has a token in its path, only the route. */
function showPath(path: string, route: string): string {
  if (route.includes(':token')) return route;
  return path.replace(CREDENTIAL, '$1…').slice(0, MAX_LOGGED_PATH);
}

/** Keeps invented methods from making a time series each. */
function knownMethod(method: string): string {
  return ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].includes(method) ? method : 'OTHER';
}
