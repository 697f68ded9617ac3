// Idempotency keys (GUARANTEES M10): what a client named its request, and the first answer to it.
//
// * The primary key decides races between web processes; whoever inserts the row does the work.
// * `id` names the request inside: a start uses it as its run's origin, so work that is done again, because its process
//   died before it could answer, finds what it has already done.
// * `claim` and `lease_until` belong to the process at work. A row has a lease or an answer, never both: with a lapsed
//   lease it is free to be claimed again for the same request.
// * `answer` is text, not jsonb, because the first answer is given again as it was, with its keys in their order.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE idempotency_keys (
      workspace_id  uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
      key           text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
      id            uuid NOT NULL,
      digest        bytea NOT NULL CHECK (octet_length(digest) = 32),
      claim         uuid NOT NULL,
      lease_until   timestamptz,
      answer        text,
      created_at    timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (workspace_id, key),
      CHECK ((lease_until IS NULL) = (answer IS NOT NULL))
    );
    CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE idempotency_keys');
}
