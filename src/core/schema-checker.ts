// One walk over a schema that a user wrote: where it is, what it has found, how much it has seen. References are followed
// as if what they point to were written in their place, which is how schemas are compiled (core/schema-prepare.ts), so a
// schema's size is counted as it will be. Which keywords there are is core/schema-rules.ts.

import type { Problem } from './errors.ts';
import { escapePointer, isJsonObject, type Json, type JsonObject } from './json.ts';
import { findPatternFault } from './schema-patterns.ts';
import { isRemote, resolveReference } from './schema-references.ts';
import { suggestName } from './suggestion.ts';

/** Bounds of one schema, by what compiling takes: any one of them used up is some 50 ms. */
const MAX_SUBSCHEMAS = 200;
/** Keywords, and names of required fields. */
const MAX_KEYWORDS = 1_000;
const MAX_PATTERN_CHARS = 4_000;
const MAX_NESTING = 20;
/** Of the schema as JSON. */
const MAX_CHARS = 200_000;
const MAX_PROBLEMS = 20;
const MAX_SHOWN_CHARS = 100;

const PATTERN_HINT = 'leave out look-around and back-references; use enum, format or maxLength where they do';
const REMOTE_HINT = 'copy what it names to $defs and refer to it as "#/$defs/…"';

/** Checks the value of one keyword. */
export type Rule = (value: Json, checker: SchemaChecker, pointer: string) => void;

export class SchemaChecker {
  readonly #rules: ReadonlyMap<string, Rule>;
  readonly #silent: ReadonlySet<string>;
  readonly #problems = new Map<string, Problem>();
  #subschemas = 0;
  #keywords = 0;
  /** Patterns that were looked at, by what is wrong with them: one that is referred to often is compiled once. */
  readonly #patterns = new Map<string, string | null>();
  #patternChars = 0;
  /** What references point into, and where that is. */
  #root: { schema: JsonObject; pointer: string } = { schema: {}, pointer: '' };
  /** The schemas around the one that is looked at, those that references led to included. */
  #open: JsonObject[] = [];
  #isDefining = false;

  /** `silent` are the keywords that compile to nothing. */
  constructor(rules: ReadonlyMap<string, Rule>, silent: ReadonlySet<string>) {
    this.#rules = rules;
    this.#silent = silent;
  }

