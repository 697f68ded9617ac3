// The queue of steps that wait for a worker. A job is a pointer (ids only) and disposable: adding it twice is harmless,
// losing it costs a sweep. Nothing here is ever awaited by a request.

import type { JobJson, JobsOptions } from 'bullmq';

/** Where a job points; its id is derived from it, so the same promise always makes the same job. */
export interface StepJob {
  runId: string;
  workspaceId: string;
  step: string;
  visit: number;
  dispatch: number;
  /** Offered before the commit that queues the step, which may have to be waited for; `start`: that of the run itself. */
  early?: 'start' | 'step';
}

/** What is used of a BullMQ queue, on either backend. */
export interface JobQueue {
  readonly name: string;
  /** What `Queue.add` ends in, once it has made a `Job` of its arguments. */
  getBackend(): { addJob(job: JobJson, id: string): Promise<unknown> };
  addBulk(jobs: { name: string; data: StepJob; opts: JobsOptions }[]): Promise<unknown>;
  getJobCountByTypes(...types: ('wait' | 'active' | 'prioritized')[]): Promise<number>;
  getJobState(id: string): Promise<string>;
  getJob(id: string): Promise<{ promote(): Promise<void> } | undefined>;
  remove(id: string): Promise<number>;
}

/** What BullMQ knows of a job: gone, dead (kept as failed or completed under its id), delayed, or on its way. */
export type JobState = 'missing' | 'dead' | 'delayed' | 'live';

/** Most adds under way at once; beyond that a job is left to the sweep, so an absent Redis costs bounded memory. */
const MAX_IN_FLIGHT = 1_000;

export function jobId({ runId, step, visit, dispatch }: StepJob): string {
  return `${runId}.${step}.${visit}.${dispatch}`;
}

export function queueName(index: number): string {
  return `{steps-${index}}`;
}

export interface OfferOptions {
  /** Before all that wait, instead of behind them. */
  goesFirst?: boolean;
  onFailed?(job: StepJob): void;
}

export class StepsQueue {
  readonly queues: JobQueue[];
  readonly #onAddFailed: (error: Error) => void;
  #offersTo: JobQueue[];
  #inFlight = 0;

  constructor(queues: JobQueue[], onAddFailed: (error: Error) => void) {
    this.queues = queues;
    this.#onAddFailed = onAddFailed;
    this.#offersTo = queues;
  }

  /** From now on offers go out on these, the same queues on another connection. */
  offerThrough(queues: JobQueue[]): void {
    this.#offersTo = queues;
  }

  /** Adds jobs without waiting for it. Failures are counted, told, and left to the sweep. */
  offer(jobs: StepJob[], { goesFirst = false, onFailed }: OfferOptions = {}): void {
    for (const [index, pointer] of jobs.entries()) {
      if (this.#inFlight >= MAX_IN_FLIGHT) {
        this.#onAddFailed(new Error('too many adds in flight'));
        if (onFailed) for (const left of jobs.slice(index)) onFailed(left);
        return;
      }
      this.#inFlight += 1;
      const job = describeJob(pointer, goesFirst);
      this.#offersTo[this.#indexOf(pointer.runId)]!.getBackend()
        .addJob(job, job.id)
        .then(
          () => {
            this.#inFlight -= 1;
          },
          (error: Error) => {
            this.#inFlight -= 1;
            this.#onAddFailed(error);
            onFailed?.(pointer);
          },
        );
    }
  }

  /** Adds a batch and waits for it: the sweep's way. */
  async addAll(jobs: StepJob[]): Promise<void> {
    const adds = this.queues.map((queue) => {
      const own = jobs.filter((job) => this.#queueOf(job.runId) === queue);
      if (own.length === 0) return null;
      return queue.addBulk(own.map((job) => ({ name: job.step, data: job, opts: { jobId: jobId(job) } })));
    });
    await Promise.all(adds);
  }

  /** Jobs that a worker has or will take: waiting, prioritized or active. Delayed ones do not count. */
  countLive(): Promise<number> {
    return this.#count('wait', 'active', 'prioritized');
  }

  /** Jobs that no worker has taken yet. */
  countWaiting(): Promise<number> {
    return this.#count('wait', 'prioritized');
  }

  /** Costly on a long wait list; the sweep asks at most a hundred times. */
  async inspect(job: StepJob): Promise<JobState> {
    const state = await this.#queueOf(job.runId).getJobState(jobId(job));
    if (state === 'unknown') return 'missing';
    if (state === 'failed' || state === 'completed') return 'dead';
    return state === 'delayed' ? 'delayed' : 'live';
  }

  /** Lets a delayed job go now. */
  async promote(job: StepJob): Promise<void> {
    const found = await this.#queueOf(job.runId).getJob(jobId(job));
    await found?.promote();
  }

  /** Takes jobs away that nobody needs any more; one that a worker has stays. */
  async withdraw(jobs: StepJob[]): Promise<void> {
    await Promise.all(jobs.map((job) => this.#queueOf(job.runId).remove(jobId(job))));
  }

  async #count(...types: ('wait' | 'active' | 'prioritized')[]): Promise<number> {
    const counts = await Promise.all(this.queues.map((queue) => queue.getJobCountByTypes(...types)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  #queueOf(runId: string): JobQueue {
    return this.queues[this.#indexOf(runId)]!;
  }

  #indexOf(runId: string): number {
    return hash(runId) % this.queues.length;
  }
}

/** Never changed: BullMQ takes them apart. */
const LAST: JobsOptions = { attempts: 0 };
const FIRST: JobsOptions = { attempts: 0, lifo: true };

/**
 * The job as BullMQ's backends take it. `Queue.add` gets there by way of a `Job`, which costs half of an add and stores the id once
 * more among its options (30 against 23 µs).
 */
function describeJob(job: StepJob, goesFirst: boolean): JobJson {
  return {
    id: jobId(job),
    name: job.step,
    data: JSON.stringify(job),
    opts: goesFirst ? FIRST : LAST,
    timestamp: Date.now(),
    progress: 0,
    attemptsMade: 0,
    attemptsStarted: 0,
    stalledCounter: 0,
    failedReason: 'null',
    returnvalue: 'null',
  };
}

/** FNV-1a over the id's characters: only has to be stable and spread evenly. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}
