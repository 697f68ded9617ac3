// Where the server is and who asks: flags, then HOLDPOINT_URL, HOLDPOINT_API_KEY and HOLDPOINT_WORKSPACE, then the address and
// the credentials that a server on this machine left in `.holdpoint`. Reads the environment itself: src/config.ts is the
// servers' and not for a program that may run where no server is.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientOptions } from '../sdk/transport.ts';
import { UsageError } from './exit-codes.ts';

/** What every command takes. */
export interface GlobalFlags {
  url?: string;
  apiKey?: string;
  workspace?: string;
  pod?: string;
  json?: boolean;
}

export interface Settings extends ClientOptions {
  apiKey: string;
  /** Where the key is from, for people. */
  keySource: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const LOCAL_URL = 'http://127.0.0.1:3000';

/** Throws `UsageError` where something is missing. */
export function readSettings(flags: GlobalFlags, env: Environment = process.env): Settings {
  const baseUrl = flags.url ?? named(env, 'HOLDPOINT_URL') ?? readAddress(env) ?? LOCAL_URL;
  if (!URL.canParse(baseUrl) || !/^https?:$/.test(new URL(baseUrl).protocol))
    throw new UsageError(`"${baseUrl}" is no address of a server: write it as ${LOCAL_URL}`);
  const pod = flags.pod ?? named(env, 'HOLDPOINT_POD');
  return { baseUrl, ...readCredentials(flags, env, baseUrl), ...(pod === undefined ? {} : { pod }) };
}

function readCredentials(flags: GlobalFlags, env: Environment, baseUrl: string) {
  const workspace = flags.workspace ?? named(env, 'HOLDPOINT_WORKSPACE');
  if (flags.apiKey !== undefined)
    return { apiKey: flags.apiKey, workspace: workspace ?? 'default', keySource: '--api-key' };
  const apiKey = named(env, 'HOLDPOINT_API_KEY');
  if (apiKey !== undefined) return { apiKey, workspace: workspace ?? 'default', keySource: 'HOLDPOINT_API_KEY' };
  const file = join(folderOf(env), 'credentials.json');
  // A key of this machine's server is nobody else's to see.
  const local = isLocal(baseUrl) ? readLocal(file) : null;
  if (local === null)
    throw new UsageError(
      `there is no API key for ${baseUrl}: set HOLDPOINT_API_KEY, pass --api-key, or start a server here with \`holdpoint start\``,
    );
  return { apiKey: local.apiKey, workspace: workspace ?? local.workspace, keySource: file };
}

function folderOf(env: Environment): string {
  return named(env, 'HOLDPOINT_DATA_DIR') ?? '.holdpoint';
}

/** Where the standalone server of this folder listens, or did so last; null where none ever has. */
function readAddress(env: Environment): string | null {
  try {
    const address = readFileSync(join(folderOf(env), 'address'), 'utf8').trim();
    return URL.canParse(address) ? address : null;
  } catch {
    return null;
  }
}

function named(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined;
}

function isLocal(url: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname);
}

/** What a standalone server keeps there; null where there is none that can be read. */
function readLocal(file: string): { apiKey: string; workspace: string } | null {
  try {
    const kept: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof kept !== 'object' || kept === null) return null;
    const { apiKey, workspace = 'default' } = kept as Record<string, unknown>;
    return typeof apiKey === 'string' && typeof workspace === 'string' ? { apiKey, workspace } : null;
  } catch {
    return null;
  }
}

/** Gives the process that this one becomes `defaults` where nothing is set, and `flags` whatever is. */
export function setEnvironment(
  { defaults, flags }: { defaults: Environment; flags: Environment },
  env: Record<string, string | undefined> = process.env,
): void {
  for (const [name, value] of Object.entries(defaults)) env[name] ||= value;
  for (const [name, value] of Object.entries(flags)) if (value !== undefined) env[name] = value;
}

/** Whether people look at the output; what they wish about colour is https://no-color.org. */
export function readTerminal(stream: NodeJS.WriteStream, env: Environment = process.env) {
  const isTerminal = stream.isTTY === true && env['TERM'] !== 'dumb';
  return { isTerminal, hasColor: isTerminal && !env['NO_COLOR'] };
}

/** Whether this program was called by `npx`, and may be known to no shell by its name. */
export function isRunByNpx(env: Environment = process.env): boolean {
  return env['npm_command'] === 'exec';
}

/** Whether this machine knows the database of a deployment. */
export function hasDatabase(env: Environment = process.env): boolean {
  return named(env, 'DATABASE_URL') !== undefined;
}

/** Whether there is a key for the server. */
export function hasCredentials(flags: GlobalFlags): boolean {
  try {
    readSettings(flags);
    return true;
  } catch {
    return false;
  }
}
