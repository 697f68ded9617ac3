// Reads the body of a request: JSON within its limit, or a clear refusal. Decides the content type once, before a byte
// is parsed, and knows nothing about schemas.

import type { Context, Middleware } from 'koa';
import { HttpMethodEnum, koaBody } from 'koa-body';
import { AppError, type Problem } from '../core/errors.ts';
import { findJsonProblems, type Json, MAX_DEPTH } from '../core/json.ts';
import { findInexactNumbers } from '../core/json-numbers.ts';

export const DEFAULT_BODY_LIMIT = 1_048_576;

const PARSED_METHODS = [HttpMethodEnum.POST, HttpMethodEnum.PUT, HttpMethodEnum.PATCH, HttpMethodEnum.DELETE];

export type ReadBody = (context: Context) => Promise<unknown>;

/** Where a body's text is found afterwards, as it came: that is what a signature is of. */
export const BODY_TEXT = 'bodyText';

/**
 * Makes a reader of JSON bodies up to `limit` bytes; no body at all reads as `{}`. `keepsText`: in the context's state.
 * Throws `unsupported_media_type`, `payload_too_large`, `invalid_request`.
 */
export function createBodyReader(limit: number = DEFAULT_BODY_LIMIT, { keepsText = false } = {}): ReadBody {
  const parse: Middleware = koaBody({
    json: true,
    jsonLimit: limit,
    jsonStrict: true,
    jsonTypes: ['application/json'],
    includeUnparsed: true,
    multipart: false,
    urlencoded: false,
    text: false,
    parsedMethods: PARSED_METHODS,
  });
  return async (context) => {
    if (!hasBody(context)) return {};
    refuseOtherTypes(context);
    if ((context.request.length ?? 0) > limit && context.get('content-encoding') === '') throw tooLarge(limit);
    await parse(context, async () => {}).catch((error: unknown) => {
      drain(context);
      throw isFromZlib(error) ? notCompressed() : error;
    });
    const body = context.request.body as unknown;
    const text = takeText(context);
    if (keepsText) context.state[BODY_TEXT] = text;
    const problems = findJsonProblems(body, { maxBytes: limit, maxDepth: MAX_DEPTH });
    if (problems.length === 0) problems.push(...findInexactNumbers(text, body as Json));
    if (problems.length > 0) throw new AppError('invalid_request', describe(problems[0]!), problems);
    return body;
  };
}

/** The text that the body was parsed from; taken from the request, it need not stay in memory. */
function takeText({ request }: Context): string {
  const text: unknown = Reflect.get(request, 'rawBody');
  Reflect.deleteProperty(request, 'rawBody');
  return typeof text === 'string' ? text : '';
}

/**
 * Lets the rest of a refused body run into nothing, at most until the server's request timeout. Without it the socket
 * stays paused; closing it instead can reset the connection before the client has read why.
 */
export function drain({ req }: Context): void {
  req.unpipe();
  req.resume();
}

function hasBody({ request }: Context): boolean {
  return (request.length ?? 0) > 0 || request.get('transfer-encoding') !== '';
}

function refuseOtherTypes({ request }: Context): void {
  if (request.type.toLowerCase() !== 'application/json') {
    throw new AppError('unsupported_media_type', 'send the body as JSON, with Content-Type: application/json');
  }
  if (!['', 'utf-8', 'utf8'].includes(request.charset.toLowerCase())) {
    throw new AppError('unsupported_media_type', 'send the body as JSON in UTF-8');
  }
}

/** gzip's errors are named Z_…, brotli's ERR_…; those of the parser itself bring a status. */
function isFromZlib(error: unknown): boolean {
  return error instanceof Error && 'errno' in error && 'code' in error && !('status' in error);
}

function notCompressed(): AppError {
  return new AppError('invalid_request', 'the body is not what its Content-Encoding says; check the compression');
}

function tooLarge(limit: number): AppError {
  return new AppError(
    'payload_too_large',
    `the body is larger than the ${limit} bytes that this route takes; send less`,
  );
}

function describe(problem: Problem): string {
  return `${problem.pointer === '' ? 'the body' : problem.pointer} ${problem.message}`;
}
