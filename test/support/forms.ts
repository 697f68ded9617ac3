// Sends multipart/form-data: as a browser or curl would, or byte by byte where a client misbehaves.

import type { Answer } from './api.ts';

export interface SentFile {
  content: Uint8Array;
  filename?: string;
  type?: string;
}

/** A form with fields and files, as fetch makes it. */
export function formOf(
  fields: Record<string, string | readonly string[]>,
  files: Record<string, SentFile> = {},
): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) for (const text of [value].flat()) form.append(name, text);
  for (const [name, { content, filename = 'file.pdf', type = 'application/pdf' }] of Object.entries(files)) {
    form.append(name, new Blob([new Uint8Array(content)], { type }), filename);
  }
  return form;
}

export const BOUNDARY = 'x-boundary-x';

/** One part of a form, its headers as they are given. */
export function part(headers: string | Buffer, content: string | Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(`--${BOUNDARY}\r\n`),
    Buffer.from(headers),
    Buffer.from('\r\n\r\n'),
    Buffer.from(content),
    Buffer.from('\r\n'),
  ]);
}

/** The parts as a whole body. */
export function rawForm(...parts: Buffer[]): Buffer {
  return Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

/** Posts a form; the answer's body is parsed when it is JSON. */
export async function postForm(
  url: string,
  { key, body, headers = {} }: { key?: string; body: FormData | Uint8Array; headers?: Record<string, string> },
): Promise<Answer> {
  const type = body instanceof FormData ? {} : { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` };
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...type, ...headers },
    body: body instanceof FormData ? body : new Uint8Array(body),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
  return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : text };
}
