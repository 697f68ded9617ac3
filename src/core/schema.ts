// Validation of values by the schemas that users write: a start's payload, the fields of a pause, the arguments of a tool.
// Schemas are compiled by ajv when first used and kept no longer than the object they came from. Which schemas may be
// written at all is core/schema-rules.ts; nothing here is called with one that was not checked there.

import type { Problem } from './errors.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { compileOurs, compileTheirs } from './schema-compiler.ts';
import { toProblems } from './schema-messages.ts';
import { PatternWorkError } from './schema-patterns.ts';
import { prepareSchema } from './schema-prepare.ts';

export type Validation =
  | { ok: true /** The input, with defaults; never the changed input itself. */; value: JsonObject }
  | { ok: false; problems: Problem[] };

export interface Validator {
  validate(value: JsonObject): Validation;
  readonly requiredFields: readonly string[];
}

/** Values (long texts count more) times subschemas: about 50 ms of checking. */
const MAX_CHECKS = 2_000_000;

const validators = new WeakMap<JsonObject, Validator>();
const payloadValidators = new WeakMap<JsonObject, Validator>();

/** For answers: every field is required unless it says `required: false` or has a `default`; others are refused. */
export function compileFieldMap(fields: JsonObject): Validator {
  return remember(validators, fields, () => createFieldValidator(fields, false));
}

/** For starts and tools: a JSON Schema iff its `type` is the text `object`, else a field map; other fields may be there. */
export function compilePayload(payload: JsonObject): Validator {
  return remember(payloadValidators, payload, () =>
    payload['type'] === 'object'
      ? createTheirValidator(listRequired(payload), () => prepareSchema(payload))
      : createFieldValidator(payload, true),
  );
}

/** For schemas of our own, which are trusted: none of the bounds that guard against users' schemas. */
export function createOurValidator(schema: JsonObject): Validator {
  let validate: ReturnType<typeof compileOurs> | null = null;
  return {
    requiredFields: listRequired(schema),
    validate(value) {
      validate ??= compileOurs(schema);
      return validate(value) ? { ok: true, value } : { ok: false, problems: toProblems(validate.errors ?? []) };
    },
  };
}

function createTheirValidator(requiredFields: readonly string[], prepare: () => Json): Validator {
  let check: ReturnType<typeof compileBounded> | null = null;
  return {
    requiredFields,
    validate(input) {
      check ??= compileBounded(prepare());
      return check(input);
    },
  };
}

function compileBounded(schema: Json): (input: JsonObject) => Validation {
  const text = JSON.stringify(schema);
  const most = MAX_CHECKS / text.split('{').length;
  const hasDefaults = text.includes('"default":');
  const validate = compileTheirs(schema);
  return (input) => {
    if (countValues(input, most) > most) return TOO_MANY_VALUES;
    const value = hasDefaults ? structuredClone(input) : input;
    try {
      const { isValid, errors } = validate(value);
      return isValid ? { ok: true, value } : { ok: false, problems: toProblems(errors ?? []) };
    } catch (error) {
      if (error instanceof PatternWorkError) return TOO_MUCH_TEXT;
      throw error;
    }
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

function createFieldValidator(fields: JsonObject, additionalProperties: boolean): Validator {
  const required = Object.entries(fields)
    .filter(([, field]) => isJsonObject(field) && field['required'] !== false && !Object.hasOwn(field, 'default'))
    .map(([name]) => name);
  // Each field's schema stands for itself: references in it point into it.
  const prepare = (): Json => ({
    type: 'object',
    properties: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, prepareField(field)])),
    required,
    additionalProperties,
  });
  return createTheirValidator(required, prepare);
}

function prepareField(field: Json): Json {
  if (!isJsonObject(field) || typeof field['required'] !== 'boolean') return prepareSchema(field);
  const { required, ...schema } = field;
  return prepareSchema(schema);
}

function listRequired(schema: JsonObject): string[] {
  return Array.isArray(schema['required']) ? schema['required'].filter((name) => typeof name === 'string') : [];
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

const TOO_MANY_VALUES = tooMuch('holds more values than can be checked');
const TOO_MUCH_TEXT = tooMuch('holds more text than can be checked against patterns');

function tooMuch(message: string): Validation {
  return { ok: false, problems: [{ pointer: '', message, hint: 'send less at once' }] };
}
