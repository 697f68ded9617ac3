// Texts with `${…}` in them, anywhere in a JSON value: parsed once, resolved as often as a step runs. What stands inside
// the marks is core/expression.ts; what a text may name, and how values are written into it, its field says.

import type { Problem } from './errors.ts';
import { ExpressionError, misplacedSecret, naming, type Scope } from './expression.ts';
import { evaluateTree } from './expression-evaluate.ts';
import { ExpressionFault } from './expression-fault.ts';
import { findClosingBrace } from './expression-scan.ts';
import { type ExpressionBudget, parseTree, type Reads } from './expression-tree.ts';
import { Meter, toText } from './expression-values.ts';
import { escapePointer, isJsonObject, type Json, MAX_DEPTH } from './json.ts';
import { escapePlain } from './secrets.ts';

export interface Template {
  /** The value with every `${…}` replaced; parts without any are shared, not copied. Throws `ExpressionError`. */
  resolve(scope: Scope): Json;
  readonly reads: Reads;
  /** It holds no expression. */
  readonly constant: boolean;
}

/** How the values of one field are put into its texts. */
export interface Interpolation {
  /** Whether the field may name secrets; what it is resolved to has placeholders for them. */
  secrets?: boolean;
  /** How values are written in the text at this pointer within the field; as people expect it where it says nothing. */
  encode?(pointer: string): Encode | undefined;
}

/** Writes a value that is one part of a text, `before` being what stands before it. */
export type Encode = (value: Json, before: string) => string;

type Resolve = (scope: Scope, meter: Meter) => Json;

interface Part {
  resolve: Resolve;
  isSecret: boolean;
}

const NO_READS: ReadonlySet<string> = new Set();

/** Parses any JSON value with `${…}` in its texts; keys are taken as they are. Throws `ExpressionError`. */
export function parseTemplate(value: unknown, interpolation: Interpolation = {}): Template {
  return new TemplateParser(interpolation, (_, error) => {
    throw error;
  }).parse(value);
}

/** Every text in `value` that is no valid template, and the steps that the valid ones read. */
export function checkTemplate(
  value: unknown,
  pointer: string,
  interpolation: Interpolation = {},
  budget?: ExpressionBudget,
): { problems: Problem[]; reads: Reads } {
  const problems: Problem[] = [];
  const refuse = (at: string, error: ExpressionError) => problems.push({ pointer: at, message: error.message });
  const parser = new TemplateParser(interpolation, refuse, budget);
  return { reads: parser.parse(value, pointer).reads, problems };
}

/** The secrets that a text names, and whether it is nothing but one; none where it is no valid template. */
export function readSecrets(text: string): { names: string[]; isWhole: boolean } {
  if (!text.includes('secrets')) return { names: [], isWhole: false };
  try {
    const parts = splitTemplate(text);
    const secrets = parts.map((part) => (part.isSource ? parseTree(part.text).secret : null));
    const names = secrets.filter((name) => name !== null);
    return { names, isWhole: parts.length === 1 && names.length === 1 };
  } catch (error) {
    if (!(error instanceof ExpressionFault)) throw error;
    return { names: [], isWhole: false };
  }
}

class TemplateParser {
  readonly #interpolation: Interpolation;
  readonly #refuse: (pointer: string, error: ExpressionError) => void;
  readonly #budget: ExpressionBudget | undefined;
  #reads: Set<string> | 'all' = new Set();

  constructor(
    interpolation: Interpolation,
    refuse: (pointer: string, error: ExpressionError) => void,
    budget?: ExpressionBudget,
  ) {
    this.#interpolation = interpolation;
    this.#refuse = refuse;
    this.#budget = budget;
  }

  parse(value: unknown, pointer = ''): Template {
    const resolve = this.#value(value, pointer, 0);
    const reads = this.#reads !== 'all' && this.#reads.size === 0 ? NO_READS : this.#reads;
    if (resolve === null) return { resolve: () => (value ?? null) as Json, reads, constant: true };
    return { resolve: (scope) => resolve(scope, new Meter()), reads, constant: false };
  }

