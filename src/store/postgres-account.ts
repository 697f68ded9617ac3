// Where the embedded Postgres keeps its files, and as whom it runs: Postgres refuses to run as root, so root lends it
// another user, and another folder when that user cannot enter the one asked for. Knows nothing of servers and settings.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';

/** The user that Postgres' programs run as; null: ours. */
export type Account = { uid: number; gid: number } | null;

export interface Place {
  /** Holds the cluster (`data`), its settings, its log and its lock. */
  home: string;
  account: Account;
}

const REMOTE_ROOT = '/var/lib/holdpoint';

/**
 * Finds the home of `dataDir`'s Postgres and makes it if needed. What an earlier start chose is chosen again, so data is
 * found again; throws an error that says what to do when there is no place that the user may enter.
 */
export function choosePlace(dataDir: string, onNotice: (text: string) => void): Place {
  const local = join(dataDir, 'postgres');
  if (process.getuid?.() !== 0) return { home: makeFolder(dataDir, local), account: null };

  const owner = findOwner(join(local, 'data'));
  if (owner !== null) return { home: requireEntry(local, owner), account: owner };

  const account = ensureUser('postgres');
  const remote = join(REMOTE_ROOT, createHash('sha256').update(dataDir).digest('hex').slice(0, 16));
  if (!existsSync(join(remote, 'data')) && canOwnIn(makeFolder(dataDir, local), account))
    return { home: local, account };

  if (existsSync(local) && readdirSync(local).length === 0) rmdirSync(local);
  mkdirSync(remote, { recursive: true, mode: 0o755 });
  onNotice(`Postgres does not run as root, and its user cannot use ${local}: its files are in ${remote}`);
  return { home: requireEntry(remote, account), account };
}

/** Options that make a child process run as `account`. */
export function asAccount(account: Account): { uid?: number; gid?: number } {
  return account ?? {};
}

/** Whether `account` may run `program`; answers what it printed, or throws what kept it from running. */
export function tryRunning(program: string, account: Account): string {
  const run = spawnSync(program, ['--version'], { ...asAccount(account), cwd: '/', encoding: 'utf8', timeout: 20_000 });
  if (run.error) throw run.error;
  if (run.status !== 0) throw new Error(run.stderr.trim() || `${program} ended with ${run.status ?? run.signal}`);
  return run.stdout.trim();
}

function makeFolder(dataDir: string, home: string): string {
  try {
    const isNew = !existsSync(dataDir);
    mkdirSync(home, { recursive: true });
    // A strict umask of root's would lock Postgres' user out of a folder that was made for it.
    if (isNew && process.getuid?.() === 0) for (const folder of [dataDir, home]) chmodSync(folder, 0o755);
    return home;
  } catch (error) {
    throw new Error(`The folder ${home} cannot be made: ${text(error)}. Set HOLDPOINT_DATA_DIR to one that can.`, {
      cause: error,
    });
  }
}

function findOwner(folder: string): Account {
  if (!existsSync(folder)) return null;
  const { uid, gid } = statSync(folder);
  return uid === 0 ? null : { uid, gid };
}

/** Whether `account` can work in a folder made for it in `home`: it may enter, and the file system keeps owners. */
function canOwnIn(home: string, account: { uid: number; gid: number }): boolean {
  const probe = mkdtempSync(join(home, 'probe-'));
  try {
    chownSync(probe, account.uid, account.gid);
    return canWrite(probe, account);
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}

function canWrite(folder: string, account: Account): boolean {
  return runShell('cd -- "$1" && : > written', folder, account);
}

function requireEntry(home: string, account: Account): string {
  if (runShell('cd -- "$1"', home, account)) return home;
  throw new Error(
    `Postgres runs as user ${account?.uid}, who may not enter ${home}. ` +
      'Let that user pass (chmod a+x on the folders above it), run Holdpoint as that user, or set DATABASE_URL to a Postgres of yours.',
  );
}

function runShell(script: string, folder: string, account: Account): boolean {
  const run = spawnSync('/bin/sh', ['-c', script, 'sh', folder], { ...asAccount(account), cwd: '/', stdio: 'ignore' });
  if (run.error === undefined) return run.status === 0;
  throw new Error(
    `Postgres does not run as root, and this system lets root start nothing as another user (${text(run.error)}). ` +
      'Run Holdpoint as an ordinary user, or set DATABASE_URL to a Postgres of yours.',
    { cause: run.error },
  );
}

function ensureUser(name: string): { uid: number; gid: number } {
  const found = findUser(name) ?? addUser(name);
  if (found !== null) return found;
  throw new Error(
    `Postgres does not run as root, and the user "${name}" could not be made. ` +
      `Make it (useradd ${name}), run Holdpoint as an ordinary user, or set DATABASE_URL to a Postgres of yours.`,
  );
}

function findUser(name: string): { uid: number; gid: number } | null {
  const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }));
  if (uid?.status !== 0 || gid?.status !== 0) return null;
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

function addUser(name: string): { uid: number; gid: number } | null {
  const ways = [
    `{ getent group ${name} || groupadd --system ${name}; } && useradd --system --gid ${name} --no-create-home --shell /bin/false ${name}`,
    `addgroup -S ${name}; adduser -S -D -H -G ${name} ${name}`,
  ];
  for (const way of ways) {
    spawnSync('/bin/sh', ['-c', way], { stdio: 'ignore' });
    const found = findUser(name);
    if (found !== null) return found;
  }
  return null;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
