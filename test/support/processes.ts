// Real worker and web processes, to be killed and stopped with real signals. None outlives the test run: the reaper knows
// each of them.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtPath } from './build.ts';
import { eventually, PATIENCE_MS } from './eventually.ts';
import { getReaper } from './reaper.ts';

export interface TestProcess {
  readonly pid: number;
  /** The lines it logged, as text. */
  lines: string[];
  isRunning(): boolean;
  /** Resolves once it has logged a line that matches. */
  logged(line: RegExp, withinMs?: number): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and waits until it is gone; answers its exit code, or the signal that ended it. */
  stop(): Promise<number | string | null>;
  /** Waits until it has ended by itself. */
  ended(withinMs?: number): Promise<number | string | null>;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Starts `src/<name>.ts`, as built, with exactly these settings; resolves at once, `logged(/started/)` when it is up. */
export function startProcess(name: 'worker' | 'web', settings: Record<string, string>): TestProcess {
  const { PATH = '', HOME = '/' } = process.env;
  const tools = (settings['HOLDPOINT_TOOLS'] ?? '').split(',').map(builtPath).join();
  const child = spawn(process.execPath, [builtPath(join(ROOT, 'src', `${name}.ts`))], {
    cwd: ROOT,
    env: { PATH, HOME, LOG_LEVEL: 'info', ...settings, HOLDPOINT_TOOLS: tools },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = child.pid!;
  getReaper().keep(pid);
  child.once('exit', () => getReaper().forget(pid));
  const lines = collectLines(child);
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  async function ended(withinMs = PATIENCE_MS): Promise<number | string | null> {
    await eventually(() => !isRunning(), { withinMs, what: `the end of the ${name} process` });
    return child.exitCode ?? child.signalCode;
  }
  return {
    pid,
    lines,
    isRunning,
    ended,
    logged: (line, withinMs = PATIENCE_MS) =>
      eventually(
        () => {
          const found = lines.find((text) => line.test(text));
          if (found === undefined && !isRunning()) throw new Error(`the ${name} process ended: ${lines.join('\n')}`);
          return found;
        },
        { withinMs, what: () => `${line} in ${lines.join('\n')}` },
      ),
    signal: (signal) => void child.kill(signal),
    async kill() {
      if (!isRunning()) return;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
    async stop() {
      child.kill('SIGTERM');
      return ended();
    },
  };
}

export interface Fleet {
  /** The processes that run now. */
  members: TestProcess[];
  /** Starts more of them; resolves once they are up. */
  add(count?: number, settings?: Record<string, string>): Promise<TestProcess[]>;
  /** Starts another for each that ends, as a platform does. */
  supervise(): void;
  killAll(): Promise<void>;
}

/** Worker processes with the same settings. */
export function createFleet(settings: Record<string, string>): Fleet {
  const members: TestProcess[] = [];
  let supervisor: NodeJS.Timeout | null = null;
  const start = (overrides: Record<string, string> = {}) => {
    const member = startProcess('worker', { ...settings, LOG_LEVEL: 'info', ...overrides });
    members.push(member);
    return member;
  };
  const bury = () => {
    const dead = members.filter((member) => !member.isRunning());
    for (const member of dead) members.splice(members.indexOf(member), 1);
    return dead.length;
  };
  return {
    members,
    async add(count = 1, overrides = {}) {
      const added = Array.from({ length: count }, () => start(overrides));
      await Promise.all(added.map((member) => member.logged(/worker started/)));
      return added;
    },
    supervise() {
      supervisor ??= setInterval(() => {
        for (let dead = bury(); dead > 0; dead--) start();
      }, 50);
    },
    async killAll() {
      if (supervisor) clearInterval(supervisor);
      await Promise.all(members.splice(0).map((member) => member.kill()));
    },
  };
}

function collectLines({ stdout, stderr }: ChildProcess): string[] {
  const lines: string[] = [];
  for (const stream of [stdout, stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
    });
  }
  return lines;
}
