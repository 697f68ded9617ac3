// The worker process: takes steps from the queue and sweeps. Any number of them may run; they share nothing but Redis and
// Postgres.

import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { type Config, loadConfig } from './config.ts';
import type { Engine } from './engine/engine.ts';
import { serveSchedules } from './engine/fire-schedules.ts';
import { settleWithin } from './engine/patience.ts';
import { startPurge } from './engine/purge-workflows.ts';
import { serveHooks } from './engine/serve-hooks.ts';
import { type StepServer, serveSteps } from './engine/serve-steps.ts';
import { startFileSweep } from './engine/sweep-files.ts';
import { armFailpoints } from './failpoints.ts';
import { createLog, type Logger } from './log.ts';
import { openEngine } from './open-engine.ts';
import type { Queues } from './queue/connection.ts';
import type { Database } from './store/db.ts';

export interface WorkerProcess {
  engine: Engine;
  queues: Queues;
  stop(): Promise<void>;
}

/** Connections are let go after this long, whether their servers answer or not. */
const CLOSE_MS = 2_000;

type WorkerConfig = Config & { databaseUrl: string };

/** Starts a worker; resolves once it takes jobs or knows why it does not yet. */
export async function startWorker(
  config: WorkerConfig,
  log: Logger = createLog({ level: config.logLevel, name: 'worker' }),
): Promise<WorkerProcess> {
  const { engine, queues, close } = await openEngine(config, { name: 'holdpoint worker', log });
  const housekeeping = [startFileSweep(engine), startPurge(engine)];
  const server = serveSteps(engine, queues, {
    concurrency: config.workerConcurrency,
    heartbeatMs: config.heartbeatMs,
    sweepMs: config.sweepMs,
  });
  const hooks = serveHooks(engine, queues, config.sweepMs);
  const stopSchedules = serveSchedules(engine, config.sweepMs);
  const health =
    config.workerPort === null
      ? null
      : serveHealth({ port: config.workerPort, host: config.host }, engine.db, server, () =>
          engine.metrics.registry.metrics(),
        );
  log.info(
    { concurrency: config.workerConcurrency, queue: config.redisUrl === null ? 'postgres' : 'redis' },
    'worker started',
  );
  return {
    engine,
    queues,
    async stop() {
      health?.close();
      await Promise.all([server.stop(config.drainMs), hooks.stop(config.drainMs), stopSchedules()]);
      await settleWithin(Promise.all([engine.runLogs.flush(), ...housekeeping.map((stop) => stop())]), CLOSE_MS);
      await settleWithin(close(), CLOSE_MS);
      log.info('worker stopped');
    },
  };
}

/** Health and metrics of a worker, on a port of its own that is not meant for the public. */
function serveHealth(
  { port, host }: { port: number; host: string },
  db: Database,
  server: StepServer,
  metrics: () => Promise<string>,
) {
  const answer = async (path: string): Promise<{ status: number; body: string }> => {
    if (path === '/metrics') return { status: 200, body: await metrics() };
    if (path === '/health/live') return { status: 200, body: JSON.stringify({ status: 'ok' }) };
    if (path !== '/health/ready')
      return { status: 404, body: JSON.stringify({ error: 'ask /health/live, /health/ready or /metrics' }) };
    const postgres = await db.pool.query('SELECT 1').then(
      () => null,
      (error: Error) => error.message,
    );
    const reasons = {
      ...(postgres === null ? {} : { postgres }),
      ...(server.refusal === null ? {} : { queue: server.refusal }),
    };
    const isReady = Object.keys(reasons).length === 0;
    return { status: isReady ? 200 : 503, body: JSON.stringify({ status: isReady ? 'ok' : 'not ready', reasons }) };
  };
  return createServer((request, response) => {
    void answer(new URL(request.url ?? '/', 'http://worker').pathname).then(
      ({ status, body }) =>
        response
          .writeHead(status, {
            'content-type': body.startsWith('{') ? 'application/json' : 'text/plain; version=0.0.4',
          })
          .end(body),
      () => response.writeHead(500).end(),
    );
  }).listen(port, host);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const config = loadConfig();
  if (config.databaseUrl === null)
    throw new Error(
      'DATABASE_URL is not set: a worker needs the database that the web process uses (npm start brings its own)',
    );
  armFailpoints(config.failpoints);
  const worker = await startWorker({ ...config, databaseUrl: config.databaseUrl });
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void worker.stop().then(() => process.exit(0)));
}
