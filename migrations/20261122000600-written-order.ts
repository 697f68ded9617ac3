// Definitions, and the fields that a pause asks for, keep the order in which their author wrote them.
//
// jsonb sorts the keys of objects by length, and fields are shown to people as a form: the name before the zip code must
// stay so. SQL looks into neither but for names of steps and types of pauses, which it can in json as well. What was
// stored before has lost its order already.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE definition_versions ALTER body TYPE json USING body::json;
    ALTER TABLE pauses ALTER spec TYPE json USING spec::json;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE pauses ALTER spec TYPE jsonb USING spec::jsonb;
    ALTER TABLE definition_versions ALTER body TYPE jsonb USING body::jsonb;
  `);
}
