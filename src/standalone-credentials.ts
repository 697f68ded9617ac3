// The first API key of a standalone: named by the environment, or made once and kept in the data folder, so that a
// restart answers to the same key. Knows nothing of how keys are stored or checked.

import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';

export interface Credentials {
  apiKey: string;
  workspace: string;
}

type Wanted = Pick<Config, 'dataDir' | 'bootstrapApiKey' | 'bootstrapWorkspace'>;

/** What HOLDPOINT_BOOTSTRAP_* say, filled up from `credentials.json`, which is made (mode 0600) when it is needed. */
export async function loadCredentials({ dataDir, bootstrapApiKey, bootstrapWorkspace }: Wanted): Promise<Credentials> {
  if (bootstrapApiKey !== null) return { apiKey: bootstrapApiKey, workspace: bootstrapWorkspace ?? 'default' };
  const file = join(dataDir, 'credentials.json');
  const kept = await readCredentials(file).then((found) => found ?? makeCredentials(dataDir, file));
  return { apiKey: kept.apiKey, workspace: bootstrapWorkspace ?? kept.workspace };
}

async function readCredentials(file: string): Promise<Credentials | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  try {
    const { apiKey, workspace } = JSON.parse(text) as Partial<Credentials>;
    if (typeof apiKey === 'string' && typeof workspace === 'string') return { apiKey, workspace };
  } catch {
    // Not JSON: told below, like any other wrong content.
  }
  throw new Error(
    `${file} must hold {"apiKey": "sk_…", "workspace": "default"}. Mend it, or delete it to get a new key.`,
  );
}

async function makeCredentials(dataDir: string, file: string): Promise<Credentials> {
  const credentials = { apiKey: `sk_${randomBytes(32).toString('base64url')}`, workspace: 'default' };
  const draft = `${file}.${process.pid}`;
  await mkdir(dataDir, { recursive: true });
  await writeFile(draft, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
  try {
    // link() never overwrites: of two first starts, both end with the one key that was kept.
    await link(draft, file);
    return credentials;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    return (await readCredentials(file)) ?? credentials;
  } finally {
    await rm(draft, { force: true });
  }
}
