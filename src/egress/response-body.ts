// Reads a response's body into memory within a bound, before and after it is decompressed. What the bytes mean is the
// caller's business.

import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { EgressError } from './egress-error.ts';

const DECOMPRESS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** What `Accept-Encoding` should say. */
export const ENCODINGS = 'gzip, deflate, br';

/** The body, decompressed; throws `response_too_large` beyond `maxBytes`, `response_unreadable` for a broken encoding. */
export async function readBody(body: Readable, encoding: string, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of decompress(body, encoding)) {
      size += (chunk as Buffer).length;
      if (size > maxBytes) {
        const message = `The response is larger than ${maxBytes} bytes`;
        throw new EgressError('response_too_large', message, { sent: true });
      }
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    body.on('error', () => {}).destroy();
    if (isBroken(error))
      throw new EgressError('response_unreadable', 'The response is not what its Content-Encoding says', {
        sent: true,
        cause: error,
      });
    throw error;
  }
  return Buffer.concat(chunks);
}

function decompress(body: Readable, encoding: string): Readable {
  const name = encoding.trim().toLowerCase();
  if (name === '' || name === 'identity') return body;
  const create = Object.hasOwn(DECOMPRESS, name) ? DECOMPRESS[name] : undefined;
  if (create === undefined)
    throw new EgressError('response_unreadable', 'The response has a Content-Encoding that was not asked for', {
      sent: true,
    });
  // Errors of either end come out of the iteration.
  return pipeline(body, create(), () => {});
}

function isBroken(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('Z_') || code.startsWith('ERR__ERROR_FORMAT') || code.startsWith('ERR_BROTLI');
}
