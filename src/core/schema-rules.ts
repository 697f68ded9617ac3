// Which JSON Schema a user may write (2020-12, a subset), checked by hand: fast enough for ten thousand schemas in one
// definition, in plain words, and without compiling anything. What would let a schema hold up the process is refused:
// references, patterns, and sizes beyond the limits. Compiling and validating is core/schema.ts.

import type { Problem } from './errors.ts';
import { escapePointer, isJsonObject, type Json } from './json.ts';
import { suggestName } from './suggestion.ts';

/** Bounds of one schema: subschemas (a field is one; compiling 200 takes some 50 ms), nesting, characters as JSON. */
const MAX_SUBSCHEMAS = 200;
const MAX_NESTING = 20;
const MAX_CHARS = 200_000;

export const FORMATS = [
  'date',
  'time',
  'date-time',
  'duration',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uri',
  'uri-reference',
  'url',
  'uuid',
  'json-pointer',
  'byte',
  'password',
] as const;

const TYPES: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null']);

type Rule = (value: Json, checker: SchemaChecker, pointer: string) => void;

const count: Rule = (value, checker, pointer) => {
  if (!Number.isInteger(value) || (value as number) < 0) checker.report(pointer, 'must be a whole number from 0 up');
};
const number: Rule = (value, checker, pointer) => {
  if (typeof value !== 'number') checker.report(pointer, 'must be a number');
};
const flag: Rule = (value, checker, pointer) => {
  if (typeof value !== 'boolean') checker.report(pointer, 'must be true or false');
};
const text: Rule = (value, checker, pointer) => {
  if (typeof value !== 'string') checker.report(pointer, 'must be text');
};
const anything: Rule = () => {};
const schema: Rule = (value, checker, pointer) => checker.schema(value, pointer);
const schemaList: Rule = (value, checker, pointer) => {
  if (!Array.isArray(value) || value.length === 0) return checker.report(pointer, 'must be a list of schemas');
  for (const [index, item] of value.entries()) checker.schema(item, `${pointer}/${index}`);
};
const schemaMap: Rule = (value, checker, pointer) => {
  if (!isJsonObject(value)) return checker.report(pointer, 'must be an object of schemas');
  for (const [name, item] of Object.entries(value)) {
    checker.name(name, pointer);
    checker.schema(item, `${pointer}/${escapePointer(name)}`);
  }
};
const names: Rule = (value, checker, pointer) => {
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string'))
    return checker.report(pointer, 'must be a list of field names');
  if (new Set(value).size < value.length) checker.report(pointer, 'names a field twice');
};
const refused =
  (hint: string): Rule =>
  (_, checker, pointer) =>
    checker.report(pointer, 'is not supported yet', hint);

const noReferences = refused('write the schema out where it is used');
const noPatterns = refused('use enum, format, minLength or maxLength');

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['type', checkType],
  [
    'enum',
    (value, checker, pointer) =>
      Array.isArray(value) && value.length > 0
        ? undefined
        : checker.report(pointer, 'must be a list with at least one value'),
  ],
  ['const', anything],
  ['default', anything],
  ['nullable', flag],
  ['minLength', count],
  ['maxLength', count],
  ['format', checkFormat],
  ['minimum', number],
  ['maximum', number],
  ['exclusiveMinimum', number],
  ['exclusiveMaximum', number],
  [
    'multipleOf',
    (value, checker, pointer) =>
      typeof value === 'number' && value > 0 ? undefined : checker.report(pointer, 'must be a number above 0'),
  ],
  ['items', schema],
  ['prefixItems', schemaList],
  ['contains', schema],
  ['minContains', count],
  ['maxContains', count],
  ['minItems', count],
  ['maxItems', count],
  ['uniqueItems', flag],
  ['properties', schemaMap],
  ['additionalProperties', schema],
  ['propertyNames', schema],
  ['required', names],
  ['minProperties', count],
  ['maxProperties', count],
  ['allOf', schemaList],
  ['anyOf', schemaList],
  ['oneOf', schemaList],
  ['not', schema],
  ['if', schema],
  ['then', schema],
  ['else', schema],
  ['pattern', noPatterns],
  ['patternProperties', noPatterns],
  ['$ref', noReferences],
  ['$dynamicRef', noReferences],
  ['$recursiveRef', noReferences],
  ['$defs', noReferences],
  ['definitions', noReferences],
  ['$id', noReferences],
  ['$anchor', noReferences],
  ['$async', refused('schemas are checked at once')],
]);

