// From a request to a route's handler and back: credential, role, query, body, in this order, then the reply. What a
// route is for is none of its business.

import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import { AppError, type Problem } from '../core/errors.ts';
import type { Actor } from '../core/run.ts';
import { type Authenticate, requireRole } from './auth.ts';
import { createBodyReader } from './body.ts';
import type { Reply, Route } from './route.ts';
import { compileBodyCheck, compileQueryCheck } from './validate.ts';

export interface DispatchOptions {
  routes: readonly Route[];
  authenticate: Authenticate;
  /** Aborts when the server stops: whoever waits is answered with what is known. */
  stopping: AbortSignal;
}

const NO_QUERY = { type: 'object', additionalProperties: false };
const ANONYMOUS: Actor = { workspaceId: '', userId: 'anonymous' };

/** Serves the routes; throws `not_found` for unknown paths and `method_not_allowed`, with `Allow` set, for others. */
export function dispatchRoutes(options: DispatchOptions): Middleware {
  const router = new Router({ strict: true, sensitive: true });
  for (const route of options.routes) {
    router.register(route.path, [route.method], serveRoute(route, options));
  }
  const serve = router.routes();
  return async (context) => {
    await serve(context as Parameters<typeof serve>[0], async () => {
      const allowed = new Set(router.match(context.path, context.method).path.flatMap((layer) => layer.methods));
      if (allowed.size === 0) throw new AppError('not_found', 'there is nothing at this path; check the URL');
      context.set('allow', [...allowed].join(', '));
      throw new AppError('method_not_allowed', `this path takes ${[...allowed].join(', ')}`);
    });
  };
}

function serveRoute(route: Route, { authenticate, stopping }: DispatchOptions) {
  const findQueryProblems = compileQueryCheck(route.query ?? NO_QUERY);
  const findBodyProblems = route.body === undefined ? () => [] : compileBodyCheck(route.body);
  const readBody = route.body === undefined ? async () => undefined : createBodyReader(route.bodyLimit);

  return async (context: Context & { params: Record<string, string> }) => {
    context.state['route'] = route.path;
    const actor = route.role === 'public' ? ANONYMOUS : await authenticate(context.headers);
    context.state['actor'] = actor;
    if (route.role !== 'public') requireRole(actor, route.role);
    const query = { ...context.query };
    const inQuery = findQueryProblems(query).map((problem) => ({
      ...problem,
      message: `in the query: ${problem.message}`,
    }));
    refuseProblems(inQuery);
    const body = await readBody(context);
    refuseProblems(findBodyProblems(body));
    const reply = await route.handler({
      actor,
      params: context.params,
      query,
      body,
      header: (name) => context.get(name),
      get signal() {
        return watchClient(context, stopping);
      },
    });
    sendReply(context, reply);
  };
}

function refuseProblems(problems: Problem[]): void {
  const [first] = problems;
  if (first === undefined) return;
  const message = `${first.pointer === '' ? 'the body' : first.pointer} ${first.message}`;
  const more = problems.length > 1 ? `, and ${problems.length - 1} more in details` : '';
  throw new AppError('invalid_request', `${message}${more}`, problems);
}

function sendReply(context: Context, { status = 200, headers = {}, body }: Reply): void {
  context.status = status;
  context.body = body;
  context.set(headers);
}

/** Aborts when the client has hung up or the server stops, whichever is first. */
function watchClient({ res }: Context, stopping: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (stopping.aborted || res.closed) abort();
  stopping.addEventListener('abort', abort, { once: true });
  res.once('close', () => {
    stopping.removeEventListener('abort', abort);
    abort();
  });
  return controller.signal;
}
