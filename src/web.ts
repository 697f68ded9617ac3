// The web process: the HTTP edge over the engine. Wires parts together and owns the order of starting and stopping; it
// takes no steps. It starts whatever is away, answers 503 meanwhile, and recovers without a restart.

import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { createBoard } from '../dashboards/bull-board.ts';
import { type Config, loadConfig } from './config.ts';
import { bootstrapAccess } from './engine/bootstrap-access.ts';
import { createRequests } from './engine/claim-request.ts';
import type { Engine } from './engine/engine.ts';
import { fireOnTime } from './engine/fire-due.ts';
import { noteForeignTenant } from './engine/note-foreign-tenant.ts';
import { RunStreams } from './engine/run-streams.ts';
import { createSecretOpener } from './engine/signing-keys.ts';
import { redeemTicket } from './engine/stream-tickets.ts';
import { armFailpoints } from './failpoints.ts';
import { createApp } from './http/app.ts';
import { createAuthenticator } from './http/auth.ts';
import { createDocsRoutes } from './http/docs.ts';
import { createExecutionsFace } from './http/executions/routes.ts';
import { createFormReader } from './http/form.ts';
import { createSystemRoutes, type Probe } from './http/health.ts';
import { createPodWorkflowsFace } from './http/pod-workflows/routes.ts';
import type { Face } from './http/route.ts';
import { listen } from './http/server.ts';
import { createTriggersFace } from './http/triggers/routes.ts';
import { createV1Face } from './http/v1/routes.ts';
import { createWorkflowFace } from './http/workflow/routes.ts';
import { createWorkspacesFace } from './http/workspaces/routes.ts';
import { createLog, type Logger } from './log.ts';
import { openEngine } from './open-engine.ts';
import type { Queues } from './queue/connection.ts';
import { openRateLimits } from './queue/rate-limits.ts';
import type { Tools } from './steps/tools.ts';
import { listPendingMigrations } from './store/migrate.ts';
import { openReaders, type Readers } from './store/readers.ts';
import { READER_ROLE } from './store/row-security.ts';

export type WebConfig = Config & { databaseUrl: string };

/** What tests and standalone bring along instead of what the settings name. */
export interface WebOverrides {
  log?: Logger;
  tools?: Tools;
}

export interface WebProcess {
  /** `http://host:port`, with the port that was really taken. */
  address: string;
  stop(): Promise<void>;
}

const BOARD_PATH = '/admin/queues';
const RETRY_MS = 2_000;
const CLOCK_EVERY_MS = 60_000;

