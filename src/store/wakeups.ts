// Hints over LISTEN/NOTIFY: for a Holdpoint whose queue lives in Postgres too. Sent apart from the commit, because a NOTIFY
// inside it would make all commits wait for each other.

import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { gatherHints, type Wakeups } from '../core/wakeups.ts';
import type { Database } from './db.ts';

const RECONNECT_MS = 1_000;

export function openPostgresWakeups(db: Database, channel: string): Wakeups {
  const { publish, subscribe, receive } = gatherHints({
    self: randomUUID(),
    send(message) {
      db.pool.query({ name: 'notify', text: 'SELECT pg_notify($1, $2)', values: [channel, message] }).catch(() => {});
    },
    defer: setImmediate,
  });
  let client: pg.Client | null = null;
  let closed = false;

  async function listen(): Promise<void> {
    const next = new pg.Client({
      connectionString: db.url,
      application_name: 'holdpoint listen',
      keepAlive: true,
      connectionTimeoutMillis: 2_000,
    });
    client = next;
    next.on('error', () => {});
    next.on('end', () => {
      if (!closed) setTimeout(() => void listen(), RECONNECT_MS).unref();
    });
    next.on('notification', ({ payload = '' }) => receive(payload));
    try {
      await next.connect();
      await next.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    } catch {
      await next.end().catch(() => {});
    }
  }

  void listen();
  return {
    publish,
    subscribe,
    async close() {
      closed = true;
      await client?.end().catch(() => {});
    },
  };
}
