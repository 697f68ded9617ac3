// The command line program, built from the sources at hand, as a process of its own in a folder of its own.

import { mkdtemp, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPackage } from './package.ts';
import { type Ended, type Program, type ProgramOptions, runProgram, startProgram } from './programs.ts';
import { getReaper } from './reaper.ts';

const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

export interface Cli {
  folder: string;
  env: Record<string, string>;
  run(args: string[], options?: ProgramOptions): Promise<Ended>;
  start(args: string[], options?: ProgramOptions): Program;
  /** As a command line for a shell. */
  command: string;
}

/** Built, since a process that compiles first starts ten times as slowly. */
export async function createCli(env: Record<string, string>): Promise<Cli> {
  const folder = await mkdtemp(join(getReaper().folder, 'cli-'));
  const stage = await buildPackage(join(folder, 'built'));
  await symlink(MODULES, join(stage, 'node_modules'));
  const command = [process.execPath, join(stage, 'dist', 'src', 'cli', 'main.js')];
  const fill = (options: ProgramOptions = {}) => ({ cwd: folder, ...options, env: { ...env, ...options.env } });
  return {
    folder,
    env,
    run: (args, options) => runProgram([...command, ...args], fill(options)),
    start: (args, options) => startProgram([...command, ...args], fill(options)),
    command: command.join(' '),
  };
}
