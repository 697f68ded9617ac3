// Reads an expression's characters before the JEXL grammar does: finds where `${…}` ends, takes string literals out (the
// grammar's own lexer mishandles escapes), writes hyphenated step ids in a form it accepts, and refuses what it would
// accept by mistake. It knows tokens and brackets; what they mean is core/expression-tree.ts.

import { ExpressionFault } from './expression-fault.ts';

export const MAX_SOURCE_CHARS = 10_000;
/** The grammar's parser nests one sub-parser per bracket and per ternary; these keep its cost linear and its stack low. */
const MAX_BRACKETS = 32;
const MAX_TERNARIES = 64;

/** Property names through which JavaScript reaches code: refused by name, although own properties alone are ever read. */
const RESERVED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * An expression as the grammar may read it. Texts, numbers and object keys are replaced by `"§n"`, names behind a dot by
 * `$n`: the grammar's lexer never sees what a user may call things, and expressions of one form are one source.
 */
export interface Scanned {
  source: string;
  /** How many names, values and signs it has. */
  tokens: number;
  /** The text or name behind a mark. */
  read(mark: string): string;
  /** The text or number behind a mark. */
  readLiteral(mark: string): string | number;
  /** Puts everything back, for a message. */
  restore(message: string): string;
}

const IDENTIFIER = /[\p{L}_$][\p{L}\p{M}\p{N}_$]*/uy;
/** Nearly all names are such, and are found faster; one that goes on in other letters is left to the pattern above. */
const ASCII_IDENTIFIER = /[A-Za-z_$][\w$]*(?![\w$]|[^\0-\x7f])/y;
const NUMBER = /\d+(?:\.\d+)?/y;
const STEP_PATH = /\s*\.\s*([A-Za-z0-9_-]+)/y;
const OPENING = /\s*\(/y;
const SPACES = /\s+/y;
const OPERATORS = /\/\/|==|!=|>=|<=|&&|\|\||[.,:?|+\-*/%^<>!()[\]{}]/y;
/** What operators begin with: no other token does, so that each character is looked at by few patterns. */
const SYMBOLS = '.,:?|+-*/%^<>!()[]{}=&';
const CLOSES: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

export function isReservedName(name: string): boolean {
  return RESERVED.has(name);
}

export function refuseReserved(name: string): void {
  if (RESERVED.has(name)) throw new ExpressionFault(`uses "${name}", which expressions can neither read nor write`);
}

/** The index of the brace that ends what begins at `start`, past nested brackets and quotes; -1 when there is none. */
export function findClosingBrace(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at]!;
    if (char === '"' || char === "'") {
      at = findClosingQuote(text, at);
      if (at === -1) return -1;
    } else if (char === '{') depth += 1;
    else if (char === '}') {
      if (depth === 0) return at;
      depth -= 1;
    }
  }
  return -1;
}

/** Checks the characters of an expression and prepares it for the grammar; throws `ExpressionFault`. */
export function scanExpression(source: string): Scanned {
  if (source.length > MAX_SOURCE_CHARS) throw new ExpressionFault(`is longer than ${MAX_SOURCE_CHARS} characters`);
  const scanner = new Scanner(source);
  return scanner.scan();
}

class Scanner {
  readonly #source: string;
  readonly #marked: (string | number)[] = [];
  readonly #open: string[] = [];
  #at = 0;
  #out = '';
  /** The last token that was not white space. */
  #last = '';
  #ternaries = 0;
  #tokens = 0;

  constructor(source: string) {
    this.#source = source;
  }

