// knex for tests: taking migrations back, and copying rows as they are. The product itself uses it for migrations alone.

import knexModule, { type Knex } from 'knex';

/** Closes its connections when `work` is done. */
export async function withKnex<Result>(url: string, work: (knex: Knex) => Promise<Result>): Promise<Result> {
  const knex = knexModule({ client: 'pg', connection: url, pool: { min: 0, max: 1 } });
  try {
    return await work(knex);
  } finally {
    await knex.destroy();
  }
}