/** Listens within seconds, whatever else is away; rejects only when the port or a tool module cannot be had. */
export async function startWeb(config: WebConfig, overrides: WebOverrides = {}): Promise<WebProcess> {
  const log = overrides.log ?? createLog({ level: config.logLevel, name: 'web' });
  const stopping = new AbortController();
  const {
    engine,
    queues,
    close: closeEngine,
  } = await openEngine(config, {
    name: 'holdpoint web',
    log,
    tools: overrides.tools,
  });
  const rates = openRateLimits(config, log);
  const readers = openWebReaders(engine, config);
  // A sweep has seen what is due later than the next one.
  const firing = fireOnTime(engine, 2 * config.sweepMs);
  const close = async () => {
    rates.close();
    await firing.stop();
    await readers.close();
    await closeEngine();
  };
  const faces = createFaces(engine, config.streams);
  const systemRoutes = createSystemRoutes({
    probes: listProbes(engine, { queues, readers, config }),
    vital: ['postgres', 'migrations'],
    metrics: engine.metrics,
    stopping: stopping.signal,
  });
  const app = createApp({
    faces,
    systemRoutes: [...systemRoutes, ...createDocsRoutes({ faces, systemRoutes })],
    authenticate: createAuthenticator({
      db: engine.db,
      log,
      clock: engine.clock,
      ...(engine.sealer ? { openSecret: createSecretOpener(engine.sealer) } : {}),
    }),
    readers,
    limits: rates.limits,
    noteForeignTenant: (attempt) => noteForeignTenant(engine, attempt),
    redeemTicket: (presented) => redeemTicket(engine, presented),
    trustedProxies: config.trustedProxies,
    corsOrigins: config.corsOrigins,
    log,
    metrics: engine.metrics,
    stopping: stopping.signal,
    requests: createRequests({ db: engine.db, log, sealer: engine.sealer ?? null }),
    readForm: createFormReader({ parallel: config.parallelUploads }),
    board: createBoard({ queues: queues.board, basePath: BOARD_PATH }),
  });
  // Before listening, so that where all is well the first request finds its key; bounded by the pool's timeouts.
  const isReady = await tryDatabase(engine, config);
  if (isReady) await readers.findGap().catch(() => {});
  const server = await listen(app, config).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  log.info({ address: server.address }, 'web started');
  const following = followDatabase(engine, config, { isReady, signal: stopping.signal });
  const stop = async () => {
    stopping.abort();
    await Promise.all([server.close(config.drainMs), following]);
    await close();
    log.info('web stopped');
  };
  let stopped: Promise<void> | undefined;
  return {
    address: server.address,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** Every dialect; the last owns the paths that no other does. */
export function createFaces(engine: Engine, streams = loadConfig({}).streams): Face[] {
  return [
    createWorkspacesFace(engine),
    createExecutionsFace(engine, new RunStreams(engine, streams)),
    createPodWorkflowsFace(engine),
    createTriggersFace(engine),
    createV1Face(engine),
    createWorkflowFace(engine),
  ];
}

/** Few: a read holds a connection for a fraction of a millisecond. */
function openWebReaders({ db, log }: Engine, { databasePool }: Config): Readers {
  return openReaders({
    db,
    max: Math.max(2, Math.floor(databasePool / 2)),
    name: 'holdpoint reads',
    onError: (error) => log.warn({ error: error.message }, 'Postgres connection'),
    onGap: (reason) => log.warn({ reason }, `${NO_WALL}: ${WALL_ADVICE}`),
  });
}

const NO_WALL = 'reads of the API are not confined by row-level security';
const WALL_ADVICE = `as an administrator of the database run "CREATE ROLE ${READER_ROLE} NOLOGIN; GRANT ${READER_ROLE} TO <the user of DATABASE_URL>", then "npm run release" once`;

interface Parts {
  queues: Queues;
  readers: Readers;
  config: Config;
}

function listProbes({ db, files }: Engine, { queues, readers, config }: Parts): Record<string, Probe> {
  return {
    postgres: async () => {
      await db.pool.query('SELECT 1');
      const gap = await readers.findGap().catch(() => null);
      return { ok: true, ...(gap === null ? {} : { message: `${NO_WALL}; the log says why` }) };
    },
    migrations: async () => {
      const pending = await listPendingMigrations(db);
      return pending.length === 0
        ? { ok: true }
        : { ok: false, message: `pending: ${pending.join(', ')}; run "npm run release"` };
    },
    [config.redisUrl === null ? 'queue' : 'redis']: () => queues.probe(),
    ...(files === undefined ? {} : { files: () => files.storage.probe() }),
  };
}

/** Keeps trying until the database is there, migrated and has its first key; from then on keeps the clock in step with it. */
async function followDatabase(
  engine: Engine,
  config: WebConfig,
  { isReady, signal }: { isReady: boolean; signal: AbortSignal },
) {
  for (let known = isReady; !signal.aborted; ) {
    await delay(known ? CLOCK_EVERY_MS : RETRY_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    if (known) await engine.clock.sync().catch(() => {});
    else known = await tryDatabase(engine, config);
  }
}

async function tryDatabase(engine: Engine, config: WebConfig): Promise<boolean> {
  try {
    await greetDatabase(engine, config);
    await engine.clock.sync();
    engine.log.info('the database is ready');
    return true;
  } catch (error) {
    engine.log.warn({ error: reasonOf(error) }, 'the database is not ready: answering 503 and trying again');
    return false;
  }
}

async function greetDatabase({ db, log }: Engine, config: WebConfig): Promise<void> {
  const pending = await listPendingMigrations(db);
  if (pending.length > 0) throw new Error(`migrations are pending: ${pending.join(', ')}; run "npm run release"`);
  await bootstrapAccess({ db, log }, config);
}

/** Node wraps refusals of several addresses into one error without a message of its own. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error ? String(error.code) : error.name);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const config = loadConfig();
  if (config.databaseUrl === null) {
    throw new Error('DATABASE_URL is not set: name the Postgres to use (npm start brings its own)');
  }
  armFailpoints(config.failpoints);
  const web = await startWeb({ ...config, databaseUrl: config.databaseUrl });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void web.stop().then(() => process.exit(0)));
  }
}
