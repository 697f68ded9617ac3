// The other floor: the least that a durable step has to write, 64 at a time in one prepared statement on one connection.
// A row of state is updated and a row of history inserted for each.

import pg from 'pg';

const BATCH = 64;

export interface DurableWrite {
  /** Writes `steps` steps, `BATCH` to a statement. */
  write(steps: number): Promise<void>;
  close(): Promise<void>;
}

export async function openDurableWrite(databaseUrl: string): Promise<DurableWrite> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    options: '-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off',
  });
  await client.connect();
  await client.query(`
    CREATE TABLE IF NOT EXISTS bench_state (id int PRIMARY KEY, seq bigint NOT NULL) WITH (fillfactor = 60);
    CREATE TABLE IF NOT EXISTS bench_history (id int NOT NULL, seq bigint NOT NULL, data jsonb, PRIMARY KEY (id, seq));
    TRUNCATE bench_state, bench_history;
    INSERT INTO bench_state SELECT n, 0 FROM generate_series(1, ${BATCH}) n;`);
  const ids = Array.from({ length: BATCH }, (_, index) => index + 1);
  const data = ids.map(() => '{"opened":[{"step":"s1","visit":1,"status":"queued"}]}');
  return {
    async write(steps) {
      for (let done = 0; done < steps; done += BATCH) {
        await client.query({
          name: 'durable-write',
          text: `WITH g AS (SELECT * FROM unnest($1::int[], $2::text[]) AS g(id, data)),
                 u AS (UPDATE bench_state s SET seq = s.seq + 1 FROM g WHERE s.id = g.id RETURNING s.id, s.seq)
                 INSERT INTO bench_history SELECT u.id, u.seq, g.data::jsonb FROM u JOIN g ON g.id = u.id`,
          values: [ids, data],
        });
      }
    },
    async close() {
      await client.query('DROP TABLE bench_state, bench_history');
      await client.end();
    },
  };
}
