// How values are put into the texts of an HTTP request, by where they stand: a value can become part of a path, a query
// or a JSON text, but never change what stands around it.

import { ExpressionFault } from '../core/expression-fault.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { type Encode, hasExpression } from '../core/template.ts';

/** The encoder of the text at `pointer` of a request's fields (`/url`, `/body`). */
export function encoderAt(fields: JsonObject, pointer: string): Encode | undefined {
  if (pointer === '/url') return encodeInUrl;
  if (pointer !== '/body' || typeof fields['body'] !== 'string') return undefined;
  const type = findHeader(fields, 'content-type') ?? guessContentType(fields['body']);
  if (/[/+]json\b/i.test(type)) return encodeInJson;
  if (/x-www-form-urlencoded/i.test(type)) return (value) => percentEncode(toPlain(value));
  if (/[/+](xml|html)\b/i.test(type)) return (value) => escapeMarkup(toPlain(value));
  return undefined;
}

/** What a text body is when nobody says so. */
export function guessContentType(body: string): string {
  return /^\s*[[{]/.test(body) && !/^\s*\{\{/.test(body) ? 'application/json' : 'text/plain; charset=utf-8';
}

/** The literal value of a header, whatever case its name is in. */
export function findHeader({ headers }: JsonObject, name: string): string | null {
  if (!isJsonObject(headers)) return null;
  const value = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof value === 'string' && !hasExpression(value) ? value : null;
}

/** What a URL begins with is the URL's own; anywhere else a value is one piece of a path, a query or a name. */
const encodeInUrl: Encode = (value, before) => {
  const text = toPlain(value);
  if (before === '') return text;
  // "https://example.com${x}" would let "pany" or ".evil.org" choose another host; behind a dot, a hyphen or a port it may.
  if (text !== '' && /^[a-z]+:[/\\]{2}[^/\\?#]*[^/\\?#.:-]$/i.test(before))
    throw new ExpressionFault('goes on writing the name of a host; put a "/" before the value');
  return percentEncode(text);
};

/** Between quotes a value becomes characters of that text, anywhere else a JSON value. */
const encodeInJson: Encode = (value, before) =>
  isInsideQuotes(before) ? JSON.stringify(toPlain(value)).slice(1, -1) : JSON.stringify(value);

function isInsideQuotes(json: string): boolean {
  let inside = false;
  for (let at = 0; at < json.length; at++) {
    if (json[at] === '\\') at += 1;
    else if (json[at] === '"') inside = !inside;
  }
  return inside;
}

function percentEncode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

const MARKUP: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeMarkup(text: string): string {
  return text.replace(/[&<>"']/g, (char) => MARKUP[char]!);
}

function toPlain(value: Json): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
