// One Holdpoint for one test: a fresh database, a key prefix of its own, an engine that starts and answers as the web
// process does, and workers in this process. Real services only; worker processes are support/processes.ts.

import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { v7 as uuidv7 } from 'uuid';
import { loadConfig } from '../../src/config.ts';
import type { Definition } from '../../src/core/definition.ts';
import { AppError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Actor, RunError, RunStatus } from '../../src/core/run.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { createDefinition } from '../../src/engine/create-definition.ts';
import { createEngine, type Engine } from '../../src/engine/engine.ts';
import { startRun } from '../../src/engine/start-run.ts';
import { openFiles } from '../../src/files/storage.ts';
import { createLog } from '../../src/log.ts';
import { openQueues, type Queues } from '../../src/queue/connection.ts';
import { HOOKS_QUEUE } from '../../src/queue/hooks-queue.ts';
import type { StepJob } from '../../src/queue/steps-queue.ts';
import { createStepTypes } from '../../src/steps/registry.ts';
import { loadTools } from '../../src/steps/tools.ts';
import { ensureWorkspace } from '../../src/store/access.ts';
import { type Database, openDatabase } from '../../src/store/db.ts';
import { createSealer } from '../../src/store/sealing.ts';
import { openPostgresWakeups } from '../../src/store/wakeups.ts';
import { createMetrics } from '../../src/telemetry.ts';
import { startWorker, type WorkerProcess } from '../../src/worker.ts';
import { eventually, PATIENCE_MS } from './eventually.ts';
import { createDatabase, getServices } from './services.ts';

export const TOOLS = fileURLToPath(new URL('tools.ts', import.meta.url));

/** Settings of its processes, as environment variables; fast enough for tests. */
const SETTINGS = {
  LEASE_MS: '1200',
  SWEEP_MS: '300',
  DRAIN_MS: '3000',
  LOG_LEVEL: 'silent',
  DATABASE_POOL: '4',
  RATE_LIMIT: '0',
  RATE_LIMIT_STARTS: '0',
  WORKER_CONCURRENCY: '20',
  HOST: '127.0.0.1',
  HOLDPOINT_TOOLS: TOOLS,
};

export interface WorldOptions {
  /** Where jobs live; hints go the same way. */
  queue?: 'redis' | 'postgres';
  /** A database with our schema that the test brought along. */
  database?: { url: string };
  /** Addresses to use instead of the run's own services, such as a proxy's. */
  databaseUrl?: string;
  redisUrl?: string;
  settings?: Record<string, string>;
}

export interface SeenRun {
  id: string;
  status: RunStatus;
  data: JsonObject;
  error: RunError | null;
  seq: number;
}

export interface World {
  db: Database;
  /** The environment of its processes. */
  environment: Record<string, string>;
  engine: Engine;
  queues: Queues;
  actor: Actor;
  /** Stores a workflow and answers its id; steps that lead nowhere lead to an `end` that all share. */
  define(definition: Partial<Definition> & Pick<Definition, 'steps'>): Promise<string>;
  start(workflow: string, input?: JsonObject): Promise<string>;
  /** Starts a worker in this process. */
  work(settings?: Record<string, string>): Promise<WorkerProcess>;
  see(runId: string): Promise<SeenRun>;
  /** Waits until the run has this status. */
  until(runId: string, status: RunStatus, withinMs?: number): Promise<SeenRun>;
  /** Waits until every run has this status. */
  untilAll(status: RunStatus, withinMs?: number): Promise<void>;
  /** Types of the run's events, in order, with the step of those that have one: `step.completed a`. */
  history(runId: string): Promise<string[]>;
  /** Jobs of steps that a worker has, will take, or that wait for their time. */
  jobs(): Promise<StepJob[]>;
  close(): Promise<void>;
}

