// The jobs of step runs that a decision queues for the first time, and who waits for them.
//
// A job may be offered while the commit that queues its step is still on its way (run-ahead.ts). Such a job is early:
// whoever takes it and cannot go on without the commit waits for it, here by the run's mailbox, in another process by looking a
// few times (run-step.ts). Without that commit it points nowhere and is dropped, as any job is whose step is not queued.

import type { Decision } from '../core/decision.ts';
import { keyOf } from '../core/run.ts';
import type { StepJob } from '../queue/steps-queue.ts';
import type { Engine } from './engine.ts';
import { release } from './run-ahead.ts';

/** A run that has begun goes on before others begin, for so many steps at a time. */
const STEPS_IN_A_ROW = 8;
/** A job that was offered longer ago may have been looked at in vain, and dropped. */
const EARLY_GRACE_MS = 200;

/** What has become of jobs that were offered before their commit. */
export interface EarlyOffers {
  /** Step runs that a worker of this process has a job of, and waits for their commit. */
  expected: Set<string> | null;
  /** Step runs whose jobs were offered early, and when. */
  offered: Map<string, number> | null;
}

/** Offers the jobs of what the decision queues, before it is committed. */
export function offerEarly(engine: Engine, offers: EarlyOffers, decision: Decision, early: 'start' | 'step'): void {
  const jobs = listFresh(decision);
  if (jobs.length === 0) return;
  offers.offered ??= new Map();
  const now = performance.now();
  for (const job of jobs) {
    job.early = early;
    offers.offered.set(keyOf(job), now);
  }
  if (early === 'step') engine.ahead.noteOffered(jobs.length);
  const onFailed = (job: StepJob) => offers.offered?.delete(keyOf(job));
  engine.steps.offer(jobs, { goesFirst: goesFirst(engine, decision), onFailed });
}

/** Offers the jobs of what the decision has queued, now that it is committed; but not those that have arrived here, or are on their way. */
export function offerFresh(engine: Engine, decision: Decision, offers?: EarlyOffers): void {
  let jobs = listFresh(decision);
  if (offers?.expected || offers?.offered) jobs = jobs.filter((job) => !isOnItsWay(job, offers));
  if (jobs.length > 0) engine.steps.offer(jobs, { goesFirst: goesFirst(engine, decision) });
}

function isOnItsWay(job: StepJob, { expected, offered }: EarlyOffers): boolean {
  const key = keyOf(job);
  const offeredAt = offered?.get(key);
  return expected?.has(key) === true || (offeredAt !== undefined && performance.now() - offeredAt < EARLY_GRACE_MS);
}

function goesFirst(engine: Engine, { state }: Decision): boolean {
  return engine.ahead.isOn && state.stepRuns % STEPS_IN_A_ROW !== 0;
}

function listFresh({ state, steps }: Decision): StepJob[] {
  const jobs: StepJob[] = [];
  for (const row of steps) {
    if (row.status !== 'queued' || row.redispatch || row.attempt !== 1 || row.fence !== 0) continue;
    const { step, visit } = row;
    jobs.push({ runId: state.id, workspaceId: state.workspaceId, step, visit, dispatch: 1 });
  }
  return jobs;
}

/** Waits for the changes of the job's run that are under way in this process: one of them may queue its step. */
export async function awaitChanges(engine: Engine, job: StepJob): Promise<void> {
  const mailbox = engine.mailboxes.get(job.runId);
  if (!mailbox) return;
  mailbox.expected ??= new Set();
  mailbox.expected.add(keyOf(job));
  release(mailbox.ahead?.postponed);
  await new Promise<void>((resolve) => mailbox.onEmpty.push(resolve));
}

/** Waits until nothing that this process has decided is on its way any more. */
export async function awaitAllChanges({ mailboxes }: Engine): Promise<void> {
  while (mailboxes.size > 0) {
    for (const { ahead } of mailboxes.values()) release(ahead?.postponed);
    await Promise.all(
      [...mailboxes.values()].map(({ onEmpty }) => new Promise<void>((resolve) => onEmpty.push(resolve))),
    );
  }
}
