// The one place that knows whether the queue lives in Redis or in Postgres. With `REDIS_URL` it is BullMQ on Redis, as in
// production; without, BullMQ's own Postgres backend in the same database, so that one command runs everything.

import { once } from 'node:events';
import { Queue, Worker } from 'bullmq';
import type { Redis, RedisOptions } from 'ioredis';
import type { Wakeups } from '../core/wakeups.ts';
import type { Logger } from '../log.ts';
import { GatheringRedis } from './gather-scripts.ts';
import {
  type DeliveryProcessor,
  HOOKS_QUEUE,
  HooksQueue,
  type HooksWorker,
  hooksWorkerSettings,
  readDeliveryId,
} from './hooks-queue.ts';
import { createPatientBackend } from './patient-postgres.ts';
import { queueName, StepsQueue } from './steps-queue.ts';
import {
  createStepsWorker,
  type HandedJob,
  type JobProcessor,
  type StepsWorker,
  workerSettings,
} from './steps-worker.ts';
import { openRedisWakeups } from './wakeups.ts';

export interface QueueConfig {
  databaseUrl: string;
  redisUrl: string | null;
  stepQueues: number;
  queuePrefix: string;
  leaseMs: number;
}

export interface Queues {
  steps: StepsQueue;
  hooks: HooksQueue;
  /** Null: hints go over Postgres. */
  wakeups: Wakeups | null;
  /** What Bull Board shows. */
  board: Queue[];
  createWorker(process: JobProcessor, concurrency: number): StepsWorker;
  createHooksWorker(process: DeliveryProcessor, concurrency: number): HooksWorker;
  /** Whether workers may take jobs, and if not, why. */
  probe(): Promise<{ ok: boolean; message?: string }>;
  close(): Promise<void>;
}

interface Options {
  log: Logger;
  onAddFailed(error: Error): void;
}

type Settings = Omit<RedisOptions, 'replyMapping'>;

/** A request never waits for Redis: commands fail at once while it is away, and after a second in any case. */
const PRODUCER: Settings = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  commandTimeout: 1_000,
  connectTimeout: 1_000,
  keepAlive: 5_000,
};
const CONSUMER: Settings = {
  maxRetriesPerRequest: null,
  connectTimeout: 5_000,
  keepAlive: 5_000,
  socketTimeout: 60_000,
};
const retryStrategy = (times: number) => Math.min(50 * 2 ** Math.min(times, 6), 2_000) * (0.75 + Math.random() / 2);

export async function openQueues(config: QueueConfig, options: Options): Promise<Queues> {
  return config.redisUrl === null ? openOnPostgres(config, options) : openOnRedis(config, config.redisUrl, options);
}

async function openOnRedis(
  { stepQueues, queuePrefix: prefix, leaseMs }: QueueConfig,
  url: string,
  { log, onAddFailed }: Options,
): Promise<Queues> {
  const open: Redis[] = [];
  let lastError = 'no connection yet';
  const connect = (settings: Settings) => {
    const redis = new GatheringRedis(url, { ...settings, retryStrategy });
    redis.on('error', (error) => {
      lastError = error.message || String(error);
      log.debug({ error: lastError }, 'redis connection');
    });
    open.push(redis);
    return redis;
  };
  const producer = connect(PRODUCER);
  const queues = names(stepQueues).map(
    (name) => new Queue(name, { connection: producer, prefix, skipVersionCheck: true }),
  );
  const hooks = new Queue(HOOKS_QUEUE, { connection: producer, prefix, skipVersionCheck: true });
  for (const queue of [...queues, hooks]) queue.on('error', () => {});
  const wakeups = openRedisWakeups(producer, connect(CONSUMER), prefix);
  const workers: Closable[] = [];
  const stopWatching = watchConnection(producer, log);
  const steps = new StepsQueue(queues, onAddFailed);
  return {
    steps,
    hooks: new HooksQueue(hooks, onAddFailed),
    wakeups,
    board: [...queues, hooks],
    createWorker(process, concurrency) {
      const connection = connect(CONSUMER);
      // Successors are added on the connection that finishes jobs, so both are gathered together.
      const own = queues.map(({ name }) => new Queue(name, { connection, prefix, skipVersionCheck: true }));
      for (const queue of own) queue.on('error', () => {});
      steps.offerThrough(own);
      const build = (run: Run) =>
        queues.map(({ name }) =>
          observe(new Worker(name, run, { ...workerSettings(leaseMs), connection, prefix, concurrency }), log),
        );
      const worker = createStepsWorker(build, process);
      workers.push(worker);
      return worker;
    },
    createHooksWorker(process, concurrency) {
      const settings = { ...hooksWorkerSettings(leaseMs), connection: connect(CONSUMER), prefix, concurrency };
      const worker = observe(new Worker(HOOKS_QUEUE, processDeliveries(process), settings), log);
      workers.push(worker);
      return worker;
    },
    probe: () => probeRedis(producer, () => lastError),
    async close() {
      await Promise.all(workers.map((worker) => worker.close(true)));
      await Promise.allSettled([...queues, hooks].map((queue) => queue.close()));
      await wakeups.close();
      stopWatching();
      for (const redis of open) redis.disconnect();
    },
  };
}

