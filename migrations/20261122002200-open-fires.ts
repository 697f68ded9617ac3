// What schedules and inbound webhooks remember of the runs that they have started.
//
// Why it looks the way it does:
// * The overlap policy asks for any run of a schedule that is not over. The runs of a schedule are in the order of their times in
//   the index of origins, so no index of open runs is needed, which the end of every run would have to write to. All that is
//   needed is where to begin: `open_since` is a time before which every run of the schedule is over. NULL: not known.
// * `dedupe` is what makes two messages one: their `webhook-id`, or their body, for senders whose signature covers nothing else.

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE schedules ADD COLUMN open_since timestamptz;
    ALTER TABLE inbound_webhooks ADD COLUMN dedupe text NOT NULL DEFAULT 'id' CHECK (dedupe IN ('id', 'body'));
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    ALTER TABLE schedules DROP COLUMN open_since;
    ALTER TABLE inbound_webhooks DROP COLUMN dedupe;
  `);
}
