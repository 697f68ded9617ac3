// A user's schema as ajv should see it: without what only people and forms read, and with `nullable` written out, which
// ajv takes only beside some types. It walks schemas, not values: a field may be called `default` or `enum`.

import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { ANNOTATIONS } from './schema-rules.ts';

const SCHEMAS: ReadonlySet<string> = new Set([
  'items',
  'contains',
  'additionalProperties',
  'propertyNames',
  'not',
  'if',
  'then',
  'else',
]);
const LISTS: ReadonlySet<string> = new Set(['prefixItems', 'allOf', 'anyOf', 'oneOf']);

/** A copy of `schema` to be compiled. */
export function prepareSchema(schema: JsonObject): JsonObject {
  const { nullable, ...rest } = schema;
  const kept = Object.entries(rest).filter(([keyword]) => !ANNOTATIONS.has(keyword) && !keyword.startsWith('x-'));
  const copy: JsonObject = Object.fromEntries(
    kept.map(([keyword, value]) => [keyword, prepareKeyword(keyword, value)]),
  );
  const { type } = copy;
  if (nullable !== true || type === undefined) return copy;
  return { ...copy, type: [...new Set([...(Array.isArray(type) ? type : [type]), 'null'])] };
}

function prepareKeyword(keyword: string, value: Json): Json {
  if (keyword === 'properties' && isJsonObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, prepareAny(item)]));
  }
  if (SCHEMAS.has(keyword)) return prepareAny(value);
  return LISTS.has(keyword) && Array.isArray(value) ? value.map(prepareAny) : value;
}

function prepareAny(schema: Json): Json {
  return isJsonObject(schema) ? prepareSchema(schema) : schema;
}
