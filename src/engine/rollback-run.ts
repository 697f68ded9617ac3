// Takes a run back to one of its snapshots. Its history is folded first, outside the decision, which looks whether the run
// has moved on meanwhile.

import type { Command } from '../core/commands.ts';
import { AppError } from '../core/errors.ts';
import type { Actor, RunState } from '../core/run.ts';
import type { Connection } from '../store/db.ts';
import { findPastRun } from '../store/past-runs.ts';
import { recallFire } from '../store/schedule-fires.ts';
import { changeRunOnce } from './change-once.ts';
import type { Engine } from './engine.ts';
import { foldHistory, listSnapshots, type PastRun, type SnapshotPage } from './fold-history.ts';

export interface RollbackRequest {
  actor: Actor;
  runId: string;
  /** When given, the run must have been started by this user. */
  owner?: string;
  /** Number of the event after which the snapshot stands. */
  to: number;
  reason?: string;
  /** Of the request, the same however often it is worked on: what it did before is answered as done. */
  idempotencyId?: string | undefined;
}

/**
 * The run goes on from there; what has come since is undone. Throws `run_not_found`, `not_found` for no snapshot, `conflict`
 * when the run is neither held nor over, or has moved on meanwhile, `rate_limit_exceeded`.
 */
export async function rollbackRun(engine: Engine, request: RollbackRequest): Promise<RunState> {
  const { actor, runId, owner, to, reason, idempotencyId } = request;
  const run = await findPast(engine, { workspaceId: actor.workspaceId, runId, owner });
  const makeCommand = async (): Promise<Command> => {
    const found = await foldHistory(engine, run, to);
    if (!found) throw new AppError('not_found', 'the run has no such snapshot, or it was undone by a rollback');
    return { type: 'rollback', ...found, ...(reason === undefined ? {} : { reason }) };
  };
  const state = await changeRunOnce(engine, runId, makeCommand, { actor, idempotencyId });
  await recallFire(engine.db, runId);
  return state;
}

/** Whose snapshots are wanted, and which. */
export interface SnapshotsRequest {
  workspaceId: string;
  runId: string;
  /** When given, the run must have been started by this user. */
  owner?: string;
  /** Only those older than this event. */
  before?: number;
  limit: number;
}

/** Reads with `db`; the newest first. Throws `run_not_found`, `rate_limit_exceeded`. */
export async function listRunSnapshots(
  engine: Engine,
  db: Connection,
  { workspaceId, runId, owner, ...page }: SnapshotsRequest,
): Promise<SnapshotPage> {
  const reading = { ...engine, db };
  return listSnapshots(reading, await findPast(reading, { workspaceId, runId, owner }), page);
}

async function findPast(
  { db, plans }: { db: Connection } & Pick<Engine, 'plans'>,
  wanted: { workspaceId: string; runId: string; owner: string | undefined },
): Promise<PastRun> {
  const run = await findPastRun(db, wanted);
  if (run === null) throw new AppError('run_not_found', `Run ${wanted.runId} does not exist`);
  const { id, workspaceId, input, seq, definitionId, version } = run;
  return { id, workspaceId, input, seq, plan: await plans.get(definitionId, version) };
}
