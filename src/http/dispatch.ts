// From a request to a route's handler and back: credential, workspace, role, query, body, then the reply. What a
// route is for is none of its business.

import { setMaxListeners } from 'node:events';
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import { AppError, type Problem } from '../core/errors.ts';
import { findJsonProblems, isJsonObject } from '../core/json.ts';
import type { Actor } from '../core/run.ts';
import type { Requests } from '../engine/claim-request.ts';
import { findWorkspace } from '../store/access-workspaces.ts';
import { findPod } from '../store/pods.ts';
import type { Readers } from '../store/readers.ts';
import type { Admit, OpenGate } from './admission.ts';
import { type Caller, isWorkspaceOf, refuseLimited, requireRole } from './auth.ts';
import { BODY_TEXT, createBodyReader } from './body.ts';
import { describeForm, isForm, type ReadForm } from './form.ts';
import { answerOnce, isNamed, type NamedRequest } from './idempotency.ts';
import type { Reply, Route, RouteRequest } from './route.ts';
import { compileBodyCheck, compileQueryCheck } from './validate.ts';

export interface DispatchOptions {
  routes: readonly Route[];
  admit: Admit;
  openGate: OpenGate;
  /** What handlers read with; without it they cannot read. */
  readers?: Readers | undefined;
  /** Remembers requests that have an `Idempotency-Key`; without it keys are ignored. */
  requests?: Requests | undefined;
  /** Reads forms for the routes that take them; without it they take JSON only. */
  readForm?: ReadForm | undefined;
  /** Aborts when the server stops: whoever waits is answered with what is known. */
  stopping: AbortSignal;
}

const NO_QUERY = { type: 'object', additionalProperties: false };
const ANONYMOUS: Actor = { workspaceId: '', userId: 'anonymous' };

