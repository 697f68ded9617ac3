// What mocha loads before any test: starts the run's Redis and Postgres once and stops them at the end, and builds what is
// run as a program. Runs that ask for pure tests only go without, so that the core's tests stay a matter of milliseconds.
// Knows nothing of any test.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { build } from './build.ts';
import { CHANCE } from './random.ts';
import { getReaper } from './reaper.ts';
import { startServices } from './services.ts';

const PURE = /^(\.\/)?test\/(core\/|architecture\.test\.ts)/;
/** What a test file imports that starts programs. */
const PROGRAMS = /support\/(processes|deployment|cli|package)\.ts'/;

// Known to tests that are loaded as this file is; one that needs an ES module has a fast-check of its own.
fc.configureGlobal(CHANCE);

let stop: (() => Promise<void>) | null = null;

export async function mochaGlobalSetup(): Promise<void> {
  const asked = process.argv.slice(2).filter((argument) => /^(\.\/)?test\b/.test(argument));
  if (asked.length > 0 && asked.every((path) => PURE.test(path))) return;
  const isBuilt = asked.length === 0 || asked.some(startsPrograms);
  [stop] = await Promise.all([startServices(), isBuilt ? build(join(getReaper().folder, 'build')) : null]);
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stop?.();
}

/** Folders and patterns may hold anything. */
function startsPrograms(path: string): boolean {
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
  return !isFile || PROGRAMS.test(readFileSync(path, 'utf8'));
}
