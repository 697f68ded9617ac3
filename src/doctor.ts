// Looks at a deployment from where its processes run: settings, Postgres and its schema, the queue, and the invariants of all
// runs. Changes nothing. Prints one JSON report and exits with 1 when something is wrong; `holdpoint doctor` shows it.

import { type Config, loadConfig } from './config.ts';
import type { Json } from './core/json.ts';
import { createLog } from './log.ts';
import { openQueues, type Queues } from './queue/connection.ts';
import { type Database, openDatabase } from './store/db.ts';
import { findViolations } from './store/invariants.ts';
import { listPendingMigrations } from './store/migrate.ts';

interface Check {
  name: string;
  ok: boolean;
  message: string;
  details?: Json;
}

/** Long enough for a connection that has to be made first. */
const PATIENCE_MS = 5_000;
const SHOWN = 20;

async function examine(): Promise<Check[]> {
  const node = { name: 'node', ok: true, message: process.versions.node };
  let config: Config;
  try {
    config = loadConfig();
  } catch (error) {
    return [node, failed('settings', error)];
  }
  const { databaseUrl, redisUrl } = config;
  if (databaseUrl === null)
    return [node, failed('settings', new Error('DATABASE_URL is not set: there is no deployment to look at'))];
  const settings = {
    name: 'settings',
    ok: true,
    message: redisUrl === null ? 'the queue lives in Postgres: set REDIS_URL for production' : 'complete',
  };
  return [node, settings, ...(await examineServers({ ...config, databaseUrl }))];
}

async function examineServers(config: Config & { databaseUrl: string }): Promise<Check[]> {
  const db = openDatabase({ url: config.databaseUrl, max: 2, name: 'holdpoint doctor', onError: () => {} });
  const log = createLog({ level: 'silent', name: 'doctor' });
  const queues = await openQueues(config, { log, onAddFailed: () => {} });
  try {
    const postgres = await check('postgres', () => examinePostgres(db));
    if (!postgres.ok) return [postgres];
    const migrations = await check('migrations', () => examineMigrations(db));
    const queue = await check('queue', () => examineQueue(queues));
    if (!migrations.ok) return [postgres, migrations, queue];
    return [postgres, migrations, queue, await check('invariants', () => examineRuns(db))];
  } finally {
    await Promise.allSettled([queues.close(), db.close()]);
  }
}

async function examinePostgres({ pool }: Database): Promise<Omit<Check, 'name'>> {
  const { rows } = await pool.query<{ server_version: string }>('SHOW server_version');
  return { ok: true, message: rows[0]!.server_version };
}

async function examineMigrations(db: Database): Promise<Omit<Check, 'name'>> {
  const pending = await listPendingMigrations(db);
  if (pending.length === 0) return { ok: true, message: 'up to date' };
  return { ok: false, message: 'pending: run `holdpoint migrate`', details: pending };
}

/** A connection that is being made is not refused at the first look. */
async function examineQueue(queues: Queues): Promise<Omit<Check, 'name'>> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { ok, message = 'workers may take jobs' } = await queues.probe();
    if (ok) return { ok, message, details: await countJobs(queues) };
    if (Date.now() > deadline) return { ok, message };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function countJobs({ board }: Queues): Promise<Json> {
  const counts = await Promise.all(
    board.map(async (queue) => [
      queue.name,
      await queue.getJobCounts('wait', 'active', 'delayed', 'prioritized', 'failed'),
    ]),
  );
  return Object.fromEntries(counts);
}

/** Only what is stored: jobs come and go while one looks. */
async function examineRuns(db: Database): Promise<Omit<Check, 'name'>> {
  const found = await findViolations(db);
  if (found.length === 0) return { ok: true, message: 'every run keeps them' };
  const shown = found.slice(0, SHOWN).map((violation) => ({ ...violation }));
  return { ok: false, message: `${found.length} broken: please report them`, details: shown };
}

async function check(name: string, look: () => Promise<Omit<Check, 'name'>>): Promise<Check> {
  try {
    return { name, ...(await look()) };
  } catch (error) {
    return failed(name, error);
  }
}

function failed(name: string, error: unknown): Check {
  const reason = error instanceof Error ? error.message || ('code' in error ? String(error.code) : error.name) : error;
  return { name, ok: false, message: String(reason) };
}

const checks = await examine();
console.log(JSON.stringify({ ok: checks.every(({ ok }) => ok), checks }));
process.exit(checks.every(({ ok }) => ok) ? 0 : 1);
