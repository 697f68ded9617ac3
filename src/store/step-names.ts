// The names that people gave to the steps of a version. Versions are immutable and ids are unique everywhere, so what
// was read once is kept, for the workspace that read it.

import { LRUCache } from 'lru-cache';
import type { Reader } from './readers.ts';

const cache = new LRUCache<string, ReadonlyMap<string, string>>({ max: 500 });

/** Names by step id; steps without a name are not in it. */
export async function findStepNames(
  reader: Reader,
  { definitionId, version }: { definitionId: string; version: number },
): Promise<ReadonlyMap<string, string>> {
  const cacheKey = `${reader.workspaceId}/${definitionId}/${version}`;
  const known = cache.get(cacheKey);
  if (known !== undefined) return known;
  const { rows } = await reader.pool.query<{ id: string; name: string }>({
    name: 'step-names',
    text: `SELECT step ->> 'id' AS id, step ->> 'name' AS name
             FROM definition_versions, json_array_elements(body -> 'steps') AS step
            WHERE definition_id = $1 AND version = $2 AND step ->> 'name' IS NOT NULL`,
    values: [definitionId, version],
  });
  const names = new Map(rows.map((row) => [row.id, row.name]));
  cache.set(cacheKey, names);
  return names;
}