/** Keywords that say something to people and forms, and nothing to validation. */
export const ANNOTATIONS: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['$schema', text],
  ['$comment', text],
  ['title', text],
  ['label', text],
  ['description', text],
  ['placeholder', text],
  ['example', anything],
  ['examples', anything],
  ['deprecated', flag],
  ['readOnly', flag],
  ['writeOnly', flag],
]);

/** What is wrong with a schema that a user wrote; pointers start with `pointer`. At most 20 problems. */
export function findSchemaProblems(value: unknown, pointer = ''): Problem[] {
  const checker = new SchemaChecker();
  checker.schema(value as Json, pointer);
  return checker.finish(value, pointer);
}

/** The same for a field map, `{field: schema}`, where a schema may also say `required: false`. */
export function findFieldMapProblems(value: unknown, pointer = ''): Problem[] {
  const checker = new SchemaChecker();
  if (!isJsonObject(value))
    checker.report(pointer, 'must be an object of fields', 'write {"field": {"type": "string"}}');
  else for (const [name, field] of Object.entries(value)) checkField(checker, name, field, pointer);
  return checker.finish(value, pointer);
}

/** The same for a `payload` or a tool's `input`: a JSON Schema iff its `type` is the text `object`, else a field map. */
export function findPayloadProblems(value: unknown, pointer = ''): Problem[] {
  return isJsonObject(value) && value['type'] === 'object'
    ? findSchemaProblems(value, pointer)
    : findFieldMapProblems(value, pointer);
}

function checkField(checker: SchemaChecker, name: string, field: Json, pointer: string): void {
  const at = `${pointer}/${escapePointer(name)}`;
  checker.name(name, pointer);
  if (!isJsonObject(field)) {
    const hint = TYPES.has(field) ? `write {"type": ${JSON.stringify(field)}}` : 'write {"type": "string"}';
    checker.report(at, 'must be a schema', hint);
    return;
  }
  const { required, ...rest } = field;
  checker.schema(typeof required === 'boolean' ? rest : field, at);
}

class SchemaChecker {
  readonly #problems: Problem[] = [];
  #subschemas = 0;
  #nesting = 0;

  report(pointer: string, message: string, hint?: string): void {
    if (this.#problems.length < 20) this.#problems.push({ pointer, message, ...(hint === undefined ? {} : { hint }) });
  }

  name(name: string, pointer: string): void {
    if (name === '__proto__' || name === 'constructor' || name === 'prototype')
      this.report(`${pointer}/${name}`, `cannot be called "${name}"`, 'choose another name');
  }

  schema(value: Json, pointer: string): void {
    if (typeof value === 'boolean') return;
    if (!isJsonObject(value)) {
      this.report(pointer, 'must be a schema', 'write {"type": "string"}');
      return;
    }
    this.#subschemas += 1;
    this.#nesting += 1;
    if (this.#nesting > MAX_NESTING) this.report(pointer, `is nested deeper than ${MAX_NESTING} schemas`, 'flatten it');
    else if (this.#subschemas <= MAX_SUBSCHEMAS)
      for (const [keyword, item] of Object.entries(value)) this.#keyword(keyword, item, pointer);
    this.#nesting -= 1;
  }

  finish(value: unknown, pointer: string): Problem[] {
    if (value === undefined) return this.#problems;
    if (this.#subschemas > MAX_SUBSCHEMAS)
      this.report(pointer, `has more than ${MAX_SUBSCHEMAS} fields and subschemas`, 'ask for less at once');
    else if (this.#problems.length === 0 && JSON.stringify(value).length > MAX_CHARS)
      this.report(pointer, `is larger than ${MAX_CHARS} characters`);
    return this.#problems;
  }

  #keyword(keyword: string, value: Json, pointer: string): void {
    if (keyword.startsWith('x-')) return;
    const rule = RULES.get(keyword) ?? ANNOTATIONS.get(keyword);
    const at = `${pointer}/${escapePointer(keyword)}`;
    if (rule) rule(value, this, at);
    else this.report(at, 'is no keyword of JSON Schema that is known here', suggestName(keyword, RULES.keys()));
  }
}

function checkType(value: Json, checker: SchemaChecker, pointer: string): void {
  const types = Array.isArray(value) ? value : [value];
  if (types.length > 0 && types.every((type) => TYPES.has(type)) && new Set(types).size === types.length) return;
  checker.report(pointer, `must be one of ${[...TYPES].join(', ')}, or a list of them`);
}

function checkFormat(value: Json, checker: SchemaChecker, pointer: string): void {
  if (FORMATS.some((format) => format === value)) return;
  checker.report(pointer, 'is no format that is known here', suggestName(String(value), FORMATS));
}
