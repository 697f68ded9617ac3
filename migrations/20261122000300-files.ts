// Files that came with a start: what they are called and what they hold; the content lies in the storage under
// `<workspace_id>/<id>`.
//
// * A row is written before the content is stored and before its run is committed, with the id that the run will have. So
//   every stored object has a row, and a file whose run does not exist an hour later belongs to a start that was refused
//   or whose process died: it is removed (engine/sweep-files.ts). Nothing has to be marked at the commit.
// * There is no foreign key to runs, because the run comes after. Readers join it, so a file without its run is not found.
// * `kept_at` says that a sweep has found the run, so that each file is looked at once. Whoever deletes runs sets it back
//   to NULL, and their files go with the next sweep.
// * `files_by_workspace` answers how much a workspace stores from the index alone.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE TABLE files (
      id            uuid PRIMARY KEY,
      workspace_id  uuid NOT NULL REFERENCES workspaces (id),
      run_id        uuid NOT NULL,
      filename      text NOT NULL CHECK (octet_length(filename) BETWEEN 1 AND 255),
      content_type  text NOT NULL CHECK (length(content_type) BETWEEN 3 AND 255),
      size          int  NOT NULL CHECK (size > 0),
      sha256        bytea NOT NULL CHECK (octet_length(sha256) = 32),
      created_by    text NOT NULL,
      created_at    timestamptz NOT NULL DEFAULT now(),
      kept_at       timestamptz
    );
    CREATE INDEX files_by_workspace ON files (workspace_id) INCLUDE (size);
    CREATE INDEX files_not_kept ON files (created_at) WHERE kept_at IS NULL;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE files');
}
