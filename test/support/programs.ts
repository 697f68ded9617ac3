// Programs as users run them: with an environment that is theirs alone, their output read line by line, their end awaited. None
// outlives the test run: the reaper knows each of them.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually, PATIENCE_MS } from './eventually.ts';
import { getReaper } from './reaper.ts';

export interface ProgramOptions {
  cwd?: string;
  /** Beside PATH and HOME, which it has in any case. */
  env?: Record<string, string>;
  /** What it reads from stdin, which then ends. */
  input?: string;
}

export interface Program {
  /** All that it printed, to stdout and stderr. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves once it has printed something that matches. */
  printed(text: RegExp, withinMs?: number): Promise<void>;
  write(text: string): void;
  signal(signal: NodeJS.Signals): void;
  /** Its exit code, or the signal that ended it. */
  ended(): Promise<number | string | null>;
}

export interface Ended {
  code: number | string | null;
  stdout: string;
  stderr: string;
}

export function startProgram([file = '', ...args]: string[], { cwd, env, input }: ProgramOptions = {}): Program {
  const { PATH = '', HOME = '/' } = process.env;
  const child = spawn(file, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH, HOME, ...env },
    stdio: 'pipe',
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} cannot be started`);
  getReaper().keep(pid);
  const exit = once(child, 'close').then(() => getReaper().forget(pid));
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text;
    });
  // Whoever ends before it has read everything is no concern of ours.
  child.stdin.on('error', () => {});
  if (input !== undefined) child.stdin.end(input);
  return {
    get stdout() {
      return printed.stdout;
    },
    get stderr() {
      return printed.stderr;
    },
    async printed(text, withinMs = PATIENCE_MS) {
      const look = () => {
        if (text.test(printed.stdout + printed.stderr)) return true;
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${JSON.stringify(printed)}`);
        return false;
      };
      await eventually(look, { withinMs, what: () => `${text} in ${JSON.stringify(printed)}` });
    },
    write: (text) => void child.stdin.write(text),
    signal: (signal) => void child.kill(signal),
    async ended() {
      await exit;
      return child.exitCode ?? child.signalCode;
    },
  };
}

/** Runs it to its end. */
export async function runProgram(command: string[], options: ProgramOptions = {}): Promise<Ended> {
  const program = startProgram(command, { input: '', ...options });
  const code = await program.ended();
  return { code, stdout: program.stdout, stderr: program.stderr };
}
