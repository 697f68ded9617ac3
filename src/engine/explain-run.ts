// Explains why a run does not move, from what is stored and what this process knows of plans, types and tools; the rule itself
// is core/explain.ts.

import { AppError } from '../core/errors.ts';
import { type Explanation, explainRun as explain } from '../core/explain.ts';
import { isBlockedBy } from '../core/joins.ts';
import type { Plan } from '../core/plan.ts';
import { UnknownStepTypeError } from '../core/plan.ts';
import { keyOf, type RunStatus } from '../core/run.ts';
import type { Connection } from '../store/db.ts';
import { countAhead, findOpenRun, type OpenRunView, type OpenStepView } from '../store/run-explanations.ts';
import type { Engine } from './engine.ts';

export interface ExplainRequest {
  workspaceId: string;
  runId: string;
  /** When given, the run must have been started by this user. */
  owner?: string;
}

/** Reads the run with `db`; the queue that it shares with everybody is the engine's to count. Throws `run_not_found`. */
export async function explainRun(
  engine: Engine,
  db: Connection,
  request: ExplainRequest,
): Promise<Explanation & { runId: string; status: RunStatus }> {
  const run = await findOpenRun(db, request);
  if (run === null) throw new AppError('run_not_found', 'no run here has this id');
  const [plan, ahead] = await Promise.all([findPlan(engine, run), countAheadOf(engine, run.steps)]);
  const steps = run.steps.map((step) => ({
    mark: step.mark,
    since: step.since,
    ahead: ahead.get(step) ?? 0,
    unknown: nameUnknown(engine, step),
    blockers: plan === null ? [] : listBlockers(plan, step, run.steps),
  }));
  return { runId: run.id, status: run.status, ...explain({ ...run, steps }) };
}

async function countAheadOf({ db }: Engine, steps: readonly OpenStepView[]): Promise<Map<OpenStepView, number>> {
  const offered = steps.flatMap((step) => (step.offeredAt === null ? [] : [{ step, at: step.offeredAt }]));
  const counts = await countAhead(
    db,
    offered.map(({ at }) => at),
  );
  return new Map(offered.map(({ step }, nth) => [step, counts[nth]!]));
}

/** Null where this process lacks a step type of the version: the rest can be said all the same. */
async function findPlan(engine: Engine, { definitionId, version }: OpenRunView): Promise<Plan | null> {
  try {
    return await engine.plans.get(definitionId, version);
  } catch (error) {
    if (error instanceof UnknownStepTypeError) return null;
    throw error;
  }
}

function nameUnknown({ types, known }: Engine, { type, tool }: OpenStepView): string | null {
  if (types.get(type) === undefined) return type;
  return tool !== null && !known.tools.has(tool) ? tool : null;
}

function listBlockers(plan: Plan, { mark }: OpenStepView, steps: readonly OpenStepView[]): string[] {
  if (mark.status !== 'pending' || mark.wasQueued) return [];
  const step = plan.steps.get(mark.step)!;
  const others = steps.filter((other) => keyOf(other.mark) !== keyOf(mark) && isBlockedBy(plan, step, other.mark));
  return others.map((other) => other.mark.step);
}
