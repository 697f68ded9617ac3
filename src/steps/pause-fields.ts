// The fields that every step waiting for a person has: what it says, whom it asks, until when. What it asks for, and what
// an answer means, is the step type's own.

import { LIMITS, type Step } from '../core/definition.ts';
import { ExpressionError } from '../core/expression.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { PauseSpec, SettleContext } from '../core/step-type.ts';

export const PAUSE_PROPERTIES: JsonObject = {
  message: { type: 'string', maxLength: 10_000 },
  assignees: { type: ['array', 'string'], items: { type: 'string', minLength: 1, maxLength: 200 }, maxItems: 100 },
  dueInMs: { type: ['integer', 'string'], minimum: 1, maximum: LIMITS.delayMs },
};

export const PAUSE_TEMPLATES = ['message', 'assignees', 'dueInMs'] as const;

/** Those of the fields that the step has, resolved. */
export function resolvePauseFields(
  step: Step,
  context: SettleContext,
): Pick<PauseSpec, 'message' | 'assignees' | 'dueInMs'> {
  const message = toMessage(context.resolve(step['message'] ?? null));
  const assignees = toAssignees(context.resolve(step['assignees'] ?? null));
  const dueInMs = toDueInMs(context.resolve(step['dueInMs'] ?? null));
  return {
    ...(message === null ? {} : { message }),
    ...(assignees === null ? {} : { assignees }),
    ...(dueInMs === null ? {} : { dueInMs }),
  };
}

function toMessage(value: Json): string | null {
  if (value === null || typeof value === 'string') return value;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function toAssignees(value: Json): string[] | null {
  if (value === null) return null;
  const list = typeof value === 'string' ? [value] : value;
  if (
    Array.isArray(list) &&
    list.length > 0 &&
    list.every((item): item is string => typeof item === 'string' && item !== '')
  )
    return list;
  // Nobody named would mean that everybody may answer: an empty list is a mistake, not a permission.
  throw new ExpressionError('The assignees are not a list of user ids');
}

function toDueInMs(value: Json): number | null {
  if (value === null) return null;
  const due = Number(value);
  if (Number.isInteger(due) && due >= 1 && due <= LIMITS.delayMs) return due;
  throw new ExpressionError(
    `dueInMs is ${JSON.stringify(value)}; it must be a whole number of milliseconds from 1 to ${LIMITS.delayMs}`,
  );
}
