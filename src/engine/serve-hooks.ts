// What a worker does for webhooks and callbacks: sends those whose jobs it is handed, makes jobs for those that are due and
// have none, and keeps the log of each webhook within bounds.

import type { Queues } from '../queue/connection.ts';
import { takeDueDeliveries, trimDeliveries } from '../store/deliveries.ts';
import type { Engine, Hooks } from './engine.ts';
import { settleWithin } from './patience.ts';
import { sendDelivery } from './send-delivery.ts';

export interface HookServer {
  /** Stops taking deliveries and lets those in hand finish for `drainMs`; the leases of the rest end by themselves. */
  stop(drainMs: number): Promise<void>;
}

/** Finished deliveries that are kept and shown of each webhook. */
export const KEPT_DELIVERIES = 1_000;
const BATCH = 500;
/** A queue that holds so many is busy enough; more would only be looked at later. */
const ENOUGH_JOBS = 1_000;
const TRIM_EVERY_MS = 60_000;
const LEAVE_MS = 2_000;

/** Does nothing in a process without `engine.hooks`. */
export function serveHooks(engine: Engine, queues: Pick<Queues, 'createHooksWorker'>, sweepMs: number): HookServer {
  const { hooks, log } = engine;
  if (hooks === undefined) return { stop: async () => {} };
  const worker = queues.createHooksWorker(async (id) => {
    await sendDelivery(engine, hooks, id).catch((error: unknown) =>
      log.warn({ deliveryId: id, error: String(error) }, 'a delivery is left to the sweep'),
    );
  }, hooks.settings.concurrency);
  let running: Promise<unknown> = Promise.resolve();
  let trimmedAt = Date.now();
  const sweep = async () => {
    await sweepDeliveries(engine, hooks);
    if (Date.now() - trimmedAt < TRIM_EVERY_MS) return;
    trimmedAt = Date.now();
    await trimDeliveries(engine.db, { keep: KEPT_DELIVERIES, limit: BATCH });
  };
  let isSweeping = false;
  const timer = setInterval(
    () => {
      if (isSweeping) return;
      isSweeping = true;
      running = sweep()
        .catch((error: unknown) => log.debug({ error: String(error) }, 'deliveries are left to the next sweep'))
        .finally(() => {
          isSweeping = false;
        });
    },
    sweepMs * (0.75 + Math.random() / 2),
  );
  return {
    async stop(drainMs) {
      clearInterval(timer);
      await settleWithin(worker.close(), drainMs);
      await settleWithin(worker.close(true), LEAVE_MS);
      await settleWithin(running, LEAVE_MS);
    },
  };
}

/** Makes jobs for what is due and was not offered for a lease, and for what lost its sender; processes that do it at once share it. */
async function sweepDeliveries(engine: Engine, { queue }: Hooks): Promise<void> {
  for (let isFull = true; isFull; ) {
    if ((await queue.countLive()) >= ENOUGH_JOBS) return;
    const due = await takeDueDeliveries(engine.db, { limit: BATCH, graceMs: engine.leaseMs });
    if (due.length > 0) await queue.addAll(due);
    isFull = due.length === BATCH;
  }
}
