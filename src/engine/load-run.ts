// Loads of many runs at once: those asked for while a load is under way go together in the next one.

import { loadRuns } from '../store/runs.ts';
import type { Engine, RememberedRun } from './engine.ts';

interface Loader {
  waiting: Map<string, { resolve(run: RememberedRun | null): void; reject(error: unknown): void }[]>;
  inFlight: number;
}

const MAX_BATCH = 100;
const MAX_IN_FLIGHT = 2;
const loaders = new WeakMap<Engine, Loader>();

/** The run as it is stored now, or null. */
export function loadRun(engine: Engine, runId: string): Promise<RememberedRun | null> {
  const loader = loaders.get(engine) ?? { waiting: new Map(), inFlight: 0 };
  loaders.set(engine, loader);
  return new Promise((resolve, reject) => {
    const others = loader.waiting.get(runId) ?? [];
    loader.waiting.set(runId, [...others, { resolve, reject }]);
    if (loader.inFlight < MAX_IN_FLIGHT) void loadWaiting(engine, loader);
  });
}

async function loadWaiting(engine: Engine, loader: Loader): Promise<void> {
  loader.inFlight += 1;
  while (loader.waiting.size > 0) {
    const batch = [...loader.waiting].slice(0, MAX_BATCH);
    for (const [runId] of batch) loader.waiting.delete(runId);
    try {
      const states = await loadRuns(engine.db.pool, batch.map(([runId]) => runId));
      for (const [runId, waiting] of batch) {
        const state = states.get(runId);
        for (const { resolve } of waiting) resolve(state ? { state, outputsKnown: new Set() } : null);
      }
    } catch (error) {
      for (const [, waiting] of batch) for (const { reject } of waiting) reject(error);
    }
  }
  loader.inFlight -= 1;
}
