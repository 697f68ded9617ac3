// Hints that runs changed, from process to process over Redis pub/sub. A hint may be lost, late or doubled: whoever waits
// also looks at the table now and then, and the table is the truth.

import type { Redis } from 'ioredis';

export interface Wakeups {
  /** Tells everybody, without waiting for it. */
  publish(runIds: string[]): void;
  /** Calls `listener` with the ids of runs that changed; answers how to stop. */
  subscribe(listener: (runId: string) => void): () => void;
  close(): Promise<void>;
}

/** Listeners of one process, and its own changes: they need no way round over a server. */
export class Listeners {
  readonly #all = new Set<(runId: string) => void>();

  add(listener: (runId: string) => void): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  tell(runIds: string[]): void {
    for (const runId of runIds) for (const listener of this.#all) listener(runId);
  }
}

export async function openRedisWakeups(publisher: Redis, subscriber: Redis, prefix: string): Promise<Wakeups> {
  const channel = `${prefix}:wakeups`;
  const listeners = new Listeners();
  subscriber.on('message', (_channel: string, message: string) => listeners.tell(message.split(',')));
  void subscriber.subscribe(channel).catch(() => {});
  let waiting: string[] = [];

  function send(): void {
    const ids = waiting.join(',');
    waiting = [];
    publisher.publish(channel, ids).catch(() => {});
  }

  return {
    publish(runIds) {
      if (waiting.length === 0) setImmediate(send);
      waiting.push(...runIds);
    },
    subscribe: (listener) => listeners.add(listener),
    async close() {
      subscriber.disconnect();
    },
  };
}
