// Finds workflows that were made for one run that never was.
//
// * A run whose steps are written out gets its workflow in a commit of its own, just before that of the run. What a crash in
//   between leaves is nobody's; workers look through these workflows in the order of their ids, each once.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE INDEX definitions_one_off ON definitions (id) WHERE one_off AND deleted_at IS NULL;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    DROP INDEX definitions_one_off;
  `);
}
