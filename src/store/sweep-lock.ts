// One sweeper at a time among all processes of a database. The lock lives in a transaction that Postgres ends when its
// holder falls silent, so a process that is frozen in the middle of a sweep cannot keep the others from sweeping.

import type pg from 'pg';

export interface SweepLock {
  /** Says that this process still sweeps; throws when the lock was lost. */
  keep(): Promise<void>;
  release(): Promise<void>;
  /** Gives up the connection with whatever it holds. */
  abandon(): void;
}

/** Any number will do, as long as it is ours. */
export const SWEEP_LOCK = 0x486f6c64;

/** Null when another process sweeps. A holder that does not `keep` it for `silentMs` loses it. */
export async function takeSweepLock(pool: pg.Pool, silentMs: number): Promise<SweepLock | null> {
  const client = await pool.connect();
  // A client that is in use has no listener of the pool's; without one, a lost connection would end the process.
  const ignore = () => {};
  client.on('error', ignore);
  const giveBack = (broken: boolean) => {
    client.off('error', ignore);
    client.release(broken);
  };
  try {
    await client.query(`BEGIN; SET LOCAL idle_in_transaction_session_timeout = ${Math.ceil(silentMs)}`);
    const { rows } = await client.query<{ held: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS held', [
      SWEEP_LOCK,
    ]);
    if (!rows[0]!.held) {
      await client.query('ROLLBACK');
      giveBack(false);
      return null;
    }
  } catch (error) {
    giveBack(true);
    throw error;
  }
  return {
    async keep() {
      await client.query('SELECT 1');
    },
    async release() {
      await client.query('COMMIT');
      giveBack(false);
    },
    abandon: () => giveBack(true),
  };
}
