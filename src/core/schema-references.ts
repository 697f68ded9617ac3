// References within one schema (`$ref`), as JSON pointers into the schema that holds them. Nothing is ever fetched: what
// is not in the schema itself does not exist.

import { isJsonObject, type Json, type JsonObject } from './json.ts';

/** What `reference`, `#` or `#/…`, points to within `root`; undefined when it is anything else, or there is nothing. */
export function resolveReference(root: JsonObject, reference: string): Json | undefined {
  const path = readPath(reference);
  if (path === null) return undefined;
  let found: Json | undefined = root;
  for (const key of path) {
    if (Array.isArray(found)) found = /^\d{1,6}$/.test(key) ? found[Number(key)] : undefined;
    else found = isJsonObject(found) && Object.hasOwn(found, key) ? found[key] : undefined;
  }
  return found;
}

/** Whether the reference leads out of its schema: to an address, a file or another document's name. */
export function isRemote(reference: string): boolean {
  return !reference.startsWith('#');
}

function readPath(reference: string): string[] | null {
  if (reference === '#') return [];
  if (!reference.startsWith('#/')) return null;
  try {
    const keys = decodeURIComponent(reference.slice(2)).split('/');
    return keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  } catch {
    return null;
  }
}
