// What mocha loads before any test: starts the run's Redis and Postgres once and stops them at the end. Runs that ask
// for pure tests only go without, so that the core's tests stay a matter of milliseconds.

import { startServices } from './services.ts';

const PURE = /^(\.\/)?test\/(core\/|architecture\.test\.ts)/;

let stop: (() => Promise<void>) | null = null;

export async function mochaGlobalSetup(): Promise<void> {
  const asked = process.argv.slice(2).filter((argument) => /^(\.\/)?test\b/.test(argument));
  const isPure = asked.length > 0 && asked.every((path) => PURE.test(path));
  if (!isPure) stop = await startServices();
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stop?.();
}
