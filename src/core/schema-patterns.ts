// Patterns that users write, matched in linear time by RE2, whatever they hold: a backtracking engine can be kept busy for
// hours by 30 characters. The language is JavaScript's without what needs backtracking, and what is taken means the same
// as there, so that a form may check the same pattern. Which schemas hold patterns is not known here.

import { RE2JS, RE2JSException } from 're2js';

const MAX_CHARS = 500;
/** States of the compiled pattern: what matching one character can cost at most. */
const MAX_STATES = 500;
/** States times characters that one validation may spend on patterns: about 100 ms in the worst case. */
const MAX_WORK = 2_000_000;

/** The sets that RE2 takes to be ASCII, or one character larger, than in JavaScript. */
const SPACES = '\\s\\v\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}';
const LINE_ENDS = '\\n\\r\\x{2028}\\x{2029}';

/** Escapes of letters that mean the same in both languages; others would be taken for themselves, or for something else. */
const SHARED_ESCAPES = /\\(?:[dDwWsSbBnrtfv]|x[\dA-Fa-f]{2}|u[\dA-Fa-f]{4}|[^A-Za-z\d])/g;

/** What ajv asks of a regular expression. */
export interface Pattern {
  test(text: string): boolean;
  /** By which ajv tells one from another. */
  toString(): string;
}

/** A validation that would spend more on patterns than it may. */
export class PatternWorkError extends Error {
  constructor() {
    super('matching patterns takes too long');
    this.name = 'PatternWorkError';
  }
}

/** Why `source` is no pattern that may be used, as the rest of a sentence; null when it is one. */
export function findPatternFault(source: string): string | null {
  if (source.length > MAX_CHARS) return `must have at most ${MAX_CHARS} characters`;
  if (!isJavaScript(source)) return 'is no regular expression of JavaScript';
  try {
    const states = RE2JS.compile(translate(source)).programSize();
    return states > MAX_STATES ? `is too large: it takes ${states} states, and may take ${MAX_STATES}` : null;
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return `cannot be matched in linear time: ${error.message.replace('error parsing regexp: ', '')}`;
  }
}

/** Compiles a pattern that has no fault; `test` throws `PatternWorkError` when its meter is used up. */
export function compilePattern(source: string, meter: PatternMeter): Pattern {
  const compiled = RE2JS.compile(translate(source));
  const states = compiled.programSize();
  return {
    test(text) {
      meter.spend(states * text.length);
      return compiled.test(text);
    },
    toString: () => source,
  };
}

/** Counts what one validation spends on patterns; validations do not overlap, so one meter serves many. */
export class PatternMeter {
  #work = 0;

  restart(): void {
    this.#work = 0;
  }

  spend(work: number): void {
    this.#work += work;
    if (this.#work > MAX_WORK) throw new PatternWorkError();
  }
}

/** Valid with the flag `u`, as JSON Schema wants it, or without, as people write it (`\-`), but never with another meaning. */
function isJavaScript(source: string): boolean {
  if (canParse(source, 'u')) return true;
  const rest = source.replace(SHARED_ESCAPES, '');
  return canParse(source, '') && !/\\|\[\[?[:.=]/.test(rest);
}

function canParse(source: string, flags: string): boolean {
  try {
    return Boolean(new RegExp(source, flags));
  } catch {
    return false;
  }
}

/** The pattern in RE2's spelling, with JavaScript's idea of what a space and what a line end is. */
function translate(source: string): string {
  let isInClass = false;
  const spelled = source.replace(/\\[\s\S]|[[\].]/g, (part) => {
    if (part === '[' || part === ']') isInClass = part === '[';
    else if (part === '\\s') return isInClass ? SPACES : `[${SPACES}]`;
    else if (part === '\\S' && !isInClass) return `[^${SPACES}]`;
    else if (part === '.' && !isInClass) return `[^${LINE_ENDS}]`;
    return part;
  });
  return RE2JS.translateRegExp(spelled);
}
