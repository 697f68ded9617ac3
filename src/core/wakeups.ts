// Hints that runs changed, from process to process. A hint may be lost, late or doubled: whoever waits also looks at the
// table now and then, and the table is the truth. How hints travel (Redis, Postgres) is somebody else's.

export interface Hint {
  runId: string;
  /** What has become of it, as most who wait want to know: `settled` is finished, or waits for somebody. */
  to: 'moving' | 'settled' | 'finished';
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
/** Behind the id, where it is more than moving. */
const MARKS = { moving: '', settled: '!', finished: '.' };
const RANK = { moving: 0, settled: 1, finished: 2 };

/** Gathers hints into few messages, and hands out those of the messages that `receive` is given. */
export function gatherHints({ self, send, defer, onListening = () => {} }: HintCarrier) {
  const listeners = new Set<HintListener>();
  const waiting = new Map<string, Hint['to']>();
  const mark = `${self}:`;

  function sendWaiting(): void {
    for (const listener of listeners) for (const [runId, to] of waiting) listener({ runId, to });
    const hints = [...waiting].map(([runId, to]) => runId + MARKS[to]);
    waiting.clear();
    for (let from = 0; from < hints.length; from += MAX_HINTS)
      send(mark + hints.slice(from, from + MAX_HINTS).join(','));
  }

  return {
    publish({ runId, to }: Hint): void {
      if (waiting.size === 0) defer(sendWaiting);
      const before = waiting.get(runId);
      waiting.set(runId, before !== undefined && RANK[before] > RANK[to] ? before : to);
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
        const hint = readHint(part);
        for (const listener of listeners) listener(hint);
      }
    },
  };
}

function readHint(part: string): Hint {
  for (const to of ['finished', 'settled'] as const)
    if (part.endsWith(MARKS[to])) return { runId: part.slice(0, -1), to };
  return { runId: part, to: 'moving' };
}
