// Brings a database's schema up to date. Migrations are named without a file extension, so `x.ts` under tsx and `x.js`
// under dist are the same one; an advisory lock, which dies with its session, lets one process migrate at a time.

import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import knexModule, { type Knex } from 'knex';
import pg from 'pg';
import type { Database } from './db.ts';
import { raiseWall } from './row-security.ts';

/** A database by its address: migrating opens sessions of its own, free of the hot path's time limits. */
export type MigrationTarget = string | Pick<Database, 'url'>;

/** src/store/migrate.ts stands to migrations/ as dist/src/store/migrate.js does to dist/migrations/. */
const FOLDER = fileURLToPath(new URL('../../migrations', import.meta.url));
const EXTENSION = extname(fileURLToPath(import.meta.url));
const TABLE = 'knex_migrations';

/** Any number that no other user of the database is likely to pick. */
const LOCK_KEY = 7_201_411_031;

/** Locks wait for nobody longer than this: a migration must not stall the traffic that queues behind it. */
const LOCK_TIMEOUT_MS = 3_000;

/** A lock flag older than this, under our advisory lock, was left by a migrator that died. */
const STALE_FLAG_MS = 5_000;

/** knex prints its advice about locks at every try; what matters is thrown. */
const SILENT = { warn() {}, error() {}, debug() {}, deprecate() {} };

export const migrationSource: Knex.MigrationSource<string> = {
  async getMigrations() {
    return listNames();
  },
  getMigrationName(name) {
    return name;
  },
  async getMigration(name) {
    return (await import(pathToFileURL(join(FOLDER, `${name}${EXTENSION}`)).href)) as Knex.Migration;
  },
};

/**
 * Runs what is pending, in order, and answers the names; then puts up the wall between workspaces where it is missing. Waits
 * for another process that is at it.
 */
export async function migrate(target: MigrationTarget, { staleFlagMs = STALE_FLAG_MS } = {}): Promise<string[]> {
  const url = typeof target === 'string' ? target : target.url;
  const release = await takeAdvisoryLock(url);
  const knex = knexModule({
    client: 'pg',
    connection: {
      connectionString: url,
      application_name: 'holdpoint migrate',
      options: `-c lock_timeout=${LOCK_TIMEOUT_MS}`,
    },
    pool: { min: 0, max: 2 },
    log: SILENT,
  });
  try {
    const names = await runPending(knex, staleFlagMs);
    await raiseWall(knex);
    return names;
  } finally {
    await knex.destroy();
    await release();
  }
}

/** The names of the migrations that this release has and the database lacks; only reads. */
export async function listPendingMigrations({ pool }: Pick<Database, 'pool'>): Promise<string[]> {
  const done = await pool
    .query<{ name: string }>(`SELECT name FROM ${TABLE}`)
    .then(({ rows }) => new Set(rows.map((row) => row.name)))
    .catch((error: unknown) => {
      if (hasCode(error, '42P01')) return new Set<string>();
      throw error;
    });
  return (await listNames()).filter((name) => !done.has(name));
}

async function listNames(): Promise<string[]> {
  const files = await readdir(FOLDER);
  return files
    .filter((file) => file.endsWith(EXTENSION) && !file.endsWith('.d.ts'))
    .map((file) => file.slice(0, -EXTENSION.length))
    .sort();
}

async function runPending(knex: Knex, staleFlagMs: number): Promise<string[]> {
  const deadline = Date.now() + staleFlagMs;
  for (;;) {
    try {
      const [, names] = (await knex.migrate.latest({ migrationSource, tableName: TABLE })) as [number, string[]];
      return names;
    } catch (error) {
      if (!(error instanceof Error && error.name === 'MigrationLocked')) throw error;
      if (Date.now() > deadline) await knex.migrate.forceFreeMigrationsLock({ tableName: TABLE });
      await delay(250);
    }
  }
}

/** Waits without limit: whoever holds the lock lives, since it ends with the session that took it. */
async function takeAdvisoryLock(url: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url, application_name: 'holdpoint migrate lock', keepAlive: true });
  client.on('error', () => {}); // the migration's own session fails as well, and says so
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [LOCK_KEY]);
  } catch (error) {
    await client.end();
    throw error;
  }
  return () => client.end();
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
