// What follows from a redirect, as a pure function: where the next request goes and what it still carries. Whether it may
// go there is asked of the rules, as for the first.

import { EgressError } from './egress-error.ts';

export interface EgressRequest {
  url: URL;
  method: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: string | Buffer | null;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** All that another origin is told: any other header may be a credential. */
const HARMLESS: ReadonlySet<string> = new Set(['accept', 'accept-language', 'content-type', 'user-agent']);

export function isRedirect(status: number, location: string | undefined): location is string {
  return REDIRECTS.has(status) && location !== undefined;
}

/** The request that `status` and `location` ask for; throws `redirect_refused` where following it would give something away. */
export function followRedirect(request: EgressRequest, status: number, location: string): EgressRequest {
  if (!URL.canParse(location, request.url.href)) throw refuse('The response redirects to something that is no URL');
  const url = new URL(location, request.url);
  if (request.url.protocol === 'https:' && url.protocol === 'http:')
    throw refuse('The response redirects from https to http');
  const turnsToGet = (status === 303 && request.method !== 'HEAD') || (status < 303 && request.method === 'POST');
  const next: EgressRequest = turnsToGet ? { ...withoutBody(request), method: 'GET', url } : { ...request, url };
  if (isSameParty(request.url, url)) return next;
  if (next.body !== null) throw refuse('The response redirects a request with a body to another origin');
  return { ...next, headers: pickHeaders(next.headers, (name) => HARMLESS.has(name)) };
}

/** The same origin, or the same host's https instead of its http, each on its usual port. */
function isSameParty(from: URL, to: URL): boolean {
  if (from.origin === to.origin) return true;
  return from.hostname === to.hostname && from.port === '' && to.port === '' && to.protocol === 'https:';
}

function withoutBody(request: EgressRequest): EgressRequest {
  return { ...request, body: null, headers: pickHeaders(request.headers, (name) => !name.startsWith('content-')) };
}

function pickHeaders(headers: EgressRequest['headers'], keep: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => keep(name)));
}

function refuse(message: string): EgressError {
  return new EgressError('redirect_refused', message, { sent: true });
}
