// Whole numbers that JavaScript cannot hold as they were written: 9007199254740993 would silently become …992, and an id
// name something else. They are looked for in the text, since the parsed value cannot tell any more. Fractions and
// exponents are measurements, which every reader of JSON rounds to the nearest double.

import type { Problem } from './errors.ts';
import { escapePointer, isJsonObject, type Json } from './json.ts';

const MAX_PROBLEMS = 20;
/** Shorter ones are always exact. */
const MIN_DIGITS = 16;
const LONG = new RegExp(`\\d{${MIN_DIGITS}}`);
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WHOLE = /^[+-]?\d+$/;

/** Whether a number written as `text` is kept as it is written; fractions and exponents always count as kept. */
export function isKeptExactly(text: string): boolean {
  const value = Number(text);
  if (text.length < MIN_DIGITS || !WHOLE.test(text) || !Number.isFinite(value)) return true;
  return BigInt(value) === BigInt(text.replace('+', ''));
}

/** Where `value`, which was parsed from `text`, holds whole numbers that are not what was written. At most 20 problems. */
export function findInexactNumbers(text: string, value: Json): Problem[] {
  if (!LONG.test(text)) return [];
  const inexact = new Set(
    listNumbers(text)
      .filter((number) => !isKeptExactly(number))
      .map(Number),
  );
  return inexact.size === 0 ? [] : findPlaces(value, inexact);
}

/** The numbers of a JSON text, as they are written. */
function listNumbers(text: string): string[] {
  const numbers: string[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at]!;
    if (char === '"') at = findStringEnd(text, at + 1) + 1;
    else if (char === '-' || (char >= '0' && char <= '9')) {
      NUMBER.lastIndex = at;
      const number = NUMBER.exec(text)?.[0] ?? char;
      numbers.push(number);
      at += number.length;
    } else at += 1;
  }
  return numbers;
}

/** Where the string that begins at `from` ends: at the next quote that is not escaped. */
function findStringEnd(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}

function findPlaces(value: Json, inexact: ReadonlySet<number>): Problem[] {
  const problems: Problem[] = [];
  const stack: { value: Json; pointer: string }[] = [{ value, pointer: '' }];
  while (stack.length > 0 && problems.length < MAX_PROBLEMS) {
    const { value: current, pointer } = stack.pop()!;
    if (typeof current === 'number' && inexact.has(current))
      problems.push({ pointer, message: 'has more digits than a number can keep', hint: 'send it as text, in quotes' });
    else if (Array.isArray(current) || isJsonObject(current))
      for (const [key, item] of Object.entries(current))
        if (typeof item === 'number' || typeof item === 'object')
          stack.push({ value: item, pointer: `${pointer}/${escapePointer(key)}` });
  }
  return problems;
}
