// The command line program, built from the sources at hand, as a process of its own in a folder of its own.

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { getBuild } from './build.ts';
import { type Ended, type Program, type ProgramOptions, runProgram, startProgram } from './programs.ts';
import { getReaper } from './reaper.ts';

export interface Cli {
  folder: string;
  env: Record<string, string>;
  run(args: string[], options?: ProgramOptions): Promise<Ended>;
  start(args: string[], options?: ProgramOptions): Program;
  /** As a command line for a shell. */
  command: string;
}

export async function createCli(env: Record<string, string>): Promise<Cli> {
  const folder = await mkdtemp(join(getReaper().folder, 'cli-'));
  const command = [process.execPath, join(getBuild(), 'dist', 'src', 'cli', 'main.js')];
  const fill = (options: ProgramOptions = {}) => ({ cwd: folder, ...options, env: { ...env, ...options.env } });
  return {
    folder,
    env,
    run: (args, options) => runProgram([...command, ...args], fill(options)),
    start: (args, options) => startProgram([...command, ...args], fill(options)),
    command: command.join(' '),
  };
}
