// One request of the client: address, credential, retries, and errors as `ApiError`. Uses the global fetch and nothing of
// Node, so that it runs in browsers too. Which calls there are, and what they mean, is not known here.

import type { Operations } from './api-types.ts';
import { backoffMs, pause } from './backoff.ts';
import { ApiError } from './errors.ts';
import { readError, readRetryDelay, unreachable } from './failures.ts';

export interface ClientOptions {
  /** Where the API is: `https://holdpoint.example.com`. */
  baseUrl: string;
  /** An API key, or a signed JWT; a function is asked before each request, as for tokens that are renewed. */
  apiKey: string | (() => string | Promise<string>);
  /** Id or slug. */
  workspace: string;
  /** Id or slug; default `default`. */
  pod?: string | undefined;
  /** How often a request that got no answer, or 408, 425, 429, 502, 503 or 504, is sent again; default 6, which outlasts a restart. */
  maxRetries?: number | undefined;
  /** How long one try of a request may take; default 30,000. Streams have no end by it. */
  requestTimeoutMs?: number | undefined;
  /** A stream that says nothing for so long is opened again; default 45,000, thrice the time between two pings. */
  streamSilenceMs?: number | undefined;
}

export type Operation = keyof Operations;

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Default: a new one for each call, the same for its retries. */
  idempotencyKey?: string | undefined;
}

export interface Request<Name extends Operation> extends CallOptions {
  /** What stands in the path beside workspace and pod. */
  path?: Readonly<Record<string, string>>;
  query?: Operations[Name]['query'];
  body?: Operations[Name]['body'];
  headers?: Readonly<Record<string, string>>;
}

/** Part of a list; `nextCursor` is the `cursor` of the next part, null at the end. */
export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}

const MAX_RETRIES = 6;
export const REQUEST_TIMEOUT_MS = 30_000;

export class Transport {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = { ...options, baseUrl: options.baseUrl.replace(/\/+$/, '') };
  }

  /** The answer's body; undefined where it has none. Throws `ApiError`, or the signal's reason. */
  async call<Name extends Operation>(name: Name, request: Request<Name>): Promise<Operations[Name]['answer']> {
    const response = await this.#sendPatiently(name, request);
    return response.body as Operations[Name]['answer'];
  }

  /** As `call`, for lists that come in pages. */
  async page<Name extends Operation>(
    name: Name,
    request: Request<Name>,
  ): Promise<Page<Operations[Name]['answer'] extends (infer Item)[] ? Item : never>> {
    const { body, headers } = await this.#sendPatiently(name, request);
    // The answer of a list is an array; TypeScript cannot tell from a name that is only known to the caller.
    const cursor = headers.get('x-next-cursor');
    return { items: body as never[], nextCursor: cursor === null ? null : decodeURIComponent(cursor) };
  }

  /** The response as it comes, tried once and without an end of its own. Throws `ApiError`, or the signal's reason. */
  async open<Name extends Operation>(name: Name, request: Request<Name>): Promise<Response> {
    const response = await this.#send(name, request, request.signal);
    if (!response.ok) throw await readError(response);
    return response;
  }

  async #sendPatiently<Name extends Operation>(
    name: Name,
    request: Request<Name>,
  ): Promise<{ body: unknown; headers: Headers }> {
    const isRead = name.startsWith('GET ');
    const { idempotencyKey = isRead ? undefined : createKey(), signal } = request;
    const { maxRetries = MAX_RETRIES, requestTimeoutMs = REQUEST_TIMEOUT_MS } = this.#options;
    for (let failures = 1; ; failures++) {
      const outcome = await this.#try(name, { ...request, idempotencyKey }, requestTimeoutMs);
      if (!('error' in outcome)) return outcome;
      if (failures > maxRetries || outcome.retryInMs === null) throw outcome.error;
      await pause(Math.max(backoffMs(failures, Math.random()), outcome.retryInMs), signal);
    }
  }

  /** The answer, or the error with the least time after which it makes sense to try again, null where it makes none. */
  async #try<Name extends Operation>(
    name: Name,
    request: Request<Name>,
    timeoutMs: number,
  ): Promise<{ body: unknown; headers: Headers } | { error: ApiError; retryInMs: number | null }> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]);
    try {
      const response = await this.#send(name, request, signal);
      if (!response.ok) return { error: await readError(response), retryInMs: readRetryDelay(response) };
      return { body: await this.#readBody(response), headers: response.headers };
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason;
      if (timeout.aborted) return { error: unreachable(this.#options.baseUrl, timeout.reason), retryInMs: 0 };
      if (error instanceof ApiError) return { error, retryInMs: error.status === 0 ? 0 : null };
      throw error;
    }
  }

  async #readBody(response: Response): Promise<unknown> {
    const { status } = response;
    const text = await response.text().catch((error: unknown) => {
      throw unreachable(this.#options.baseUrl, error);
    });
    try {
      return text === '' ? undefined : JSON.parse(text);
    } catch (cause) {
      const { baseUrl } = this.#options;
      throw new ApiError(`${baseUrl} answered with something that is not JSON`, { status, code: 'not_json', cause });
    }
  }

  /** The address that a request goes to. */
  locate<Name extends Operation>(name: Name, { path = {}, query }: Pick<Request<Name>, 'path' | 'query'>): string {
    const { baseUrl, workspace, pod = 'default' } = this.#options;
    const [, template = ''] = name.split(' ');
    return `${baseUrl}${fillPath(template, { wId: workspace, podId: pod, ...path })}${writeQuery(query)}`;
  }

  async #send<Name extends Operation>(
    name: Name,
    { path, query, body, headers, idempotencyKey }: Request<Name>,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const { baseUrl, apiKey } = this.#options;
    const [method = 'GET'] = name.split(' ');
    const address = this.locate(name, { ...(path === undefined ? {} : { path }), query });
    const credential = typeof apiKey === 'string' ? apiKey : await apiKey();
    const init = {
      method,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${credential}`,
        // What it triggers is shown as triggered by it.
        'x-holdpoint-client': 'sdk',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    };
    return fetch(address, init).catch((error: unknown) => {
      throw signal?.aborted ? signal.reason : unreachable(baseUrl, error);
    });
  }
}

function fillPath(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? '';
    // fetch takes a segment of dots for another folder, and an empty one would be another route.
    if (/^\.*$/.test(value)) throw new TypeError(`${name} must name something, not "${value}"`);
    return encodeURIComponent(value);
  });
}

function writeQuery(query: object | undefined): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) parameters.set(name, String(value));
  return parameters.size === 0 ? '' : `?${parameters}`;
}

/** Not `randomUUID`, which browsers keep from pages without TLS. */
function createKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
