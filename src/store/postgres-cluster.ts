// One Postgres cluster on disk and its server process: made by initdb, started apart from the terminal, asked whether it
// answers, stopped. Each verb does one thing once; when to do it, and how often, is embedded-postgres.ts's business.

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type Account, asAccount } from './postgres-account.ts';
import type { Binaries } from './postgres-binaries.ts';

export interface Settings {
  port: number;
  password: string;
}

export interface Cluster {
  home: string;
  data: string;
  log: string;
  account: Account;
  binaries: Binaries;
}

/** `away`: nobody listens. `foreign`: somebody does, but it is not the server of this cluster. */
export type Answer = 'ready' | 'starting' | 'stopping' | 'away' | 'foreign';

const USER = 'holdpoint';
const DATABASE = 'holdpoint';
const MAX_LOG_BYTES = 5_000_000;
const run = promisify(execFile);

/** Makes the cluster unless it is there. A run that is cut short leaves only a folder that the next one clears away. */
export async function initialiseCluster(cluster: Cluster, port: number, onBegin: () => void): Promise<void> {
  const { home, data, account, binaries } = cluster;
  for (const name of await readdir(home))
    if (name.startsWith('data-new')) await rm(join(home, name), { recursive: true });
  if ((await readText(join(data, 'PG_VERSION'))) !== null) return;
  onBegin();
  const password = randomBytes(24).toString('base64url');
  const draft = join(home, `data-new-${randomBytes(4).toString('hex')}`);
  const secret = `${draft}-password`;
  await mkdir(draft, { mode: 0o700 });
  await writeFile(secret, password, { mode: 0o600 });
  if (account !== null) for (const path of [draft, secret]) await chown(path, account.uid, account.gid);
  const options = ['--auth=scram-sha-256', `--username=${USER}`, `--pwfile=${secret}`, '--encoding=UTF8'];
  // Postgres' own C.UTF-8 (since 17): sorts by code point, knows letters, and is the same on every machine.
  const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  await run(binaries.initdb, ['-D', draft, ...options, ...locale], { ...asAccount(account), cwd: home });
  await rm(secret);
  await saveSettings(cluster, { port, password });
  await rename(draft, data);
}

/** Checks that the programs can serve the data: a major version reads only its own. */
export async function checkVersion({ data, binaries }: Cluster): Promise<void> {
  const version = (await readText(join(data, 'PG_VERSION')))?.trim();
  if (version === binaries.major) return;
  throw new Error(
    `The data in ${data} was written by Postgres ${version}, and this Holdpoint brings Postgres ${binaries.major}. ` +
      'Use the release that made it, and move the data with pg_dump; or set HOLDPOINT_DATA_DIR to a new folder.',
  );
}

export async function loadSettings({ home, data }: Cluster): Promise<Settings> {
  const file = join(home, 'postgres.json');
  try {
    const { port, password } = JSON.parse(await readFile(file, 'utf8')) as Partial<Settings>;
    if (Number.isInteger(port) && typeof password === 'string') return { port: Number(port), password };
    throw new Error('it lacks port or password');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `${file} holds the password of the database in ${data} and cannot be read (${reason}). Restore it from a backup.`,
      {
        cause: error,
      },
    );
  }
}

export async function saveSettings({ home }: Cluster, settings: Settings): Promise<void> {
  await writeFile(join(home, 'postgres.json'), `${JSON.stringify(settings)}\n`, { mode: 0o600 });
}

export function formatUrl({ port, password }: Settings, database = DATABASE): string {
  return `postgres://${USER}:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;
}

/** Starts the server in a session of its own, so that the terminal's Ctrl-C reaches only us. */
export async function spawnServer(cluster: Cluster, port: number): Promise<ChildProcess> {
  const { home, data, log, account, binaries } = cluster;
  const size = await stat(log).then(
    (found) => found.size,
    () => 0,
  );
  if (size > MAX_LOG_BYTES) await rename(log, `${log}.1`);
  const output = openSync(log, 'a', 0o600);
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'log_checkpoints=off',
  ];
  try {
    const child = spawn(
      binaries.postgres,
      ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
      {
        ...asAccount(account),
        cwd: home,
        detached: true,
        windowsHide: true,
        stdio: ['ignore', output, output],
      },
    );
    child.on('error', () => {}); // reported by its exit code, which is then null
    child.unref();
    return child;
  } finally {
    closeSync(output);
  }
}

/** Asks the server on that port who it is, with our password: only the right answer proves that it is ours. */
export async function askServer(cluster: Cluster, settings: Settings): Promise<Answer> {
  const client = new pg.Client({
    connectionString: formatUrl(settings, 'postgres'),
    connectionTimeoutMillis: 2_000,
    query_timeout: 2_000,
  });
  client.on('error', () => {}); // a server that dies under the question is told by the query
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
    if (rows[0]?.data_directory !== cluster.data) return 'foreign';
    return 'ready';
  } catch (error) {
    return classify(error);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Makes our database in a server that is ready, unless it is there. */
export async function ensureDatabase(settings: Settings): Promise<void> {
  const client = new pg.Client({ connectionString: formatUrl(settings, 'postgres'), connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } finally {
    await client.end();
  }
}

/** The running server of this cluster, or null: its lock file names a process, and that process serves this folder. */
export async function findServer({ data }: Cluster): Promise<{ pid: number; port: number } | null> {
  const lines = (await readText(join(data, 'postmaster.pid')))?.split('\n') ?? [];
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 1 || !isServing(pid, data)) return null;
  return { pid, port: Number(lines[3]) || 0 };
}

/**
 * Frees a lock file whose process id now belongs to a stranger, which Postgres would wait for without end. It skips its
 * parent's id, so ours goes in; deleting the file would also switch off its check for server processes left behind.
 */
export async function disownLock({ data }: Cluster): Promise<void> {
  const file = join(data, 'postmaster.pid');
  const text = await readText(file);
  if (text !== null) await writeFile(file, text.replace(/^\d+/, String(process.pid)));
}

/** Fast shutdown: sessions are ended, everything is written, and the call waits for it. */
export async function stopServer(
  { home, data, account, binaries }: Cluster,
  mode: 'fast' | 'immediate' = 'fast',
): Promise<void> {
  await run(binaries.pgCtl, ['stop', '-D', data, '-m', mode, '-w', '-t', '60'], {
    ...asAccount(account),
    cwd: home,
  }).catch(() => {});
}

function isServing(pid: number, data: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  if (process.platform === 'win32') return true;
  const command =
    process.platform === 'linux'
      ? readCommand(pid)
      : spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout;
  return command.includes(data);
}

function readCommand(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function classify(error: unknown): Answer {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  if (code === '57P03') return /shutting down/.test(message) ? 'stopping' : 'starting';
  if (code === '28P01' || code === '28000' || code === '3D000') return 'foreign';
  return 'away';
}

async function readText(file: string): Promise<string | null> {
  return readFile(file, 'utf8').catch(() => null);
}
