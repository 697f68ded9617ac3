// Starts the runs of schedules whose time has come. A schedule is claimed for a lease, decided about (core/schedules.ts), its
// runs are started, and only then it moves on. A process that dies in between leaves a claim that ends; whoever takes it
// then decides for the same moment and starts the same runs: each time of a schedule is the origin of one run.

import { AppError } from '../core/errors.ts';
import { decideFires, type ScheduleState } from '../core/schedules.ts';
import { reach } from '../failpoints.ts';
import { isTransient } from '../store/db.ts';
import {
  type ClaimedSchedule,
  claimDueSchedules,
  findNextLook,
  findOpenFires,
  originOfFire,
  settleSchedule,
} from '../store/schedule-fires.ts';
import type { LastFire } from '../store/schedules.ts';
import { DueTimer } from './due-timer.ts';
import type { Engine } from './engine.ts';
import { settleWithin } from './patience.ts';
import { startRun } from './start-run.ts';

const BATCH = 100;
/** How often it is looked whether the run before is over: after a tenth of the time that was waited, within these bounds. */
const SOONEST_MS = 1_000;
const LATEST_MS = 60_000;
const LEAVE_MS = 2_000;

/** Fires what is due, until nothing is. Several processes share it. */
export async function fireSchedules(engine: Engine, { leaseMs = engine.leaseMs } = {}): Promise<void> {
  for (let isFull = true; isFull; ) {
    const claimed = await claimDueSchedules(engine.db, { limit: BATCH, leaseMs });
    const asking = claimed.filter(({ overlap }) => overlap !== 'allow');
    const open = await findOpenFires(engine.db, asking);
    await Promise.all(claimed.map((schedule) => fireSchedule(engine, schedule, open.get(schedule.id) ?? null)));
    isFull = claimed.length === BATCH;
  }
}

/**
 * `openAt`: the earliest time whose run is not over. Never throws: what could not be done is done again when the lease is
 * over.
 */
async function fireSchedule(engine: Engine, schedule: ClaimedSchedule, openAt: number | null): Promise<void> {
  try {
    const { plannedAt: now } = schedule;
    const { start, waiting, nextAt, last } = decideFires(schedule, schedule, { now, isRunning: openAt !== null });
    const started = await startRuns(engine, schedule, start);
    reach('schedule.after_fire');
    const isTold = last === null || last.outcome === 'started' || started.last?.outcome === 'failed';
    await settleSchedule(engine.db, schedule, {
      nextAt,
      waiting,
      lookAt: findLook({ nextAt, waiting }, now),
      openSince: findOpenSince(schedule, openAt),
      last: isTold ? started.last : { ...last, error: null },
      runId: started.runId,
    });
  } catch (error) {
    engine.log.warn({ scheduleId: schedule.id, error: String(error) }, 'a schedule fires a little later');
  }
}

/** When somebody has to look at it again. */
function findLook({ nextAt, waiting: [first] }: ScheduleState, now: number): number | null {
  if (first === undefined) return nextAt;
  const again = now + Math.min(LATEST_MS, Math.max(SOONEST_MS, (now - first) / 10));
  return nextAt === null ? again : Math.min(nextAt, again);
}

/** All its runs for times before this are over: those are looked at no more. */
function findOpenSince({ overlap, openSince, waiting, nextAt }: ClaimedSchedule, openAt: number | null): number | null {
  if (overlap === 'allow') return openSince;
  const times = [openAt, waiting[0] ?? null, nextAt].filter((at) => at !== null);
  return times.length === 0 ? openSince : Math.min(...times);
}

/** Starts a run for each of the times, and answers what became of the last; throws when Postgres is away. */
async function startRuns(
  engine: Engine,
  schedule: ClaimedSchedule,
  times: readonly number[],
): Promise<{ last: LastFire | null; runId: string | null }> {
  let last: LastFire | null = null;
  let runId: string | null = null;
  for (const at of times) {
    try {
      runId = (await startAt(engine, schedule, at)).runId;
      last = { at, outcome: 'started', error: null };
    } catch (error) {
      if (isTransient(error) || (error instanceof AppError && error.code === 'unavailable')) throw error;
      last = { at, outcome: 'failed', error: explain(engine, schedule, error) };
    }
  }
  return { last, runId };
}

function startAt(engine: Engine, schedule: ClaimedSchedule, at: number): Promise<{ runId: string }> {
  const { id, name, workspaceId, definitionId, version, input, createdBy } = schedule;
  const time = new Date(at).toISOString();
  return startRun(engine, {
    actor: { workspaceId, userId: createdBy, context: { schedule: { id, name, time } } },
    workflow: definitionId,
    version,
    input,
    trigger: 'schedule',
    origin: originOfFire(id, at),
  });
}

/** What is shown of a start that was refused; what nobody foresaw is in the log only. */
function explain({ log }: Engine, schedule: ClaimedSchedule, error: unknown): { code: string; message: string } {
  const { id: scheduleId, workspaceId } = schedule;
  if (error instanceof AppError) {
    const { code } = error;
    const [problem] = error.details;
    const message = problem === undefined ? error.message : `${error.message}: ${problem.pointer} ${problem.message}`;
    log.warn({ scheduleId, workspaceId, code, error: message }, 'a schedule could not start its run');
    return { code, message };
  }
  log.error({ scheduleId, workspaceId, error }, 'a schedule could not start its run');
  return { code: 'internal', message: 'the run could not be started; the log of the worker says why' };
}

/** Fires schedules in this process, at their times as far as it knows them; answers how to stop. */
export function serveSchedules(engine: Engine, sweepMs: number): () => Promise<void> {
  const timer = new DueTimer(engine.clock);
  let running: Promise<unknown> = Promise.resolve();
  let isRunning = false;
  const fire = async () => {
    await fireSchedules(engine);
    const inMs = await findNextLook(engine.db);
    if (inMs !== null) timer.arm(engine.clock.now() + inMs);
  };
  const run = () => {
    if (isRunning) return;
    isRunning = true;
    running = fire()
      .catch((error: unknown) => engine.log.debug({ error: String(error) }, 'schedules are left to the next sweep'))
      .finally(() => {
        isRunning = false;
      });
  };
  timer.start(run);
  run();
  const sweep = setInterval(run, sweepMs * (0.75 + Math.random() / 2));
  return async () => {
    clearInterval(sweep);
    timer.stop();
    await settleWithin(running, LEAVE_MS);
    timer.stop();
  };
}
