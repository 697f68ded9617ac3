// What an operator does to a whole run: hold it and let it go, retry it, cancel it with clean-up, or terminate it at once.
// What each means is core/control.ts.

import type { Command } from '../core/commands.ts';
import { AppError } from '../core/errors.ts';
import type { Actor, Cancellation, RunState, RunStatus } from '../core/run.ts';
import { findDefinition } from '../store/definitions.ts';
import { recallFire } from '../store/schedule-fires.ts';
import { changeRunOnce } from './change-once.ts';
import { checkOwner } from './check-owner.ts';
import type { Engine } from './engine.ts';
import { offerQueued, withdrawJobs } from './offer-run.ts';

export interface ControlRequest {
  actor: Actor;
  runId: string;
  /** Id or key; when given, the run must be of this workflow. */
  workflow?: string;
  /** When given, the run must have been started by this user. */
  owner?: string;
  reason?: string;
  /** Of the request, the same however often it is worked on: what it did before is answered as done. */
  idempotencyId?: string | undefined;
}

export interface Controlled {
  runId: string;
  status: RunStatus;
}

export interface Stopped extends Controlled {
  cancellation: Cancellation;
}

type Control = Extract<Command, { type: 'hold' | 'release' | 'retry' | 'cancel' | 'terminate' }>['type'];

/**
 * From now on nothing of the run begins; what runs finishes and is kept. Again is the same as once. Throws `run_not_found`,
 * `run_finished`, `conflict` while it is being cancelled.
 */
export async function holdRun(engine: Engine, request: ControlRequest): Promise<Controlled> {
  const { status } = await control(engine, 'hold', request);
  withdrawJobs(engine, request.runId);
  return { runId: request.runId, status };
}

/** Lets a held run go on, from what is stored. Throws `run_not_found`, `run_finished`, `conflict` when it is not held. */
export async function releaseRun(engine: Engine, request: ControlRequest): Promise<Controlled> {
  const { status } = await control(engine, 'release', request);
  offerQueued(engine, request.runId);
  return { runId: request.runId, status };
}

/**
 * Goes on with a run that failed or was cancelled, under its own id, from where it was interrupted; what completed is kept.
 * Throws `run_not_found`, `run_finished` for one that completed, `conflict` for one that is not over.
 */
export async function retryRun(engine: Engine, request: ControlRequest): Promise<Controlled> {
  const { status } = await control(engine, 'retry', request);
  await recallFire(engine.db, request.runId);
  offerQueued(engine, request.runId);
  return { runId: request.runId, status };
}

/** Asks the run to stop: no new steps, running ones get 30 s, then `onCancel`. Throws `run_not_found`, `run_finished`. */
export async function cancelRun(engine: Engine, request: ControlRequest): Promise<Stopped> {
  return describeStopped(await control(engine, 'cancel', request));
}

/** Ends the run at once; late results are refused and nothing is cleaned up. Throws `run_not_found`, `run_finished`. */
export async function terminateRun(engine: Engine, request: ControlRequest): Promise<Stopped> {
  return describeStopped(await control(engine, 'terminate', request));
}

async function control(
  engine: Engine,
  type: Control,
  { actor, runId, workflow, owner, reason, idempotencyId }: ControlRequest,
): Promise<RunState> {
  if (workflow !== undefined) await checkWorkflow(engine, actor, runId, workflow);
  if (owner !== undefined) await checkOwner(engine, actor, runId, owner);
  const command = { type, ...(reason === undefined ? {} : { reason }) };
  return changeRunOnce(engine, runId, command, { actor, idempotencyId });
}

function describeStopped({ id, status, cancellation }: RunState): Stopped {
  return { runId: id, status, cancellation: cancellation! };
}

async function checkWorkflow(engine: Engine, actor: Actor, runId: string, workflow: string): Promise<void> {
  const [run, definition] = await Promise.all([
    engine.loadRun(runId),
    findDefinition(engine.db, { workspaceId: actor.workspaceId, idOrKey: workflow }),
  ]);
  if (run && definition && run.state.definitionId === definition.id) return;
  throw new AppError('run_not_found', `Workflow "${workflow}" has no run ${runId}`);
}
