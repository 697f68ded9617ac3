// Where files go that need not outlive the run: into memory, which is many times faster than a disk for the hundreds of
// databases that tests have made and thrown away. Knows nothing of what is kept there.

import { chmodSync, mkdtempSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { getReaper } from './reaper.ts';

const PLACE = '/dev/shm';
/** A run needs a tenth of it. Containers have 64 MB there unless they are given more. */
const ROOM = 4 * 1024 ** 3;

let folder: string | null = null;

/** A folder of this run, removed at its end; on the disk where there is no room in memory. */
export function getFastFolder(): string {
  folder ??= hasRoom() ? makeFolder() : getReaper().folder;
  return folder;
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(PLACE);
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
    const options = mounts.map((line) => line.split(' ')).find(([, path]) => path === PLACE)?.[3];
    // Postgres may have to be copied beside its data, and to run from there.
    const runsPrograms = options !== undefined && !options.split(',').includes('noexec');
    return runsPrograms && bavail * bsize > ROOM && process.availableMemory() > ROOM;
  } catch {
    return false;
  }
}

function makeFolder(): string {
  const made = mkdtempSync(join(PLACE, 'holdpoint-test-'));
  getReaper().remove(made);
  chmodSync(made, 0o755);
  return made;
}
