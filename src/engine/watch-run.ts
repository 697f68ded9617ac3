// Waiting for a run to move: hints wake a look at the table, and a look now and then makes up for hints that got lost.

import { FINISHED, isSettled, type RunStatus } from '../core/run.ts';
import { isTransient } from '../store/db.ts';
import { findRunStatus } from '../store/runs.ts';
import type { Engine } from './engine.ts';

const LOOK_EVERY_MS = 500;

export interface Watched {
  runId: string;
  workspaceId: string;
  signal?: AbortSignal;
  /** Wake only for hints of a settled run, and end with that of a finished one; in between, the look now and then has to do. */
  onlySettled?: boolean;
}

/** Yields the run's status and last sequence number now and after every change that is noticed, until it is finished or `signal` aborts. */
export async function* watchRun(
  engine: Engine,
  { runId, workspaceId, signal, onlySettled = false }: Watched,
): AsyncGenerator<{ status: RunStatus; seq: number }> {
  let wake = () => {};
  let hinted = false;
  let isOver = false;
  const stopListening = engine.wakeups.subscribe((hint) => {
    if (hint.runId !== runId || (onlySettled && hint.to === 'moving')) return;
    hinted = true;
    isOver ||= onlySettled && hint.to === 'finished';
    wake();
  });
  signal?.addEventListener('abort', () => wake());
  engine.metrics.openWaiters.inc();
  try {
    for (let seen = 0; !signal?.aborted && !isOver; ) {
      hinted = false;
      const found = await look(engine, workspaceId, runId);
      if (found && found.seq !== seen) {
        seen = found.seq;
        yield found;
        if (FINISHED.has(found.status)) return;
      }
      if (hinted || signal?.aborted) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_EVERY_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    stopListening();
    engine.metrics.openWaiters.dec();
  }
}

/**
 * Whether the run is settled (finished, or waiting for somebody) within `timeoutMs`. That it has finished is taken from whoever
 * committed it; what became of it is for the caller to read.
 */
export async function waitUntilSettled(
  engine: Engine,
  { timeoutMs, signal, ...watched }: Watched & { timeoutMs: number },
): Promise<boolean> {
  const ended = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]);
  for await (const { status } of watchRun(engine, { ...watched, onlySettled: true, signal: ended })) {
    if (isSettled(status)) return true;
  }
  return !ended.aborted;
}

/** A database that is away for a moment is no reason to stop waiting. */
async function look(engine: Engine, workspaceId: string, runId: string) {
  try {
    return await findRunStatus(engine.db.pool, workspaceId, runId);
  } catch (error) {
    if (isTransient(error)) return null;
    throw error;
  }
}
