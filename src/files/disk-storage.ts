// Files in a folder of this machine: `<folder>/<workspace>/<file>`. Knows nothing of who may read what; every process that
// is to see a file must see the folder.

import { randomUUID } from 'node:crypto';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FileStorage } from './storage.ts';

export function createDiskStorage(folder: string): FileStorage {
  return {
    async put(key, content) {
      const path = join(folder, key);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      // `x`: a file is never written over.
      const file = await open(path, 'wx', 0o600);
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      await syncFolder(dirname(path));
    },

    async open(key) {
      const file = await open(join(folder, key), 'r').catch(nullIfMissing);
      return file?.createReadStream() ?? null;
    },

    async remove(key) {
      await rm(join(folder, key), { force: true });
    },

    async probe() {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        // By a name of its own, since others probe the same folder at the same time.
        const path = join(folder, `.probe-${randomUUID()}`);
        await writeFile(path, '.', { mode: 0o600 });
        await rm(path, { force: true });
        return { ok: true };
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
        return { ok: false, message: `the folder of files cannot be written to (${code})` };
      }
    },

    async close() {},
  };
}

/** A new file is only certain to be found again once its folder's entry is on the disk too. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function nullIfMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
  throw error;
}
