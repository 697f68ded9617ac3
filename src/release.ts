// The release phase: migrates DATABASE_URL before a new release takes over, waiting up to a minute for a database that
// is not up yet. Says what it did; anything that waiting cannot mend ends it at once with exit code 1.

import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from './config.ts';
import { isTransient } from './store/db.ts';
import { migrate } from './store/migrate.ts';

const PATIENCE_MS = 60_000;

async function release(): Promise<void> {
  const { databaseUrl } = loadConfig();
  if (databaseUrl === null) {
    throw new Error(
      'DATABASE_URL is not set. Set it to the Postgres to migrate; `npm start` alone needs none and migrates its own.',
    );
  }
  const names = await migratePatiently(databaseUrl);
  if (names.length === 0) console.log('The database is up to date.');
  for (const name of names) console.log(`Migrated ${name}`);
}

async function migratePatiently(url: string): Promise<string[]> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await migrate(url);
    } catch (error) {
      if (!isTransient(error) || Date.now() > deadline) throw error;
      console.log(`The database is not ready (${describe(error)}); trying again…`);
      await delay(2_000);
    }
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node wraps refusals of several addresses into one error without a message of its own.
  return error.message || ('code' in error ? String(error.code) : error.name);
}

release().catch((error: unknown) => {
  console.error(`The release failed: ${describe(error)}`);
  process.exitCode = 1;
});
