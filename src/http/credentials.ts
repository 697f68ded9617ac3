// What a request shows to get in: an API key in `x-api-key` (with `x-tenant-id`) or as Bearer, a token as Bearer, or, for
// the operators' pages only, a key as the password of HTTP Basic; never in a URL. Whether it is any good is not known here.

import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../core/errors.ts';

export interface Credential {
  type: 'api-key' | 'token';
  text: string;
  /** What `x-tenant-id` names, `''` when it was not sent. */
  tenant: string;
}

const KEY = /^sk_[A-Za-z0-9_-]{8,253}$/;
/** header.payload.signature, the last of them empty when somebody took it off. */
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*$/;

/** Throws `unauthenticated`, or `invalid_request` when two credentials disagree. */
export function readCredential(headers: IncomingHttpHeaders, allowBasic: boolean): Credential {
  const apiKey = headerOf(headers, 'x-api-key');
  const tenant = headerOf(headers, 'x-tenant-id');
  const bearer = readAuthorization(headerOf(headers, 'authorization'), allowBasic);
  if (apiKey === '' && bearer === null)
    throw refuse('send an API key as x-api-key, or a key or a JWT as Authorization: Bearer');
  if (apiKey !== '' && bearer !== null && apiKey !== bearer) {
    throw new AppError('invalid_request', 'x-api-key and Authorization carry different credentials; send one of them');
  }
  const text = apiKey === '' ? bearer! : apiKey;
  if (KEY.test(text)) {
    if (apiKey !== '' && tenant === '') throw refuse('send x-tenant-id (the workspace id or slug) beside x-api-key');
    return { type: 'api-key', text, tenant };
  }
  if (apiKey === '' && TOKEN.test(text)) return { type: 'token', text, tenant };
  throw refuse(`this is not an API key${apiKey === '' ? ' or a JWT' : ''}; keys start with sk_`);
}

/** Whether a request carries anything that is meant to be a credential. */
export function hasCredential(headers: IncomingHttpHeaders): boolean {
  return headerOf(headers, 'x-api-key') !== '' || headerOf(headers, 'authorization') !== '';
}

/** What an Authorization header carries, or null when there is none. */
function readAuthorization(header: string, allowBasic: boolean): string | null {
  if (header === '') return null;
  const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(header) ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return value;
    case 'basic': {
      if (!allowBasic) throw refuse('HTTP Basic is for /admin pages only; send Authorization: Bearer sk_…');
      const decoded = Buffer.from(value, 'base64').toString('utf8');
      return decoded.slice(decoded.indexOf(':') + 1);
    }
    default:
      throw refuse('the Authorization header could not be read; send Authorization: Bearer sk_… or a JWT');
  }
}

function headerOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return (Array.isArray(value) ? value.join(', ') : (value ?? '')).trim();
}

export function refuse(message: string): AppError {
  return new AppError('unauthenticated', message);
}
