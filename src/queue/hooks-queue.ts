// The queue of deliveries that wait for a sender, and the workers that take from it. A job holds the delivery's id and is
// disposable: when to try again, and how often, is in the row.

import type { JobsOptions } from 'bullmq';
import { workerSettings } from './steps-worker.ts';

export const HOOKS_QUEUE = '{hooks}';

/** Where a job points. Its id is derived from it, so a delivery that lost its sender gets another job, whatever became of the first. */
export interface DeliveryJob {
  id: string;
  fence: number;
}

/** What is used of a BullMQ queue, on either backend. */
interface DeliveryJobQueue {
  addBulk(jobs: { name: string; data: { deliveryId: string }; opts: JobsOptions }[]): Promise<unknown>;
  getJobCountByTypes(...types: ('wait' | 'active' | 'prioritized')[]): Promise<number>;
}

export interface HooksWorker {
  /** Stops taking jobs and waits for those in hand, unless `force`. */
  close(force?: boolean): Promise<void>;
}

export type DeliveryProcessor = (deliveryId: string) => Promise<void>;

/** Most offers under way at once; beyond that a delivery is left to the sweep. */
const MAX_IN_FLIGHT = 1_000;

export class HooksQueue {
  readonly #queue: DeliveryJobQueue;
  readonly #onAddFailed: (error: Error) => void;
  #inFlight = 0;

  constructor(queue: DeliveryJobQueue, onAddFailed: (error: Error) => void) {
    this.#queue = queue;
    this.#onAddFailed = onAddFailed;
  }

  /** Adds jobs without waiting for it. Failures are counted and left to the sweep. */
  offer(jobs: DeliveryJob[]): void {
    if (jobs.length === 0) return;
    if (this.#inFlight + jobs.length > MAX_IN_FLIGHT) {
      this.#onAddFailed(new Error('too many adds in flight'));
      return;
    }
    this.#inFlight += jobs.length;
    this.addAll(jobs)
      .catch((error: Error) => this.#onAddFailed(error))
      .finally(() => {
        this.#inFlight -= jobs.length;
      });
  }

  /** Adds jobs and waits for it; one that is there already stays the only one. */
  async addAll(jobs: DeliveryJob[]): Promise<void> {
    await this.#queue.addBulk(
      jobs.map(({ id, fence }) => ({
        name: 'deliver',
        data: { deliveryId: id },
        opts: { jobId: `${id}.${fence}` },
      })),
    );
  }

  countLive(): Promise<number> {
    return this.#queue.getJobCountByTypes('wait', 'active', 'prioritized');
  }
}

/**
 * A lost worker's jobs are handed out again as soon as those of steps are. Nothing is kept of a job that is over: a kept one
 * would keep the delivery's next job from being made.
 */
export function hooksWorkerSettings(leaseMs: number) {
  return { ...workerSettings(leaseMs), autorun: true, removeOnFail: { count: 0 } };
}

/** A job without its id points nowhere and is dropped. */
export function readDeliveryId(data: unknown): string | null {
  const id = typeof data === 'object' && data !== null ? (data as { deliveryId?: unknown }).deliveryId : undefined;
  return typeof id === 'string' ? id : null;
}
