// What a worker does: takes jobs while it may, keeps its claims alive, sweeps, and stops without losing anything. It
// takes no job while Redis would evict jobs, and rebuilds nothing by itself that the sweep would find anyway.

import { reach } from '../failpoints.ts';
import type { Queues } from '../queue/connection.ts';
import { Claims } from './claims.ts';
import type { Engine } from './engine.ts';
import { awaitAllChanges } from './fresh-jobs.ts';
import { settleWithin } from './patience.ts';
import { runStep } from './run-step.ts';
import { createSweeper } from './sweep.ts';

export interface StepServer {
  /** Why no jobs are taken, or null. */
  readonly refusal: string | null;
  /** Stops taking jobs, lets those in hand finish for `drainMs`, gives back the rest. */
  stop(drainMs: number): Promise<void>;
}

export interface ServeOptions {
  concurrency: number;
  heartbeatMs: number;
  sweepMs: number;
}

/** How long a leaving worker waits for servers that may be silent. */
const LEAVE_MS = 2_000;
const PROBE_MS = 5_000;
const SOON_MS = 500;

export function serveSteps(
  engine: Engine,
  queues: Queues,
  { concurrency, heartbeatMs, sweepMs }: ServeOptions,
): StepServer {
  const claims = new Claims(engine, heartbeatMs);
  const sweeper = createSweeper(engine);
  const worker = queues.createWorker(
    (job, attemptsStarted) => runStep(engine, claims, job, attemptsStarted),
    concurrency,
  );
  engine.ahead.isOn = true;
  let refusal: string | null = 'starting';
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;

  /** Takes jobs exactly while the queue can be trusted with them; a queue that does not answer is waited for. */
  async function gate(): Promise<void> {
    const { ok, message = 'the queue is not usable' } = await queues.probe();
    if (stopped) return;
    if (ok && refusal !== null) worker.run();
    if (!ok && refusal === null && !message.includes('does not answer')) await worker.pause();
    if (!ok && refusal !== message) engine.log.warn({ reason: message }, 'taking no jobs');
    const isAway = !ok && refusal === null && message.includes('does not answer');
    if (!isAway) refusal = ok ? null : message;
    timer = setTimeout(() => void gate(), refusal === null ? PROBE_MS : SOON_MS);
  }

  void gate();
  sweeper.start(sweepMs);
  return {
    get refusal() {
      return refusal;
    },
    async stop(drainMs) {
      stopped = true;
      engine.ahead.isOn = false;
      if (timer) clearTimeout(timer);
      const swept = sweeper.stop();
      // What is decided is committed before the connections are let go.
      const closed = worker.close().then(() => awaitAllChanges(engine));
      reach('shutdown.after_stop_claiming');
      const drained = await Promise.race([
        closed.then(() => true),
        new Promise<false>((resolve) => setTimeout(resolve, drainMs, false).unref()),
      ]);
      if (!drained) {
        engine.log.warn({ claims: claims.size }, 'some steps did not finish in time; giving them back');
        await settleWithin(claims.release(), LEAVE_MS);
        await settleWithin(worker.close(true), LEAVE_MS);
      }
      claims.stop();
      await settleWithin(swept, LEAVE_MS);
    },
  };
}
