// The audit log of a workspace: who changed what outside runs, when and from where; and histories that nobody can empty.
//
// * A line is written in the transaction of the change it tells of, so a crash cannot part the two.
// * `actor` and `key_id` are texts and ids without foreign keys: a line outlives what it names.
// * `action` is `<object>.<done>`, as in core/audit.ts; the words are not repeated here, since more will come.
// * Lines refuse UPDATE, DELETE and TRUNCATE, and are kept for ever: they grow with what people administer, not with runs.
// * TRUNCATE of events is refused too; the trigger of the first migration does not see it.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE audit_log (
      id            uuid PRIMARY KEY,
      workspace_id  uuid NOT NULL REFERENCES workspaces (id),
      at            timestamptz NOT NULL DEFAULT now(),
      actor         text NOT NULL,
      key_id        uuid,
      action        text NOT NULL CHECK (action ~ '^[a-z_]+[.][a-z_]+$'),
      object_id     text NOT NULL,
      object_name   text,
      address       text,
      user_agent    text,
      request_id    text,
      detail        jsonb NOT NULL CHECK (jsonb_typeof(detail) = 'object')
    );
    CREATE INDEX audit_log_by_time ON audit_log (workspace_id, at DESC, id DESC);

    CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation';
      END $$;
    CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

    CREATE TRIGGER events_are_not_truncated BEFORE TRUNCATE ON events
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change();
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TRIGGER events_are_not_truncated ON events;
    DROP TABLE audit_log;
    DROP FUNCTION refuse_audit_change();
  `);
}
