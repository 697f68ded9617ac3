// Validation of values by the schemas that users write: a start's payload, the fields of a pause, the arguments of a tool.
// Schemas are compiled by ajv when first used and kept no longer than the object they came from. Which schemas may be
// written at all is core/schema-rules.ts; nothing here is called with one that was not checked there.

import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formatsModule from 'ajv-formats';
import type { Problem } from './errors.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { toProblems } from './schema-messages.ts';
import { prepareSchema } from './schema-prepare.ts';
import { FORMATS } from './schema-rules.ts';

export type Validation =
  | { ok: true /** The input, with defaults; never the changed input itself. */; value: JsonObject }
  | { ok: false; problems: Problem[] };

export interface Validator {
  validate(value: JsonObject): Validation;
  readonly requiredFields: readonly string[];
}

/** Compiling leaves traces in ajv's instance for good; a fresh one now and then keeps that bounded. */
const COMPILES_PER_INSTANCE = 200;
/** Values (long texts count more) times subschemas: about 50 ms of checking. */
const MAX_CHECKS = 2_000_000;
/** Format checks are regular expressions; none that people need is longer. */
const MAX_FORMATTED_CHARS = 4_096;

const validators = new WeakMap<JsonObject, Validator>();
const payloadValidators = new WeakMap<JsonObject, Validator>();

/** For answers: every field is required unless it says `required: false` or has a `default`; others are refused. */
export function compileFieldMap(fields: JsonObject): Validator {
  return remember(validators, fields, () => createValidator(toObjectSchema(fields, false)));
}

/** For starts and tools: a JSON Schema iff its `type` is the text `object`, else a field map; other fields may be there. */
export function compilePayload(payload: JsonObject): Validator {
  return remember(payloadValidators, payload, () =>
    createValidator(payload['type'] === 'object' ? payload : toObjectSchema(payload, true)),
  );
}

/** A validator of `schema`, compiled at the first use; `isOurs` lifts the bounds that guard against users' schemas. */
export function createValidator(schema: JsonObject, { isOurs = false } = {}): Validator {
  const requiredFields = Array.isArray(schema['required'])
    ? schema['required'].filter((name) => typeof name === 'string')
    : [];
  const text = JSON.stringify(schema);
  const subschemas = text.split('{').length;
  const hasDefaults = text.includes('"default":');
  let compiled: ValidateFunction | null = null;
  return {
    requiredFields,
    validate(input) {
      if (!isOurs && countValues(input, MAX_CHECKS / subschemas) > MAX_CHECKS / subschemas) return tooMuch();
      compiled ??= compile(isOurs ? schema : prepareSchema(schema));
      const value = hasDefaults ? structuredClone(input) : input;
      return compiled(value) ? { ok: true, value } : { ok: false, problems: toProblems(compiled.errors ?? []) };
    },
  };
}

function remember(known: WeakMap<JsonObject, Validator>, key: JsonObject, create: () => Validator): Validator {
  let validator = known.get(key);
  if (!validator) {
    validator = create();
    known.set(key, validator);
  }
  return validator;
}

function toObjectSchema(fields: JsonObject, additionalProperties: boolean): JsonObject {
  const required: string[] = [];
  const properties = Object.entries(fields).map(([name, field]): [string, Json] => {
    if (!isJsonObject(field)) return [name, field];
    const { required: flag, ...schema } = field;
    if (flag !== false && !Object.hasOwn(field, 'default')) required.push(name);
    return [name, typeof flag === 'boolean' ? schema : field];
  });
  return { type: 'object', properties: Object.fromEntries(properties), required, additionalProperties };
}

let compiler = { ajv: createAjv(), uses: 0 };

function compile(schema: JsonObject): ValidateFunction {
  if (compiler.uses >= COMPILES_PER_INSTANCE) compiler = { ajv: createAjv(), uses: 0 };
  compiler.uses += 1;
  return compiler.ajv.compile(schema);
}

function createAjv(): Ajv2020 {
  // Not strict: what strictness would find is refused earlier, with better words, by schema-rules.ts; here it could only
  // throw while somebody answers. `ownProperties`: a field called `toString` is there only if it was sent.
  const ajv = new Ajv2020({
    strict: false,
    strictNumbers: true,
    validateSchema: false,
    addUsedSchema: false,
    allErrors: true,
    verbose: true,
    ownProperties: true,
    useDefaults: true,
    logger: false,
    // Optimising takes ajv longer than these schemas ever run.
    code: { optimize: false },
  });
  for (const name of FORMATS) ajv.addFormat(name, boundFormat(name));
  // ajv's own comparison of objects is quadratic.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    validate: (isOn: boolean, list: Json[]) => !isOn || hasNoTwins(list),
  });
  return ajv;
}

function boundFormat(name: (typeof FORMATS)[number]): (text: string) => boolean {
  const format = formatsModule.default.get(name);
  return (text) => text.length <= MAX_FORMATTED_CHARS && matches(format, text);
}

function matches(format: ReturnType<typeof formatsModule.default.get>, text: string): boolean {
  if (typeof format === 'boolean') return format;
  if (typeof format === 'string') return new RegExp(format).test(text);
  if (format instanceof RegExp) {
    format.lastIndex = 0;
    return format.test(text);
  }
  if (typeof format === 'function') return format(text);
  const { validate } = format;
  if (validate instanceof RegExp) return validate.test(text);
  return typeof validate === 'function' && (validate as (value: string) => boolean)(text);
}

function hasNoTwins(list: Json[]): boolean {
  return new Set(list.map((item) => JSON.stringify(item))).size === list.length;
}

function countValues(value: Json, limit: number): number {
  const stack: Json[] = [value];
  let count = 0;
  while (stack.length > 0 && count <= limit) {
    const current = stack.pop()!;
    count += 1;
    if (typeof current === 'string') count += current.length / 64;
    else if (Array.isArray(current)) for (const item of current) stack.push(item);
    else if (isJsonObject(current)) for (const item of Object.values(current)) stack.push(item);
  }
  return count;
}

function tooMuch(): Validation {
  return {
    ok: false,
    problems: [{ pointer: '', message: 'holds more values than can be checked', hint: 'send less at once' }],
  };
}
