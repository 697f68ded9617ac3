// What makes the queue disposable: every few seconds one process looks for what is due in Postgres and is not on its way.
// Expired leases, timers, pauses and cancellations become commands; due step runs whose jobs are missing get new ones.
// It is cheapest when the backlog is longest: while the queue holds as many jobs as there are due step runs, only the
// oldest few are looked at, and seldom.

import { reach } from '../failpoints.ts';
import {
  countBacklog,
  type DueStep,
  type Handled,
  listExpiredLeases,
  nextDispatch,
  takeForOffer,
} from '../store/step-runs.ts';
import { type SweepLock, takeSweepLock } from '../store/sweep-lock.ts';
import type { Engine } from './engine.ts';
import { COMMANDS, commandAsSystem, fireDue, fireOnTime, inRounds } from './fire-due.ts';

const BATCH = 1_000;
/** Job states asked for in one sweep: that call scans the wait list. */
const MAX_INSPECTED = 100;
/** How many of the oldest are checked, and how often, while the queue is as long as the backlog. */
const OLDEST = 200;
const OLDEST_EVERY_MS = 30_000;
/** An offer is given this long to arrive before it is made again. */
const OFFER_GRACE_MS = 1_000;
/** Older than any offer: takes only step runs that were given back and never offered again. */
const NEVER_MS = 1_000_000_000_000;

/** What moves while it is counted can look like a lack of so much of what is due; a lack that lasts is one. */
const SMALL_LACK = 0.1;
const LASTING = 3;

interface Jobs {
  /** Those that a worker has or will take, and runs whose last step is over here and not yet in Postgres. */
  live: number;
  /** Those that no worker has taken yet. */
  waiting: number;
}

export interface Sweeper {
  /** One sweep now; answers false when another process is sweeping. */
  sweep(): Promise<boolean>;
  start(everyMs: number): void;
  stop(): Promise<void>;
}

export function createSweeper(engine: Engine): Sweeper {
  const handled: Handled = {
    types: engine.types.list().map(({ type }) => type),
    tools: [...engine.known.tools.keys()],
  };
  const { pool } = engine.db;
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<unknown> = Promise.resolve();
  let stopped = false;
  let firing: { stop(): Promise<unknown> } | null = null;
  /** After its own reconnect a sweeper gives every worker one lease to come back before it takes anything away. */
  let expireAfter = 0;
  let wasAway = false;
  let oldestAt = 0;
  /** Sweeps in a row that have found a few jobs too few. */
  let smallLacks = 0;

  async function sweep(): Promise<boolean> {
    const endTimer = engine.metrics.sweepDuration.startTimer();
    let lock: SweepLock | null = null;
    try {
      lock = await takeSweepLock(pool, engine.leaseMs);
      if (!lock) return false;
      if (wasAway) {
        expireAfter = Date.now() + engine.leaseMs;
        engine.log.info('sweeping again');
      }
      wasAway = false;
      await engine.clock.sync();
      if (Date.now() >= expireAfter) await expireLeases();
      await lock.keep();
      await fireDue(engine);
      await refillQueue(lock);
      await lock.release();
      return true;
    } catch (error) {
      lock?.abandon();
      if (!wasAway)
        engine.log.warn(
          { error: String(error) },
          'a sweep was cut short: Postgres is away or busy; trying again until it is back',
        );
      wasAway = true;
      return true;
    } finally {
      endTimer();
    }
  }

  async function expireLeases(): Promise<void> {
    await inRounds(
      () => listExpiredLeases(pool, handled, COMMANDS),
      ({ runId, step, visit, fence }) => {
        engine.metrics.lostLeases.inc();
        return commandAsSystem(engine, runId, { type: 'expire-lease', step, visit, fence });
      },
    );
  }

  /** Adds the jobs of due step runs that the queue may have lost. */
  async function refillQueue(lock: SweepLock): Promise<void> {
    const before = await countJobs();
    const { due, givenBack, noHandler } = await countBacklog(pool, handled);
    engine.metrics.noHandler.set(noHandler);
    if (due === 0) return;
    const lack = findLack(due, before, await countJobs());
    if (lack === null) return;
    smallLacks = lack > 0 && lack <= due * SMALL_LACK ? smallLacks + 1 : 0;
    if (lack === 0 || (smallLacks > 0 && smallLacks < LASTING)) {
      if (givenBack > 0) await offer(await takeForOffer(pool, handled, BATCH, NEVER_MS));
      if (Date.now() - oldestAt < OLDEST_EVERY_MS) return;
      oldestAt = Date.now();
      await mend(await takeForOffer(pool, handled, OLDEST, OLDEST_EVERY_MS));
      return;
    }
    let suspects: DueStep[] = [];
    for (let full = true; full && !stopped; ) {
      const batch = await takeForOffer(pool, handled, BATCH, OFFER_GRACE_MS);
      await offer(batch);
      await lock.keep();
      if (suspects.length === 0) suspects = batch.slice(0, MAX_INSPECTED);
      full = batch.length === BATCH;
    }
    await mend(suspects);
  }

  /** Null while the queue is away. */
  async function countJobs(): Promise<Jobs | null> {
    const resting = countResting(engine);
    const counts = Promise.all([engine.steps.countLive(), engine.steps.countWaiting()]);
    return counts.then(([live, waiting]) => ({ live: live + resting, waiting })).catch(() => null);
  }

  async function offer(steps: DueStep[]): Promise<void> {
    reach('sweep.mid_batch');
    if (steps.length > 0) await engine.steps.addAll(steps);
  }

  /** Looks at the jobs of a few due step runs: a missing one is added, a dead one replaced, a delayed one let go. */
  async function mend(steps: DueStep[]): Promise<void> {
    for (const step of steps.slice(0, MAX_INSPECTED)) {
      const state = await engine.steps.inspect(step);
      if (state === 'missing') await offer([step]);
      if (state === 'delayed') await engine.steps.promote(step).catch(() => {});
      if (state !== 'dead') continue;
      const dispatch = await nextDispatch(pool, step);
      if (dispatch !== null) await offer([{ ...step, dispatch }]);
    }
  }

  function plan(everyMs: number): void {
    if (stopped) return;
    timer = setTimeout(
      () => {
        running = Promise.all([running, sweep().finally(() => plan(everyMs))]);
      },
      everyMs * (0.75 + Math.random() / 2),
    );
  }

  return {
    sweep,
    start(everyMs) {
      firing = fireOnTime(engine);
      running = sweep().finally(() => plan(everyMs));
    },
    async stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
      await Promise.all([running, firing?.stop()]);
    },
  };
}

/** Runs of this process that are queued in Postgres, and have no job any more, because what they rest with is still to be committed. */
function countResting({ mailboxes }: Engine): number {
  let count = 0;
  for (const { ahead } of mailboxes.values())
    if (ahead && !ahead.run.state.open.some(({ status }) => status === 'queued')) count += 1;
  return count;
}

/**
 * How many jobs the queue seems to lack for what is due; null when it cannot be asked. The queue is counted before and after what is due,
 * because both move meanwhile. An empty wait list is no proof: jobs that are active may be those of workers that died, or of steps
 * that are over.
 */
function findLack(due: number, before: Jobs | null, after: Jobs | null): number | null {
  if (!after) return null;
  if (after.waiting === 0) return due;
  return Math.max(0, due - Math.max(before?.live ?? 0, after.live));
}
