// What commands have in common: the client and the output that the flags ask for, input from a flag, a file or a pipe, and the
// number that the program ends with.

import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { HoldpointClient } from '../sdk/client.ts';
import { EXIT, UsageError } from './exit-codes.ts';
import { createOutput, type Output } from './output.ts';
import { type GlobalFlags, isRunByNpx, readSettings, type Settings } from './settings.ts';
import { nameProgram } from './suggestions.ts';

export interface Session {
  client: HoldpointClient;
  settings: Settings;
  output: Output;
  /** How this program is called, in the commands that it suggests. */
  program: string;
}

/** What a command does; the number is the exit code, default 0. */
export type Action<Flags> = (session: Session, flags: Flags, args: string[]) => Promise<number | undefined>;

/** About a second: somebody is looking at the cursor. */
const MAX_RETRIES = 3;

/** Makes `action` the command's, with its flags and those that every command takes. */
export function defineAction<Flags = object>(command: Command, action: Action<Flags>): Command {
  return command.action(async () => {
    // Output that nobody reads any more, as in `holdpoint logs … | head`, is no failure.
    process.stdout.once('error', (error: NodeJS.ErrnoException) =>
      process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed),
    );
    const flags = command.optsWithGlobals<Flags & GlobalFlags>();
    const settings = readSettings(flags);
    const client = new HoldpointClient({ ...settings, maxRetries: MAX_RETRIES });
    const session = { client, settings, output: createOutput(flags), program: nameProgram(flags, isRunByNpx()) };
    process.exitCode = (await action(session, flags, command.processedArgs as string[])) ?? 0;
  });
}

/** JSON from the flag itself, from the file after `@`, or from stdin, `-`. Throws `UsageError`. */
export function readJson(flag: string, name: string): unknown {
  const text = flag === '-' ? readText(0, name) : flag.startsWith('@') ? readText(flag.slice(1), name) : flag;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${name} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
}

export function readJsonObject(flag: string, name: string): Record<string, unknown> {
  const value = readJson(flag, name);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new UsageError(`${name} must be a JSON object, as in '{"amount": 120}'`);
}

function readText(source: string | 0, name: string): string {
  try {
    return readFileSync(source, 'utf8');
  } catch (error) {
    throw new UsageError(`${name}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Seconds as milliseconds. Throws `UsageError`. */
export function readSeconds(text: string, name: string): number {
  const seconds = Number(text);
  if (text.trim() !== '' && seconds > 0 && seconds <= 2_000_000) return seconds * 1_000;
  throw new UsageError(`${name} must be a number of seconds above 0, not "${text}"`);
}
