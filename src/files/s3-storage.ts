// Files in a bucket of S3 or of anything that speaks its protocol. The only file that knows the AWS SDK; the bucket must be
// there, private, and needs no versions.

import { Readable } from 'node:stream';
import { DeleteObjectCommand, GetObjectCommand, NoSuchKey, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Settings } from '../config.ts';
import type { FileStorage } from './storage.ts';

/** Until the answer begins; how long its content takes is the reader's affair. */
const CONNECT_MS = 2_000;
const ANSWER_MS = 10_000;
/** All tries together. */
const PUT_MS = 15_000;
const PROBE_MS = 2_000;

export function createS3Storage({ bucket, endpoint, region, credentials }: S3Settings): FileStorage {
  const client = new S3Client({
    region,
    maxAttempts: 3,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: ANSWER_MS, throwOnRequestTimeout: true },
    // Checksums as trailers are AWS' own way; many servers that speak S3 refuse them.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(endpoint === null ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === null ? {} : { credentials }),
  });
  return {
    async put(key, content) {
      const object = { Bucket: bucket, Key: key, Body: content, ContentType: 'application/octet-stream' };
      await client.send(new PutObjectCommand(object), { abortSignal: AbortSignal.timeout(PUT_MS) });
    },

    async open(key) {
      const found = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key })).catch(nullIfMissing);
      if (found === null) return null;
      if (found.Body instanceof Readable) return found.Body;
      throw new Error('the S3 server answered without a content');
    },

    async remove(key) {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
    },

    async probe() {
      const nobodys = new GetObjectCommand({ Bucket: bucket, Key: '.probe' });
      const asked = client.send(nobodys, { abortSignal: AbortSignal.timeout(PROBE_MS) });
      return asked.then(() => ({ ok: true }), explainRefusal);
    },

    async close() {
      client.destroy();
    },
  };
}

function nullIfMissing(error: unknown): null {
  if (error instanceof NoSuchKey) return null;
  throw error;
}

/** Whoever may not list a bucket is told `AccessDenied` of what is not there: it answers, and knows the keys. */
const ANSWERS = new Set(['NoSuchKey', 'AccessDenied']);
const REFUSALS: ReadonlyMap<string, string> = new Map([
  ['NoSuchBucket', 'the bucket of files is not there'],
  ['InvalidAccessKeyId', 'the bucket of files refuses its keys'],
  ['SignatureDoesNotMatch', 'the bucket of files refuses its keys'],
]);

function explainRefusal(error: unknown): { ok: boolean; message?: string } {
  const name = error instanceof Error ? error.name : '';
  if (ANSWERS.has(name)) return { ok: true };
  return { ok: false, message: REFUSALS.get(name) ?? 'the bucket of files does not answer' };
}
