// Time as Postgres has it: this process' clock plus its measured offset. Due times are compared on one clock, whatever
// the hosts of workers believe (GUARANTEES M11).

import type { Database } from '../store/db.ts';

export interface Clock {
  /** Epoch milliseconds by Postgres' clock. */
  now(): number;
  /** Measures the offset again; of three samples the one with the shortest way counts. */
  sync(): Promise<void>;
}

export function createClock(db: Database): Clock {
  let offsetMs = 0;
  return {
    now: () => Math.round(Date.now() + offsetMs),
    async sync() {
      let best = Number.POSITIVE_INFINITY;
      for (let sample = 0; sample < 3; sample++) {
        const sent = Date.now();
        const { rows } = await db.pool.query<{ ms: number }>({
          name: 'clock',
          text: 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms',
        });
        const tripMs = Date.now() - sent;
        if (tripMs >= best) continue;
        best = tripMs;
        offsetMs = rows[0]!.ms - (sent + tripMs / 2);
      }
    },
  };
}
