// Hints that runs changed, over LISTEN/NOTIFY: for a Holdpoint whose queue lives in Postgres too. Sent apart from the
// commit, because a NOTIFY inside it would make all commits wait for each other.

import pg from 'pg';
import type { Database } from './db.ts';

export interface Wakeups {
  publish(runIds: string[]): void;
  subscribe(listener: (runId: string) => void): () => void;
  close(): Promise<void>;
}

/** A payload holds at most 8,000 bytes. */
const MAX_IDS = 200;
const RECONNECT_MS = 1_000;

export function openPostgresWakeups(db: Database, channel: string): Wakeups {
  const listeners = new Set<(runId: string) => void>();
  let client: pg.Client | null = null;
  let closed = false;
  let waiting: string[] = [];

  function send(): void {
    const ids = [...new Set(waiting)];
    waiting = [];
    for (let from = 0; from < ids.length; from += MAX_IDS) {
      const payload = ids.slice(from, from + MAX_IDS).join(',');
      db.pool.query({ name: 'notify', text: 'SELECT pg_notify($1, $2)', values: [channel, payload] }).catch(() => {});
    }
  }

  async function listen(): Promise<void> {
    const next = new pg.Client({ connectionString: db.url, application_name: 'holdpoint listen', keepAlive: true, connectionTimeoutMillis: 2_000 });
    client = next;
    next.on('error', () => {});
    next.on('end', () => {
      if (!closed) setTimeout(() => void listen(), RECONNECT_MS).unref();
    });
    next.on('notification', ({ payload }) => {
      for (const runId of payload?.split(',') ?? []) for (const listener of listeners) listener(runId);
    });
    try {
      await next.connect();
      await next.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    } catch {
      await next.end().catch(() => {});
    }
  }

  void listen();
  return {
    publish(runIds) {
      if (waiting.length === 0) setImmediate(send);
      waiting.push(...runIds);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      closed = true;
      await client?.end().catch(() => {});
    },
  };
}
