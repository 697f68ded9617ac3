// An HTTP request from the fields of a step or of a tool's arguments, secrets in their places: what is sent, or why it
// cannot be. Values that would change the request's shape are refused, not repaired.

import type { Problem } from '../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { StepError } from '../core/step-type.ts';
import { hasExpression } from '../core/template.ts';
import type { Egress } from '../egress/egress.ts';
import { BLOCKED_HINT } from '../egress/egress-error.ts';
import { guessContentType } from './http-encoding.ts';

export interface OutgoingRequest {
  url: string;
  method: string;
  headers: Record<string, string>;
  body: string | null;
}

export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];
const BODYLESS: ReadonlySet<unknown> = new Set([undefined, 'GET', 'HEAD']);

/** The fields that describe a request, as JSON Schema properties. */
export const REQUEST_PROPERTIES: JsonObject = {
  method: { enum: METHODS },
  url: { type: 'string', minLength: 1, maxLength: 10_000 },
  query: { type: 'object' },
  headers: { type: 'object' },
  body: true,
  successStatus: {
    type: ['integer', 'array'],
    minimum: 100,
    maximum: 599,
    minItems: 1,
    maxItems: 50,
    items: { type: 'integer', minimum: 100, maximum: 599 },
  },
};

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/;
/** Visible ASCII, spaces and tabs, and Latin-1: what a header may carry. No line can end in it. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** They say where a message ends or goes, which is the client's to say. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What is wrong with the fields as a definition has them; pointers begin at them. */
export function findRequestProblems(fields: JsonObject, egress: Egress): Problem[] {
  const { url, headers, body, method } = fields;
  const problems: Problem[] = [];
  if (typeof url === 'string' && isRefusedAsWritten(url, egress))
    problems.push({ pointer: '/url', message: 'may not be called', hint: BLOCKED_HINT });
  if (body !== undefined && BODYLESS.has(method))
    problems.push({
      pointer: '/body',
      message: `cannot be sent with ${method ?? 'GET'}`,
      hint: 'choose POST, PUT or PATCH',
    });
  if (typeof body === 'string' && body === url && hasExpression(body))
    problems.push({ pointer: '/body', message: 'is the same text as the URL' });
  for (const name of isJsonObject(headers) ? Object.keys(headers) : []) {
    const pointer = `/headers/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (!HEADER_NAME.test(name)) problems.push({ pointer, message: 'is no name that a header can have' });
    else if (RESERVED_HEADERS.has(name.toLowerCase()))
      problems.push({ pointer, message: 'is set by the client itself' });
  }
  return problems;
}

/** Whether a URL is refused whatever its `${…}` become: only when they stand behind the part that says where it goes. */
function isRefusedAsWritten(url: string, egress: Egress): boolean {
  if (!hasExpression(url)) return egress.isRefused(url);
  const literal = url.slice(0, url.indexOf('${'));
  if (/^[a-z][a-z0-9+.-]*:/i.test(literal) && !/^https?:/i.test(literal)) return true;
  return /^https?:[/\\]{2}[^/\\?#$]+[/\\?#]/i.test(literal) && egress.isRefused(literal);
}

/** The request to send; throws a `StepError` that no retry mends. */
export function buildRequest(fields: JsonObject, effectKey: string): OutgoingRequest {
  const { method = 'GET', body = null } = fields;
  const written = buildHeaders(fields['headers'] ?? {});
  const encoded = encodeBody(body, written['content-type'] ?? '');
  const type = encoded === null || written['content-type'] ? {} : { 'content-type': contentTypeOf(body, encoded) };
  return {
    url: buildUrl(fields['url'] ?? null, fields['query'] ?? {}),
    method: String(method),
    headers: { accept: 'application/json, text/*;q=0.9, */*;q=0.8', 'idempotency-key': effectKey, ...type, ...written },
    body: encoded,
  };
}

/** Whether the path has a segment of dots only: the parser would walk up the path for it, wherever it came from. */
export function leadsElsewhere(url: string): boolean {
  const path = /^[^?#]*/.exec(url)![0];
  return path.split(/[/\\]/).some((segment) => /^(\.|%2e){1,2}$/i.test(segment));
}

function buildUrl(text: Json, query: Json): string {
  if (typeof text !== 'string' || !URL.canParse(text)) throw refuse('invalid_url', 'The URL is not one');
  if (leadsElsewhere(text))
    throw refuse('invalid_url', 'The path of the URL has a segment of dots only, which would lead elsewhere');
  if (!isJsonObject(query)) throw refuse('invalid_query', 'The query must be an object');
  const added = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const item of Array.isArray(value) ? value : [value]) {
      if (typeof item === 'object' && item !== null)
        throw refuse(
          'invalid_query',
          `The query parameter "${name}" must be text, a number, a boolean or a list of them`,
        );
      if (item !== null) added.append(name, String(item));
    }
  const url = new URL(text);
  // Behind what the URL has, which stays as it is written: somebody may have signed it.
  if (added.size > 0) url.search = `${url.search}${url.search === '' ? '?' : '&'}${added}`;
  return url.href;
}

function buildHeaders(headers: Json): Record<string, string> {
  if (!isJsonObject(headers)) throw refuse('invalid_header', 'The headers must be an object');
  const built: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === null) continue;
    const text = typeof value === 'object' ? '\n' : String(value);
    if (!HEADER_NAME.test(name) || RESERVED_HEADERS.has(name.toLowerCase()) || !HEADER_VALUE.test(text))
      throw refuse(
        'invalid_header',
        `The header "${name.slice(0, 100)}" cannot be sent: it must be one line of plain text`,
      );
    built[name.toLowerCase()] = text;
  }
  return built;
}

function encodeBody(body: Json, contentType: string): string | null {
  if (body === null || typeof body === 'string') return body;
  if (!/x-www-form-urlencoded/i.test(contentType) || !isJsonObject(body)) return JSON.stringify(body);
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(body))
    for (const item of Array.isArray(value) ? value : [value])
      if (item !== null) form.append(name, typeof item === 'object' ? JSON.stringify(item) : String(item));
  return form.toString();
}

function contentTypeOf(body: Json, encoded: string): string {
  return typeof body === 'string' ? guessContentType(encoded) : 'application/json';
}

/** Nothing was sent, and sending the same again would end the same. */
function refuse(code: string, message: string): StepError {
  return new StepError(code, message, { retryable: false });
}
