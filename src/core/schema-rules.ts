// Which JSON Schema a user may write (2020-12), checked by hand: fast enough for ten thousand schemas in one definition,
// in plain words, and without compiling anything. What would let a schema hold up the process is refused: references out
// of it or back into it, patterns that need backtracking, sizes beyond the limits. Compiling and validating is
// core/schema.ts.

import type { Problem } from './errors.ts';
import { escapePointer, isJsonObject, type Json } from './json.ts';
import { type Rule, SchemaChecker } from './schema-checker.ts';
import { suggestName } from './suggestion.ts';

export const FORMATS = [
  'date',
  'time',
  'date-time',
  'iso-time',
  'iso-date-time',
  'duration',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uri',
  'uri-reference',
  'uri-template',
  'url',
  'uuid',
  'json-pointer',
  'json-pointer-uri-fragment',
  'relative-json-pointer',
  'regex',
  'int32',
  'int64',
  'float',
  'double',
  'byte',
  'binary',
  'password',
] as const;

const TYPES: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null']);

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
const nameLists: Rule = (value, checker, pointer) => {
  if (!isJsonObject(value)) return checker.report(pointer, 'must be an object of lists of field names');
  for (const [name, item] of Object.entries(value)) names(item, checker, `${pointer}/${escapePointer(name)}`);
};
const pattern: Rule = (value, checker, pointer) => {
  if (typeof value === 'string') checker.pattern(value, pointer);
  else checker.report(pointer, 'must be text');
};
const patternMap: Rule = (value, checker, pointer) => {
  if (!isJsonObject(value)) return checker.report(pointer, 'must be an object of schemas');
  for (const name of Object.keys(value)) pattern(name, checker, `${pointer}/${escapePointer(name)}`);
  schemaMap(value, checker, pointer);
};
const reference: Rule = (value, checker, pointer) => {
  if (typeof value === 'string') checker.reference(value, pointer);
  else checker.report(pointer, 'must be text, such as "#/$defs/address"');
};
const definitions: Rule = (value, checker, pointer) => {
  if (isJsonObject(value)) checker.definitions(value, pointer);
  else checker.report(pointer, 'must be an object of schemas');
};
const id: Rule = (value, checker, pointer) => {
  if (typeof value === 'string') checker.id(pointer);
  else checker.report(pointer, 'must be text');
};
const names: Rule = (value, checker, pointer) => {
  if (!Array.isArray(value) || value.some((item) => typeof item !== 'string'))
    return checker.report(pointer, 'must be a list of field names');
  if (new Set(value).size < value.length) checker.report(pointer, 'names a field twice');
  checker.count(value.length);
};
const refused =
  (hint: string): Rule =>
  (_, checker, pointer) =>
    checker.report(pointer, 'is not supported', hint);

const noNames = refused('refer to "#/$defs/…" instead');

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
  [
    'items',
    (value, checker, pointer) =>
      Array.isArray(value)
        ? checker.report(pointer, 'must be one schema', 'write a list of schemas as prefixItems')
        : checker.schema(value, pointer),
  ],
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
  ['dependentRequired', nameLists],
  ['dependentSchemas', schemaMap],
  ['unevaluatedItems', schema],
  ['unevaluatedProperties', schema],
  ['pattern', pattern],
  ['patternProperties', patternMap],
  ['$ref', reference],
  ['$defs', definitions],
  ['definitions', definitions],
  ['$id', id],
  ['$anchor', noNames],
  ['$dynamicAnchor', noNames],
  ['$dynamicRef', noNames],
  ['$recursiveRef', noNames],
  ['$async', refused('schemas are checked at once')],
]);

/** Keywords that say something to people and forms, and nothing to validation. */
const ANNOTATIONS: ReadonlyMap<string, Rule> = new Map<string, Rule>([
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
  ['contentEncoding', text],
  ['contentMediaType', text],
  ['contentSchema', anything],
]);

const ALL_RULES: ReadonlyMap<string, Rule> = new Map([...RULES, ...ANNOTATIONS]);

/** Keywords that validation has no use for, once references are written out. */
const SILENT: ReadonlySet<string> = new Set([...ANNOTATIONS.keys(), '$id', '$defs', 'definitions']);

export function isSilent(keyword: string): boolean {
  return SILENT.has(keyword) || keyword.startsWith('x-');
}

/** What is wrong with a schema that a user wrote; pointers start with `pointer`. At most 20 problems. */
export function findSchemaProblems(value: unknown, pointer = ''): Problem[] {
  const checker = new SchemaChecker(ALL_RULES, SILENT);
  checker.document(value as Json, pointer);
  return checker.finish(value, pointer);
}

/** The same for a field map, `{field: schema}`, where a schema may also say `required: false`. */
export function findFieldMapProblems(value: unknown, pointer = ''): Problem[] {
  const checker = new SchemaChecker(ALL_RULES, SILENT);
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
  checker.document(typeof required === 'boolean' ? rest : field, at);
}

function checkType(value: Json, checker: SchemaChecker, pointer: string): void {
  const types = Array.isArray(value) ? value : [value];
  if (types.length > 0 && types.every((type) => TYPES.has(type)) && new Set(types).size === types.length) return;
  checker.report(pointer, `must be one of ${[...TYPES].join(', ')}, or a list of them`);
}

function checkFormat(value: Json, checker: SchemaChecker, pointer: string): void {
  if (FORMATS.some((format) => format === value)) return;
  checker.report(
    pointer,
    'is no format that is known here',
    suggestName(typeof value === 'string' ? value : '', FORMATS),
  );
}
