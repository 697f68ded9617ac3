// `holdpoint doctor`: whether a server can be reached and used from here, and, where DATABASE_URL names its database, how that
// and the queue are, which the process `doctor` looks at.

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { HoldpointClient } from '../sdk/client.ts';
import { EXIT } from './exit-codes.ts';
import { createOutput, formatTable } from './output.ts';
import { pathOf } from './processes.ts';
import { type GlobalFlags, hasCredentials, hasDatabase, readSettings } from './settings.ts';

interface Check {
  name: string;
  ok: boolean;
  message: string;
  details?: unknown;
}

export function addDoctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .description('look for what is wrong: connections, versions, settings, runs');
  command.action(async () => {
    const flags = command.optsWithGlobals<GlobalFlags>();
    const output = createOutput(flags);
    // Whoever looks after the database may have no key.
    const server = hasDatabase() && !hasCredentials(flags) ? [] : await examineServer(flags);
    const checks = [...server, ...(hasDatabase() ? await examineDeployment() : [])];
    const rows = checks.map(({ name, ok, message }) => [ok ? '✓' : '✗', name, message]);
    const isFine = checks.every(({ ok }) => ok);
    output.result({ ok: isFine, checks }, formatTable(rows));
    process.exitCode = isFine ? EXIT.ok : EXIT.failed;
  });
}

/** As a client sees it, up to the first thing that is wrong. */
async function examineServer(flags: GlobalFlags): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [name, look] of Object.entries({ credentials: lookAtCredentials, server: askServer, access: tryKey })) {
    const check = await look(flags).then(
      (message) => ({ name, ok: true, message }),
      (error: unknown) => ({ name, ok: false, message: error instanceof Error ? error.message : String(error) }),
    );
    checks.push(check);
    if (!check.ok) break;
  }
  return checks;
}

async function lookAtCredentials(flags: GlobalFlags): Promise<string> {
  const { keySource, workspace } = readSettings(flags);
  return `from ${keySource}, for the workspace ${workspace}`;
}

async function askServer(flags: GlobalFlags): Promise<string> {
  const { baseUrl } = readSettings(flags);
  const { status, parts } = await connect(flags).getHealth();
  const broken = Object.entries(parts).filter(([, part]) => part.status !== 'ok');
  if (broken.length === 0) return `${baseUrl} is ${status}`;
  const reasons = broken.map(([name, { message = 'is not ready' }]) => `${name} ${message}`);
  throw new Error(`${baseUrl} is ${status}: ${reasons.join('; ')}`);
}

async function tryKey(flags: GlobalFlags): Promise<string> {
  await connect(flags).listExecutions({ limit: 1 });
  return `the key reads the pod ${readSettings(flags).pod ?? 'default'}`;
}

/** A doctor reports at once what others would try again. */
function connect(flags: GlobalFlags): HoldpointClient {
  return new HoldpointClient({ ...readSettings(flags), maxRetries: 0, requestTimeoutMs: 5_000 });
}

/** As its processes see it. */
async function examineDeployment(): Promise<Check[]> {
  const child = spawn(process.execPath, [...process.execArgv, pathOf('doctor')], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [printed, complaint] = await Promise.all([text(child.stdout), text(child.stderr)]);
  try {
    return (JSON.parse(printed) as { checks: Check[] }).checks;
  } catch {
    return [{ name: 'deployment', ok: false, message: complaint.trim() || 'the doctor said nothing' }];
  }
}
