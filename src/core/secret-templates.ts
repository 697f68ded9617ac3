// Which secrets a template names, and how their values are put into what it was resolved to. Only texts whose template
// names a secret are touched: a placeholder that came with somebody's data stays the text it is.

import type { Problem } from './errors.ts';
import { escapePointer, isJsonObject, type Json } from './json.ts';
import { fillPlaceholders } from './secrets.ts';
import { type Interpolation, readSecrets } from './template.ts';

/** The names of the secrets that any text in `template` names. */
export function findSecretNames(template: unknown, names: Set<string> = new Set()): Set<string> {
  if (typeof template === 'string') for (const name of readSecrets(template).names) names.add(name);
  else if (typeof template === 'object' && template !== null)
    for (const item of Object.values(template)) findSecretNames(item, names);
  return names;
}

/** What comes back from a step is searched for each of them, in every spelling. */
const MAX_NAMES = 20;

/** What is wrong with a step that names these secrets. */
export function findSecretProblems(names: ReadonlySet<string>, pointer: string): Problem[] {
  if (names.size <= MAX_NAMES) return [];
  return [{ pointer, message: `names ${names.size} secrets; a step may name ${MAX_NAMES}`, hint: 'split the step' }];
}

export interface Revealing {
  secretOf(name: string): string;
  encode?: Interpolation['encode'];
}

/** `resolved`, which is what `template` was resolved to, with the secrets' values in their places. */
export function revealSecrets(template: unknown, resolved: Json, revealing: Revealing, pointer = ''): Json {
  if (typeof template === 'string')
    return typeof resolved === 'string' ? fillText(template, resolved, revealing, pointer) : resolved;
  const at = (key: string | number) => `${pointer}/${escapePointer(String(key))}`;
  if (Array.isArray(template) && Array.isArray(resolved))
    return resolved.map((item, index) => revealSecrets(template[index], item, revealing, at(index)));
  if (isJsonObject(template) && isJsonObject(resolved))
    return Object.fromEntries(
      Object.entries(resolved).map(([key, item]) => [key, revealSecrets(template[key], item, revealing, at(key))]),
    );
  return resolved;
}

function fillText(template: string, resolved: string, { secretOf, encode }: Revealing, pointer: string): string {
  const { names, isWhole } = readSecrets(template);
  if (names.length === 0) return resolved;
  const write = isWhole ? undefined : encode?.(pointer);
  return fillPlaceholders(resolved, (name, before) => (write ? write(secretOf(name), before) : secretOf(name)));
}
