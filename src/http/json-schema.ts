// Words that the faces' schemas are written in: JSON Schema, shorter. What a face takes or answers is the face's own.

import type { Json, JsonObject } from '../core/json.ts';

export const text: JsonObject = { type: 'string' };
export const integer: JsonObject = { type: 'integer' };
export const boolean: JsonObject = { type: 'boolean' };
export const time: JsonObject = { type: 'string', format: 'date-time' };
export const uuid: JsonObject = { type: 'string', format: 'uuid' };
export const json: JsonObject = { type: 'object' };
export const anything: JsonObject = {};

/** Members by name, all optional but those in `required`, and no others. */
export function closedObject(properties: JsonObject, required: string[] = []): JsonObject {
  return { type: 'object', properties, required, additionalProperties: false };
}

/** Every member is always there but those in `optional`; `title` is its name in OpenAPI. */
export function namedObject(title: string, properties: JsonObject, optional: string[] = []): JsonObject {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { title, type: 'object', properties, required };
}

export function orNull(schema: JsonObject): JsonObject {
  return { anyOf: [schema, { type: 'null' }] };
}

export function oneOf(...words: Json[]): JsonObject {
  return { enum: words };
}

export function listOf(items: JsonObject): JsonObject {
  return { type: 'array', items };
}

/** One of the `details` of an error, the same in every face. */
export const problem = namedObject(
  'Problem',
  { pointer: { type: 'string', format: 'json-pointer' }, message: text, hint: text },
  ['hint'],
);
