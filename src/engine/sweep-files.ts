// Removes files that no run came for: their start was refused in the middle, or its process died. An hour is far longer
// than any start takes, so nothing is removed under one that is still on its way.

import { keepFilesOfRuns, listOrphanFiles } from '../store/files.ts';
import type { Engine } from './engine.ts';
import { repeat } from './repeat.ts';
import { discardFile } from './store-file.ts';

const MIN_AGE_MS = 3_600_000;
const EVERY_MS = 600_000;
const BATCH = 100;

/** Removes what is there to remove, and answers how many files that were. Processes that do it at once do no harm. */
export async function sweepFiles(engine: Engine): Promise<number> {
  await keepFilesOfRuns(engine.db, MIN_AGE_MS);
  const orphans = await listOrphanFiles(engine.db, { minAgeMs: MIN_AGE_MS, limit: BATCH });
  for (const file of orphans) await discardFile(engine, file);
  if (orphans.length > 0) engine.log.info({ files: orphans.length }, 'files without a run removed');
  return orphans.length;
}

/** Sweeps now and then; answers how to stop. */
export function startFileSweep(engine: Engine): () => Promise<void> {
  return repeat(engine, {
    everyMs: EVERY_MS,
    work: () => sweepFiles(engine),
    failure: 'unused files are left to the next sweep',
  });
}
