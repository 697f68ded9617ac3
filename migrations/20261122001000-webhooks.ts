// Outgoing webhooks, what they subscribe to, and deliveries: messages to the outside that wait to be sent, are being sent,
// or were sent.
//
// Why it looks the way it does:
// * A delivery is written by the very statement that commits its cause (store/commit-statement.ts). That statement asks
//   `webhook_subscriptions` for what the workspaces of its batch subscribe to: one probe of the primary key, which finds
//   nothing where nobody subscribes. Disabled webhooks have no rows there, so nothing has to be filtered.
// * A subscription names a type of event as the engine writes it and, where the name that was subscribed to means only some
//   of them, a condition on the event's data (core/subscriptions.ts).
// * `next_at` is when somebody has to look at a delivery again: it is offered once more, it is due, or the lease of its
//   sender has ended. NULL: never again. One index serves all three.
// * `fence` grows with each claim: a sender that wakes up late records nothing.
// * There is no foreign key to runs or webhooks, as on all tables of the hot path: a check per row would cost more than the
//   row. Deliveries of a webhook that was deleted are removed by the sweep.
// * Ids are UUIDv7 made here, because Postgres before 18 has no function for them: lists go by id, newest first.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE webhooks (
      id               uuid PRIMARY KEY,
      workspace_id     uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
      url              text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
      events           text[] NOT NULL CHECK (cardinality(events) >= 1),
      sealed_secret    bytea NOT NULL CHECK (octet_length(sealed_secret) > 32),
      created_by       text NOT NULL,
      created_at       timestamptz NOT NULL DEFAULT now(),
      disabled_at      timestamptz,
      disabled_reason  text,
      CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
    );
    CREATE INDEX webhooks_by_workspace ON webhooks (workspace_id, id DESC);

    CREATE TABLE webhook_subscriptions (
      workspace_id  uuid NOT NULL,
      type          text NOT NULL,
      webhook_id    uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
      event         text NOT NULL,
      condition     jsonpath,
      PRIMARY KEY (workspace_id, type, webhook_id, event)
    );
    CREATE INDEX webhook_subscriptions_by_webhook ON webhook_subscriptions (webhook_id);

    CREATE FUNCTION new_delivery_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
      SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
               substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
             52, 1), 53, 1), 'hex')::uuid
    $$;

    CREATE TABLE deliveries (
      id             uuid PRIMARY KEY DEFAULT new_delivery_id(),
      workspace_id   uuid NOT NULL,
      run_id         uuid NOT NULL,
      webhook_id     uuid,
      event          text NOT NULL,
      seq            bigint,
      step_id        text,
      visit          int,
      spec           jsonb,
      message_id     text,
      endpoint       text NOT NULL,
      status         text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sending', 'delivered', 'dead', 'cancelled')),
      attempts       int  NOT NULL DEFAULT 0,
      fence          int  NOT NULL DEFAULT 0,
      due_at         timestamptz NOT NULL DEFAULT now(),
      next_at        timestamptz,
      answer_hashes  bytea[] NOT NULL DEFAULT '{}',
      log            jsonb NOT NULL DEFAULT '[]',
      created_at     timestamptz NOT NULL DEFAULT now(),
      finished_at    timestamptz,
      CHECK ((webhook_id IS NOT NULL) = (seq IS NOT NULL)),
      CHECK ((webhook_id IS NULL) = (step_id IS NOT NULL AND visit IS NOT NULL AND message_id IS NOT NULL)),
      CHECK ((next_at IS NULL) = (status IN ('delivered', 'dead', 'cancelled'))),
      CHECK ((finished_at IS NULL) = (next_at IS NOT NULL))
    );
    CREATE INDEX deliveries_next ON deliveries (next_at) WHERE next_at IS NOT NULL;
    CREATE INDEX deliveries_sending ON deliveries (endpoint) WHERE status = 'sending';
    CREATE INDEX deliveries_pending ON deliveries (endpoint, due_at) WHERE status = 'pending';
    CREATE INDEX deliveries_by_webhook ON deliveries (webhook_id, id DESC) WHERE webhook_id IS NOT NULL;
    CREATE INDEX deliveries_by_run ON deliveries (run_id);
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TABLE deliveries, webhook_subscriptions, webhooks;
    DROP FUNCTION new_delivery_id();
  `);
}
