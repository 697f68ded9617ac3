// A run as the next commands are decided on it: its state, its plan, and the outputs that they may read. By what this process
// remembers, or else by what is stored.

import type { Command } from '../core/commands.ts';
import { AppError } from '../core/errors.ts';
import { type Plan, type Reads, unite } from '../core/plan.ts';
import type { RunState, StepRef } from '../core/run.ts';
import { loadOutputs } from '../store/runs.ts';
import type { Engine } from './engine.ts';
import type { RememberedRun } from './remembered-runs.ts';

/** What is asked of the run next. */
type Asked = readonly { command: Command }[];

/** A run with its plan and the outputs that the next decision reads. */
export interface Ready {
  plan: Plan;
  run: RememberedRun;
}

/** By what this process remembers; null when something is missing. */
export function findReady(engine: Engine, runId: string, asked: Asked): Ready | null {
  const run = engine.remembered.get(runId);
  const plan = run && engine.plans.get(run.state.definitionId, run.state.version);
  if (!plan || plan instanceof Promise) return null;
  const ready = { plan, run };
  return isReadyFor(ready, asked) ? ready : null;
}

export async function makeReady(engine: Engine, runId: string, asked: Asked): Promise<Ready> {
  const run = engine.remembered.get(runId) ?? (await engine.loadRun(runId));
  if (!run) throw new AppError('run_not_found', `Run ${runId} does not exist`);
  const plan = await engine.plans.get(run.state.definitionId, run.state.version);
  const reads = whatItReads(plan, run.state, asked);
  return { plan, run: knowsOutputs(run, reads) ? run : await withOutputs(engine, run, reads) };
}

/** Whether it holds the outputs that deciding these commands may read. */
export function isReadyFor({ plan, run }: Ready, asked: Asked): boolean {
  return knowsOutputs(run, whatItReads(plan, run.state, asked));
}

/** Whether the run holds the latest outputs of these steps: those that were loaded, and those that have come since. */
export function knowsOutputs({ outputsKnown, state }: RememberedRun, reads: Reads): boolean {
  if (outputsKnown === 'all' || reads === 'all') return outputsKnown === 'all';
  return reads.size === 0 || [...reads].every((step) => outputsKnown.has(step) || Object.hasOwn(state.outputs, step));
}

async function withOutputs(engine: Engine, run: RememberedRun, reads: Reads): Promise<RememberedRun> {
  const { outputsKnown, state } = run;
  const outputs = await loadOutputs(engine.db.pool, state.id, reads);
  return { state: { ...state, outputs: { ...state.outputs, ...outputs } }, outputsKnown: unite([outputsKnown, reads]) };
}

/** The steps whose outputs these commands may need: those they close, and those that wait to go. */
function whatItReads(plan: Plan, state: RunState, asked: Asked): Reads {
  if (plan.readOutputs !== 'all' && plan.readOutputs.size === 0) return plan.readOutputs;
  // What goes on may settle much at once, or end; the outputs of steps that are over may be named by its result alone.
  if (asked.some(({ command: { type } }) => type === 'release' || type === 'retry' || type === 'rollback'))
    return plan.readOutputs;
  const closing: StepRef[] = asked.flatMap(({ command }) => ('visit' in command ? [command] : []));
  const going = state.open.filter((open) => open.status === 'pending' || open.status === 'waiting');
  return unite([...closing, ...going].map(({ step }) => plan.steps.get(step)?.reads ?? new Set<string>()));
}
