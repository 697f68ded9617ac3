// What an operator does to a run: cancel it with clean-up, or terminate it at once.

import { AppError } from '../core/errors.ts';
import type { Actor, Cancellation, RunStatus } from '../core/run.ts';
import { findDefinition } from '../store/definitions.ts';
import { stateOf } from './answer-run.ts';
import { changeRun } from './change-run.ts';
import type { Engine } from './engine.ts';

export interface ControlRequest {
  actor: Actor;
  runId: string;
  /** Id or key; when given, the run must be of this workflow. */
  workflow?: string;
  reason?: string;
}

export interface Controlled {
  runId: string;
  status: RunStatus;
  cancellation: Cancellation;
}

/** Asks the run to stop: no new steps, running ones get 30 s, then `onCancel`. Throws `run_not_found`, `run_finished`. */
export function cancelRun(engine: Engine, request: ControlRequest): Promise<Controlled> {
  return control(engine, 'cancel', request);
}

/** Ends the run at once; late results are refused and nothing is cleaned up. Throws `run_not_found`, `run_finished`. */
export function terminateRun(engine: Engine, request: ControlRequest): Promise<Controlled> {
  return control(engine, 'terminate', request);
}

async function control(
  engine: Engine,
  type: 'cancel' | 'terminate',
  { actor, runId, workflow, reason }: ControlRequest,
): Promise<Controlled> {
  if (workflow !== undefined) await checkWorkflow(engine, actor, runId, workflow);
  const { status, cancellation } = stateOf(
    await changeRun(engine, runId, { type, ...(reason === undefined ? {} : { reason }) }, { actor }),
  );
  return { runId, status, cancellation: cancellation! };
}

async function checkWorkflow(engine: Engine, actor: Actor, runId: string, workflow: string): Promise<void> {
  const [run, definition] = await Promise.all([
    engine.loadRun(runId),
    findDefinition(engine.db, { workspaceId: actor.workspaceId, idOrKey: workflow }),
  ]);
  if (run && definition && run.state.definitionId === definition.id) return;
  throw new AppError('run_not_found', `Workflow "${workflow}" has no run ${runId}`);
}
