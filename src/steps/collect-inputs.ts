// A step that asks a person for fields. It completes without asking only on its first visit, and only when the run's start
// input already answers it. With a `question` it asks for one field, `answer`, and always asks: `ask-human` is that. What a run
// happens to be started with is no answer to a question that nobody has seen, and several may ask for theirs.

import type { Step } from '../core/definition.ts';
import { findJsonProblems, isJsonObject, type JsonObject } from '../core/json.ts';
import { compileFieldMap } from '../core/schema.ts';
import { findFieldMapProblems } from '../core/schema-rules.ts';
import type { AnswerVerdict, SettleContext, StepType } from '../core/step-type.ts';
import { PAUSE_PROPERTIES, PAUSE_TEMPLATES, resolvePauseFields } from './pause-fields.ts';

const DEFAULT_QUESTION = 'What is your answer?';

export const collectInputs: StepType = {
  type: 'collect-inputs',
  aliases: ['ask-human'],
  mergesOutput: true,
  properties: {
    ...PAUSE_PROPERTIES,
    output: { type: 'object' },
    onTimeout: { enum: ['fail'] },
    question: { type: 'string', minLength: 1, maxLength: 10_000 },
    options: { type: 'array', minItems: 1, maxItems: 200, uniqueItems: true, items: { type: 'string', minLength: 1 } },
  },
  templates: [...PAUSE_TEMPLATES, 'question'],

  normalise(step) {
    const { question, options, ...rest } = step;
    if (step.type !== 'ask-human' && question === undefined && options === undefined)
      return { ...step, type: 'collect-inputs' };
    return {
      ...rest,
      type: 'collect-inputs',
      question: question ?? step['message'] ?? DEFAULT_QUESTION,
      output: step['output'] ?? { answer: { type: 'string', ...(options === undefined ? {} : { enum: options }) } },
    };
  },

  check(step) {
    if (step['output'] === undefined) {
      return [
        {
          pointer: '/output',
          message: 'is required',
          hint: 'name the fields to ask for: {"email": {"type": "string"}}',
        },
      ];
    }
    return findFieldMapProblems(step['output'], '/output');
  },

  settle(step, context) {
    const known = findKnownFields(step, context);
    if (known) return { kind: 'complete', output: known };
    const message = step['message'] ?? step['question'];
    return {
      kind: 'pause',
      pause: { type: 'collect_inputs', fields: fieldsOf(step), ...resolvePauseFields({ ...step, message }, context) },
    };
  },

  answer(step, answer): AnswerVerdict {
    if (answer.type !== 'collect_inputs') {
      return {
        ok: false,
        problems: [
          { pointer: '/type', message: 'must be collect_inputs', hint: 'the run waits for fields, not for an action' },
        ],
      };
    }
    const result = validateFields(fieldsOf(step), answer.data);
    if (!result.ok) return result;
    return { ok: true, outcome: { kind: 'complete', output: result.value } };
  },

  expire: () => null,
};

/** The fields of an answer with defaults, or what is wrong with them; pointers start at the answer. */
export function validateFields(
  fields: JsonObject,
  data: unknown,
): { ok: true; value: JsonObject } | Extract<AnswerVerdict, { ok: false }> {
  if (data !== undefined && !isJsonObject(data))
    return { ok: false, problems: [{ pointer: '/data', message: 'must be an object' }] };
  const value = data ?? {};
  const unstorable = findJsonProblems(value);
  const result =
    unstorable.length > 0 ? { ok: false as const, problems: unstorable } : compileFieldMap(fields).validate(value);
  if (result.ok) return result;
  return {
    ok: false,
    problems: result.problems.map((problem) => ({ ...problem, pointer: `/data${problem.pointer}` })),
  };
}

function findKnownFields(step: Step, { visit, input }: SettleContext): JsonObject | null {
  if (visit !== 1 || step['question'] !== undefined) return null;
  const fields = fieldsOf(step);
  const validator = compileFieldMap(fields);
  if (!validator.requiredFields.some((name) => Object.hasOwn(input, name))) return null;
  const present = Object.fromEntries(Object.entries(input).filter(([name]) => Object.hasOwn(fields, name)));
  const result = validator.validate(present);
  return result.ok ? result.value : null;
}

function fieldsOf(step: Step): JsonObject {
  return isJsonObject(step['output']) ? step['output'] : {};
}
