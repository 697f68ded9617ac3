// Takes jobs from the step queues and tells BullMQ what became of them. What a job means is the engine's business; what
// BullMQ thinks of it (failed, stalled) is a metric, never truth.

import { DelayedError, type JobsOptions, UnrecoverableError } from 'bullmq';
import type { StepJob } from './steps-queue.ts';

/** What the engine made of a job; by then the row has recorded it. Delays in milliseconds. */
export type JobVerdict =
  | { kind: 'done' }
  /** The attempt failed and the next one is due later. */
  | { kind: 'retry'; delayMs: number; message: string }
  | { kind: 'failed'; message: string }
  /** Not now: the job is early, or Postgres is away; spends no attempt. */
  | { kind: 'later'; delayMs: number };

/** `attemptsStarted` counts how often BullMQ handed the job out: above 1, somebody may have begun it before. */
export type JobProcessor = (job: StepJob, attemptsStarted: number) => Promise<JobVerdict>;

export interface StepsWorker {
  /** Starts taking jobs, or takes them again after `pause`. */
  run(): void;
  /** Takes no more jobs; those in hand go on. */
  pause(): Promise<void>;
  /** Stops taking jobs and waits for those in hand, unless `force`. */
  close(force?: boolean): Promise<void>;
}

/** What is used of a BullMQ worker and its jobs, on either backend. */
export interface JobWorker {
  run(): Promise<void>;
  resume(): Promise<void> | void;
  pause(doNotWaitActive?: boolean): Promise<void>;
  close(force?: boolean): Promise<void>;
}

export interface HandedJob {
  data: unknown;
  attemptsStarted: number;
  opts: JobsOptions;
  moveToDelayed(timestamp: number, token?: string): Promise<void>;
}

/**
 * Retries are BullMQ's, with backoff; how many there are is Postgres' to say, so here they never run out. Set on the job
 * when it fails: as options of every job they would travel through Redis with each, and most jobs never fail.
 */
const RETRY_OPTIONS: JobsOptions = { attempts: 1_000_000, backoff: { type: 'committed' } };

class RetryError extends Error {
  readonly delayMs: number;

  constructor(message: string, delayMs: number) {
    super(message);
    this.name = 'RetryError';
    this.delayMs = delayMs;
  }
}

/**
 * Lock 5 s and stalled check 2.5 s for the usual lease of 7 s, and in proportion for others: a lost worker's jobs are
 * handed out again about when its leases end, and the lease in Postgres decides who may run them. `maxStalledCount` is
 * out of reach, or BullMQ would fail a job for good after two lost workers.
 */
export function workerSettings(leaseMs: number) {
  return {
    lockDuration: Math.round((leaseMs * 5) / 7),
    stalledInterval: Math.round((leaseMs * 2.5) / 7),
    maxStalledCount: 1_000_000,
    drainDelay: 5,
    runRetryDelay: 500,
    removeOnComplete: { count: 0 },
    /** For operators to look at; the engine never reads them. */
    removeOnFail: { age: 86_400, count: 5_000 },
    autorun: false,
    settings: {
      backoffStrategy: (_attempts: number, _type?: string, error?: Error) =>
        error instanceof RetryError ? error.delayMs : 1_000,
    },
  };
}

export function createStepsWorker(
  build: (run: (job: HandedJob, token?: string) => Promise<void>) => JobWorker[],
  process: JobProcessor,
): StepsWorker {
  let running = false;
  const all = build(async (job, token) => {
    if (!isStepJob(job.data)) return;
    // Finishing a job fetches the next one: its successor was offered before, on the same connection, so it is there already.
    await obey(await process(job.data, job.attemptsStarted), job, token);
  });
  return {
    run() {
      for (const worker of all) {
        if (running) worker.resume();
        else void worker.run().catch(() => {});
      }
      running = true;
    },
    async pause() {
      await Promise.all(all.map((worker) => worker.pause(true)));
    },
    async close(force = false) {
      await Promise.all(all.map((worker) => worker.close(force)));
    },
  };
}

async function obey(verdict: JobVerdict, job: HandedJob, token: string | undefined): Promise<void> {
  switch (verdict.kind) {
    case 'done':
      return;
    case 'retry':
      Object.assign(job.opts, RETRY_OPTIONS);
      throw new RetryError(verdict.message, verdict.delayMs);
    case 'failed':
      throw new UnrecoverableError(verdict.message);
    case 'later':
      await job.moveToDelayed(Date.now() + verdict.delayMs, token);
      throw new DelayedError();
  }
}

/** A job without its ids (evicted, foreign, old) points nowhere and is dropped. */
function isStepJob(data: unknown): data is StepJob {
  if (typeof data !== 'object' || data === null) return false;
  const { runId, step, visit, dispatch } = data as Partial<StepJob>;
  return (
    typeof runId === 'string' && typeof step === 'string' && typeof visit === 'number' && typeof dispatch === 'number'
  );
}
