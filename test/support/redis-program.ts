// Finds a Redis (or Valkey) server program for the tests, or installs one with the system's package manager. When
// neither works it says exactly what to install: tests that need Redis are never skipped silently.

import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const NAMES = ['redis-server', 'valkey-server'];
const OLDEST = [6, 2] as const;

let found: string | null = null;

/** The path of a server program of version 6.2 or later. */
export function findRedisProgram(): string {
  found ??= findOnPath(NAMES) ?? installRedis();
  return found;
}

function installRedis(): string {
  const steps = chooseSteps();
  if (steps === null) throw new Error(explain('there is no package manager here that may be used without a password'));
  console.log(`Installing Redis for the tests: ${steps.map((step) => step.join(' ')).join(' && ')}`);
  for (const [program = '', ...args] of steps) {
    // RUNLEVEL=1 keeps Debian from starting the server as a service of the machine.
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1', HOMEBREW_NO_AUTO_UPDATE: '1' };
    const { status, stderr, error } = spawnSync(program, args, { env, encoding: 'utf8', timeout: 600_000 });
    if (status !== 0)
      throw new Error(explain(`"${[program, ...args].join(' ')}" failed: ${error?.message ?? stderr.trim()}`));
  }
  const program = findOnPath(NAMES);
  if (program === null) throw new Error(explain('it was installed, but no server program of version 6.2 came with it'));
  return program;
}

function chooseSteps(): string[][] | null {
  if (process.platform === 'darwin') return locate('brew') === null ? null : [['brew', 'install', 'redis']];
  if (locate('apt-get') === null) return null;
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status !== 0) return null;
  const asRoot = isRoot ? [] : ['sudo', '-n', '--preserve-env=DEBIAN_FRONTEND,RUNLEVEL'];
  return [
    [...asRoot, 'apt-get', 'update'],
    [...asRoot, 'apt-get', 'install', '-y', '--no-install-recommends', 'redis-server'],
  ];
}

function explain(reason: string): string {
  return (
    `The tests need a Redis server of version ${OLDEST.join('.')} or later, and ${reason}. ` +
    'Install one (Debian, Ubuntu: apt-get install redis-server; Fedora: dnf install valkey; Alpine: apk add redis; macOS: brew install redis), ' +
    'or set REDIS_URL to one that the tests may use.'
  );
}

function findOnPath(names: string[]): string | null {
  return names.map(locate).find((program) => program !== null && isRecent(program)) ?? null;
}

function locate(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

function isRecent(program: string): boolean {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  const [, major = '0', minor = '0'] = /v=(\d+)\.(\d+)/.exec(stdout ?? '') ?? [];
  return Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1]);
}
