// What is left to remove of workflows that were deleted for ever, and marks by which a repeated request knows its own work.
//
// Why it looks the way it does:
// * A run of a deleted workflow goes first, and in the same statement its id comes into `purged_runs`. From then on nobody
//   finds it, and what belonged to it is removed in as many steps as it takes, by whichever process is there. A row leaves the
//   list when nothing is left of its run, so a crash loses no place. It has no workspace: there is nobody who could ask.
// * Events stay append-only. The one exception is told by rows and not by a setting: events go when their run does not exist
//   any more and is on that list. Hence a trigger that sees the removed rows, which only one after the statement does.
// * A request that is worked on twice, because its process died before it could answer, must not answer the pause that
//   opened after its own: one command answers one pause. (Answers that were decided together shared an id; only the first keeps it.) A member's row says which request wrote it last.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE purged_runs (
      run_id     uuid PRIMARY KEY,
      purged_at  timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX definitions_deleted ON definitions (deleted_at) WHERE deleted_at IS NOT NULL;

    CREATE FUNCTION refuse_event_removal() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF EXISTS (SELECT FROM (SELECT DISTINCT run_id FROM removed) e
                    WHERE NOT EXISTS (SELECT FROM purged_runs p WHERE p.run_id = e.run_id)
                       OR EXISTS (SELECT FROM runs r WHERE r.id = e.run_id)) THEN
          RAISE EXCEPTION 'events are append-only' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NULL;
      END $$;
    DROP TRIGGER events_are_append_only ON events;
    CREATE TRIGGER events_are_append_only BEFORE UPDATE ON events
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change();
    CREATE TRIGGER events_go_with_their_run AFTER DELETE ON events
      REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_removal();

    UPDATE pauses p SET command_id = NULL
     WHERE status = 'answered' AND EXISTS (
       SELECT FROM pauses q WHERE q.status = 'answered' AND q.command_id = p.command_id AND q.id < p.id);
    CREATE UNIQUE INDEX pauses_by_answer ON pauses (command_id) WHERE status = 'answered';
    ALTER TABLE members ADD request_id uuid;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE members DROP request_id;
    DROP INDEX pauses_by_answer;
    DROP TRIGGER events_go_with_their_run ON events;
    DROP FUNCTION refuse_event_removal();
    DROP TRIGGER events_are_append_only ON events;
    CREATE TRIGGER events_are_append_only BEFORE UPDATE OR DELETE ON events
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change();
    DROP INDEX definitions_deleted;
    DROP TABLE purged_runs;
  `);
}