  /** How to resolve `value`, or null when there is nothing to resolve in it. */
  #value(value: unknown, pointer: string, depth: number): Resolve | null {
    if (typeof value === 'string') return this.#text(value, pointer);
    if (typeof value !== 'object' || value === null) return null;
    if (depth > MAX_DEPTH) {
      this.#refuse(pointer, new ExpressionError(`The value is nested deeper than ${MAX_DEPTH} levels`));
      return null;
    }
    return Array.isArray(value) ? this.#list(value, pointer, depth) : this.#object(value, pointer, depth);
  }

  #list(list: unknown[], pointer: string, depth: number): Resolve | null {
    const items = list.map((item, index) => this.#value(item, `${pointer}/${index}`, depth + 1));
    if (items.every((item) => item === null)) return null;
    return (scope, meter) => list.map((item, index) => (items[index] ? items[index](scope, meter) : (item as Json)));
  }

  #object(object: object, pointer: string, depth: number): Resolve | null {
    const entries = Object.entries(object).map(([key, item]) => ({
      key,
      item,
      resolve: this.#value(item, `${pointer}/${escapePointer(key)}`, depth + 1),
    }));
    if (entries.every((entry) => entry.resolve === null)) return null;
    // Defines each key as an own property, whatever it is called; assignment would not.
    return (scope, meter) =>
      Object.fromEntries(entries.map(({ key, item, resolve }) => [key, resolve ? resolve(scope, meter) : item]));
  }

  #text(text: string, pointer: string): Resolve | null {
    if (!text.includes('${')) return null;
    try {
      const parts = naming(text, () =>
        splitTemplate(text).map((part) => (part.isSource ? this.#expression(part.text) : part.text)),
      );
      const join = joining(parts, this.#interpolation.encode?.(pointer));
      return (scope, meter) => naming(text, () => meter.output(join(scope, meter)));
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      this.#refuse(pointer, error);
      return null;
    }
  }

  #expression(source: string): Part {
    const { tree, reads, secret } = parseTree(source, this.#budget);
    if (secret !== null && !this.#interpolation.secrets) throw misplacedSecret();
    if (reads === 'all') this.#reads = 'all';
    else if (this.#reads !== 'all') for (const step of reads) this.#reads.add(step);
    const resolve: Resolve = (scope, meter) => {
      meter.restart();
      return evaluateTree(tree, scope, meter);
    };
    return { resolve, isSecret: secret !== null };
  }
}

/** A text that is one `${…}` keeps the type of its value; any other is put together as text. */
function joining(parts: (string | Part)[], encode: Encode | undefined): Resolve {
  const [first] = parts;
  if (parts.length === 1 && typeof first === 'object') return first.resolve;
  // Beside placeholders nothing else may look like one.
  const plain = parts.some((part) => typeof part === 'object' && part.isSecret) ? escapePlain : (text: string) => text;
  return (scope, meter) => {
    let text = '';
    for (const part of parts) {
      // An encoder may look at all that stands before, here or when the secret is put in.
      if (encode && typeof part === 'object') meter.charge(text.length);
      if (typeof part === 'string') text += plain(part);
      else if (part.isSecret) text += part.resolve(scope, meter);
      else text += plain(toPart(part.resolve(scope, meter), text, meter, encode));
    }
    return text;
  };
}

function toPart(value: Json, before: string, meter: Meter, encode: Encode | undefined): string {
  const text = toText(meter, value);
  return encode ? meter.text(encode(value, before)) : text;
}

/** The plain parts and expression sources of a text, in order; `$${` stands for a literal `${`. */
function splitTemplate(text: string): { text: string; isSource: boolean }[] {
  const parts: { text: string; isSource: boolean }[] = [];
  let plain = '';
  let at = 0;
  while (at < text.length) {
    const mark = text.indexOf('${', at);
    if (mark === -1) break;
    if (mark > at && text[mark - 1] === '$') {
      plain += `${text.slice(at, mark - 1)}\${`;
      at = mark + 2;
      continue;
    }
    plain += text.slice(at, mark);
    const end = findClosingBrace(text, mark + 2);
    if (end === -1)
      throw new ExpressionFault(
        `begins with \${ at character ${mark + 1} and never ends; a literal \${ is written $\${`,
      );
    if (plain) parts.push({ text: plain, isSource: false });
    parts.push({ text: text.slice(mark + 2, end), isSource: true });
    plain = '';
    at = end + 1;
  }
  plain += text.slice(at);
  if (plain) parts.push({ text: plain, isSource: false });
  return parts;
}

/** Whether `value` is one `${…}` or holds one somewhere. */
export function hasExpression(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('${');
  if (Array.isArray(value)) return value.some(hasExpression);
  return isJsonObject(value) && Object.values(value).some(hasExpression);
}
