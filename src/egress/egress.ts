// The one client for every outgoing call. In call order: the URL is judged (egress/rules.ts) → a connection is opened to a
// judged address (egress/connect.ts) → the response is read within bounds → a redirect begins anew, at most three times.
// It retries nothing and knows no steps; whoever calls makes of an EgressError what they need.

import type { Socket } from 'node:net';
import { Agent, request as send } from 'undici';
import { type ConnectOptions, createLookup, openSocket } from './connect.ts';
import { blocked, EgressError } from './egress-error.ts';
import { type EgressRequest, followRedirect, isRedirect } from './redirect.ts';
import { ENCODINGS, readBody } from './response-body.ts';
import { findTarget, readEgressRules } from './rules.ts';

export interface EgressOptions {
  /** Hosts, `host:port` and CIDRs that are open beside the public ones. */
  allow?: readonly string[];
  /** Ports open on every public host; the web's by default. */
  ports?: readonly number[];
  /** DNS servers to ask (`address:port`) instead of the system's. */
  dnsServers?: readonly string[];
  connectMs?: number;
  /** From the first look-up to the last byte, redirects included. */
  totalMs?: number;
  maxBytes?: number;
  /** Told how each call ended: `answered`, or an error's code. */
  onCall?: (outcome: string) => void;
}

export interface EgressResponse {
  status: number;
  /** Names in lower case; several of one name are joined as HTTP allows. */
  headers: Record<string, string>;
  body: Buffer;
}

export type EgressCall = Omit<EgressRequest, 'url'> & {
  url: string;
  signal?: AbortSignal;
  /** Default true; otherwise a redirect is a response like any other. */
  followsRedirects?: boolean;
};

export interface Egress {
  /** Whether a URL is refused whatever its name may resolve to; true for what is no URL. */
  isRefused(url: string): boolean;
  /** Sends a request and follows its redirects, unless it is told not to; throws `EgressError` and nothing else. */
  request(request: EgressCall): Promise<EgressResponse>;
  /** A plain connection for what is not HTTP; throws `EgressError`. `host` and `port` are judged by the same rules. */
  connect(target: { host: string; port: number }, signal?: AbortSignal): Promise<Socket>;
  close(): Promise<void>;
}

const CONNECT_MS = 10_000;
const TOTAL_MS = 30_000;
const MAX_BYTES = 2 * 1_048_576;
const MAX_HEADER_BYTES = 16_384;
const MAX_REDIRECTS = 3;

interface Setting extends ConnectOptions {
  agent: Agent;
  maxBytes: number;
}

interface Following extends Setting {
  /** How many redirects may be followed; null: a redirect is the answer. */
  hops: number | null;
}

/** Throws when an entry of `allow` cannot be read. */
export function createEgress(options: EgressOptions = {}): Egress {
  const rules = readEgressRules(options.allow ?? [], options.ports);
  const connecting = { rules, lookup: createLookup(options.dnsServers), connectMs: options.connectMs ?? CONNECT_MS };
  const agent = new Agent({
    connect: ({ hostname, protocol, port }, callback) => {
      const secure = protocol === 'https:';
      openSocket({ host: hostname, port: Number(port || (secure ? 443 : 80)), secure }, connecting).then(
        (socket) => callback(null, socket),
        (error: Error) => callback(error, null),
      );
    },
    maxHeaderSize: MAX_HEADER_BYTES,
    // The whole call is bounded below; these would only begin anew with every packet.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const setting = { ...connecting, agent, maxBytes: options.maxBytes ?? MAX_BYTES };
  const isRefused = (url: string) => !URL.canParse(url) || findTarget(new URL(url), rules) === null;
  return {
    isRefused,
    async request({ url, signal, followsRedirects = true, ...request }) {
      const timeout = AbortSignal.timeout(options.totalMs ?? TOTAL_MS);
      const ending = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
      try {
        if (isRefused(url)) throw blocked();
        const hops = followsRedirects ? MAX_REDIRECTS : null;
        const response = await sendThrough({ ...setting, hops }, { ...request, url: new URL(url) }, ending);
        options.onCall?.('answered');
        return response;
      } catch (error) {
        const reported = explain(error, { isLate: timeout.aborted, isGivenUp: signal?.aborted ?? false });
        options.onCall?.(reported.code);
        throw reported;
      }
    },
    connect: (target, signal) => openSocket(target, connecting, signal),
    close: () => agent.destroy(),
  };
}

async function sendThrough(setting: Following, first: EgressRequest, signal: AbortSignal): Promise<EgressResponse> {
  let request = first;
  for (let hops = 0; ; hops += 1) {
    if (findTarget(request.url, setting.rules) === null) throw blocked(hops > 0);
    const { status, headers, body } = await sendOnce(setting, request, signal).catch((error: unknown) => {
      throw hops > 0 ? asSent(error) : error;
    });
    const location = headers['location'];
    if (setting.hops === null || !isRedirect(status, location)) {
      const isEmpty = request.method === 'HEAD' || status === 204 || status === 304;
      const encoding = isEmpty ? '' : (headers['content-encoding'] ?? '');
      return { status, headers, body: await readBody(body, encoding, setting.maxBytes) };
    }
    body.on('error', () => {}).destroy();
    if (hops === setting.hops)
      throw new EgressError('redirect_refused', `The response redirects more than ${setting.hops} times`, {
        sent: true,
      });
    request = followRedirect(request, status, location);
  }
}

async function sendOnce({ agent }: Setting, { url, method, headers, body }: EgressRequest, signal: AbortSignal) {
  const response = await send(url, {
    dispatcher: agent,
    method: method as 'GET',
    headers: { 'user-agent': 'holdpoint', 'accept-encoding': ENCODINGS, ...headers },
    body,
    signal,
  });
  return { status: response.statusCode, headers: joinHeaders(response.headers), body: response.body };
}

/** A later hop that was not reached does not undo the first. */
function asSent(error: unknown): unknown {
  if (!(error instanceof EgressError) || error.sent) return error;
  return new EgressError(error.code, error.message, { sent: true, cause: error.cause });
}

function joinHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const entries = Object.entries(headers).filter(
    (entry): entry is [string, string | string[]] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]));
}

/** Whatever went wrong as an EgressError; addresses and what undici says of them stay with the cause. */
function explain(error: unknown, { isLate, isGivenUp }: { isLate: boolean; isGivenUp: boolean }): EgressError {
  if (error instanceof EgressError) return error;
  if (isGivenUp) return new EgressError('aborted', 'The call was given up', { sent: true, cause: error });
  if (isLate)
    return new EgressError('response_timeout', 'The external service did not answer in time', {
      sent: true,
      cause: error,
    });
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'UND_ERR_HEADERS_OVERFLOW')
    return new EgressError('response_too_large', 'The headers of the response are too large', { sent: true });
  if (code === 'UND_ERR_INVALID_ARG')
    return new EgressError('request_invalid', 'The request has a method or header that HTTP does not allow', {
      sent: false,
      cause: error,
    });
  return new EgressError('connection_failed', 'The connection to the external service broke', {
    sent: true,
    cause: error,
  });
}
