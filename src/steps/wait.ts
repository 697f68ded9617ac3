// A step that lets time pass: for a duration, or until a point in time. A wait costs a row, not a job.

import { LIMITS, type Step } from '../core/definition.ts';
import { DURATION_HINT, INSTANT_HINT, parseDurationMs, parseInstantMs } from '../core/duration.ts';
import type { Problem } from '../core/errors.ts';
import { ExpressionError } from '../core/expression.ts';
import type { Json } from '../core/json.ts';
import type { SettleContext, StepType } from '../core/step-type.ts';
import { hasExpression } from '../core/template.ts';

const FIELDS = ['durationMs', 'duration', 'until'] as const;
type Field = (typeof FIELDS)[number];

export const wait: StepType = {
  type: 'wait',
  mergesOutput: false,
  properties: {
    durationMs: { type: ['integer', 'string'], minimum: 0, maximum: LIMITS.delayMs },
    duration: { type: 'string', minLength: 1 },
    until: { type: 'string', minLength: 1 },
  },
  templates: FIELDS,

  check(step) {
    const given = FIELDS.filter((field) => step[field] !== undefined);
    if (given.length !== 1) return [{ pointer: '', message: 'needs exactly one of durationMs, duration and until' }];
    return checkField(step, given[0]!);
  },

  settle(step, context) {
    const untilMs = findEnd(step, context);
    if (untilMs <= context.now) return { kind: 'complete', output: { wokeAt: new Date(context.now).toISOString() } };
    if (untilMs - context.now <= LIMITS.delayMs) return { kind: 'sleep', untilMs };
    throw new ExpressionError(`The wait would be longer than ${LIMITS.delayMs} ms (a year)`);
  },
};

function checkField(step: Step, field: Field): Problem[] {
  const value = step[field];
  if (hasExpression(value)) return [];
  const length = readLengthMs(field, value as Json, 0);
  if (length === null)
    return [{ pointer: `/${field}`, message: describe(field), hint: field === 'until' ? INSTANT_HINT : DURATION_HINT }];
  if (field !== 'until' && length > LIMITS.delayMs)
    return [{ pointer: `/${field}`, message: `must be at most ${LIMITS.delayMs} ms (a year)` }];
  return [];
}

function findEnd(step: Step, { now, resolve }: SettleContext): number {
  const field = FIELDS.find((name) => step[name] !== undefined) ?? 'durationMs';
  const value = resolve(step[field] ?? null);
  const end = readLengthMs(field, value, now);
  if (end === null) throw new ExpressionError(`The field ${field} is ${JSON.stringify(value)}; it ${describe(field)}`);
  return now + end;
}

/** How long the field says to wait from `now`; null when it says nothing that can be read. */
function readLengthMs(field: Field, value: Json, now: number): number | null {
  if (field === 'durationMs') {
    const length = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
    return typeof length === 'number' && Number.isFinite(length) && length >= 0 ? length : null;
  }
  if (typeof value !== 'string') return null;
  if (field === 'duration') return parseDurationMs(value);
  const instant = parseInstantMs(value);
  return instant === null ? null : instant - now;
}

function describe(field: Field): string {
  if (field === 'durationMs') return 'must be a number of milliseconds, 0 or more';
  return field === 'duration' ? 'must be an ISO 8601 duration' : 'must be an ISO 8601 time';
}
