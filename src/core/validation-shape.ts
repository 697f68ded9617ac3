// The shape of a definition as JSON Schema: its keys, their types and limits. What the keys mean together is
// core/validation-steps.ts and core/validation-graph.ts.

import { LIMITS } from './definition.ts';
import type { Problem } from './errors.ts';
import type { JsonObject } from './json.ts';
import { createOurValidator, type Validator } from './schema.ts';
import type { StepType } from './step-type.ts';

const MAX_NAME_CHARS = 200;
const MAX_DESCRIPTION_CHARS = 10_000;
const MAX_VISITS = 1_000;

/** Editors keep what is theirs under `x-…`. */
const EXTENSIONS: JsonObject = { additionalProperties: false, patternProperties: { '^x-': true } };
const NAME: JsonObject = { type: 'string', minLength: 1, maxLength: MAX_NAME_CHARS };
const DESCRIPTION: JsonObject = { type: 'string', maxLength: MAX_DESCRIPTION_CHARS };
const DELAY_MS: JsonObject = { type: 'integer', minimum: 0, maximum: LIMITS.delayMs };
const TIMEOUT_MS: JsonObject = { type: 'integer', minimum: 1, maximum: LIMITS.delayMs };

const RETRY: JsonObject = {
  type: 'object',
  additionalProperties: false,
  properties: {
    attempts: { type: 'integer', minimum: 1, maximum: LIMITS.attempts },
    delayMs: DELAY_MS,
    factor: { type: 'number', minimum: 1, maximum: 100 },
    maxDelayMs: DELAY_MS,
    jitter: { type: 'number', minimum: 0, maximum: 1 },
    budgetMs: TIMEOUT_MS,
    nonRetryable: { type: 'array', maxItems: 100, items: { type: 'string', minLength: 1, maxLength: 200 } },
  },
};

const STEP: JsonObject = {
  id: { type: 'string' },
  type: { type: 'string' },
  name: { type: 'string', maxLength: MAX_NAME_CHARS },
  description: DESCRIPTION,
  outputKey: NAME,
  retry: RETRY,
  timeoutMs: TIMEOUT_MS,
  queueTimeoutMs: TIMEOUT_MS,
  deadlineMs: TIMEOUT_MS,
  join: { enum: ['all', 'any'] },
  route: { enum: ['all', 'first'] },
  maxVisits: { type: 'integer', minimum: 1, maximum: MAX_VISITS },
};

const EDGE: JsonObject = {
  type: 'object',
  required: ['from', 'to'],
  properties: {
    from: { type: 'string' },
    to: { type: 'string' },
    condition: { type: 'string', minLength: 1 },
    on: { type: 'string', minLength: 1 },
    default: { type: 'boolean' },
    label: { type: 'string', maxLength: MAX_NAME_CHARS },
  },
  ...EXTENSIONS,
};

const DEFINITION: JsonObject = {
  type: 'object',
  required: ['name', 'initialStep', 'steps'],
  properties: {
    name: NAME,
    description: DESCRIPTION,
    initialStep: { type: 'string' },
    steps: {
      type: 'array',
      minItems: 1,
      maxItems: LIMITS.steps,
      items: {
        type: 'object',
        required: ['id', 'type'],
        properties: { id: { type: 'string' }, type: { type: 'string' } },
      },
    },
    edges: { type: 'array', maxItems: LIMITS.edges, items: EDGE },
    payload: { type: 'object' },
    output: true,
    onCancel: { type: 'string' },
    defaults: { type: 'object', additionalProperties: false, properties: { retry: RETRY, timeoutMs: TIMEOUT_MS } },
    deadlineMs: TIMEOUT_MS,
  },
  ...EXTENSIONS,
};

/** What answers show beside a definition: people send it back with the rest. */
const SHOWN_BESIDE: ReadonlySet<string> = new Set(
  ['id', 'uuid', 'status', 'version', 'publishedVersion', 'createdAt', 'updatedAt', 'createdBy'].map(
    (key) => `/${key}`,
  ),
);

const definitionValidator = createOurValidator(DEFINITION);
const stepValidators = new WeakMap<StepType, Validator>();

/** Problems of a whole definition's shape, its steps only as far as their `id` and `type`. */
export function findShapeProblems(definition: JsonObject): Problem[] {
  const result = definitionValidator.validate(definition);
  return result.ok ? [] : result.problems.map(explain);
}

/** Problems of one step's shape, by its type. */
export function findStepShapeProblems(step: JsonObject, type: StepType, pointer: string): Problem[] {
  const result = getStepValidator(type).validate(step);
  return result.ok
    ? []
    : result.problems.map((problem) => explain({ ...problem, pointer: `${pointer}${problem.pointer}` }));
}

function getStepValidator(type: StepType): Validator {
  const known = stepValidators.get(type);
  if (known) return known;
  const schema = {
    type: 'object',
    required: [...(type.required ?? [])],
    properties: { ...STEP, ...type.properties },
    ...EXTENSIONS,
  };
  const validator = createOurValidator(schema);
  stepValidators.set(type, validator);
  return validator;
}

function explain(problem: Problem): Problem {
  if (problem.message === 'is an unknown field' && SHOWN_BESIDE.has(problem.pointer))
    return { pointer: problem.pointer, message: 'is no part of a definition', hint: 'it is set for you; leave it out' };
  if (problem.message === 'is an unknown field')
    return { ...problem, message: 'is an unknown key', hint: `${problem.hint}; a key of your own begins with "x-"` };
  if (/^\/edges\/\d+\/on$/.test(problem.pointer)) return { ...problem, hint: 'write it in quotes, as in "true"' };
  return problem;
}