  /** A definition that is referred to twice is looked at twice; its problems are told once. */
  report(pointer: string, message: string, hint?: string): void {
    if (this.#problems.size >= MAX_PROBLEMS) return;
    this.#problems.set(`${pointer} ${message}`, { pointer, message, ...(hint === undefined ? {} : { hint }) });
  }

  name(name: string, pointer: string): void {
    if (name === '__proto__' || name === 'constructor' || name === 'prototype')
      this.report(`${pointer}/${name}`, `cannot be called "${name}"`, 'choose another name');
  }

  /** A schema that stands for itself: references in it point into it. */
  document(value: Json, pointer: string): void {
    if (isJsonObject(value)) this.#root = { schema: value, pointer };
    this.schema(value, pointer);
  }

  schema(value: Json, pointer: string): void {
    if (!this.#isDefining) this.#subschemas += 1;
    if (typeof value === 'boolean') return;
    if (!isJsonObject(value)) this.report(pointer, 'must be a schema', 'write {"type": "string"}');
    else if (this.#open.length >= MAX_NESTING)
      this.report(pointer, `is nested deeper than ${MAX_NESTING} schemas`, 'flatten it');
    else if (this.#subschemas <= MAX_SUBSCHEMAS) {
      this.#open.push(value);
      for (const [keyword, item] of Object.entries(value)) this.#keyword(keyword, item, pointer);
      this.#checkDefault(value, pointer);
      this.#open.pop();
    }
  }

  /** Counts what becomes code of its own: a keyword, or a name in a list of required fields. */
  count(keywords: number): void {
    if (!this.#isDefining) this.#keywords += keywords;
  }

  pattern(source: string, pointer: string): void {
    if (!this.#patterns.has(source)) {
      this.#patternChars += source.length;
      this.#patterns.set(source, this.#patternChars > MAX_PATTERN_CHARS ? null : findPatternFault(source));
    }
    const fault = this.#patterns.get(source) ?? null;
    if (fault !== null) this.report(pointer, fault, PATTERN_HINT);
  }

  /** Schemas that only count where they are referred to. */
  definitions(value: JsonObject, pointer: string): void {
    const [isDefining, open] = [this.#isDefining, this.#open];
    this.#isDefining = true;
    this.#open = [];
    for (const [name, item] of Object.entries(value)) {
      this.name(name, pointer);
      this.schema(item, `${pointer}/${escapePointer(name)}`);
    }
    this.#isDefining = isDefining;
    this.#open = open;
  }

  reference(to: string, pointer: string): void {
    const found = resolveReference(this.#root.schema, to);
    if (typeof found === 'boolean') return;
    if (isRemote(to)) this.report(pointer, 'leads out of this schema, and nothing is fetched', REMOTE_HINT);
    else if (found === undefined || !isJsonObject(found))
      this.report(pointer, `points to "${to.slice(0, MAX_SHOWN_CHARS)}", where there is no schema`);
    else if (this.#open.includes(found))
      this.report(pointer, 'leads back to a schema that it stands in', 'write out as many levels as you need');
    // A definition is followed from where it is used; what is never used is never compiled.
    else if (!this.#isDefining) this.schema(found, `${this.#root.pointer}${to.slice(1)}`);
  }

  /** An id may name the whole; within, it would change what references mean. */
  id(pointer: string): void {
    if (this.#open.length > 1 || this.#isDefining)
      this.report(pointer, 'is not taken inside a schema', 'leave it out and refer to "#/$defs/…"');
  }

  /** A default of the wrong type would be refused whenever it is filled in. */
  #checkDefault({ default: fallback, type, nullable }: JsonObject, pointer: string): void {
    if (fallback === undefined || type === undefined || (fallback === null && nullable === true)) return;
    const types = Array.isArray(type) ? type : [type];
    if (!types.some((name) => isOfType(fallback, name)))
      this.report(`${pointer}/default`, `must be of the type ${types.join(' or ')}, as the field is`);
  }

  finish(value: unknown, pointer: string): Problem[] {
    const limit = this.#findLimit();
    if (limit !== null) this.report(pointer, `has more than ${limit}`, 'ask for less at once');
    else if (value !== undefined && this.#problems.size === 0 && JSON.stringify(value).length > MAX_CHARS)
      this.report(pointer, `is larger than ${MAX_CHARS} characters`);
    return [...this.#problems.values()];
  }

  #findLimit(): string | null {
    if (this.#subschemas > MAX_SUBSCHEMAS) return `${MAX_SUBSCHEMAS} fields and subschemas`;
    if (this.#keywords > MAX_KEYWORDS) return `${MAX_KEYWORDS} keywords and names of required fields`;
    return this.#patternChars > MAX_PATTERN_CHARS ? `${MAX_PATTERN_CHARS} characters in its patterns` : null;
  }

  #keyword(keyword: string, value: Json, pointer: string): void {
    if (keyword.startsWith('x-')) return;
    const rule = this.#rules.get(keyword);
    if (!this.#silent.has(keyword)) this.count(1);
    const at = `${pointer}/${escapePointer(keyword)}`;
    if (rule) rule(value, this, at);
    // A suggestion is dear: none is made that would not be told.
    else if (this.#problems.size < MAX_PROBLEMS)
      this.report(at, 'is no keyword of JSON Schema that is known here', suggestName(keyword, this.#rules.keys()));
  }
}

function isOfType(value: Json, type: Json): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isJsonObject(value);
    case 'null':
      return value === null;
    default:
      // The other names are JavaScript's too; what is no type at all is told elsewhere.
      return typeof value === type;
  }
}
