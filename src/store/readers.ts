// What the API reads with: sessions that are the role of store/row-security.ts from their first moment, and a transaction
// that names its workspace around every statement. A statement that forgets its workspace finds nothing of another's; one
// that names none finds nothing; none can write. The engine has connections of its own and is not slowed down by this.
//
// Statement and transaction go out together, so a read takes one round trip as before.

import pg from 'pg';
import { type Connection, connectionSettings, type Database, type DatabaseOptions, READ_PATIENCE } from './db.ts';
import { READER_ROLE, TENANT_SETTING } from './row-security.ts';

/** In the place of a database, for one workspace. */
export interface Reader extends Connection {
  readonly workspaceId: string;
}

export interface Readers {
  /** Sees this workspace and no other; `''` is none. */
  of(workspaceId: string): Reader;
  /** Why the database sets up no wall for reads, or null when it does. */
  findGap(): Promise<string | null>;
  close(): Promise<void>;
}

export interface ReadersOptions extends Pick<DatabaseOptions, 'max' | 'name' | 'onError'> {
  /** Reads where there is no wall, and says who we are there. */
  db: Pick<Database, 'pool' | 'url'>;
  /** Told once. */
  onGap(reason: string): void;
}

/** A wall that was missing is looked for again after this time; one that is there stays. */
const LOOK_AGAIN_MS = 60_000;
/** The server refuses the role: there is none, or it is not ours to be; or the role may not read. */
const REFUSED = new Set(['22023', '42704', '42501']);

/** Where the role cannot be used, reads go over `db`: they name their workspace all the same. */
export function openReaders({ db, max, name, onError, onGap }: ReadersOptions): Readers {
  const session = `-c role=${READER_ROLE} -c default_transaction_read_only=on`;
  const settings = { ...connectionSettings({ url: db.url, name }, session), ...READ_PATIENCE, pipeline: true };
  const pool = new pg.Pool({ ...settings, max, idleTimeoutMillis: 30_000 });
  pool.on('error', onError);
  let isTold = false;
  let known: { gap: Promise<string | null>; until: number } | undefined;

  function findGap(): Promise<string | null> {
    if (known !== undefined && performance.now() < known.until) return known.gap;
    const looked = { gap: lookForGap(pool), until: Number.POSITIVE_INFINITY };
    known = looked;
    looked.gap.then(
      (gap) => {
        if (gap === null) return;
        looked.until = performance.now() + LOOK_AGAIN_MS;
        if (!isTold) onGap(gap);
        isTold = true;
      },
      () => {
        looked.until = 0;
      },
    );
    return looked.gap;
  }

  const of = (workspaceId: string): Reader => ({
    workspaceId,
    pool: {
      async query<Row extends pg.QueryResultRow>(statement: string | pg.QueryConfig, values?: unknown[]) {
        const asked = typeof statement === 'string' ? { text: statement, values: values ?? [] } : statement;
        return (await findGap()) === null
          ? readBehindWall<Row>(pool, workspaceId, asked)
          : db.pool.query<Row>({ ...READ_PATIENCE, ...asked });
      },
    },
  });
  return { of, findGap, close: () => pool.end() };
}

/** Answers what Postgres makes of the role; throws when it cannot be asked. */
async function lookForGap(pool: pg.Pool): Promise<string | null> {
  try {
    const { rows } = await pool.query<{ stands: boolean }>(
      `SELECT row_security_active('runs') AND has_table_privilege('runs', 'SELECT') AS stands`,
    );
    return rows[0]?.stands ? null : `the role ${READER_ROLE} is not confined to one workspace, or may not read`;
  } catch (error) {
    if (error instanceof pg.DatabaseError && REFUSED.has(error.code ?? '')) return error.message;
    throw error;
  }
}

async function readBehindWall<Row extends pg.QueryResultRow>(
  pool: pg.Pool,
  workspaceId: string,
  statement: pg.QueryConfig,
): Promise<pg.QueryResult<Row>> {
  const client = await pool.connect();
  // A client that is in use has no listener of the pool's; without one, a lost connection would end the process.
  const ignore = () => {};
  client.on('error', ignore);
  const sent = [
    client.query(`BEGIN; SELECT set_config('${TENANT_SETTING}', ${pg.escapeLiteral(workspaceId)}, true)`),
    client.query<Row>(statement),
    client.query('COMMIT'),
  ] as const;
  const settled = await Promise.allSettled(sent);
  client.off('error', ignore);
  const failed = settled.find((one) => one.status === 'rejected');
  // After a failure nobody looks into what state the connection is.
  client.release(failed !== undefined);
  if (failed !== undefined) throw failed.reason;
  return sent[1];
}
