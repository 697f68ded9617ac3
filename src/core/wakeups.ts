// Hints that runs changed, from process to process. A hint may be lost, late or doubled: whoever waits also looks at the
// table now and then, and the table is the truth. How hints travel (Redis, Postgres) is somebody else's.

export interface Hint {
  runId: string;
  /** The run is finished or waits for somebody: what most waiters wait for. */
  isSettled: boolean;
}

export type HintListener = (hint: Hint) => void;

export interface Wakeups {
  /** Tells everybody, without waiting for it. */
  publish(hint: Hint): void;
  /** Calls `listener` for every hint that arrives; answers how to stop. */
  subscribe(listener: HintListener): () => void;
  close(): Promise<void>;
}

/** What fits into one NOTIFY (8,000 bytes). */
const MAX_HINTS = 200;
const SETTLED = '!';

/**
 * Gathers the hints that come before `defer` runs what it is given into few messages for `send`, and hands out those of the
 * messages that `receive` is given.
 */
export function gatherHints(send: (message: string) => void, defer: (run: () => void) => void) {
  const listeners = new Set<HintListener>();
  const waiting = new Map<string, boolean>();

  function sendWaiting(): void {
    const hints = [...waiting].map(([runId, isSettled]) => (isSettled ? runId + SETTLED : runId));
    waiting.clear();
    for (let from = 0; from < hints.length; from += MAX_HINTS) send(hints.slice(from, from + MAX_HINTS).join(','));
  }

  return {
    publish({ runId, isSettled }: Hint): void {
      if (waiting.size === 0) defer(sendWaiting);
      waiting.set(runId, isSettled || (waiting.get(runId) ?? false));
    },
    subscribe(listener: HintListener): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    receive(message: string): void {
      for (const part of message.split(',')) {
        const isSettled = part.endsWith(SETTLED);
        const hint = { runId: isSettled ? part.slice(0, -1) : part, isSettled };
        for (const listener of listeners) listener(hint);
      }
    },
  };
}
