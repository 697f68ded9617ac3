// What a route is: data. Path, least role, schemas and a handler that sees a checked request and returns a reply; the
// handler knows nothing of Koa, so faces stay translations. One list of these is the whole server (http/app.ts).

import type { Readable } from 'node:stream';
import type { Problem } from '../core/errors.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { Actor } from '../core/run.ts';
import type { Role } from '../store/access.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A request after authentication and validation. */
export interface RouteRequest<Query = unknown, Body = unknown> {
  actor: Actor;
  params: Readonly<Record<string, string>>;
  query: Query;
  body: Body;
  /** One request header, lower-case name; `''` when it is missing. */
  header(name: string): string;
  /** Aborts when the client is gone or the server stops. */
  signal: AbortSignal;
}

export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  /** JSON unless it is text or a stream, which bring their own `content-type`. */
  body: Json | Readable;
}

export interface RouteSpec<Query, Body> {
  method: Method;
  /** `/api/workflows/:id`; parameters are single path segments. */
  path: string;
  /** The least role; `public` needs no credential. */
  role: Role | 'public';
  /** JSON Schema of the query; without one, no parameter is allowed. */
  query?: JsonObject;
  /** JSON Schema of the body; without one, a body is ignored. */
  body?: JsonObject;
  /** Largest body in bytes, default 1 MB. */
  bodyLimit?: number;
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
}
