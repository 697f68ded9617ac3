// A user's schema as ajv should see it: without what only people and forms read, references written out in place, and
// `nullable` too, which ajv takes only beside some types. It walks schemas, not values: a field may be called `default`
// or `enum`. Called only with schemas that core/schema-rules.ts found right, so references end.

import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { resolveReference } from './schema-references.ts';
import { isSilent } from './schema-rules.ts';

const SCHEMAS: ReadonlySet<string> = new Set([
  'items',
  'contains',
  'additionalProperties',
  'propertyNames',
  'unevaluatedItems',
  'unevaluatedProperties',
  'not',
  'if',
  'then',
  'else',
]);
const LISTS: ReadonlySet<string> = new Set(['prefixItems', 'allOf', 'anyOf', 'oneOf']);
const MAPS: ReadonlySet<string> = new Set(['properties', 'patternProperties', 'dependentSchemas']);

/** A copy of `schema` to be compiled; references in it point into it. */
export function prepareSchema(schema: Json): Json {
  return isJsonObject(schema) ? prepare(schema, schema) : schema;
}

/** The fields that a payload describes, each as it will be compiled. */
export function prepareFields(payload: JsonObject): JsonObject {
  if (payload['type'] !== 'object') return mapValues(payload, prepareSchema);
  const prepared = prepareSchema(payload);
  return isJsonObject(prepared) && isJsonObject(prepared['properties']) ? prepared['properties'] : {};
}

function prepare(schema: Json, root: JsonObject): Json {
  if (!isJsonObject(schema)) return schema;
  const { nullable, $ref, ...rest } = schema;
  const kept = Object.entries(rest).filter(([keyword]) => !isSilent(keyword));
  const copy: JsonObject = Object.fromEntries(
    kept.map(([keyword, value]) => [keyword, prepareKeyword(keyword, value, root)]),
  );
  const { type } = copy;
  if (nullable === true && type !== undefined) {
    copy['type'] = [...new Set([...(Array.isArray(type) ? type : [type]), 'null'])];
  }
  return typeof $ref === 'string' ? merge(copy, prepare(resolveReference(root, $ref) ?? true, root)) : copy;
}

function prepareKeyword(keyword: string, value: Json, root: JsonObject): Json {
  if (MAPS.has(keyword) && isJsonObject(value)) {
    return mapValues(value, (item) => prepare(item, root));
  }
  if (SCHEMAS.has(keyword)) return prepare(value, root);
  return LISTS.has(keyword) && Array.isArray(value) ? value.map((item) => prepare(item, root)) : value;
}

function mapValues(object: JsonObject, change: (value: Json) => Json): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
}

/** What stands beside a reference holds as well as what it refers to. */
function merge(beside: JsonObject, referred: Json): Json {
  if (Object.keys(beside).length === 0) return referred;
  const { allOf } = beside;
  // A default counts only outside of allOf.
  const fallback =
    isJsonObject(referred) && Object.hasOwn(referred, 'default') ? { default: referred['default'] ?? null } : {};
  return { ...fallback, ...beside, allOf: [...(Array.isArray(allOf) ? allOf : []), referred] };
}
