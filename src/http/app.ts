// The whole HTTP edge as one Koa application: headers, log and metrics, errors in the shape of the face they belong to,
// the operators' board, and the routes of every face.

import Koa, { type Context, type Middleware, type Next } from 'koa';
import { AppError } from '../core/errors.ts';
import type { RateLimits } from '../core/rate-limit.ts';
import type { Requests } from '../engine/claim-request.ts';
import type { Logger } from '../log.ts';
import type { Readers } from '../store/readers.ts';
import type { Metrics } from '../telemetry.ts';
import {
  type Admit,
  createAdmission,
  createGate,
  NO_LIMITS,
  type NoteForeignTenant,
  type RedeemTicket,
} from './admission.ts';
import { type Authenticate, refuseLimited, requireRole } from './auth.ts';
import { allowOrigins } from './cors.ts';
import { dispatchRoutes } from './dispatch.ts';
import { type HttpFailure, toHttpFailure } from './errors.ts';
import type { ReadForm } from './form.ts';
import { setHeaders } from './headers.ts';
import { observeRequests } from './observe.ts';
import type { Face, Route } from './route.ts';

export interface AppOptions {
  /** Asked in order for whose path it is; the last one owns what nobody else does. */
  faces: readonly Face[];
  /** Routes that belong to no dialect: health and metrics. */
  systemRoutes: readonly Route[];
  authenticate: Authenticate;
  /** What handlers read with; without it they cannot read. */
  readers?: Readers;
  /** Default none. */
  limits?: RateLimits;
  /** Writes down credentials that were used for another workspace. */
  noteForeignTenant?: NoteForeignTenant;
  /** Opens live streams by ticket; without it none can be. */
  redeemTicket?: RedeemTicket;
  /** Proxies in front that set X-Forwarded-For; default none, and then the header is not looked at. */
  trustedProxies?: number;
  /** Web pages that may call from a browser; default none. */
  corsOrigins?: readonly string[];
  log: Logger;
  metrics: Metrics;
  /** Aborts when the server stops. */
  stopping: AbortSignal;
  /** Remembers requests that have an `Idempotency-Key`. */
  requests?: Requests | undefined;
  /** Reads forms; without it every route takes JSON only. */
  readForm?: ReadForm;
  /** Serves everything below /admin/queues. */
  board?: Middleware;
}

const BOARD_PATH = '/admin/queues';

export function createApp(options: AppOptions): Koa {
  const { faces, systemRoutes, authenticate, log, metrics, stopping, requests, readForm, board } = options;
  const { limits = NO_LIMITS, trustedProxies = 0, noteForeignTenant, redeemTicket } = options;
  const admit = createAdmission({ authenticate, limits, noteForeignTenant, redeemTicket });
  const app = new Koa({ proxy: trustedProxies > 0, maxIpsCount: trustedProxies });
  app.on('error', (error: unknown) => log.debug({ err: error }, 'connection failed while answering'));
  app.use(setHeaders);
  app.use(observeRequests({ log, metrics }));
  app.use(allowOrigins(options.corsOrigins ?? []));
  app.use(async (context, next) => {
    await next();
    // Also for requests that came before: a connection that is kept would hold up the end.
    if (stopping.aborted && !context.headerSent) context.set('connection', 'close');
  });
  app.use(reportErrors(faces, log));
  if (board !== undefined) app.use(guardBoard(board, admit));
  const routes = [...systemRoutes, ...faces.flatMap((face) => face.routes)];
  app.use(
    dispatchRoutes({
      routes,
      admit,
      openGate: createGate(limits),
      readers: options.readers,
      requests,
      readForm,
      stopping,
    }),
  );
  return app;
}

function reportErrors(faces: readonly Face[], log: Logger): Middleware {
  return async (context: Context, next: Next) => {
    try {
      await next();
    } catch (error) {
      const failure = toHttpFailure(error);
      logFailure(log, { failure, error, requestId: context.state['requestId'] });
      const face = faceOf(faces, context.path);
      context.status = face.statusOf?.(failure) ?? failure.status;
      // Whoever counts requests knows better when to come again.
      for (const [name, value] of Object.entries(failure.headers))
        if (!context.res.hasHeader(name)) context.set(name, value);
      if (failure.status === 401) context.set('www-authenticate', challengeFor(context.path));
      const { status, code, message, details } = failure;
      const report = { status, code, message, details, requestId: context.state['requestId'] };
      context.body = face.presentError(report);
    }
  };
}

function logFailure(
  log: Logger,
  { failure, error, requestId }: { failure: HttpFailure; error: unknown; requestId: string },
): void {
  if (failure.unexpected) log.error({ err: error, requestId }, 'request failed');
  else if (failure.status === 503) {
    // Without its stack: while a part of the system is away there is one of these per request.
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ error: reason, requestId }, 'request refused for now: a part of the system is away');
  }
}

function faceOf(faces: readonly Face[], path: string): Face {
  return faces.find((face) => face.prefixes.some((prefix) => path.startsWith(prefix))) ?? faces.at(-1)!;
}

function challengeFor(path: string): string {
  return isBelow(path, '/admin') ? 'Basic realm="holdpoint", charset="UTF-8"' : 'Bearer realm="holdpoint"';
}

/** Lets admins look, by Basic too, so that a browser can; nothing but reading gets through, whatever the board offers. */
function guardBoard(board: Middleware, admit: Admit): Middleware {
  return async (context, next) => {
    if (!isBelow(context.path, BOARD_PATH)) return next();
    context.state['route'] = BOARD_PATH;
    const caller = await admit(context, { allowBasic: true });
    refuseLimited(caller);
    requireRole(caller, 'admin');
    if (context.method !== 'GET' && context.method !== 'HEAD') {
      context.set('allow', 'GET, HEAD');
      throw new AppError('method_not_allowed', 'the board only shows; use the API to change runs');
    }
    await board(context, next);
  };
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
