// A definition that somebody writes with `{{…}}`, put into `${…}` when it is taken in: nothing behind this file knows of the other
// spelling. Only where expressions may stand at all; what it means in a text is core/mustache.ts.

import type { Problem } from './errors.ts';
import { ExpressionError, naming } from './expression.ts';
import { escapePointer, isJsonObject, type Json, type JsonObject } from './json.ts';
import { type Leading, translateBare, translateTemplate } from './mustache.ts';
import type { StepTypes } from './step-type.ts';

export interface Translated {
  definition: JsonObject;
  problems: Problem[];
}

const nowhere: Leading = () => null;

/** Past so many, nothing more is looked at. */
const MAX_PROBLEMS = 100;

/**
 * The definition, which may be anything, with `{{…}}` in the values of `keys` written as `${…}`. What else is there keeps
 * its braces: they may be meant as they are.
 */
export function translateMustache(definition: JsonObject, keys: readonly string[], types: StepTypes): Translated {
  const translator = new Translator(types, definition);
  const changed: JsonObject = {};
  for (const key of keys) {
    const value = definition[key];
    if (value === undefined) continue;
    if (key === 'steps') changed[key] = translator.steps(value);
    else if (key === 'edges') changed[key] = translator.edges(value);
    else if (key === 'output') changed[key] = translator.template(value, '/output', nowhere);
  }
  return { definition: { ...definition, ...changed }, problems: translator.problems };
}

class Translator {
  readonly problems: Problem[] = [];
  readonly #types: StepTypes;
  readonly #definition: JsonObject;
  #sources: Map<string, string[]> | null = null;

  constructor(types: StepTypes, definition: JsonObject) {
    this.#types = types;
    this.#definition = definition;
  }

  steps(steps: Json): Json {
    if (!Array.isArray(steps)) return steps;
    return steps.map((step, index) => (isJsonObject(step) ? this.#step(step, `/steps/${index}`) : step));
  }

  edges(edges: Json): Json {
    if (!Array.isArray(edges)) return edges;
    return edges.map((edge, index) => {
      const condition = isJsonObject(edge) ? edge['condition'] : undefined;
      if (!isJsonObject(edge) || typeof condition !== 'string') return edge;
      const leading = () => (typeof edge['from'] === 'string' ? [edge['from']] : []);
      return {
        ...edge,
        condition: this.#text(condition, `/edges/${index}/condition`, (text) => translateBare(text, leading)),
      };
    });
  }

  template(value: Json, pointer: string, leading: Leading): Json {
    if (typeof value === 'string') return this.#text(value, pointer, (text) => translateTemplate(text, leading));
    if (Array.isArray(value)) return value.map((item, index) => this.template(item, `${pointer}/${index}`, leading));
    if (!isJsonObject(value)) return value;
    const entries = Object.entries(value);
    return Object.fromEntries(
      entries.map(([key, item]) => [key, this.template(item, `${pointer}/${escapePointer(key)}`, leading)]),
    );
  }

  #step(step: JsonObject, pointer: string): JsonObject {
    const type = typeof step['type'] === 'string' ? this.#types.get(step['type']) : undefined;
    if (type === undefined) return step;
    const leading = () => this.#findSources(step['id']);
    const changed: JsonObject = {};
    for (const field of type.templates)
      if (step[field] !== undefined) changed[field] = this.template(step[field], `${pointer}/${field}`, leading);
    for (const field of type.expressions ?? []) {
      const source = step[field];
      if (typeof source === 'string')
        changed[field] = this.#text(source, `${pointer}/${field}`, (text) => translateBare(text, leading));
    }
    return { ...step, ...changed };
  }

  #text(text: string, pointer: string, translate: (text: string) => string): string {
    if (!text.includes('{{') || this.problems.length >= MAX_PROBLEMS) return text;
    try {
      return naming(text, () => translate(text));
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      this.problems.push({ pointer, message: error.message });
      return '${true}'; // valid wherever it stands, so that nothing is said of it twice
    }
  }

  #findSources(id: Json | undefined): readonly string[] {
    this.#sources ??= listSources(this.#definition);
    return (typeof id === 'string' ? this.#sources.get(id) : undefined) ?? [];
  }
}

/** From which steps edges lead to each; of several, two. */
function listSources({ edges }: JsonObject): Map<string, string[]> {
  const sources = new Map<string, string[]>();
  for (const edge of Array.isArray(edges) ? edges : []) {
    if (!isJsonObject(edge) || typeof edge['from'] !== 'string' || typeof edge['to'] !== 'string') continue;
    const known = sources.get(edge['to']);
    if (known === undefined) sources.set(edge['to'], [edge['from']]);
    else if (known.length === 1 && known[0] !== edge['from']) known.push(edge['from']);
  }
  return sources;
}
