// JSON as a type, and the bounds that every value must keep before it may be stored: Postgres refuses NUL and lone
// surrogates in jsonb, and a value that is too deep or too big would only fail later, far from whoever sent it.

import type { Problem } from './errors.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Bounds of one stored value: bytes as UTF-8 JSON, depth in nested containers. */
export const MAX_DATA_BYTES = 1_048_576;
export const MAX_DEPTH = 64;
const MAX_PROBLEMS = 20;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A list or object inside another: its pointer is only spelt out when there is something to say about it. */
interface Place {
  value: object;
  key: string | number;
  parent: Place | null;
  depth: number;
}

/**
 * What keeps `value` from being stored: not JSON, too deep, NUL or lone surrogates in a string or key, not finite, or
 * more than `maxBytes` as JSON. Walks with its own stack, so hostile nesting cannot overflow ours. At most 20 problems.
 */
export function findJsonProblems(value: unknown, { maxBytes = MAX_DATA_BYTES, maxDepth = MAX_DEPTH } = {}): Problem[] {
  const problems: Problem[] = [];
  const stack: Place[] = [];
  // Only what can hold more goes on the stack: most of a large value is texts and numbers.
  const look = (current: unknown, key: string | number, parent: Place | null, depth: number) => {
    if (typeof current === 'object' && current !== null) stack.push({ value: current, key, parent, depth });
    else {
      const fault = findFault(current, parent === null);
      if (fault !== null) problems.push({ pointer: pointerTo(key, parent), ...fault });
    }
  };
  look(value, '', null, 0);
  while (stack.length > 0 && problems.length < MAX_PROBLEMS) {
    const place = stack.pop()!;
    const depth = place.depth + 1;
    if (depth > maxDepth) {
      const message = `is nested deeper than ${maxDepth} levels`;
      problems.push({ pointer: pointerTo(place.key, place.parent), message, hint: 'flatten the value' });
    } else if (Array.isArray(place.value)) {
      for (let index = 0; index < place.value.length; index += 1) look(place.value[index], index, place, depth);
    } else {
      for (const [key, child] of Object.entries(place.value)) {
        if (!isStorableText(key)) problems.push({ pointer: pointerTo(place.key, place.parent), ...UNSTORABLE });
        look(child, key, place, depth);
      }
    }
  }
  problems.length = Math.min(problems.length, MAX_PROBLEMS);
  if (problems.length === 0 && Buffer.byteLength(JSON.stringify(value) ?? 'null') > maxBytes) {
    problems.push({
      pointer: '',
      message: `is larger than ${maxBytes} bytes as JSON`,
      hint: 'store big content as a file and pass its id',
    });
  }
  return problems;
}

/** What keeps a value without parts from being stored; `undefined` counts as left out, unless it is all there is. */
function findFault(value: unknown, isWhole: boolean): Omit<Problem, 'pointer'> | null {
  switch (typeof value) {
    case 'string':
      return isStorableText(value) ? null : UNSTORABLE;
    case 'number':
      return Number.isFinite(value) ? null : { message: 'must be a finite number' };
    case 'boolean':
    case 'object': // null
      return null;
    case 'undefined':
      return isWhole ? { message: 'must be JSON, not undefined' } : null;
    default:
      return { message: `must be JSON, not ${typeof value}` };
  }
}

function pointerTo(key: string | number, parent: Place | null): string {
  return parent === null ? '' : `${pointerTo(parent.key, parent.parent)}/${escapePointer(`${key}`)}`;
}

/** The same text for equal values: fields are ordered by name. Only for values that keep the bounds above. */
export function toCanonicalText(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(toCanonicalText).join(',')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const fields = Object.keys(value).sort();
  return `{${fields.map((key) => `${JSON.stringify(key)}:${toCanonicalText(value[key]!)}`).join(',')}}`;
}

/** Escapes one key for a JSON pointer (RFC 6901 §3). */
export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}

const UNSTORABLE = {
  message: 'holds a NUL character or a lone surrogate, which cannot be stored',
  hint: 'send well-formed text',
};
