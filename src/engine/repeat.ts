// Work that a process does now and then for as long as it lives. What it is, and what becomes of it when it fails, is known
// by whoever asks: here it is tried again the next time.

import type { Engine } from './engine.ts';

export interface Repeated {
  everyMs: number;
  /** Its signal aborts when the process stops. */
  work(signal: AbortSignal): Promise<unknown>;
  /** Logged when the work throws. */
  failure: string;
}

/** Answers how to stop; that resolves when no work is under way any more. */
export function repeat({ log }: Pick<Engine, 'log'>, { everyMs, work, failure }: Repeated): () => Promise<void> {
  const stopping = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  let isRunning = false;
  const run = () => {
    if (isRunning) return;
    isRunning = true;
    running = work(stopping.signal)
      .catch((error: unknown) => log.warn({ error: String(error) }, failure))
      .finally(() => {
        isRunning = false;
      });
  };
  // Not all processes of a deployment at the same moment.
  const timer = setInterval(run, everyMs * (0.75 + Math.random() / 2));
  timer.unref();
  return async () => {
    clearInterval(timer);
    stopping.abort();
    await running;
  };
}
