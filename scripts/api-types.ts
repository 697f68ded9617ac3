// Writes src/sdk/api-types.ts, the client's view of the API, from the route table; a test fails while it is not up to date.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Engine } from '../src/engine/engine.ts';
import { createOpenApi } from '../src/http/openapi.ts';
import { createFaces } from '../src/web.ts';
import { writeApiTypes } from './openapi-types.ts';

export const API_TYPES = fileURLToPath(new URL('../src/sdk/api-types.ts', import.meta.url));

/** The client speaks the executions API and what stands beside it, by its plain paths. */
export function makeApiTypes(): string {
  // No handler is called here, so the routes need no engine.
  const faces = createFaces({} as Engine);
  return writeApiTypes(createOpenApi({ faces, systemRoutes: [] }), (path) => path.startsWith('/workspaces/{wId}'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(API_TYPES, makeApiTypes());
