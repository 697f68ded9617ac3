// The first API key of a standalone and the key that seals its secrets: named by the environment, or made once and kept in
// the data folder, so that a restart answers to the same key and can read what it sealed. Knows nothing of how they are used.

import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';

export interface Credentials {
  apiKey: string;
  workspace: string;
  secretKeys: Buffer[];
}

/** What `credentials.json` holds; an older one may lack the secret key. */
interface Kept {
  apiKey?: string;
  workspace?: string;
  /** 32 bytes as hex. */
  secretKey?: string;
}

type Wanted = Pick<Config, 'dataDir' | 'bootstrapApiKey' | 'bootstrapWorkspace' | 'secretKeys'>;

/** What the settings say, filled up from `credentials.json`, which is made or added to (mode 0600) when it is needed. */
export async function loadCredentials(wanted: Wanted): Promise<Credentials> {
  const { dataDir, bootstrapApiKey, bootstrapWorkspace, secretKeys } = wanted;
  const kept = bootstrapApiKey !== null && secretKeys.length > 0 ? {} : await keep(dataDir, wanted);
  return {
    apiKey: bootstrapApiKey ?? kept.apiKey!,
    workspace: bootstrapWorkspace ?? (bootstrapApiKey === null ? kept.workspace : undefined) ?? 'default',
    secretKeys: secretKeys.length > 0 ? secretKeys : [Buffer.from(kept.secretKey!, 'hex')],
  };
}

/** The file's content, with all in it that the settings do not say. */
async function keep(dataDir: string, wanted: Wanted): Promise<Kept> {
  const file = join(dataDir, 'credentials.json');
  const found = await readKept(file);
  const needsApiKey = wanted.bootstrapApiKey === null && found?.apiKey === undefined;
  const needsSecretKey = wanted.secretKeys.length === 0 && found?.secretKey === undefined;
  if (found !== null && !needsApiKey && !needsSecretKey) return found;
  const apiKey = { apiKey: `sk_${randomBytes(32).toString('base64url')}`, workspace: 'default' };
  const kept = {
    ...found,
    ...(needsApiKey ? apiKey : {}),
    ...(needsSecretKey ? { secretKey: randomBytes(32).toString('hex') } : {}),
  };
  await mkdir(dataDir, { recursive: true });
  await write(file, kept, { isNew: found === null });
  // Of two first starts, both end with what was kept.
  return keep(dataDir, wanted);
}

async function write(file: string, kept: Kept, { isNew }: { isNew: boolean }): Promise<void> {
  // Two starts may share a process, or a process id in two containers: each has a draft of its own.
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
  try {
    // link() never overwrites what another start was faster to make.
    await (isNew ? link(draft, file) : rename(draft, file));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function readKept(file: string): Promise<Kept | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  try {
    const kept: unknown = JSON.parse(text);
    if (isKept(kept)) return kept;
  } catch {
    // Not JSON: told below, like any other wrong content.
  }
  throw new Error(
    `${file} must hold {"apiKey": "sk_…", "workspace": "default", "secretKey": "64 hex digits"}. Mend it, or delete it to get new keys; secrets that were sealed can then not be read any more.`,
  );
}

function isKept(value: unknown): value is Kept {
  if (typeof value !== 'object' || value === null) return false;
  const { apiKey, workspace, secretKey } = value as Record<string, unknown>;
  const isText = (part: unknown) => part === undefined || typeof part === 'string';
  const isSecretKey = secretKey === undefined || /^[0-9a-f]{64}$/i.test(String(secretKey));
  return isText(apiKey) && isText(workspace) && isSecretKey;
}
