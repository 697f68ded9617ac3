// Checks bodies and queries against the routes' JSON Schemas with ajv: all problems at once, each with a JSON pointer,
// and what is allowed where something unknown was sent.

import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import ajvFormats from 'ajv-formats';
import type { Problem } from '../core/errors.ts';
import { escapePointer, type JsonObject } from '../core/json.ts';

export type Check = (value: unknown) => Problem[];

/** However much is wrong with an input, an answer lists so many problems. */
const MAX_PROBLEMS = 50;

const OPTIONS = { allErrors: true, strict: true, allowUnionTypes: true, discriminator: true, verbose: true } as const;
const bodies = addFormats(new Ajv(OPTIONS));
/** Query values are text; `limit=5` is turned into a number in place. */
const queries = addFormats(new Ajv({ ...OPTIONS, coerceTypes: true }));

function addFormats(ajv: Ajv): Ajv {
  // A CommonJS default export, which NodeNext sees one level too deep.
  (ajvFormats as unknown as typeof ajvFormats.default)(ajv);
  return ajv;
}

export function compileBodyCheck(schema: JsonObject): Check {
  return createCheck(bodies.compile(schema));
}

/** Like a body check, for flat objects of text; coerces numbers and booleans in place. */
export function compileQueryCheck(schema: JsonObject): Check {
  return createCheck(queries.compile(schema));
}

function createCheck(validate: ValidateFunction): Check {
  return (value) => (validate(value) ? [] : (validate.errors ?? []).slice(0, MAX_PROBLEMS).map(toProblem));
}

function toProblem(error: ErrorObject): Problem {
  const { instancePath: pointer, params } = error;
  switch (error.keyword) {
    case 'additionalProperties': {
      const allowed = Object.keys((error.parentSchema?.['properties'] as object | undefined) ?? {});
      const hint = allowed.length > 0 ? `allowed: ${allowed.join(', ')}` : 'nothing is allowed here';
      return {
        pointer: `${pointer}/${escapePointer(params['additionalProperty'])}`,
        message: 'is not known here',
        hint,
      };
    }
    case 'required':
      return { pointer: `${pointer}/${escapePointer(params['missingProperty'])}`, message: 'is required' };
    case 'enum':
      return { pointer, message: `must be one of: ${params['allowedValues'].join(', ')}` };
    case 'discriminator':
      return { pointer: `${pointer}/${params['tag']}`, message: `must be one of: ${listTags(error).join(', ')}` };
    case 'pattern': {
      const description: unknown = error.parentSchema?.['description'];
      return {
        pointer,
        message: typeof description === 'string' ? `must be ${description}` : (error.message ?? 'is invalid'),
      };
    }
    default:
      return { pointer, message: error.message ?? 'is invalid' };
  }
}

/** The values that a discriminator takes, from the branches' `const`s. */
function listTags(error: ErrorObject): string[] {
  const branches = (error.parentSchema?.['oneOf'] ?? []) as { properties?: Record<string, { const?: string }> }[];
  return branches.flatMap((branch) => branch.properties?.[error.params['tag']]?.const ?? []);
}
