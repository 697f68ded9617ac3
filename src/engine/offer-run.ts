// Jobs of one run whose step runs were put back or queued again by an operator: they are taken away, or made, at once
// instead of by the next sweep. Best effort, and nobody waits for it: the rows are the truth, and the sweep mends the rest.

import { listPutBack, takeRunForOffer } from '../store/step-runs.ts';
import type { Engine } from './engine.ts';

/** As many as one sweep takes in a batch; what is beyond is left to it. */
const AT_ONCE = 1_000;

/** Makes jobs for the run's queued step runs that have none, under the dispatch numbers that the commit gave them. */
export function offerQueued(engine: Engine, runId: string): void {
  leaveToSweep(engine, runId, async () => {
    engine.steps.offer(await takeRunForOffer(engine.db.pool, runId, AT_ONCE));
  });
}

/** Takes away the jobs of step runs that a hold has put back; workers would only drop them. */
export function withdrawJobs(engine: Engine, runId: string): void {
  leaveToSweep(engine, runId, async () => {
    await engine.steps.withdraw(await listPutBack(engine.db.pool, runId, AT_ONCE));
  });
}

function leaveToSweep({ log }: Engine, runId: string, work: () => Promise<void>): void {
  work().catch((error) => log.debug({ runId, error: String(error) }, 'jobs of a run are left to the sweep'));
}
