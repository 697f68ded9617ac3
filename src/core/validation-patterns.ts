// How many patterns a definition may hold: each is compiled to be checked, so ten thousand steps with a few each would
// take seconds. Asked before any of them is looked at; what a pattern may be is core/schema-patterns.ts.

import type { Problem } from './errors.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';

/** Characters of all patterns together; checking so many takes some 100 ms. */
const MAX_CHARS = 20_000;

/** That the definition's schemas hold more patterns than can be checked. */
export function findPatternExcess({ payload = null, steps = null }: JsonObject): Problem[] {
  const asked = Array.isArray(steps)
    ? steps.filter(isJsonObject).flatMap(({ output = null, actions = null }) => [output, actions])
    : [];
  if (countChars([payload, ...asked]) <= MAX_CHARS) return [];
  const message = `has more than ${MAX_CHARS} characters of patterns in its schemas`;
  return [{ pointer: '', message, hint: 'use enum, format or maxLength where they do' }];
}

function countChars(values: Json[]): number {
  const stack = values.filter(isContainer);
  let count = 0;
  while (stack.length > 0 && count <= MAX_CHARS) {
    const value = stack.pop()!;
    if (isJsonObject(value)) count += charsOf(value);
    for (const item of Object.values(value)) if (isContainer(item)) stack.push(item);
  }
  return count;
}

function charsOf({ pattern, patternProperties }: JsonObject): number {
  const own = typeof pattern === 'string' ? pattern.length : 0;
  return isJsonObject(patternProperties) ? own + Object.keys(patternProperties).join('').length : own;
}

function isContainer(value: Json): value is Json[] | JsonObject {
  return typeof value === 'object' && value !== null;
}