async function openOnPostgres(
  { stepQueues, queuePrefix: prefix, databaseUrl, leaseMs }: QueueConfig,
  { log, onAddFailed }: Options,
): Promise<Queues> {
  const connection = {
    connectionString: databaseUrl,
    schema: `bullmq_${prefix.replaceAll(/[^a-z0-9]/gi, '_').toLowerCase()}`,
    migrate: true,
    max: 4,
  };
  const queues = names(stepQueues).map((name) => new Queue(name, { connection, prefix }, createPatientBackend));
  // Far fewer deliveries than steps: two connections are enough for them.
  const hooksConnection = { ...connection, max: 2 };
  const hooks = new Queue(HOOKS_QUEUE, { connection: hooksConnection, prefix }, createPatientBackend);
  for (const queue of [...queues, hooks]) queue.on('error', () => {});
  const workers: Closable[] = [];
  const steps = new StepsQueue(queues, onAddFailed);
  return {
    steps,
    hooks: new HooksQueue(hooks, onAddFailed),
    wakeups: null,
    // The board reads both kinds alike; its types only name the Redis one.
    board: [...queues, hooks] as unknown as Queue[],
    createWorker(process, concurrency) {
      const build = (run: Run) =>
        queues.map(({ name }) =>
          observe(
            new Worker(
              name,
              run,
              { ...workerSettings(leaseMs), connection, prefix, concurrency },
              createPatientBackend,
            ),
            log,
          ),
        );
      const worker = createStepsWorker(build, process);
      workers.push(worker);
      return worker;
    },
    createHooksWorker(process, concurrency) {
      const settings = { ...hooksWorkerSettings(leaseMs), connection: hooksConnection, prefix, concurrency };
      const worker = observe(new Worker(HOOKS_QUEUE, processDeliveries(process), settings, createPatientBackend), log);
      workers.push(worker);
      return worker;
    },
    probe: async () => ({ ok: true }),
    async close() {
      await Promise.all(workers.map((worker) => worker.close(true)));
      await Promise.allSettled([...queues, hooks].map((queue) => queue.close()));
    },
  };
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => queueName(index));
}

type Run = (job: HandedJob, token?: string) => Promise<void>;
type Closable = Pick<StepsWorker, 'close'>;

function processDeliveries(process: DeliveryProcessor): (job: { data: unknown }) => Promise<void> {
  return async ({ data }) => {
    const id = readDeliveryId(data);
    if (id !== null) await process(id);
  };
}

function observe<Observed extends { on(event: 'error', listener: (error: Error) => void): unknown }>(
  worker: Observed,
  log: Logger,
): Observed {
  worker.on('error', (error) => log.debug({ error: error.message }, 'queue worker'));
  return worker;
}

/** Answers how to stop watching, so that a connection that is closed on purpose is no news. */
function watchConnection(redis: Redis, log: Logger): () => void {
  let away = false;
  const onClose = () => {
    if (!away) log.warn('Redis is away: starts and answers are accepted, steps wait until it is back');
    away = true;
  };
  redis.on('close', onClose);
  redis.on('ready', () => {
    if (away) log.info('Redis is back');
    away = false;
  });
  return () => void redis.off('close', onClose);
}

/** Redis at least 6.2, and `maxmemory-policy noeviction`: an evicted job would be handed out without its ids. */
async function probeRedis(redis: Redis, lastError: () => string): Promise<{ ok: boolean; message?: string }> {
  try {
    await waitUntilConnected(redis);
    const info = await redis.info();
    const version = /redis_version:(\S+)/.exec(info)?.[1] ?? '0';
    const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1] ?? 'unknown';
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major < 6 || (major === 6 && minor < 2))
      return { ok: false, message: `Redis ${version} is too old: 6.2 or later is needed` };
    if (policy !== 'noeviction')
      return {
        ok: false,
        message: `Redis has maxmemory-policy ${policy}: set it to noeviction, or queued steps are evicted`,
      };
    return { ok: true };
  } catch (error) {
    const reason = redis.status === 'ready' && error instanceof Error ? error.message : lastError();
    return { ok: false, message: `Redis does not answer: ${reason}` };
  }
}

/** A connection that is being made is given its time; what it is not ready for then is an answer. */
async function waitUntilConnected(redis: Redis): Promise<void> {
  if (redis.status !== 'connecting' && redis.status !== 'connect') return;
  await once(redis, 'ready', { signal: AbortSignal.timeout(1_000) }).catch(() => {});
}
