#!/usr/bin/env node
// The program `holdpoint`: its commands, its flags, and one place where what went wrong becomes words and an exit code.

import { existsSync, readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addDeployCommand } from './deploy.ts';
import { addDoctorCommand } from './doctor.ts';
import { addExecutionCommands } from './executions.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { addKeysCommand } from './keys.ts';
import { createOutput } from './output.ts';
import { addProcessCommands } from './processes.ts';

const EXIT_CODES = `
Exit codes: 0 done · 1 the execution failed or was cancelled · 2 wrong usage · 3 not found · 4 refused · 5 unavailable ·
6 timed out · 130 interrupted

Where the server is, and who asks: the flags, else HOLDPOINT_URL, HOLDPOINT_API_KEY, HOLDPOINT_WORKSPACE and
HOLDPOINT_POD, else the server that \`holdpoint start\` runs in this folder.`;

function createProgram(): Command {
  const program = new Command('holdpoint')
    .description('Durable workflows that stop and wait for people.')
    .version(readVersion())
    .option('--url <url>', 'where the server is')
    .option('--api-key <key>', 'better kept in HOLDPOINT_API_KEY, which other users of this machine cannot see')
    .option('--workspace <workspace>', 'id or slug')
    .option('--pod <pod>', 'id or slug; default: default')
    .option('--json', 'print JSON')
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(add --help for more)')
    .exitOverride()
    .addHelpText('after', EXIT_CODES);
  addProcessCommands(program);
  addDeployCommand(program);
  addExecutionCommands(program);
  addKeysCommand(program);
  addDoctorCommand(program);
  return program;
}

/** That of the package, which is two folders up from here, or three where it was built. */
function readVersion(): string {
  const places = ['../../package.json', '../../../package.json'].map((place) => new URL(place, import.meta.url));
  const { version } = JSON.parse(readFileSync(places.find((place) => existsSync(place))!, 'utf8')) as {
    version: string;
  };
  return version;
}

// Whoever reads the other end of a pipe may have seen enough (`holdpoint logs … | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

const program = createProgram();
try {
  await program.parseAsync();
} catch (error) {
  // commander has said what it has to say itself.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else {
    createOutput(program.opts<{ json?: boolean }>()).error(error);
    process.exitCode = exitCodeOf(error);
  }
}
