// Real Redis and Postgres for the tests: one of each for the whole run, a fresh migrated database whenever a test asks,
// and servers of a test's own that it may kill. Mocks nothing, and leaves nothing running (reaper.ts).

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';
import { findFreePort } from '../../src/store/free-port.ts';
import { migrate } from '../../src/store/migrate.ts';
import { PATIENCE_MS } from './eventually.ts';
import { getFastFolder } from './memory-folder.ts';
import { getReaper } from './reaper.ts';
import { findRedisProgram } from './redis-program.ts';

export interface Services {
  /** Shared by the whole run, perhaps with others: every test uses a key prefix of its own. */
  redisUrl: string;
  /** A superuser's address of a database that nobody else uses. */
  postgresAdminUrl: string;
}

/** A server that a test may kill. */
export interface TestServer {
  url: string;
  port: number;
  /** Sends the signal, SIGKILL by default, and waits until the process is gone when the signal ends it. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port and folder; stops it first when it runs. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const TEMPLATE = 'holdpoint_template';
const REDIS_VARIABLE = 'HOLDPOINT_TEST_REDIS_URL';
const POSTGRES_VARIABLE = 'HOLDPOINT_TEST_POSTGRES_URL';

/** The run's servers, in the process that started them and in its children. */
export function getServices(): Services {
  const redisUrl = process.env[REDIS_VARIABLE];
  const postgresAdminUrl = process.env[POSTGRES_VARIABLE];
  if (redisUrl && postgresAdminUrl) return { redisUrl, postgresAdminUrl };
  throw new Error(
    'Redis and Postgres of the tests do not run: start the tests with `npm test`, which loads test/support/global.ts',
  );
}

/**
 * Starts the run's servers and the template of its databases; answers how to stop them. `onDisk`: nothing is kept in memory
 * in the place of a disk, so that what is measured pays for its fsyncs.
 */
export async function startServices({ onDisk = false } = {}): Promise<() => Promise<void>> {
  const external = process.env['REDIS_URL'] || null;
  const [redis, postgres] = await Promise.all([
    external === null ? startRedis() : null,
    openPostgres(nameFolder({ onDisk })),
  ]);
  process.env[REDIS_VARIABLE] = redis?.url ?? external ?? '';
  process.env[POSTGRES_VARIABLE] = postgres.url;
  if (!onDisk) await keepSmall(postgres.url);
  await makeTemplate(postgres.url);
  return async () => {
    await Promise.all([redis?.stop(), postgres.stop()]);
    getReaper().forget(postgres.pid);
  };
}

/** A database with the schema of this release and nothing in it. */
export async function createDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const { postgresAdminUrl } = getServices();
  const name = `hp_${randomBytes(8).toString('hex')}`;
  await query(postgresAdminUrl, `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  return {
    url: renameDatabase(postgresAdminUrl, name),
    drop: () => query(postgresAdminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/** A Redis of the test's own: no persistence, no eviction, unless `options` say otherwise. */
export async function startRedis(options: string[] = []): Promise<TestServer> {
  const folder = mkdtempSync(join(getReaper().folder, 'redis-'));
  const port = await findFreePort();
  let child = await spawnRedis(port, folder, options);
  const stop = () => end(child, 'SIGTERM');
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill: (signal = 'SIGKILL') => end(child, signal),
    async restart() {
      await stop();
      child = await spawnRedis(port, folder, options);
    },
    stop,
  };
}

/** A Postgres of the test's own, with an empty database that has our schema. */
export async function startPostgres(): Promise<TestServer> {
  const dataDir = nameFolder();
  let server = await openPostgres(dataDir);
  await migrate(server.url);
  const stop = async () => {
    await server.stop();
    getReaper().forget(server.pid);
  };
  return {
    url: server.url,
    port: server.port,
    kill: (signal = 'SIGKILL') => killProcess(server.pid, signal),
    async restart() {
      const { port } = server;
      await stop();
      server = await openPostgres(dataDir);
      if (server.port !== port) throw new Error(`Postgres lost its port ${port} while it was down; somebody took it`);
    },
    stop,
  };
}

async function openPostgres(dataDir = nameFolder()): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, onNotice: () => {} });
  getReaper().keep(server.pid);
  // For root it may be elsewhere, when nobody else may enter the folder for temporary files.
  getReaper().remove(server.folder);
  return server;
}

/** A folder that is yet to be made: mkdtemp's own are closed to the user that Postgres runs as. */
function nameFolder({ onDisk = false } = {}): string {
  return join(onDisk ? getReaper().folder : getFastFolder(), `postgres-${randomBytes(6).toString('hex')}`);
}

/** What is written ahead is kept for nobody, and is in memory with the rest. */
async function keepSmall(adminUrl: string): Promise<void> {
  await query(adminUrl, `ALTER SYSTEM SET max_wal_size = '256MB'`);
  await query(adminUrl, 'SELECT pg_reload_conf()');
}

async function makeTemplate(adminUrl: string): Promise<void> {
  await query(adminUrl, `CREATE DATABASE ${TEMPLATE}`);
  await migrate(renameDatabase(adminUrl, TEMPLATE));
  // A template somebody is connected to cannot be copied, and autovacuum would connect.
  await query(adminUrl, `ALTER DATABASE ${TEMPLATE} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true`);
}

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function renameDatabase(url: string, name: string): string {
  const renamed = new URL(url);
  renamed.pathname = `/${name}`;
  return renamed.href;
}

async function spawnRedis(port: number, folder: string, options: string[]): Promise<ChildProcess> {
  const settings = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--logfile',
    join(folder, 'redis.log'),
  ];
  const forgetful = ['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction'];
  const child = spawn(findRedisProgram(), [...settings, ...forgetful, ...options], { stdio: 'ignore', detached: true });
  child.unref();
  await once(child, 'spawn');
  getReaper().keep(child.pid!);
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await answersPing(port))) {
    if (hasEnded(child) || Date.now() > deadline)
      throw new Error(`Redis did not start on port ${port}; see ${folder}/redis.log`);
    await delay(20);
  }
  return child;
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.once('data', (data) => settle(data.toString().startsWith('+PONG')));
    socket.once('error', () => settle(false));
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child) || child.pid === undefined) return;
  await killProcess(child.pid, signal);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function killProcess(pid: number, signal: NodeJS.Signals): Promise<void> {
  if (!sendSignal(pid, signal) || ['SIGSTOP', 'SIGCONT', 'SIGHUP', 'SIGUSR1'].includes(signal)) return;
  // A stopped process hears no other signal than SIGKILL until it is woken.
  sendSignal(pid, 'SIGCONT');
  while (sendSignal(pid, 0)) await delay(5);
  getReaper().forget(pid);
}

function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
