// What a route is: data. Path, least role, schemas and a handler that sees a checked request and returns a reply; the
// handler knows nothing of Koa, so faces stay translations. One list of these is the whole server (http/app.ts).

import type { Readable } from 'node:stream';
import type { Problem } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { Role } from '../core/roles.ts';
import type { Actor } from '../core/run.ts';
import type { Reader } from '../store/readers.ts';
import type { Gate } from './admission.ts';
import type { Form } from './form.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A request after authentication and validation. */
export interface RouteRequest<Query = unknown, Body = unknown> {
  actor: Actor;
  params: Readonly<Record<string, string>>;
  query: Query;
  body: Body;
  /** Instead of the body, where the route `takesForm` and was sent one; the body then only describes it. */
  form?: Form;
  /** The text of the body as it came, where the route `keepsText`; else, and without a body, `''`. */
  text: string;
  /** One request header, lower-case name; `''` when it is missing. */
  header(name: string): string;
  /** Where a public route has its own kind of credential checked and counted. */
  gate: Gate;
  /** What store reads are given: it sees the caller's workspace and nothing else. */
  reader: Reader;
  /** Aborts when the client is gone or the server stops. */
  signal: AbortSignal;
  /** Only with an `Idempotency-Key`: the same however often the request is worked on, so what it made can be found. */
  idempotencyId?: string;
}

export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  /** JSON unless it is text or a stream, which bring their own `content-type`. */
  body: Json | Readable;
  /** Members of the body that are shown this once: no copy of them is kept, and an idempotent replay has `null` there. */
  shownOnce?: readonly string[];
  /** No copy is kept of any of it: the same request goes to the handler again, which makes anew what was shown once. */
  isRemade?: true;
}

export interface RouteAnswer {
  description: string;
  /** JSON Schema of the body; without one the answer has no body, or one that is not JSON (`contentType`). */
  schema?: JsonObject;
  /** Default `application/json`. */
  contentType?: string;
  /** Headers of this answer, beside those that every answer has. */
  headers?: Readonly<Record<string, HeaderDocs>>;
}

export interface HeaderDocs {
  description: string;
  schema: JsonObject;
}

/** One request and its answer, parameters as they stand in the path. */
export interface RouteExample {
  name: string;
  params?: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, string>>;
  body?: Json;
  /** Default the route's `successStatus`. */
  status?: number;
  /** The body of the answer; text where that is not JSON. */
  answer?: Json;
  /** The answer has more than this: other members beside these, or other lines. */
  isExcerpt?: true;
}

export interface RouteSpec<Query, Body> {
  method: Method;
  /**
   * `/api/workflows/:id`; parameters are single path segments. `:wId` is always the caller's workspace, and `:podId` a pod of
   * it: a handler is given its id, whatever stood in the path.
   */
  path: string;
  /** The least role; `public` needs no credential. */
  role: Role | 'public';
  /** JSON Schema of the query; without one, no parameter is allowed. */
  query?: JsonObject;
  /** JSON Schema of the body; without one, a body is ignored. */
  body?: JsonObject;
  /** Largest body in bytes, default 1 MB. */
  bodyLimit?: number;
  /**
   * The parameter that names what this route renames or deletes. A request that is made again under its `Idempotency-Key` comes
   * to the handler all the same, with that parameter as it stood in the path: what it did may be the reason.
   */
  mayBeGone?: 'wId' | 'podId';
  /** It starts runs, for which there is a rate limit of its own. */
  isStart?: true;
  /** A ticket in the query opens it too, for the run that its parameter `id` names. */
  takesTicket?: true;
  /** The handler is also given the text of the body, of which a signature is made. */
  keepsText?: true;
  /** Also takes multipart/form-data: fields and one file, read as `form` (http/form.ts). */
  takesForm?: true;
  /** What OpenAPI says of the route: a line, a paragraph (CommonMark), and the group it is listed in. */
  summary?: string;
  description?: string;
  tag?: string;
  /** Status of the usual answer, default 200. */
  successStatus?: number;
  /** Headers that the handler reads, beside those that every route takes. */
  headers?: Readonly<Record<string, HeaderDocs>>;
  /** Answers by status: what each means and, where it has a body of its own, that body's schema. */
  responses?: Readonly<Record<number, RouteAnswer>>;
  /** Requests with their answers as they look on the wire; a test sends each of them. */
  examples?: readonly RouteExample[];
  handler(request: RouteRequest<Query, Body>): Promise<Reply>;
}

export type Route = RouteSpec<unknown, unknown>;

/** Declares a route; `Query` and `Body` are what its schemas describe. */
export function defineRoute<Query = Record<string, never>, Body = undefined>(spec: RouteSpec<Query, Body>): Route {
  // The schemas have checked the request before the handler sees it; this is the one place that trusts them.
  return spec as unknown as Route;
}

/** An error as every face is given it, to be put into its own shape. */
export interface ErrorReport {
  status: number;
  code: string;
  message: string;
  details: Problem[];
  requestId: string;
}

/** One public dialect: the paths that are its own, its routes, and the shape of its errors. */
export interface Face {
  name: string;
  /** Errors below these path prefixes have this face's shape; `/` is for what no other face owns. */
  prefixes: readonly string[];
  routes: readonly Route[];
  presentError(report: ErrorReport): Json;
  /** Its own number for an error, where it is not always that of http/errors.ts. */
  statusOf?(report: Omit<ErrorReport, 'requestId'>): number;
  /** JSON Schema of what `presentError` makes. */
  errorSchema?: JsonObject;
}
