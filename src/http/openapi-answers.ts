// The answers that a route can give, for OpenAPI: what it declares, and what the edge adds to every route by itself:
// refusals of the request, of the credential and of too much, and our own failures. Texts only; nothing here answers.

import type { JsonObject } from '../core/json.ts';
import type { HeaderDocs, Route, RouteAnswer, RouteExample } from './route.ts';

/** What each status means wherever the edge itself answers it. */
const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The request is wrong; `details` names every problem with its place.',
  401: 'No credential, or one that is unknown, expired or revoked.',
  403: 'The credential’s role is too low, or it belongs to another workspace.',
  404: 'Nothing here has this id; another workspace’s ids are answered the same.',
  409: 'The state of things does not allow it, or a request with this `Idempotency-Key` is still running.',
  413: 'The body is larger than this route takes.',
  415: 'The body is of another type than this route takes.',
  422: 'The `Idempotency-Key` was used for another request.',
  429: 'Too many requests; `retry-after` says when to ask again.',
  500: 'Something failed on our side; quote the `requestId`.',
  503: 'The database cannot be reached at the moment; ask again after `retry-after` seconds.',
};
const WITH_RETRY_AFTER = new Set(['409', '429', '503']);

export const ANSWER_HEADERS: Readonly<Record<string, HeaderDocs>> = {
  'x-request-id': {
    description: 'The id of the request, in the log and in errors; one that the caller sends is taken over.',
    schema: { type: 'string' },
  },
  'x-ratelimit-limit': { description: 'Requests that the credential has a minute.', schema: { type: 'integer' } },
  'x-ratelimit-remaining': { description: 'How many are left of them.', schema: { type: 'integer' } },
  'retry-after': { description: 'Seconds after which to ask again.', schema: { type: 'integer' } },
  'idempotent-replayed': {
    description: '`true` when this is the answer to an earlier request with the same `Idempotency-Key`.',
    schema: { type: 'string', const: 'true' },
  },
};

/** Whether the route remembers requests by `Idempotency-Key`. */
export function isIdempotent({ method, role }: Route): boolean {
  return method !== 'GET' && role !== 'public';
}

/** Every answer of the route, by status. */
export function describeAnswers(route: Route, error: JsonObject): JsonObject {
  const success = String(route.successStatus ?? 200);
  const declared: Record<string, RouteAnswer> = { [success]: { description: 'Done.' }, ...route.responses };
  const statuses = new Set([...Object.keys(declared), ...listRefusals(route)]);
  const answers = [...statuses].sort().map((status) => {
    const answer = declared[status] ?? { description: REFUSALS[Number(status)]! };
    const schema = answer.schema ?? (Number(status) >= 400 && answer.contentType === undefined ? error : undefined);
    const full = { ...answer, ...(schema === undefined ? {} : { schema }) };
    const examples = (route.examples ?? []).filter(({ status: own = Number(success) }) => String(own) === status);
    return [status, describeAnswer(full, { headers: listHeaders(route, status), examples })] as const;
  });
  return Object.fromEntries(answers);
}

function listRefusals({ method, path, role, body, takesForm, ...route }: Route): string[] {
  const isPublic = role === 'public';
  return [
    '400',
    ...(isPublic ? [] : ['401', '403', '429']),
    ...(path.includes(':') ? ['404'] : []),
    ...(isIdempotent({ method, path, role, ...route }) ? ['409', '422'] : []),
    ...(body === undefined && !takesForm ? [] : ['413', '415']),
    '500',
    ...(isPublic ? [] : ['503']),
  ];
}

function listHeaders(route: Route, status: string): string[] {
  const isError = Number(status) >= 400;
  return [
    'x-request-id',
    ...(route.role === 'public' || status === '401' ? [] : ['x-ratelimit-limit', 'x-ratelimit-remaining']),
    ...(WITH_RETRY_AFTER.has(status) ? ['retry-after'] : []),
    ...(isIdempotent(route) && (!isError || status === '404' || status === '409') ? ['idempotent-replayed'] : []),
  ];
}

function describeAnswer(
  answer: RouteAnswer,
  { headers, examples }: { headers: string[]; examples: readonly RouteExample[] },
): JsonObject {
  const { description, schema, contentType = 'application/json', headers: own = {} } = answer;
  const shared = headers.map((name) => [name, { $ref: `#/components/headers/${name}` }]);
  const shown = examples.flatMap(({ name, answer: value }) =>
    value === undefined ? [] : [[name, { value }] as const],
  );
  const hasContent = schema !== undefined || answer.contentType !== undefined;
  const media: JsonObject = {
    ...(schema === undefined ? {} : { schema }),
    ...(shown.length === 0 ? {} : { examples: Object.fromEntries(shown) }),
  };
  return {
    description,
    headers: { ...Object.fromEntries(shared), ...(own as unknown as JsonObject) },
    ...(hasContent ? { content: { [contentType]: media } } : {}),
  };
}
