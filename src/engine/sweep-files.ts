// Removes files that no run came for: their start was refused in the middle, or its process died. An hour is far longer
// than any start takes, so nothing is removed under one that is still on its way.

import { keepFilesOfRuns, listOrphanFiles } from '../store/files.ts';
import type { Engine } from './engine.ts';
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
  let running: Promise<unknown> = Promise.resolve();
  const sweep = () => {
    running = sweepFiles(engine).catch((error: unknown) =>
      engine.log.warn({ error: String(error) }, 'unused files are left to the next sweep'),
    );
  };
  // Not all processes of a deployment at the same moment.
  const timer = setInterval(sweep, EVERY_MS * (0.75 + Math.random() / 2));
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running;
  };
}
