// Removes what is left of workflows that were deleted for ever: their finished runs with everything that belongs to them,
// and when no run is left, their versions and themselves. Workflows that were made for one run, which a crash prevented, go
// the same way. In small steps, each of which stands for itself: a worker that dies leaves the rest to the next one, and
// several at once do no harm.

import { deleteOrphans, listPurgeable, removeDefinition, removeParts, removeRuns } from '../store/purge.ts';
import type { Engine } from './engine.ts';
import { repeat } from './repeat.ts';

/** A start that had read the workflow before it went may still commit its run, which then needs its version; none takes so long. */
const MIN_AGE_MS = 3_600_000;
const EVERY_MS = 60_000;
const WORKFLOWS = 20;

export interface PurgeBounds {
  /** Runs at a time. */
  runs: number;
  /** Rows a statement; it takes some tens of milliseconds. */
  rows: number;
}

const BOUNDS: PurgeBounds = { runs: 200, rows: 5_000 };

/** Answers how many runs were removed. Ends early when `signal` aborts. */
export async function purgeWorkflows(
  { db, log }: Pick<Engine, 'db' | 'log'>,
  { signal, bounds = BOUNDS }: { signal?: AbortSignal; bounds?: PurgeBounds } = {},
): Promise<number> {
  const goesOn = () => !signal?.aborted;
  const definitions = await listPurgeable(db, { minAgeMs: MIN_AGE_MS, limit: WORKFLOWS });
  let removed = 0;
  for (const definitionId of definitions) {
    for (let full = true; full && goesOn(); ) {
      const count = await removeRuns(db, { definitionId, limit: bounds.runs });
      removed += count;
      full = count === bounds.runs;
    }
  }
  for (let more = true; more && goesOn(); ) more = await removeParts(db, { runs: bounds.runs, limit: bounds.rows });
  for (const definitionId of definitions) {
    for (let more = true; more && goesOn(); ) more = await removeDefinition(db, { definitionId, minAgeMs: MIN_AGE_MS });
  }
  if (removed > 0) log.info({ runs: removed }, 'runs of deleted workflows removed');
  return removed;
}

/** The same request may make its run for a day, and whoever has read the workflow by then for a while longer. */
const ORPHAN_AGE_MS = 2 * 86_400_000;
/** Looked at in one go, which takes some tens of milliseconds. */
const ORPHANS = 5_000;

/**
 * Looks for workflows without the one run that they were made for, from `after` on; answers where to go on the next time. Each
 * is looked at once in the life of a process, since what has its run then has it for good.
 */
export async function sweepOrphans(
  { db, log }: Pick<Engine, 'db' | 'log'>,
  after: string | null,
  limit = ORPHANS,
): Promise<string | null> {
  const looked = await deleteOrphans(db, { after, minAgeMs: ORPHAN_AGE_MS, limit });
  if (looked === null) return after;
  if (looked.deleted > 0) log.info({ workflows: looked.deleted }, 'workflows of runs that never were are removed');
  return looked.last;
}

/** Purges now and then; answers how to stop. */
export function startPurge(engine: Engine): () => Promise<void> {
  let after: string | null = null;
  return repeat(engine, {
    everyMs: EVERY_MS,
    async work(signal) {
      after = await sweepOrphans(engine, after);
      await purgeWorkflows(engine, { signal });
    },
    failure: 'what deleted workflows left is removed later',
  });
}
