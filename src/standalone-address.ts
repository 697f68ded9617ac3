// Where a standalone listens, told to the command line by a file in the data folder: so `holdpoint status` finds the server that
// runs in the same folder on whatever port. Knows nothing of what stands beside it there.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const nameFile = (dataDir: string) => join(dataDir, 'address');

/** A folder that nobody may write to is no reason not to serve: then the address has to be said. */
export async function noteAddress(dataDir: string, address: string): Promise<void> {
  const write = async () => {
    await mkdir(dataDir, { recursive: true });
    await writeFile(nameFile(dataDir), `${address}\n`);
  };
  await write().catch(() => {});
}

export async function forgetAddress(dataDir: string): Promise<void> {
  await rm(nameFile(dataDir), { force: true }).catch(() => {});
}
