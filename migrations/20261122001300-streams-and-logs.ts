// What handlers of steps log, and tickets that open a live stream where no header can be sent.
//
// Why it looks the way it does:
// * A line's number is given by the statement that stores it, which has locked the run's row of `run_log_totals`: workers
//   that log for one run at once take turns, and whoever has read up to a number has missed none below it.
// * The totals also bound a run's log. A run that logs nothing has no row in either table.
// * Only the hash of a ticket is kept. A ticket that is used is deleted; one that is not goes with later ones, oldest first.
// * No foreign keys, like everything else that belongs to a run; both go with their run (store/purge.ts).

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE run_log_totals (
      run_id        uuid PRIMARY KEY,
      workspace_id  uuid NOT NULL,
      lines         int NOT NULL CHECK (lines >= 0),
      bytes         bigint NOT NULL CHECK (bytes >= 0)
    ) WITH (fillfactor = 80);

    CREATE TABLE run_logs (
      run_id        uuid NOT NULL,
      seq           int NOT NULL CHECK (seq >= 1),
      workspace_id  uuid NOT NULL,
      step_id       text NOT NULL,
      visit         int NOT NULL CHECK (visit >= 1),
      attempt       int NOT NULL CHECK (attempt >= 1),
      level         text NOT NULL CHECK (level IN ('debug', 'info', 'warn', 'error')),
      message       text NOT NULL,
      data          jsonb,
      at            timestamptz NOT NULL,
      PRIMARY KEY (run_id, seq)
    );

    CREATE TABLE stream_tickets (
      hash          bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
      run_id        uuid NOT NULL,
      workspace_id  uuid NOT NULL,
      key_id        uuid NOT NULL,
      user_id       text NOT NULL,
      ends_at       timestamptz,
      expires_at    timestamptz NOT NULL
    );
    CREATE INDEX stream_tickets_by_end ON stream_tickets (expires_at);
    CREATE INDEX stream_tickets_by_run ON stream_tickets (run_id);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE run_logs, run_log_totals, stream_tickets');
}
