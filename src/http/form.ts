// Reads multipart/form-data: text fields and one file, `attachment`, which stays in memory until it is stored, so nothing
// has to be cleaned up however a request ends. That is why only a few are read at once. Knows no route and no workflow.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import type { Context } from 'koa';
import { AppError } from '../core/errors.ts';
import type { FormField } from '../core/form-input.ts';
import type { JsonObject } from '../core/json.ts';
import type { Actor } from '../core/run.ts';
import type { Upload } from '../engine/store-file.ts';
import { drain } from './body.ts';
import { UploadSlots } from './upload-slots.ts';

export const MAX_FILE_BYTES = 3_932_160;
const MAX_FIELDS = 50;
const MAX_FIELDS_BYTES = 65_536;
/** The largest file and the longest fields, with the headers between them. */
const MAX_FORM_BYTES = MAX_FILE_BYTES + 4 * MAX_FIELDS_BYTES;
const LIMITS = {
  fields: MAX_FIELDS,
  fieldSize: MAX_FIELDS_BYTES,
  files: 1,
  fileSize: MAX_FILE_BYTES,
  parts: MAX_FIELDS + 1,
  headerPairs: 20,
  headerSize: 8_192,
};
const FILE_FIELD = 'attachment';

/** A form that was read. Whoever is done with the attachment before the request is over lets go of it by `release`. */
export interface Form {
  readonly fields: readonly FormField[];
  /** Null when none was sent, and after `release`. */
  readonly attachment: Upload | null;
  release(): void;
}

export type ReadForm = (context: Context, actor: Actor) => Promise<Form>;

interface Parsed {
  fields: FormField[];
  attachment: Upload | null;
  /** The first thing that is wrong with the form. */
  refusal: AppError | null;
}

export function isForm({ request }: Context): boolean {
  return request.type.toLowerCase() === 'multipart/form-data';
}

/**
 * Makes the reader of forms; at most `parallel` are held at once.
 * Throws `invalid_request`, `payload_too_large`, `unsupported_media_type`, `rate_limit_exceeded`.
 */
export function createFormReader({ parallel }: { parallel: number }): ReadForm {
  const slots = new UploadSlots(parallel);
  return async (context, { workspaceId }) => {
    let free: () => void = () => {};
    try {
      free = slots.take(context, workspaceId);
      return hold(await parse(context), free);
    } catch (error) {
      free();
      drain(context);
      throw error instanceof AppError ? error : unreadable(error);
    }
  };
}

/** What the form says, for telling one request from another: without the content, but with its hash. */
export function describeForm({ fields, attachment }: Form): JsonObject {
  const file = attachment && { filename: attachment.filename, sha256: attachment.sha256.toString('hex') };
  return { fields: fields.map(([name, text]) => [name, text]), attachment: file };
}

function hold({ fields, attachment }: Parsed, free: () => void): Form {
  let held = attachment;
  return {
    fields,
    get attachment() {
      return held;
    },
    release() {
      held = null;
      free();
    },
  };
}

async function parse(context: Context): Promise<Parsed> {
  if (context.get('content-encoding') !== '')
    throw new AppError('unsupported_media_type', 'send the form as it is, without Content-Encoding');
  if ((context.request.length ?? 0) > MAX_FORM_BYTES) throw tooLarge();
  const parser = new Busboy({
    headers: { ...context.headers, 'content-type': context.get('content-type') },
    limits: LIMITS,
    isPartAFile: (_name, _type, filename) => filename !== undefined,
  });
  const parsed = collect(parser);
  await feed(context.req, parser, parsed);
  if (parsed.refusal !== null) throw parsed.refusal;
  return parsed;
}

/** Gives the parser the request, chunk by chunk, until either is over or something is wrong. */
async function feed(request: IncomingMessage, parser: BusboyInstance, parsed: Parsed): Promise<void> {
  const finished = once(parser, 'finish');
  // Awaited below, and its failure with it; until then it must not count as one that nobody handles.
  finished.catch(() => {});
  let bytes = 0;
  // Destroying the request would cut the connection before the refusal is heard.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_FORM_BYTES) throw tooLarge();
    if (parsed.refusal !== null) throw parsed.refusal;
    if (!parser.write(chunk)) await Promise.race([once(parser, 'drain'), finished]);
  }
  parser.end();
  await finished;
}

function collect(parser: BusboyInstance): Parsed {
  const parsed: Parsed = { fields: [], attachment: null, refusal: null };
  const refuse = (refusal: AppError) => {
    parsed.refusal ??= refusal;
  };
  let fieldBytes = 0;
  parser.on('field', (name, text, _, isCut) => {
    fieldBytes += Buffer.byteLength(text);
    if (isCut || fieldBytes > MAX_FIELDS_BYTES) refuse(tooMuchText());
    else if (typeof name !== 'string' || name === '')
      refuse(wrong('', 'has a field without a name', 'name each field'));
    else if (name === FILE_FIELD && text === '')
      return; // a browser's, where no file was chosen
    else if (name === FILE_FIELD)
      refuse(wrong(`/${name}`, 'must be a file', `with curl, write -F ${FILE_FIELD}=@path`));
    else parsed.fields.push([name, text]);
  });
  parser.on('file', (name, stream, filename, _, contentType) => {
    if (name !== FILE_FIELD) refuse(wrong(`/${name ?? ''}`, 'is a file', `send the file as ${FILE_FIELD}`));
    receive(stream, refuse, (content, sha256) => {
      parsed.attachment = { filename, contentType, content, sha256 };
    });
  });
  // Listened to for good: a parser may fail more than once, and an error that nobody hears would end the process.
  parser.on('error', (error: unknown) => refuse(unreadable(error)));
  parser.on('filesLimit', () => refuse(wrong(`/${FILE_FIELD}`, 'is sent twice', 'one file goes with a start')));
  parser.on('fieldsLimit', () => refuse(tooMuchText()));
  parser.on('partsLimit', () => refuse(tooMuchText()));
  return parsed;
}

function receive(
  stream: BusboyFileStream,
  refuse: (refusal: AppError) => void,
  done: (content: Buffer, sha256: Buffer) => void,
): void {
  const chunks: Buffer[] = [];
  const hash = createHash('sha256');
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    hash.update(chunk);
  });
  stream.on('limit', () => refuse(tooLarge()));
  // The parser fails as well, and says so.
  stream.on('error', () => {});
  stream.on('end', () => done(Buffer.concat(chunks), hash.digest()));
}

function tooLarge(): AppError {
  return new AppError('payload_too_large', `the attachment may have ${MAX_FILE_BYTES} bytes; send a smaller one`);
}

function tooMuchText(): AppError {
  const limits = `${MAX_FIELDS} fields with ${MAX_FIELDS_BYTES} bytes together`;
  return new AppError('payload_too_large', `a form may have ${limits}; send less, or send JSON without a file`);
}

function wrong(pointer: string, message: string, hint: string): AppError {
  return new AppError('invalid_request', `${pointer || 'the form'} ${message}`, [{ pointer, message, hint }]);
}

function unreadable(cause: unknown): AppError {
  const reason = 'the form could not be read; send multipart/form-data with a boundary, to its end';
  return new AppError('invalid_request', reason, [], { cause });
}
