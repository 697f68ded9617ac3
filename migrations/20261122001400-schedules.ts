// Schedules and inbound webhooks: what starts runs by the clock, and by a message from outside.
//
// Why it looks the way it does:
// * `look_at` is when somebody has to look at a schedule: its time has come (`next_at`), a time waits for the run before it, or
//   the lease of whoever was about to fire it has ended. NULL: never. One partial index serves all three.
// * `planned_at` is the moment that a decision about due times is made for. It is kept until the decision is carried out, so
//   that whoever goes on after a crash decides the same and starts the same runs, which have one origin each.
// * `revision` grows with each change and each decision that was carried out: who comes late records nothing over it.
// * Both go with their workflow when that is deleted for ever, and so do not keep a pod from being deleted.
// * What authors wrote (`input`) is `json`, as definitions are.
// * An inbound webhook that is not public takes what is signed with one of its secrets: the one without an end, and those that
//   were rotated away and have not ended yet. One without any takes nothing. The API cannot read that table at all.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE schedules (
      id               uuid PRIMARY KEY,
      workspace_id     uuid NOT NULL,
      pod_id           uuid NOT NULL,
      definition_id    uuid NOT NULL REFERENCES definitions (id) ON DELETE CASCADE,
      version          text NOT NULL,
      name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
      cron_expression  text NOT NULL,
      timezone         text NOT NULL,
      input            json NOT NULL CHECK (json_typeof(input) = 'object'),
      enabled          boolean NOT NULL,
      overlap          text NOT NULL CHECK (overlap IN ('skip', 'queue', 'allow')),
      catch_up         text NOT NULL CHECK (catch_up IN ('one', 'none', 'all')),
      next_at          timestamptz,
      waiting          timestamptz[] NOT NULL DEFAULT '{}',
      look_at          timestamptz,
      planned_at       timestamptz,
      revision         int NOT NULL DEFAULT 1,
      last_at          timestamptz,
      last_outcome     text CHECK (last_outcome IN ('started', 'waiting', 'skipped', 'missed', 'failed')),
      last_error       jsonb,
      last_run_id      uuid,
      created_by       text NOT NULL,
      created_at       timestamptz NOT NULL DEFAULT now(),
      updated_at       timestamptz NOT NULL DEFAULT now(),
      CHECK (enabled OR look_at IS NULL),
      CHECK ((look_at IS NULL) = (next_at IS NULL AND cardinality(waiting) = 0)),
      CHECK ((last_at IS NULL) = (last_outcome IS NULL)),
      CHECK ((last_error IS NOT NULL) = (last_outcome IS NOT DISTINCT FROM 'failed'))
    );
    CREATE INDEX schedules_by_pod ON schedules (pod_id, id DESC);
    CREATE INDEX schedules_by_workspace ON schedules (workspace_id);
    CREATE INDEX schedules_by_definition ON schedules (definition_id);
    CREATE INDEX schedules_look ON schedules (look_at) WHERE look_at IS NOT NULL;

    CREATE TABLE inbound_webhooks (
      id                 uuid PRIMARY KEY,
      workspace_id       uuid NOT NULL,
      pod_id             uuid NOT NULL,
      definition_id      uuid NOT NULL REFERENCES definitions (id) ON DELETE CASCADE,
      version            text NOT NULL,
      name               text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
      enabled            boolean NOT NULL,
      is_public          boolean NOT NULL,
      created_by         text NOT NULL,
      created_at         timestamptz NOT NULL DEFAULT now(),
      updated_at         timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX inbound_webhooks_by_pod ON inbound_webhooks (pod_id, id DESC);
    CREATE INDEX inbound_webhooks_by_workspace ON inbound_webhooks (workspace_id);
    CREATE INDEX inbound_webhooks_by_definition ON inbound_webhooks (definition_id);

    CREATE TABLE inbound_webhook_secrets (
      id            uuid PRIMARY KEY,
      workspace_id  uuid NOT NULL,
      webhook_id    uuid NOT NULL REFERENCES inbound_webhooks (id) ON DELETE CASCADE,
      sealed       bytea NOT NULL CHECK (octet_length(sealed) > 32),
      valid_until  timestamptz
    );
    CREATE INDEX inbound_webhook_secrets_by_webhook ON inbound_webhook_secrets (webhook_id, id DESC);
    CREATE UNIQUE INDEX inbound_webhook_secrets_current ON inbound_webhook_secrets (webhook_id) WHERE valid_until IS NULL;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE schedules, inbound_webhook_secrets, inbound_webhooks');
}
