// Holdpoint as its users run it: a worker process, and this process starting runs through the engine. Everything is on:
// events, wake-ups, leases, the sweep.

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { v7 as newId } from 'uuid';
import { loadConfig } from '../src/config.ts';
import { createDefinition } from '../src/engine/create-definition.ts';
import { createEngine } from '../src/engine/engine.ts';
import { startRun } from '../src/engine/start-run.ts';
import { waitUntilSettled } from '../src/engine/watch-run.ts';
import { createLog } from '../src/log.ts';
import { openQueues } from '../src/queue/connection.ts';
import { createStepTypes } from '../src/steps/registry.ts';
import { loadTools } from '../src/steps/tools.ts';
import { ensureWorkspace } from '../src/store/access.ts';
import { openDatabase } from '../src/store/db.ts';
import { createMetrics } from '../src/telemetry.ts';
import { end, endWithUs } from './chain.ts';
import type { Contestant, Settings } from './contestant.ts';

const TOOLS = fileURLToPath(new URL('./tools.js', import.meta.url));
const WORKER = fileURLToPath(new URL('../dist/src/worker.js', import.meta.url));

/** `pure` steps are claimed and completed in one commit; others are claimed first, like any tool with an effect. */
export async function openHoldpoint(
  { databaseUrl, redisUrl, steps, concurrency }: Settings,
  { pure }: { pure: boolean },
): Promise<Contestant> {
  const prefix = `bench-${newId().slice(-12)}`;
  const env = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    HOLDPOINT_QUEUE_PREFIX: prefix,
    HOLDPOINT_TOOLS: TOOLS,
    WORKER_CONCURRENCY: String(concurrency),
    LOG_LEVEL: 'warn',
  };
  const config = { ...loadConfig(env), databaseUrl };
  const log = createLog({ level: 'warn', name: 'bench' });
  const worker = spawn(process.execPath, [...(process.env['BENCH_NODE_ARGS']?.split(' ') ?? []), WORKER], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  endWithUs(worker);
  const db = openDatabase({ url: databaseUrl, max: 10, name: 'holdpoint bench', onError: () => {} });
  const queues = await openQueues(config, { log, onAddFailed: () => {} });
  const tools = await loadTools(config.toolModules);
  const engine = createEngine({
    db,
    steps: queues.steps,
    wakeups: queues.wakeups!,
    types: createStepTypes(tools),
    known: { tools },
    log,
    metrics: createMetrics(),
    name: 'holdpoint bench',
    leaseMs: config.leaseMs,
  });
  const workspace = await ensureWorkspace(db, { id: newId(), slug: 'bench', name: 'bench' });
  const actor = { workspaceId: workspace.id, userId: 'bench', role: 'owner' };
  const ids = Array.from({ length: steps }, (_, index) => `s${index}`);
  const { id: workflow } = await createDefinition(engine, {
    actor,
    definition: {
      name: `Chain of ${steps} ${pure ? 'pure' : 'claimed'} steps`,
      initialStep: 's0',
      steps: [
        ...ids.map((id) => ({ id, type: 'call-tool', tool: pure ? 'echo' : 'noop' })),
        { id: 'end', type: 'end-flow' },
      ],
      edges: ids.map((id, index) => ({ from: id, to: ids[index + 1] ?? 'end' })),
    },
  });
  const start = async () => {
    const { runId } = await startRun(engine, { actor, workflow, input: {}, trigger: 'bench' });
    return { runId };
  };
  await waitForWorker(worker, async () => {
    const { runId } = await start();
    return waitUntilSettled(engine, { runId, workspaceId: workspace.id, timeoutMs: 20_000 });
  });
  return {
    name: `Holdpoint, ${pure ? 'pure' : 'claimed'} steps`,
    pids: { worker: worker.pid! },
    async start() {
      const { runId } = await start();
      const finished = async () => {
        await waitUntilSettled(engine, { runId, workspaceId: workspace.id, timeoutMs: 60_000 });
      };
      return {
        get finished() {
          return finished();
        },
      };
    },
    async allFinished() {
      for (;;) {
        // Asked of the partial indexes, which hold only what is open: the question must cost nothing.
        const { rows } = await db.pool.query<{ open: boolean }>({
          name: 'bench-open',
          text: `SELECT EXISTS (SELECT FROM step_runs WHERE status = 'queued') OR EXISTS (SELECT FROM step_runs WHERE status = 'running') AS open`,
        });
        if (!rows[0]!.open) return;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    async close() {
      await end(worker);
      await queues.close();
      await engine.close();
      await db.close();
    },
  };
}

async function waitForWorker(worker: ChildProcess, tryRun: () => Promise<boolean>): Promise<void> {
  const exited = new Promise<never>((_, reject) =>
    worker.once('exit', (code) => reject(new Error(`the worker ended with code ${code}`))),
  );
  exited.catch(() => {});
  if (!(await Promise.race([tryRun(), exited]))) throw new Error('the worker did not finish a first run within 20 s');
}
