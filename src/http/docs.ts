// The API's own description: `/openapi.json`, and `/docs`, where Swagger UI shows it from this server alone: no CDN, and a
// content security policy that lets nothing else be loaded. What is described is openapi.ts's business.

import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { AppError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { createOpenApi } from './openapi.ts';
import { defineRoute, type Face, type Reply, type Route } from './route.ts';

const TAG = 'About this server';
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/** Everybody's, and the same until the next release; the rest of the API is never cached. */
const CACHED = 'public, max-age=3600';

/** Relative addresses, so that the page also works below a prefix. */
const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdpoint API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
<main id="api"><noscript>This page needs JavaScript; the same in plain text is <a href="openapi.json">openapi.json</a>.</noscript></main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/show.js"></script>
</html>
`;

const SHOW = `SwaggerUIBundle({ url: 'openapi.json', dom_id: '#api', deepLinking: true, defaultModelsExpandDepth: 0 });
`;

const require = createRequire(import.meta.url);
const FOLDER = dirname(require.resolve('swagger-ui-dist/package.json'));
const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

/** Routes that describe these faces, the system's routes and themselves. */
export function createDocsRoutes({ faces, systemRoutes }: { faces: readonly Face[]; systemRoutes: readonly Route[] }) {
  const routes: Route[] = [
    defineRoute({
      method: 'GET',
      path: '/openapi.json',
      role: 'public',
      tag: TAG,
      summary: 'This description',
      responses: { 200: { description: 'An OpenAPI 3.1 document.', schema: { type: 'object' } } },
      examples: [{ name: 'version', answer: { openapi: '3.1.0' }, isExcerpt: true }],
      handler: async () => ({ body: describe() }),
    }),
    defineRoute({
      method: 'GET',
      path: '/docs',
      role: 'public',
      tag: TAG,
      summary: 'This description as a page',
      responses: { 200: { description: 'The page.', contentType: 'text/html' } },
      examples: [{ name: 'page', answer: PAGE }],
      handler: async () => ({ body: PAGE, headers: headersOf('text/html; charset=utf-8') }),
    }),
    defineRoute({
      method: 'GET',
      path: '/docs/:file',
      role: 'public',
      tag: TAG,
      summary: 'What the page consists of',
      responses: { 200: { description: 'A script, a style sheet or an image.', contentType: '*/*' } },
      examples: [{ name: 'script', params: { file: 'show.js' }, answer: SHOW }],
      handler: async ({ params }) => readAsset(params['file']!),
    }),
  ];
  const describe = once(() => createOpenApi({ faces, systemRoutes: [...systemRoutes, ...routes] }));
  return routes;
}

function readAsset(name: string): Reply {
  if (name === 'show.js') return { body: SHOW, headers: headersOf('text/javascript; charset=utf-8') };
  const type = Object.hasOwn(ASSETS, name) ? ASSETS[name] : undefined;
  if (type === undefined) throw new AppError('not_found', 'there is no such file; the page is at /docs');
  return { body: createReadStream(join(FOLDER, name)), headers: headersOf(type) };
}

function headersOf(type: string): Record<string, string> {
  return { 'content-type': type, 'content-security-policy': POLICY, 'cache-control': CACHED };
}

function once(make: () => JsonObject): () => JsonObject {
  let made: JsonObject | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
