// The first schema: workspaces and keys, definitions and their versions, runs with their step runs, pauses and events.
//
// Why it looks the way it does:
// * `runs.seq` is the number of the run's last event and the revision that every transition compares and sets.
// * The hot tables (runs, step_runs, pauses, events) have no foreign keys: every write to them goes through one statement
//   that has locked the run's row, and the checks would cost more than the write itself. The invariants of
//   test/support/invariants.sql are what holds them together.
// * A step run with status `queued` promises a job: `dispatch`, `offered_at`, `lease_until` and `due_at` are delivery
//   state. The partial indexes hold only what the sweep looks for, so they stay small when history grows.
// * `fillfactor` leaves room for updates on the page (HOT), because a run's row changes with every transition.
// * events refuse UPDATE and DELETE: history is append-only (GUARANTEES M6).

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE workspaces (
      id          uuid PRIMARY KEY,
      slug        text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9](|[a-z0-9-]{0,61}[a-z0-9])$'),
      name        text NOT NULL,
      created_at  timestamptz NOT NULL DEFAULT now()
    );

    CREATE TABLE api_keys (
      id            uuid PRIMARY KEY,
      workspace_id  uuid NOT NULL REFERENCES workspaces (id),
      name          text NOT NULL,
      prefix        text NOT NULL,
      hash          bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
      role          text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin', 'owner')),
      user_id       text NOT NULL,
      expires_at    timestamptz,
      revoked_at    timestamptz,
      last_used_at  timestamptz,
      created_at    timestamptz NOT NULL DEFAULT now()
    );

    CREATE TABLE definitions (
      id                 uuid PRIMARY KEY,
      workspace_id       uuid NOT NULL REFERENCES workspaces (id),
      key                text NOT NULL,
      name               text NOT NULL,
      description        text,
      latest_version     int  NOT NULL CHECK (latest_version >= 1),
      published_version  int  CHECK (published_version BETWEEN 1 AND latest_version),
      archived_at        timestamptz,
      created_by         text NOT NULL,
      created_at         timestamptz NOT NULL DEFAULT now(),
      updated_at         timestamptz NOT NULL DEFAULT now(),
      UNIQUE (workspace_id, key)
    );
    CREATE INDEX definitions_by_update ON definitions (workspace_id, updated_at DESC, id);

    CREATE TABLE definition_versions (
      definition_id  uuid NOT NULL REFERENCES definitions (id),
      version        int  NOT NULL CHECK (version >= 1),
      workspace_id   uuid NOT NULL,
      body           jsonb NOT NULL,
      status         text NOT NULL CHECK (status IN ('draft', 'testing', 'published')),
      created_by     text NOT NULL,
      created_at     timestamptz NOT NULL DEFAULT now(),
      published_at   timestamptz,
      PRIMARY KEY (definition_id, version)
    );

    CREATE TABLE runs (
      id             uuid PRIMARY KEY,
      workspace_id   uuid NOT NULL,
      definition_id  uuid NOT NULL,
      version        int  NOT NULL,
      status         text NOT NULL CHECK (status IN ('queued', 'running', 'waiting', 'held', 'completed', 'failed', 'cancelled')),
      seq            bigint NOT NULL CHECK (seq >= 1),
      open           jsonb NOT NULL,
      visits         jsonb NOT NULL,
      step_runs      int   NOT NULL,
      input          jsonb NOT NULL,
      data           jsonb NOT NULL,
      context        jsonb NOT NULL,
      result         jsonb,
      error          jsonb,
      cancellation   jsonb,
      interrupted    jsonb,
      trigger        text NOT NULL,
      owner          text NOT NULL,
      origin         text,
      due_at         timestamptz,
      created_at     timestamptz NOT NULL DEFAULT now(),
      started_at     timestamptz,
      finished_at    timestamptz,
      CHECK ((finished_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled')))
    ) WITH (fillfactor = 60);
    CREATE UNIQUE INDEX runs_by_origin ON runs (workspace_id, origin) WHERE origin IS NOT NULL;
    CREATE INDEX runs_by_definition ON runs (definition_id, id);
    CREATE INDEX runs_by_owner ON runs (workspace_id, owner, id);
    CREATE INDEX runs_due ON runs (due_at) WHERE due_at IS NOT NULL;

    CREATE TABLE step_runs (
      run_id        uuid NOT NULL,
      step_id       text NOT NULL,
      visit         int  NOT NULL CHECK (visit >= 1),
      workspace_id  uuid NOT NULL,
      seq           bigint NOT NULL,
      type          text NOT NULL,
      tool          text,
      status        text NOT NULL CHECK (status IN ('pending', 'queued', 'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled')),
      attempt       int NOT NULL DEFAULT 1,
      fence         int NOT NULL DEFAULT 0,
      epoch         int NOT NULL DEFAULT 0,
      lost          int NOT NULL DEFAULT 0,
      input         jsonb,
      output        jsonb,
      error         jsonb,
      dispatch      int NOT NULL DEFAULT 1,
      offered_at    timestamptz,
      due_at        timestamptz,
      lease_until   timestamptz,
      created_at    timestamptz NOT NULL DEFAULT now(),
      started_at    timestamptz,
      finished_at   timestamptz,
      PRIMARY KEY (run_id, step_id, visit),
      CHECK ((lease_until IS NOT NULL) = (status = 'running')),
      CHECK ((finished_at IS NOT NULL) = (status IN ('completed', 'failed', 'skipped', 'cancelled')))
    ) WITH (fillfactor = 70);
    CREATE INDEX step_runs_queued  ON step_runs (offered_at NULLS FIRST) WHERE status = 'queued';
    CREATE INDEX step_runs_running ON step_runs (lease_until) WHERE status = 'running';
    CREATE INDEX step_runs_waiting ON step_runs (due_at) WHERE status = 'waiting' AND due_at IS NOT NULL;

    CREATE TABLE pauses (
      id            uuid PRIMARY KEY,
      run_id        uuid NOT NULL,
      workspace_id  uuid NOT NULL,
      step_id       text NOT NULL,
      visit         int  NOT NULL,
      type          text NOT NULL CHECK (type IN ('collect_inputs', 'request_user_action')),
      status        text NOT NULL CHECK (status IN ('open', 'answered', 'expired', 'cancelled')),
      spec          jsonb NOT NULL,
      due_at        timestamptz,
      answer        jsonb,
      answered_by   text,
      command_id    uuid,
      opened_at     timestamptz NOT NULL DEFAULT now(),
      closed_at     timestamptz,
      CHECK ((closed_at IS NOT NULL) = (status <> 'open'))
    );
    CREATE INDEX pauses_by_run ON pauses (run_id, opened_at);
    CREATE INDEX pauses_open ON pauses (workspace_id, opened_at) WHERE status = 'open';

    CREATE TABLE events (
      run_id      uuid NOT NULL,
      seq         bigint NOT NULL CHECK (seq >= 1),
      type        text NOT NULL,
      step_id     text,
      visit       int,
      at          timestamptz NOT NULL DEFAULT now(),
      actor       text NOT NULL,
      data        jsonb,
      command_id  uuid,
      PRIMARY KEY (run_id, seq)
    );

    CREATE FUNCTION refuse_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'events are append-only' USING ERRCODE = 'restrict_violation';
      END $$;
    CREATE TRIGGER events_are_append_only BEFORE UPDATE OR DELETE ON events
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change();
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP TABLE events, pauses, step_runs, runs, definition_versions, definitions, api_keys, workspaces;
    DROP FUNCTION refuse_event_change();
  `);
}
