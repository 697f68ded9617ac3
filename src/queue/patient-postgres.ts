// BullMQ's Postgres backend, for a database that is not there yet: its own connection remembers a failed first try for
// ever, ours forgets it and tries again, so that a process may start before its database.

import { setTimeout as delay } from 'node:timers/promises';
import { type BackendFactory, PostgresConnection, type PostgresConnectionOptions, PostgresQueueBackend } from 'bullmq';

const RETRY_MS = 1_000;

class PatientConnection extends PostgresConnection {
  override async waitUntilReady(): Promise<void> {
    for (;;) {
      try {
        return await super.waitUntilReady();
      } catch (error) {
        if (this.isClosing) throw error;
        // The memo of the base class (bullmq 6.7, postgres-connection.ts): without it the next call starts over.
        Reflect.set(this, 'readyPromise', null);
        await delay(RETRY_MS, undefined, { ref: false });
      }
    }
  }
}

/** As bullmq's `createPostgresBackend` (for workers without a name), over a connection that keeps trying. */
export const createPatientBackend: BackendFactory<PostgresQueueBackend, PostgresConnectionOptions> = (
  name,
  options,
  use = {},
) => {
  const listener = use.withBlockingConnection ? name : use.blocking ? `${name}:qe` : undefined;
  return new PostgresQueueBackend(new PatientConnection(options.connection), name, options, true, listener);
};
