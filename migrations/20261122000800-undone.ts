// Step runs that a rollback has taken back are `undone`: their rows stay to be seen, and whoever looks for what has completed
// does not find them. The word takes the place of `skipped`, which no step run ever was.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await setWord(knex, 'undone');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`UPDATE step_runs SET status = 'cancelled' WHERE status = 'undone'`);
  await setWord(knex, 'skipped');
}

async function setWord(knex: Knex, word: 'undone' | 'skipped'): Promise<void> {
  await knex.raw(`
    ALTER TABLE step_runs
      DROP CONSTRAINT step_runs_status_check,
      DROP CONSTRAINT step_runs_check1,
      ADD CONSTRAINT step_runs_status_check
        CHECK (status IN ('pending', 'queued', 'running', 'waiting', 'completed', 'failed', '${word}', 'cancelled')),
      ADD CONSTRAINT step_runs_check1
        CHECK ((finished_at IS NOT NULL) = (status IN ('completed', 'failed', '${word}', 'cancelled')));
  `);
}
