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

/** What hints need of the outside. */
export interface HintCarrier {
  /** This process, in its own messages: what it tells itself takes no way round. Without a colon. */
  self: string;
  /** Tells the other processes, without waiting for it. */
  send(message: string): void;
  /** Runs what it is given a moment later: what is published meanwhile goes together. */
  defer(run: () => void): void;
  /** Somebody listens now where nobody did, or nobody does any more. */
  onListening?(isListening: boolean): void;
}

/** What fits into one NOTIFY (8,000 bytes). */
const MAX_HINTS = 200;
const SETTLED = '!';

/** Gathers hints into few messages, and hands out those of the messages that `receive` is given. */
export function gatherHints({ self, send, defer, onListening = () => {} }: HintCarrier) {
  const listeners = new Set<HintListener>();
  const waiting = new Map<string, boolean>();
  const mark = `${self}:`;

  function sendWaiting(): void {
    for (const listener of listeners) for (const [runId, isSettled] of waiting) listener({ runId, isSettled });
    const hints = [...waiting].map(([runId, isSettled]) => (isSettled ? runId + SETTLED : runId));
    waiting.clear();
    for (let from = 0; from < hints.length; from += MAX_HINTS)
      send(mark + hints.slice(from, from + MAX_HINTS).join(','));
  }

  return {
    publish({ runId, isSettled }: Hint): void {
      if (waiting.size === 0) defer(sendWaiting);
      waiting.set(runId, isSettled || (waiting.get(runId) ?? false));
    },
    subscribe(listener: HintListener): () => void {
      listeners.add(listener);
      if (listeners.size === 1) onListening(true);
      return () => {
        if (listeners.delete(listener) && listeners.size === 0) onListening(false);
      };
    },
    receive(message: string): void {
      if (listeners.size === 0 || message.startsWith(mark)) return;
      for (const part of message.slice(message.indexOf(':') + 1).split(',')) {
        const isSettled = part.endsWith(SETTLED);
        const hint = { runId: isSettled ? part.slice(0, -1) : part, isSettled };
        for (const listener of listeners) listener(hint);
      }
    },
  };
}
