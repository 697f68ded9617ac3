// What step tests start from: a step settled, answered or normalised as the engine would do it, at a fixed time.

import type { Step } from '../../src/core/definition.ts';
import { parseExpression, type Scope } from '../../src/core/expression.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Answer, AnswerVerdict, Outcome, StepType } from '../../src/core/step-type.ts';
import { parseTemplate } from '../../src/core/template.ts';

export const NOW = Date.UTC(2026, 0, 31, 12);
export const NOW_TEXT = '2026-01-31T12:00:00.000Z';

interface Given {
  data?: JsonObject;
  input?: JsonObject;
  visit?: number;
}

export function settle(type: StepType, step: JsonObject, { data = {}, input = {}, visit = 1 }: Given = {}): Outcome {
  const scope: Scope = { data, steps: {}, run: { id: 'r' }, context: {} };
  const bare = (type.expressions ?? []).map((field) => step[field]);
  const resolve = (value: unknown) =>
    typeof value === 'string' && bare.includes(value)
      ? parseExpression(value).evaluate(scope)
      : parseTemplate(value).resolve(scope);
  return type.settle!(step as unknown as Step, { visit, now: NOW, input, resolve });
}

export function answerTo(type: StepType, step: JsonObject, answer: Answer): AnswerVerdict {
  return type.answer!(step as unknown as Step, answer, { actor: { workspaceId: 'w', userId: 'ann' }, now: NOW });
}

export function normal(type: StepType, step: JsonObject): JsonObject {
  return (type.normalise?.(step as unknown as Step) ?? step) as JsonObject;
}

export function checkStep(type: StepType, step: JsonObject) {
  return type.check!(normal(type, step) as unknown as Step, { tools: new Map() });
}