export async function createWorld({ queue = 'redis', settings = {}, ...urls }: WorldOptions = {}): Promise<World> {
  const database = urls.database ? { ...urls.database, drop: async () => {} } : await createDatabase();
  const databaseUrl = urls.databaseUrl === undefined ? database.url : sameDatabase(urls.databaseUrl, database.url);
  const redis: Record<string, string> = queue === 'redis' ? { REDIS_URL: urls.redisUrl ?? getServices().redisUrl } : {};
  const environment = {
    ...SETTINGS,
    DATABASE_URL: databaseUrl,
    ...redis,
    HOLDPOINT_QUEUE_PREFIX: `t${randomBytes(6).toString('hex')}`,
    HOLDPOINT_TEST: '1',
    ...settings,
  };
  // What a test looks at, it sees without the proxies that its processes may be behind.
  const db = openDatabase({ url: database.url, max: 4, name: 'holdpoint test', onError: () => {} });
  const { engine, queues, close } = await openEngine(environment);
  const workspace = await ensureWorkspace(db, {
    id: uuidv7(),
    slug: `w-${randomBytes(6).toString('hex')}`,
    name: 'test',
  });
  const actor: Actor = { workspaceId: workspace.id, userId: 'tester', role: 'owner' };
  const workers: WorkerProcess[] = [];

  async function see(runId: string): Promise<SeenRun> {
    const { rows } = await db.pool.query<SeenRun>('SELECT id, status, data, error, seq FROM runs WHERE id = $1', [
      runId,
    ]);
    if (!rows[0]) throw new Error(`Run ${runId} does not exist`);
    return rows[0];
  }

  return {
    db,
    environment,
    engine,
    queues,
    actor,
    see,
    async define(definition) {
      const full = withEnd({ name: 'test', initialStep: definition.steps[0]!.id, edges: [], ...definition });
      return (await createDefinition(engine, { actor, definition: full }).catch(explain)).id;
    },
    async start(workflow, input = {}) {
      return (await startRun(engine, { actor, workflow, input, trigger: 'api' })).runId;
    },
    async work(overrides = {}) {
      const worker = await startWorker(configOf({ ...environment, ...overrides }));
      workers.push(worker);
      return worker;
    },
    until: (runId, status, withinMs = PATIENCE_MS) =>
      eventually(async () => await see(runId).then((run) => (run.status === status ? run : null)), {
        withinMs,
        what: async () => `${status}, not ${JSON.stringify(await see(runId))},`,
      }),
    async untilAll(status, withinMs = PATIENCE_MS) {
      const others = async () =>
        (
          await db.pool.query<{ status: string; n: number }>(
            'SELECT status, count(*)::int AS n FROM runs WHERE status <> $1 GROUP BY status',
            [status],
          )
        ).rows;
      await eventually(async () => (await others()).length === 0, {
        withinMs,
        what: async () => `${status} everywhere, with left ${JSON.stringify(await others())},`,
      });
    },
    async history(runId) {
      const { rows } = await db.pool.query<{ event: string }>(
        `SELECT concat_ws(' ', type, step_id) AS event FROM events WHERE run_id = $1 ORDER BY seq`,
        [runId],
      );
      return rows.map((row) => row.event);
    },
    jobs: () => listJobs(queues),
    async close() {
      await Promise.all(workers.map((worker) => worker.stop()));
      await close();
      await db.close();
      await database.drop();
    },
  };
}

/** An engine over these settings that works on no step: what the web process has. */
export async function openEngine(
  environment: Record<string, string>,
): Promise<{ engine: Engine; queues: Queues; close(): Promise<void> }> {
  const config = configOf(environment);
  const log = createLog({ level: config.logLevel, name: 'test' });
  const tools = await loadTools(config.toolModules);
  const db = openDatabase({
    url: config.databaseUrl,
    max: config.databasePool,
    name: 'holdpoint web',
    onError: () => {},
  });
  const metrics = createMetrics();
  const queues = await openQueues(config, { log, onAddFailed: () => metrics.queueAddFailures.inc() });
  const wakeups = queues.wakeups ?? openPostgresWakeups(db, `${config.queuePrefix}_wakeups`);
  const files = await openFiles(config);
  const egress = createEgress({ allow: config.egressAllow });
  const engine = createEngine({
    db,
    files,
    sealer: createSealer(config.secretKeys),
    hooks: { queue: queues.hooks, egress, settings: config.webhooks },
    steps: queues.steps,
    wakeups,
    types: createStepTypes(tools, egress),
    known: { tools },
    log,
    metrics,
    name: 'holdpoint web',
    leaseMs: config.leaseMs,
  });
  const close = async () => {
    await queues.close();
    await wakeups.close();
    await engine.close();
    await files.storage.close();
    await egress.close();
    await db.close();
  };
  return { engine, queues, close };
}

function configOf(environment: Record<string, string>) {
  return { ...loadConfig(environment), databaseUrl: environment['DATABASE_URL']! };
}

function withEnd(definition: Definition): Definition {
  const { steps, edges } = definition;
  if (steps.some(({ type }) => type === 'end-flow')) return definition;
  const last = steps.filter(
    ({ id }) =>
      !edges.some((edge) => edge.from === id && edge.on !== 'error' && edge.on !== 'timeout') &&
      id !== definition.onCancel,
  );
  return {
    ...definition,
    steps: [...steps, { id: 'end', type: 'end-flow' }],
    edges: [...edges, ...last.map(({ id }) => ({ from: id, to: 'end' }))],
  };
}

/** mocha shows an error's message only; what is wrong with a definition stands in its details. */
function explain(error: unknown): never {
  if (error instanceof AppError) error.message += `: ${JSON.stringify(error.details)}`;
  throw error;
}

function sameDatabase(address: string, named: string): string {
  const url = new URL(address);
  url.pathname = new URL(named).pathname;
  return url.href;
}

async function listJobs(queues: Queues): Promise<StepJob[]> {
  const jobs = await Promise.all(
    queues.board
      .filter(({ name }) => name !== HOOKS_QUEUE)
      .map((queue) => queue.getJobs(['wait', 'active', 'delayed', 'prioritized'])),
  );
  return jobs
    .flat()
    .filter(Boolean)
    .map((job) => job.data as StepJob);
}
