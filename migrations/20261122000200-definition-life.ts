// The life of a workflow after its first version: a revision, permanent deletion, and updates that are made once.
//
// Why it looks the way it does:
// * `revision` grows with every change. A change is decided on what was read and committed only where the revision is
//   still the same, as a run's are by its `seq`; of two that race, one is decided again.
// * A permanently deleted workflow keeps its row and its versions, seen by nobody: finished runs keep the key and the
//   steps they speak of, and a start that was under way when the workflow went still finds the version it began with.
//   Its key is free at once, hence the partial index.
// * `request_id` names the request that made a version, so that the same request finds it instead of making another.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE definitions
      ADD revision   int NOT NULL DEFAULT 1 CHECK (revision >= 1),
      ADD deleted_at timestamptz,
      ADD CHECK (deleted_at IS NULL OR archived_at IS NOT NULL),
      DROP CONSTRAINT definitions_workspace_id_key_key;
    CREATE UNIQUE INDEX definitions_by_key ON definitions (workspace_id, key) WHERE deleted_at IS NULL;

    ALTER TABLE definition_versions ADD request_id uuid;
    CREATE UNIQUE INDEX definition_versions_by_request ON definition_versions (definition_id, request_id)
      WHERE request_id IS NOT NULL;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DELETE FROM definition_versions v USING definitions d WHERE d.id = v.definition_id AND d.deleted_at IS NOT NULL;
    DELETE FROM definitions WHERE deleted_at IS NOT NULL;
    ALTER TABLE definition_versions DROP request_id;
    DROP INDEX definitions_by_key;
    ALTER TABLE definitions DROP revision, DROP deleted_at, ADD UNIQUE (workspace_id, key);
  `);
}
