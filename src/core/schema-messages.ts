// ajv's errors in plain words: what is wrong, where, and how to mend it. It knows ajv's vocabulary and nothing about what
// is being validated.

import type { ErrorObject } from 'ajv';
import type { Problem } from './errors.ts';
import { escapePointer, isJsonObject } from './json.ts';
import { suggestName } from './suggestion.ts';

const MAX_PROBLEMS = 100;

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  null: 'null',
};

const FORMAT_EXAMPLES: Readonly<Record<string, string>> = {
  date: '2026-01-31',
  time: '13:45:00Z',
  'date-time': '2026-01-31T13:45:00Z',
  duration: 'PT5M',
  email: 'name@example.com',
  hostname: 'www.example.com',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.com/path',
  url: 'https://example.com/path',
  uuid: '550e8400-e29b-41d4-a716-446655440000',
};

/** At most 100 problems, in ajv's order; `pointer` is put before each. */
export function toProblems(errors: readonly ErrorObject[], pointer = ''): Problem[] {
  const choices = errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf');
  // As many as the schema has, not as many as were missed.
  const alternatives = [...new Set(choices.map(({ schemaPath }) => `${schemaPath}/`))];
  const isTold = ({ keyword, schemaPath, propertyName }: ErrorObject) =>
    keyword !== 'if' &&
    (propertyName === undefined || keyword === 'propertyNames') &&
    !alternatives.some((path) => schemaPath.startsWith(path));
  return errors
    .filter(isTold)
    .slice(0, MAX_PROBLEMS)
    .map((error) => toProblem(error, pointer));
}

function toProblem(error: ErrorObject, prefix: string): Problem {
  const pointer = `${prefix}${error.instancePath}`;
  const params: Readonly<Record<string, unknown>> = error.params;
  switch (error.keyword) {
    case 'required':
      return { pointer: `${pointer}/${escapePointer(String(params['missingProperty']))}`, message: 'is required' };
    case 'additionalProperties': {
      const name = String(params['additionalProperty']);
      return {
        pointer: `${pointer}/${escapePointer(name)}`,
        message: 'is an unknown field',
        hint: suggestName(name, knownFields(error)),
      };
    }
    case 'type':
      return { pointer, message: `must be ${describeType(params['type'])}` };
    case 'enum':
      return { pointer, message: `must be one of ${listValues(error.schema)}` };
    case 'const':
      return { pointer, message: `must be ${JSON.stringify(error.schema)}` };
    case 'dependentRequired':
      return {
        pointer: `${pointer}/${escapePointer(String(params['missingProperty']))}`,
        message: `is required when ${params['property']} is there`,
      };
    case 'unevaluatedProperties':
      return {
        pointer: `${pointer}/${escapePointer(String(params['unevaluatedProperty']))}`,
        message: 'is an unknown field',
      };
    case 'propertyNames':
      return {
        pointer: `${pointer}/${escapePointer(String(params['propertyName']))}`,
        message: 'has a name that is not allowed',
      };
    case 'format': {
      const format = String(params['format']);
      const example = FORMAT_EXAMPLES[format];
      return {
        pointer,
        message: `must be a valid ${format}`,
        ...(example === undefined ? {} : { hint: `for example ${example}` }),
      };
    }
    default:
      return { pointer, message: describeLimit(error.keyword, Number(params['limit'])) ?? describeRest(error) };
  }
}

function describeType(type: unknown): string {
  const types = Array.isArray(type) ? type : String(type).split(',');
  return types.map((name) => TYPE_WORDS[String(name)] ?? String(name)).join(' or ');
}

function describeLimit(keyword: string, limit: number): string | null {
  switch (keyword) {
    case 'minLength':
      return limit === 1 ? 'must not be empty' : `must have at least ${limit} characters`;
    case 'maxLength':
      return `must have at most ${limit} characters`;
    case 'minItems':
      return `must have at least ${limit} item(s)`;
    case 'maxItems':
      return `must have at most ${limit} item(s)`;
    case 'minProperties':
      return `must have at least ${limit} field(s)`;
    case 'maxProperties':
      return `must have at most ${limit} field(s)`;
    case 'minimum':
      return `must be ${limit} or more`;
    case 'maximum':
      return `must be ${limit} or less`;
    case 'exclusiveMinimum':
      return `must be more than ${limit}`;
    case 'exclusiveMaximum':
      return `must be less than ${limit}`;
    default:
      return null;
  }
}

function describeRest(error: ErrorObject): string {
  switch (error.keyword) {
    case 'multipleOf':
      return `must be a multiple of ${error.params['multipleOf']}`;
    case 'uniqueItems':
      return 'must not hold the same item twice';
    case 'anyOf':
    case 'oneOf':
      return 'fits none, or more than one, of the allowed forms';
    case 'not':
      return 'has a form that is not allowed';
    case 'pattern':
      return `must match the pattern ${error.params['pattern']}`;
    case 'contains':
      return 'must hold at least one item of the form asked for';
    case 'unevaluatedItems':
      return 'holds more items than are allowed';
    case 'false schema':
      return 'is not allowed';
    default:
      return error.message ?? 'is not valid';
  }
}

function knownFields(error: ErrorObject): string[] {
  const parent: unknown = error.parentSchema;
  return isJsonObject(parent) && isJsonObject(parent['properties']) ? Object.keys(parent['properties']) : [];
}

function listValues(values: unknown): string {
  if (!Array.isArray(values)) return 'the allowed values';
  const shown = values.slice(0, 20).map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
  return shown.join(', ') + (values.length > 20 ? ', …' : '');
}
