// Where the content of files lies: one small interface and the choice of what is behind it. Names are given by the
// engine; which files there are, whose they are and what they are called stands in Postgres.

import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Config, S3Settings } from '../config.ts';

/** Objects by key, written once. A key is two UUIDs, `<workspace>/<file>`. */
export interface FileStorage {
  /** Resolves once the content would survive a crash. What is left of one that failed, `remove` takes away. */
  put(key: string, content: Uint8Array): Promise<void>;
  /** The content, or null when there is none. Whoever does not read it to its end destroys it. */
  open(key: string): Promise<Readable | null>;
  /** Takes the content away, if there is any. */
  remove(key: string): Promise<void>;
  /** Whether files could be kept now; the message is for anybody to read and names no place. */
  probe(): Promise<{ ok: boolean; message?: string }>;
  close(): Promise<void>;
}

/** Where files go, and how many bytes of them each workspace may have. */
export interface Files {
  storage: FileStorage;
  quotaBytes: number;
}

/** What the settings say of files. */
export async function openFiles(config: Pick<Config, 'dataDir' | 'filesS3' | 'filesQuota'>): Promise<Files> {
  const storage = await openStorage({ folder: join(config.dataDir, 'files'), s3: config.filesS3 });
  return { storage, quotaBytes: config.filesQuota };
}

const KEY = /^[0-9a-f-]{36}\/[0-9a-f-]{36}$/;

/** A bucket where one is named, else the folder, which is made when the first file comes; connects to nothing yet. */
export async function openStorage({ folder, s3 }: { folder: string; s3: S3Settings | null }): Promise<FileStorage> {
  // Loaded only where it is used: the SDK takes longer to load than the rest of a process.
  const storage =
    s3 === null
      ? (await import('./disk-storage.ts')).createDiskStorage(folder)
      : (await import('./s3-storage.ts')).createS3Storage(s3);
  return {
    put: async (key, content) => storage.put(checkKey(key), content),
    open: async (key) => storage.open(checkKey(key)),
    remove: async (key) => storage.remove(checkKey(key)),
    probe: () => storage.probe(),
    close: () => storage.close(),
  };
}

/** A key is part of a path: nothing that a client sent may ever become one. */
function checkKey(key: string): string {
  if (!KEY.test(key)) throw new Error(`"${key}" is no key of a file`);
  return key;
}
