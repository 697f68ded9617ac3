// The jobs of step runs that a decision queues for the first time, and who waits for them.
//
// On an idle system a job is offered while the commit that queues its step is still on its way, so that the two round trips
// overlap. Such a job is early: whoever takes it waits for the commit, here by its mailbox, in another process by looking a
// few times (run-step.ts). After the commit it is offered again unless a worker of this process has it by then; without
// that commit it points nowhere and is dropped, as any job is whose step is not queued.

import type { Decision } from '../core/decision.ts';
import { keyOf } from '../core/run.ts';
import type { StepJob } from '../queue/steps-queue.ts';
import type { Engine } from './engine.ts';

/** To be offered before the decision is committed. */
export function earlyJobs(decision: Decision): StepJob[] {
  return freshJobs(decision).map((job) => ({ ...job, early: true }));
}

/** To be offered once the decision is committed; `expected` are step runs whose jobs have arrived here already. */
export function freshJobs({ state, steps }: Decision, expected?: ReadonlySet<string> | null): StepJob[] {
  const jobs: StepJob[] = [];
  for (const row of steps) {
    if (row.status !== 'queued' || row.redispatch || row.attempt !== 1 || row.fence !== 0) continue;
    if (expected?.has(keyOf(row))) continue;
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
  await new Promise<void>((resolve) => mailbox.onEmpty.push(resolve));
}