/** Serves the routes; throws `not_found` for unknown paths and `method_not_allowed`, with `Allow` set, for others. */
export function dispatchRoutes(options: DispatchOptions): Middleware {
  // One for each request that waits; Node warns of a leak past the tenth.
  setMaxListeners(0, options.stopping);
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

type RoutedContext = Context & { params: Record<string, string> };
type Content = Pick<RouteRequest, 'query' | 'body' | 'form'>;

function serveRoute(route: Route, { admit, openGate, readers, requests, readForm, stopping }: DispatchOptions) {
  const readContent = createContentReader(route, readForm);
  const secretFields = listSecretFields(route);
  // What is public knows no workspace to remember a key for.
  const remembering = route.method === 'GET' || route.role === 'public' ? undefined : requests;

  return async (context: RoutedContext) => {
    context.state['route'] = route.path;
    const { actor, params } = await enter(context, route, { admit, readers });
    const content = await readContent(context, actor);
    const handle = (idempotencyId?: string) =>
      route.handler(describeRequest(context, { actor, params, content, openGate, readers, stopping, idempotencyId }));
    const named = nameRequest(context, { actor, body: content.body, secretFields });
    try {
      sendReply(context, await (remembering === undefined ? handle() : answerOnce(remembering, named, handle)));
    } finally {
      content.form?.release();
    }
  };
}

/** Reads what a request says beyond its path, checked by the route's schemas. Forms are checked by who knows their fields. */
function createContentReader(route: Route, readForm: ReadForm | undefined) {
  const findQueryProblems = compileQueryCheck(route.query ?? NO_QUERY);
  const findBodyProblems = route.body === undefined ? () => [] : compileBodyCheck(route.body);
  const readBody =
    route.body === undefined
      ? async () => undefined
      : createBodyReader(route.bodyLimit, { keepsText: route.keepsText ?? false });
  return async (context: Context, actor: Actor): Promise<Content> => {
    const query = { ...context.query };
    // Also where a schema says nothing of it: no text with NUL could be looked for.
    refuseProblems(
      [...findJsonProblems(query), ...findQueryProblems(query)].map((one) => ({
        ...one,
        message: `in the query: ${one.message}`,
      })),
    );
    const form = route.takesForm && isForm(context) ? await readForm?.(context, actor) : undefined;
    if (form !== undefined) return { query, body: describeForm(form), form };
    const body = await readBody(context);
    refuseProblems(findBodyProblems(body));
    return { query, body };
  };
}

interface Asked extends Entered {
  content: Content;
  openGate: OpenGate;
  readers: Readers | undefined;
  stopping: AbortSignal;
  idempotencyId: string | undefined;
}

function describeRequest(context: RoutedContext, asked: Asked): RouteRequest {
  const { actor, params, content, openGate, readers, stopping, idempotencyId } = asked;
  return {
    actor,
    params,
    ...content,
    text: context.state[BODY_TEXT] ?? '',
    header: (name) => context.get(name),
    gate: openGate(context),
    get reader() {
      if (readers === undefined) throw nothingToReadWith();
      return readers.of(actor.workspaceId);
    },
    get signal() {
      return watchClient(context, stopping);
    },
    ...(idempotencyId === undefined ? {} : { idempotencyId }),
  };
}

/** Members of a body that nobody may read again. */
function listSecretFields({ body }: Route): string[] {
  const properties = isJsonObject(body?.['properties']) ? body['properties'] : {};
  return Object.keys(properties).filter((name) => {
    const schema = properties[name];
    return isJsonObject(schema) && schema['writeOnly'] === true;
  });
}

interface Entered {
  actor: Actor;
  params: Record<string, string>;
}

/** A workspace in the path that is not the caller's is one that does not exist; so is a pod that they may not see. */
async function enter(
  context: RoutedContext,
  { role, isStart, takesTicket, mayBeGone }: Route,
  { admit, readers }: Pick<DispatchOptions, 'admit' | 'readers'>,
): Promise<Entered> {
  const { params } = context;
  if (role === 'public') return { actor: ANONYMOUS, params };
  const ticketFor = takesTicket ? params['id'] : undefined;
  const actor = await admit(context, { isStart: isStart ?? false, ticketFor });
  const { wId, podId } = params;
  const gone = isNamed(context.headers) ? mayBeGone : undefined;
  if (wId !== undefined && gone !== 'wId' && !(await isOwn(readers, actor, wId)))
    throw new AppError('not_found', 'no workspace here has this id or slug');
  if (podId === undefined) refuseLimited(actor);
  requireRole(actor, role);
  if (podId === undefined) return { actor, params };
  const found = await findPodId(readers, actor, podId);
  if (found === null && (gone !== 'podId' || actor.podId !== undefined))
    throw new AppError('not_found', 'no pod here has this id or slug');
  return { actor, params: { ...params, podId: found ?? podId } };
}

/** What is known of the caller may be a second old: a new slug counts at once. */
async function isOwn(readers: Readers | undefined, caller: Caller, wId: string): Promise<boolean> {
  if (readers === undefined || isWorkspaceOf(caller, wId)) return isWorkspaceOf(caller, wId);
  const row = await findWorkspace(readers.of(caller.workspaceId), caller.workspaceId);
  return row?.slug === wId;
}

/** The id of the pod that a path names, or null; one that the credential is not for does not exist. */
async function findPodId(
  readers: Readers | undefined,
  { workspaceId, podId: own }: Caller,
  idOrSlug: string,
): Promise<string | null> {
  if (readers === undefined) throw nothingToReadWith();
  const pod = await findPod(readers.of(workspaceId), { workspaceId, idOrSlug });
  return pod === null || (own !== undefined && own !== pod.id) ? null : pod.id;
}

function nothingToReadWith(): Error {
  return new Error('this app was given nothing to read with');
}

function nameRequest(context: Context, asked: Pick<NamedRequest, 'actor' | 'body' | 'secretFields'>): NamedRequest {
  const { method, url, headers, res } = context;
  return {
    ...asked,
    method,
    url,
    headers,
    isHeard: () => !res.closed,
    onReplay: () => context.set('idempotent-replayed', 'true'),
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
