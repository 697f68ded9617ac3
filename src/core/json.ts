// JSON as a type, and the bounds that every value must keep before it may be stored: Postgres refuses NUL and lone
// surrogates in jsonb, and a value that is too deep or too big would only fail later, far from whoever sent it.

import type { Problem } from './errors.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** Bounds of one stored value: bytes as UTF-8 JSON, depth in nested containers. */
export const MAX_DATA_BYTES = 1_048_576;
export const MAX_DEPTH = 64;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * What keeps `value` from being stored: not JSON, too deep, NUL or lone surrogates in a string or key, not finite, or
 * more than `maxBytes` as JSON. Walks with its own stack, so hostile nesting cannot overflow ours. At most 20 problems.
 */
export function findJsonProblems(value: unknown, { maxBytes = MAX_DATA_BYTES, maxDepth = MAX_DEPTH } = {}): Problem[] {
  const problems: Problem[] = [];
  const stack: { value: unknown; pointer: string; depth: number }[] = [{ value, pointer: '', depth: 0 }];
  while (stack.length > 0 && problems.length < 20) {
    const item = stack.pop()!;
    const { value: current, pointer, depth } = item;
    if (current === null || typeof current === 'boolean') continue;
    if (typeof current === 'string') {
      if (!isStorableText(current)) problems.push(unstorableText(pointer));
    } else if (typeof current === 'number') {
      if (!Number.isFinite(current)) problems.push({ pointer, message: 'must be a finite number' });
    } else if (typeof current === 'object') {
      if (depth >= maxDepth) {
        problems.push({ pointer, message: `is nested deeper than ${maxDepth} levels`, hint: 'flatten the value' });
        continue;
      }
      const entries = Array.isArray(current) ? current.entries() : Object.entries(current);
      for (const [key, child] of entries) {
        if (typeof key === 'string' && !isStorableText(key)) problems.push(unstorableText(pointer));
        stack.push({ value: child, pointer: `${pointer}/${escapePointer(String(key))}`, depth: depth + 1 });
      }
    } else if (current !== undefined || pointer === '') {
      problems.push({ pointer, message: `must be JSON, not ${typeof current}` });
    }
  }
  if (problems.length === 0 && Buffer.byteLength(JSON.stringify(value) ?? 'null') > maxBytes) {
    problems.push({
      pointer: '',
      message: `is larger than ${maxBytes} bytes as JSON`,
      hint: 'store big content as a file and pass its id',
    });
  }
  return problems;
}

/** Escapes one key for a JSON pointer (RFC 6901 §3). */
export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}

function unstorableText(pointer: string): Problem {
  return {
    pointer,
    message: 'holds a NUL character or a lone surrogate, which cannot be stored',
    hint: 'send well-formed text',
  };
}
