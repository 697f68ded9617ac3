// The OpenAPI 3.1 document, made from the route table: paths, parameters and bodies are the very schemas that check
// requests, so what is documented is what is done. Knows no route by name; what a route means stands beside it.

import type { Json, JsonObject } from '../core/json.ts';
import { ANSWER_HEADERS, describeAnswers, isIdempotent } from './openapi-answers.ts';
import type { Face, Route } from './route.ts';

export interface OpenApiOptions {
  faces: readonly Face[];
  /** Routes that belong to no face; their errors have the last face's shape. */
  systemRoutes: readonly Route[];
}

const ABOUT = `Durable workflows that stop and wait for people.

**Credentials.** An API key as \`x-api-key\` with \`x-tenant-id\` (the workspace's id or slug), or an API key or a signed JWT
as \`Authorization: Bearer …\`. Roles: viewer < editor < admin < owner; each operation says which one it needs.

**Idempotency.** Send \`Idempotency-Key\` with anything but a GET: for 24 hours the same request is answered as it was the
first time, with \`Idempotent-Replayed: true\`, and its work is done once.

**Errors** name every problem at once, what to do about it, and the request's id.`;

/** What the parameters in paths are, wherever they occur. */
const PARAMETERS: Readonly<Record<string, string>> = {
  workflowId: 'Id or key of the workflow.',
  runId: 'Id of the run.',
  fileId: 'Id of the file.',
  approval_id: 'Id of the approval.',
  wId: 'Id or slug of the workspace.',
  podId: 'Id or slug of the pod; every workspace has one with the slug `default`.',
  userId: 'Id of the user.',
  file: 'Name of the file.',
  id: 'Id or key of what the path names.',
};

const SECURITY_SCHEMES: JsonObject = {
  apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'An API key, `sk_…`.' },
  workspace: { type: 'apiKey', in: 'header', name: 'x-tenant-id', description: 'Id or slug of the key’s workspace.' },
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key, or a JWT signed with one of the workspace’s keys.',
  },
};

const IDEMPOTENCY_KEY: JsonObject = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'A name of the caller’s for this request, such as a UUID: sent again, it is answered as the first time.',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};

/** The document; `title`d schemas are named in it once and referred to. */
export function createOpenApi({ faces, systemRoutes }: OpenApiOptions): JsonObject {
  const schemas: JsonObject = {};
  const paths: Record<string, JsonObject> = {};
  const add = (route: Route, error: JsonObject) => {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: hoist(describeOperation(route, error), schemas) };
  };
  const last = errorOf(faces.at(-1));
  for (const face of faces) for (const route of face.routes) add(route, errorOf(face));
  for (const route of systemRoutes) add(route, last);
  return {
    openapi: '3.1.0',
    info: { title: 'Holdpoint', version: '1.0.0', description: ABOUT, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/' }],
    security: [{ apiKey: [], workspace: [] }, { bearer: [] }],
    tags: listTags(faces, systemRoutes),
    paths,
    components: {
      schemas,
      securitySchemes: SECURITY_SCHEMES,
      parameters: { 'Idempotency-Key': IDEMPOTENCY_KEY },
      headers: ANSWER_HEADERS as unknown as JsonObject,
    },
  };
}

function errorOf(face: Face | undefined): JsonObject {
  return face?.errorSchema ?? { type: 'object' };
}

function listTags(faces: readonly Face[], systemRoutes: readonly Route[]): Json[] {
  // The face that owns whatever no other does is the one that most readers come for.
  const routes = [...faces.toReversed().flatMap((face) => face.routes), ...systemRoutes];
  return [...new Set(routes.flatMap(({ tag }) => tag ?? []))].map((name) => ({ name }));
}

function describeOperation(route: Route, error: JsonObject): JsonObject {
  const { method, path, role, summary = `${method} ${path}`, description = '', tag } = route;
  const needs = role === 'public' ? 'Needs no credential.' : `Needs the role \`${role}\`.`;
  const request = describeBody(route);
  return {
    operationId: nameOperation(route),
    summary,
    description: `${description}\n\n${needs}`.trim(),
    ...(tag === undefined ? {} : { tags: [tag] }),
    ...(role === 'public' ? { security: [] } : {}),
    parameters: describeParameters(route),
    ...(request === null ? {} : { requestBody: request }),
    responses: describeAnswers(route, error),
  };
}

/** `POST /api/workflow/start/:workflowId` as `postApiWorkflowStartWorkflowId`: ugly, and as lasting as the path. */
function nameOperation({ method, path }: Route): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter(Boolean);
  return method.toLowerCase() + words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('');
}

function describeParameters(route: Route): Json[] {
  const { path, query = {}, headers = {} } = route;
  const inPath = [...path.matchAll(/:(\w+)/g)].map(
    ([, name = '']): Json => ({
      name,
      in: 'path',
      required: true,
      description: PARAMETERS[name] ?? PARAMETERS['id']!,
      schema: { type: 'string' },
      ...showValues(route, (example) => example.params?.[name]),
    }),
  );
  const required = (query['required'] ?? []) as string[];
  const inQuery = Object.entries((query['properties'] ?? {}) as Record<string, JsonObject>).map(
    ([name, { description, ...schema }]): Json => ({
      name,
      in: 'query',
      required: required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema,
    }),
  );
  const inHeaders = Object.entries(headers).map(([name, docs]): Json => ({ name, in: 'header', ...docs }));
  const key = isIdempotent(route) ? [{ $ref: '#/components/parameters/Idempotency-Key' }] : [];
  return [...inPath, ...inQuery, ...inHeaders, ...key];
}

function describeBody(route: Route): JsonObject | null {
  const { body, takesForm } = route;
  if (body === undefined || isEmpty(body)) return null;
  const json = { schema: body, ...showValues(route, (example) => example.body) };
  return { content: { 'application/json': json, ...(takesForm ? { 'multipart/form-data': { schema: FORM } } : {}) } };
}

/** A body in which nothing is allowed is none. */
function isEmpty({ properties, additionalProperties }: JsonObject): boolean {
  return additionalProperties === false && Object.keys(properties ?? {}).length === 0;
}

const FORM: JsonObject = {
  type: 'object',
  description: 'Fields are the input, read as the payload schema wants them; `data` may hold all of it as JSON.',
  properties: {
    data: { type: 'string', contentMediaType: 'application/json' },
    attachment: { description: 'One file of at most 3,932,160 bytes.', contentMediaType: 'application/octet-stream' },
  },
  additionalProperties: { type: 'string' },
};

/** The examples' values of one part of the request. */
function showValues(
  { examples = [] }: Route,
  read: (example: NonNullable<Route['examples']>[number]) => Json | undefined,
): JsonObject {
  const values = examples.flatMap((example) => {
    const value = read(example);
    return value === undefined ? [] : [[example.name, { value }] as const];
  });
  return values.length === 0 ? {} : { examples: Object.fromEntries(values) };
}

/** Moves every schema with a `title` into `schemas`, and leaves a reference to it; examples are left alone. */
function hoist<Value extends Json>(value: Value, schemas: JsonObject): Value {
  if (Array.isArray(value)) return value.map((item) => hoist(item, schemas)) as Value;
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, part]) => [
    key,
    key === 'examples' || key === 'example' ? part : hoist(part, schemas),
  ]);
  const copy = Object.fromEntries(entries) as JsonObject;
  if (typeof copy['title'] !== 'string') return copy as Value;
  schemas[copy['title']] = copy;
  return { $ref: `#/components/schemas/${copy['title']}` } as unknown as Value;
}
