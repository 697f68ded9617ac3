// `holdpoint start`, `web`, `worker`, `migrate`: this process becomes one of a server's. Knows where their files are and
// nothing of what is in them.

import { extname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { setEnvironment } from './settings.ts';

/** This file stands to the processes as `cli/processes` does to `worker`, built or not. */
const EXTENSION = extname(fileURLToPath(import.meta.url));

export function addProcessCommands(program: Command): void {
  addProcess(program, 'start', {
    file: 'standalone',
    description: 'everything in one process, on a database that it brings along; for a first run and development',
    // As `npm start` has it: for this machine alone, and a terminal that people read.
    defaults: { HOST: '127.0.0.1', LOG_LEVEL: 'warn' },
  });
  addProcess(program, 'web', { file: 'web', description: 'the API; wants DATABASE_URL' });
  addProcess(program, 'worker', { file: 'worker', description: 'runs steps; wants DATABASE_URL' });
  addProcess(program, 'migrate', { file: 'release', description: 'bring the schema of DATABASE_URL up to date' });
}

interface Process {
  file: string;
  description: string;
  defaults?: Record<string, string>;
}

function addProcess(program: Command, name: string, { file, description, defaults = {} }: Process): void {
  const command = program.command(name).description(description);
  if (name === 'start' || name === 'web') command.option('-p, --port <port>', 'instead of PORT');
  command.action(({ port }: { port?: string }) => {
    setEnvironment({ defaults, flags: { PORT: port } });
    return become(pathOf(file));
  });
}

/** Runs the program in this very process, so that there is nobody between it and the signals and exit codes. */
async function become(path: string): Promise<void> {
  process.argv = [process.execPath, path];
  await import(pathToFileURL(path).href);
}

export function pathOf(file: string): string {
  return fileURLToPath(new URL(`../${file}${EXTENSION}`, import.meta.url));
}
