#!/usr/bin/env node
// The program `holdpoint`: its commands, its flags, and one place where what went wrong becomes words and an exit code.

import { existsSync, readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addDeployCommand } from './deploy.ts';
import { addDoctorCommand } from './doctor.ts';
import { addExecutionCommands } from './executions.ts';
import { EXIT, exitCodeOf, UsageError } from './exit-codes.ts';
import { addKeysCommand } from './keys.ts';
import { createOutput } from './output.ts';
import { addProcessCommands } from './processes.ts';

const EXIT_CODES = `
Exit codes:
  0  done; followed: the execution completed
  1  the execution failed or was cancelled; the doctor found something
  2  wrong usage: flags, settings, files
  3  not found
  4  refused: the key, the role, the input, or the state of things
  5  the server is not available
  6  not done before --timeout; the execution goes on
  130  Ctrl-C; the execution goes on`;

const SERVER = `
Where the server is, and who asks:
  the flags, else HOLDPOINT_URL, HOLDPOINT_API_KEY, HOLDPOINT_WORKSPACE and
  HOLDPOINT_POD, else the server that \`holdpoint start\` runs in this folder

Begin with:
  holdpoint start                        and in another terminal
  holdpoint deploy workflow.json
  holdpoint run <workflow> --follow`;

/** commander prints on its own what is wrong with a command line; programs get it as every other error. */
const isJson = process.argv.includes('--json');

function createProgram(): Command {
  const program = new Command('holdpoint')
    .description('Durable workflows that stop and wait for people.')
    .version(readVersion())
    .option('--url <url>', 'where the server is')
    .option('--api-key <key>', 'better kept in HOLDPOINT_API_KEY, which other users of this machine cannot see')
    .option('--workspace <workspace>', 'id or slug')
    .option('--pod <pod>', 'id or slug; if not given, the pod "default"')
    .option('--json', 'print JSON: one document, or one a line while following')
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(add --help for more)')
    .configureOutput(isJson ? { writeErr: () => {} } : {})
    .exitOverride()
    .addHelpText('afterAll', EXIT_CODES)
    .addHelpText('after', SERVER);
  program.commandsGroup('Workflows and executions:');
  addDeployCommand(program);
  addExecutionCommands(program);
  program.commandsGroup('Looking after it:');
  addKeysCommand(program);
  addDoctorCommand(program);
  program.commandsGroup('The server, whose settings are environment variables:');
  addProcessCommands(program);
  return program;
}

function readUsageError({ code, message }: CommanderError): UsageError {
  if (code === 'commander.help') return new UsageError('name a command: --help lists them');
  return new UsageError(message.replace(/^error: /, ''));
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
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (isJson && error.exitCode !== 0) createOutput({ json: true }).error(readUsageError(error));
  } else {
    createOutput(program.opts<{ json?: boolean }>()).error(error);
    process.exitCode = exitCodeOf(error);
  }
}
