// One owner per folder: a lock file that names the process holding it. Knows how to tell a living owner from a dead one
// whose process id was given to somebody else; knows nothing of what the folder holds.

import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';

interface Owner {
  pid: number;
  /** When that process began, as the system words it: ids are reused, beginnings are not. */
  began: string | null;
}

/** Takes the lock or throws an error that names the living owner; the answer gives it back. A dead owner's is ignored. */
export async function lockFolder(file: string, folder: string): Promise<() => Promise<void>> {
  const mine: Owner = { pid: process.pid, began: findBeginning(process.pid) };
  const text = JSON.stringify(mine);
  // A name of its own each time: process ids repeat, in containers that share a folder even at the same time.
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, text, { mode: 0o644 });
  try {
    for (let tries = 0; tries < 10; tries++) {
      // link() is atomic and never overwrites, so no reader meets a lock that is half written.
      if (await linked(draft, file)) return async () => release(file, text);
      const holder = await readOwner(file);
      if (holder !== null && isLiving(holder)) throw new Error(explain(folder, holder.pid));
      await removeStale(file, holder);
    }
    throw new Error(`The folder ${folder} could not be locked: ${file} keeps changing. Try again.`);
  } finally {
    await rm(draft, { force: true });
  }
}

function explain(folder: string, pid: number): string {
  const who = pid === process.pid ? 'this very process' : `another Holdpoint (process ${pid})`;
  return `The folder ${folder} is in use by ${who}. Stop it first, or set HOLDPOINT_DATA_DIR to another folder.`;
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves the stale lock away before deleting it: two newcomers may both have found it stale, and one may already hold. */
async function removeStale(file: string, stale: Owner | null): Promise<void> {
  const aside = `${file}.${randomUUID()}.stale`;
  try {
    await rename(file, aside);
  } catch {
    return;
  }
  const moved = await readOwner(aside);
  if (moved !== null && moved.pid !== stale?.pid && isLiving(moved)) await linked(aside, file);
  await rm(aside, { force: true });
}

async function readOwner(file: string): Promise<Owner | null> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof value !== 'object' || value === null || !('pid' in value) || typeof value.pid !== 'number') return null;
    return { pid: value.pid, began: 'began' in value && typeof value.began === 'string' ? value.began : null };
  } catch {
    return null;
  }
}

async function release(file: string, text: string): Promise<void> {
  const current = await readFile(file, 'utf8').catch(() => '');
  if (current === text) await rm(file, { force: true });
}

function isLiving({ pid, began }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return began === null || findBeginning(pid) === began;
}

function findBeginning(pid: number): string | null {
  if (process.platform === 'linux') return findBeginningInProc(pid);
  if (process.platform === 'win32') return null;
  const { status, stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  return status === 0 && stdout.trim() !== '' ? stdout.trim() : null;
}

function findBeginningInProc(pid: number): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may hold spaces; the beginning is the 20th after it.
    return `${boot}/${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return null;
  }
}
