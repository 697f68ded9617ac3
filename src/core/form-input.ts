// The fields of an HTML form as the input of a run: text becomes what the workflow's payload says it is, where it can be
// read as that; what cannot is left as it was sent, for the payload's own check to refuse. Knows no transport.

import type { Problem } from './errors.ts';
import { escapePointer, isJsonObject, type Json, type JsonObject } from './json.ts';
import { findInexactNumbers, isKeptExactly } from './json-numbers.ts';
import { prepareFields } from './schema-prepare.ts';

/** One field as it was sent; a name that was sent again is there again. */
export type FormField = readonly [name: string, text: string];

export interface FormInput {
  input: JsonObject;
  problems: Problem[];
}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
/** The one field that may hold the whole input as JSON. */
const WHOLE = 'data';

/** `payload` is the workflow's: a JSON Schema iff its `type` is the text `object`, else a field map. */
export function readFormInput(payload: JsonObject, fields: readonly FormField[]): FormInput {
  const schemas = prepareFields(payload);
  const problems: Problem[] = [];
  const input = new Map<string, Json>();
  for (const [name, texts] of collect(fields)) {
    if (name === WHOLE && !Object.hasOwn(schemas, WHOLE)) {
      for (const text of texts) merge(text);
      continue;
    }
    add(name, coerce(texts, Object.hasOwn(schemas, name) ? schemas[name] : undefined));
  }
  return { input: Object.fromEntries(input), problems };

  function add(name: string, value: Json | undefined): void {
    const pointer = `/${escapePointer(name)}`;
    if (name === '__proto__')
      problems.push({ pointer, message: 'is no name for a field', hint: 'choose another name' });
    else if (input.has(name)) problems.push({ pointer, message: `is sent twice`, hint: `as a field and in ${WHOLE}` });
    else if (value === undefined)
      problems.push({ pointer, message: 'is sent more than once', hint: 'only a list may be' });
    else input.set(name, value);
  }

  function merge(text: string): void {
    const value = parseJson(text);
    problems.push(...findInexactNumbers(text, value ?? null));
    if (isJsonObject(value)) for (const [name, item] of Object.entries(value)) add(name, item);
    else
      problems.push({ pointer: `/${WHOLE}`, message: 'must be a JSON object', hint: 'or send its members as fields' });
  }
}

/** Those of `names` that the payload may be shown: all, unless it refuses what it does not describe. */
export function namesForPayload(payload: JsonObject, names: readonly string[]): string[] {
  if (payload['type'] !== 'object' || payload['additionalProperties'] !== false) return [...names];
  const schemas = prepareFields(payload);
  return names.filter((name) => Object.hasOwn(schemas, name));
}

function collect(fields: readonly FormField[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [name, text] of fields) found.set(name, [...(found.get(name) ?? []), text]);
  return found;
}

/** The value that the texts stand for; `undefined` where there are several and the schema asks for one. */
function coerce(texts: readonly string[], schema: Json | undefined): Json | undefined {
  const types = typesOf(schema);
  const [text = '', ...more] = texts;
  if (types.has('array')) return coerceList(texts, schema as JsonObject);
  return more.length > 0 ? undefined : coerceText(text, types);
}

function coerceList(texts: readonly string[], schema: JsonObject): Json {
  const [text = '', ...more] = texts;
  const list = more.length === 0 ? parseExactly(text) : undefined;
  if (Array.isArray(list)) return list;
  const types = typesOf(schema['items']);
  return texts.map((item) => coerceText(item, types));
}

function coerceText(text: string, types: ReadonlySet<Json>): Json {
  const plain = text.trim();
  if ((types.has('number') || types.has('integer')) && NUMBER.test(plain) && isKeptExactly(plain)) return Number(plain);
  if (types.has('boolean') && (plain === 'true' || plain === 'false')) return plain === 'true';
  if (types.has('object')) {
    const value = parseExactly(plain);
    if (isJsonObject(value)) return value;
  }
  // An empty text stays one where texts are wanted: nobody can tell it from a field that was left open.
  return types.has('null') && !types.has('string') && plain === '' ? null : text;
}

function typesOf(schema: Json | undefined): ReadonlySet<Json> {
  if (!isJsonObject(schema)) return new Set();
  const { type = [], nullable } = schema;
  return new Set([...(Array.isArray(type) ? type : [type]), ...(nullable === true ? ['null'] : [])]);
}

/** JSON whose numbers are kept as they were written. */
function parseExactly(text: string): Json | undefined {
  const value = parseJson(text);
  return value !== undefined && findInexactNumbers(text, value).length === 0 ? value : undefined;
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