  scan(): Scanned {
    while (this.#at < this.#source.length) this.#next();
    if (this.#open.length > 0) throw new ExpressionFault(`has a "${this.#open.at(-1)}" that is never closed`);
    const marked = this.#marked;
    const readLiteral = (mark: string) => marked[Number(mark.slice(1))] ?? mark;
    return {
      source: this.#out,
      tokens: this.#tokens,
      readLiteral,
      read: (mark) => String(readLiteral(mark)),
      restore: (message) =>
        message.replace(/"§(\d+)"|\$(\d+)/g, (mark, text?: string, name?: string) =>
          text === undefined ? String(marked[Number(name)] ?? mark) : JSON.stringify(marked[Number(text)]),
        ),
    };
  }

  #next(): void {
    const char = this.#source[this.#at]!;
    if (this.#match(SPACES)) {
      this.#out += ' ';
      return;
    }
    this.#tokens += 1;
    if (char === '"' || char === "'") this.#literal();
    else if (!(SYMBOLS.includes(char) ? this.#operator() : this.#number() || this.#identifier()))
      throw new ExpressionFault(describeUnexpected(char, this.#at));
  }

  #literal(): void {
    const end = findClosingQuote(this.#source, this.#at);
    if (end === -1) throw new ExpressionFault(`has a text that begins at character ${this.#at + 1} and never ends`);
    this.#mark(readEscapes(this.#source.slice(this.#at + 1, end)));
    this.#at = end + 1;
    this.#last = 'text';
  }

  #identifier(): boolean {
    const name = this.#match(ASCII_IDENTIFIER) ?? this.#match(IDENTIFIER);
    if (name === null) return false;
    refuseReserved(name);
    const isPath = this.#last === '.';
    const isCalled = this.#isCalled();
    if (isPath && isCalled)
      throw new ExpressionFault(`calls .${name}(…) on a value; write ${name}(value) or value|${name}`);
    if (isPath) this.#out += `$${this.#marked.push(name) - 1}`;
    else if (this.#isKey()) this.#mark(name);
    // The grammar allows `?` behind `x|f()`, but not behind `x|f`, which means the same.
    else this.#out += this.#last === '|' && !isCalled ? `${name}()` : name;
    this.#last = name;
    if (name === 'steps' && !isPath) this.#stepPath();
    return true;
  }

  #isKey(): boolean {
    return this.#open.at(-1) === '{' && (this.#last === '{' || this.#last === ',');
  }

  #isCalled(): boolean {
    OPENING.lastIndex = this.#at;
    return OPENING.test(this.#source);
  }

  /** Step ids may hold hyphens, which the grammar would read as minus; nothing else can follow `steps.`. */
  #stepPath(): void {
    STEP_PATH.lastIndex = this.#at;
    const id = STEP_PATH.exec(this.#source)?.[1];
    if (id === undefined) return;
    this.#at = STEP_PATH.lastIndex;
    refuseReserved(id);
    this.#out += '[';
    this.#mark(id);
    this.#out += ']';
    this.#last = ']';
  }

  #number(): boolean {
    const digits = this.#match(NUMBER);
    if (digits === null) return false;
    if (this.#last === '.')
      throw new ExpressionFault(`has .${digits}; an element of a list is written [${digits}], a fraction 0.${digits}`);
    if (this.#isKey()) throw new ExpressionFault(`has the number ${digits} as a key; write it in quotes`);
    // The grammar reads a sign into the number behind it, which binds more tightly than a sign before anything else.
    if (this.#last === '-' || this.#last === '+') this.#out += digits;
    else this.#mark(Number(digits));
    this.#last = digits;
    return true;
  }

  #operator(): boolean {
    const token = this.#match(OPERATORS);
    if (token === null) return false;
    if (token === '?') this.#ternaries += 1;
    if (token in CLOSES) this.#open.push(token);
    else if (token === ')' || token === ']' || token === '}') {
      const opened = this.#open.pop();
      if (opened === undefined || CLOSES[opened] !== token)
        throw new ExpressionFault(`has a "${token}" that closes nothing`);
    }
    if (this.#open.length > MAX_BRACKETS || this.#ternaries > MAX_TERNARIES)
      throw new ExpressionFault('is nested too deeply');
    this.#out += token;
    this.#last = token;
    return true;
  }

  #match(pattern: RegExp): string | null {
    const from = this.#at;
    pattern.lastIndex = from;
    // `exec` would make a list of each token.
    if (!pattern.test(this.#source)) return null;
    this.#at = pattern.lastIndex;
    return this.#source.slice(from, this.#at);
  }

  #mark(value: string | number): void {
    this.#out += `"§${this.#marked.push(value) - 1}"`;
  }
}

function findClosingQuote(text: string, start: number): number {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === quote) return at;
  }
  return -1;
}

function readEscapes(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\(?:u([0-9A-Fa-f]{4})|([\s\S]))/g, (_, hex: string | undefined, char: string | undefined) =>
    hex === undefined ? (ESCAPES[char!] ?? char!) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function describeUnexpected(char: string, at: number): string {
  const place = `has an unexpected ${JSON.stringify(char)} at character ${at + 1}`;
  if (char === '=') return `${place}; equality is written ==`;
  if (char === '&') return `${place}; "and" is written &&`;
  return place;
}
