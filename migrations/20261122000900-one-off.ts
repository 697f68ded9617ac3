// Workflows that are made for one run only.
//
// Why it looks the way it does:
// * A run may be started with its steps written out. They become a workflow of their own, so that everything else knows
//   only one kind of run; `one_off` keeps it out of lists. Its key is made from its id, and so takes no name from others.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE definitions ADD one_off boolean NOT NULL DEFAULT false;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE definitions DROP one_off;
  `);
}
