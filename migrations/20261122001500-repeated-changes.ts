// Which request asked for a change outside runs, where its client has named it.
//
// * A process may die between its commit and its answer; whoever asks again with the same key is answered as done. The line
//   of the audit log stands in the transaction of the change, so it is the proof; a command of a run has its event.
// * Unique: a process that has lost its claim on the key without knowing cannot do the same a second time.
// * Only named requests are in the index.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE audit_log ADD command_id uuid;
    CREATE UNIQUE INDEX audit_log_by_command ON audit_log (workspace_id, command_id) WHERE command_id IS NOT NULL;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE audit_log DROP command_id;
  `);
}
