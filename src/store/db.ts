// Connections to Postgres: one pool, and transactions on it.
// Knows which failures mean "not now" and which mean "never"; knows nothing about what is stored.

import pg from 'pg';

/** bigint columns are sequence numbers and counts, far below 2^53. */
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

export interface Database {
  pool: pg.Pool;
  url: string;
  close(): Promise<void>;
}

/** What statements are sent to: the pool, or the one connection of a transaction. */
export interface Connection {
  pool: Queryable;
}

export interface Queryable {
  query<Row extends pg.QueryResultRow>(
    statement: string | pg.QueryConfig,
    values?: unknown[],
  ): Promise<pg.QueryResult<Row>>;
}

export interface DatabaseOptions {
  url: string;
  max: number;
  /** Shown as `application_name`, so an operator can tell processes apart. */
  name: string;
  onError(error: Error): void;
}

/** Session settings of every connection (GUARANTEES §8): nothing of ours may hang or hold a lock for long. */
const SESSION =
  '-c statement_timeout=10s -c lock_timeout=3s -c idle_in_transaction_session_timeout=15s -c timezone=UTC -c enable_bitmapscan=off';

/** For statements that a reader waits for: a Postgres that has gone silent is given up, with its connection, this soon. */
export const READ_PATIENCE = { query_timeout: 3_000 };

/** What every connection is opened with; `session` are more settings of the server, as `-c name=value`. */
export function connectionSettings({ url, name }: Pick<DatabaseOptions, 'url' | 'name'>, session = '') {
  return {
    connectionString: url,
    application_name: name,
    options: `${SESSION} ${session}`.trim(),
    keepAlive: true,
    connectionTimeoutMillis: 2_000,
    query_timeout: 12_000,
  };
}

export function openDatabase({ url, max, name, onError }: DatabaseOptions): Database {
  const pool = new pg.Pool({ ...connectionSettings({ url, name }), max, idleTimeoutMillis: 30_000 });
  pool.on('error', onError);
  return {
    pool,
    url,
    async close() {
      await pool.end().catch(() => {});
    },
  };
}

/** Commits what `work` does on its connection, or none of it when it throws. What it asks of the pool is no part of it. */
export async function transact<Result>(
  { pool }: Pick<Database, 'pool'>,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // The pool listens to connections that it has; without a listener, one that is lost here would end the process.
  const onLost = (error: Error) => {
    broken = error;
  };
  client.on('error', onLost);
  try {
    await client.query('BEGIN');
    const result = await work({ pool: client });
    await client.query('COMMIT');
    return result;
  } catch (error) {
    // Whoever does not answer is not asked again: the server rolls back what loses its connection.
    if (isAmbiguous(error)) broken = error as Error;
    else await client.query('ROLLBACK').catch(onLost);
    throw error;
  } finally {
    client.off('error', onLost);
    // A connection whose transaction may still be open is not lent again.
    client.release(broken);
  }
}

const TRANSIENT = new Set([
  '40001',
  '40P01',
  '55P03',
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '53100',
  '53200',
  '25006',
  '57014',
  '25P03',
]);
const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ECONNABORTED',
]);
const MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Unable to acquire a connection|Timeout acquiring a connection|Cannot use a pool after calling end/i;

/** Whether the statement may be tried again later: the server or the way to it is away, busy or read-only. */
export function isTransient(error: unknown): boolean {
  const { code, message } = describe(error);
  return TRANSIENT.has(code) || NETWORK.has(code) || code.startsWith('08') || MESSAGES.test(message);
}

/** Whether the statement's outcome is unknown: its reply was lost, so the truth must be read back (GUARANTEES M15). */
export function isAmbiguous(error: unknown): boolean {
  const { code, message } = describe(error);
  if (code === 'ECONNREFUSED' || /trying to connect|acquir/i.test(message)) return false;
  return NETWORK.has(code) || code.startsWith('08') || code.startsWith('57P') || MESSAGES.test(message);
}

/** Whether the statement was refused because of what it carried (SQLSTATE class 22, 23 or 54). */
export function isPoison(error: unknown): boolean {
  return /^(22|23|54)/.test(describe(error).code);
}

/** Whether the statement was refused because another row has the same name. */
export function isDuplicate(error: unknown): boolean {
  return describe(error).code === '23505';
}

/** Whether the statement was refused because other rows refer to this one. */
export function isReferenced(error: unknown): boolean {
  return describe(error).code === '23503';
}

function describe(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return { code, message: error.message };
}
