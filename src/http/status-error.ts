// Errors in the shape of the API below `/workspaces`, which more than one face answers: `{statusCode, message, error, …}`.
// What went wrong and which status that is was decided before.

import { STATUS_CODES } from 'node:http';
import type { Json } from '../core/json.ts';
import { integer, listOf, namedObject, problem, text } from './json-schema.ts';
import type { ErrorReport } from './route.ts';

export const statusError = namedObject('StatusError', {
  statusCode: integer,
  message: { type: 'string', description: 'What went wrong and what to do, for people.' },
  error: { type: 'string', description: 'The status in words: `Not Found`.' },
  requestId: text,
  details: listOf(problem),
});

export function presentStatusError({ status, message, details, requestId }: ErrorReport): Json {
  const error = STATUS_CODES[status] ?? 'Error';
  return {
    statusCode: status,
    message: message === '' ? error : message,
    error,
    requestId,
    details: details.map((problem) => ({ ...problem })),
  };
}
