// Runs a run again that is over: a new run, on the same version and with the same input, from the start or from a step that the
// other one reached. What had completed there is folded from its history first; the rule is core/replay.ts.

import { randomUUID } from 'node:crypto';
import { v7 as newId } from 'uuid';
import type { Decision } from '../core/decision.ts';
import { AppError } from '../core/errors.ts';
import type { Plan } from '../core/plan.ts';
import { decideReplay, type ReplayPoint } from '../core/replay.ts';
import { type Actor, FINISHED, type RunState } from '../core/run.ts';
import { type DefinitionRow, findDefinition } from '../store/definitions.ts';
import { findRunByOrigin } from '../store/runs.ts';
import type { Engine } from './engine.ts';
import { foldBefore } from './fold-history.ts';
import { commitStart } from './start-run.ts';

export interface ReplayRequest {
  actor: Actor;
  runId: string;
  /** Default the start. */
  fromStep?: string;
  /** Unique per workspace: a replay whose origin exists already answers that run. */
  origin?: string;
}

/** How often a replay is decided again because its workflow has just changed. */
const MAX_ROUNDS = 3;

/**
 * Throws `run_not_found`, `conflict` for a run that is not over, `workflow_archived`, `invalid_request` for a step that the
 * run never reached, or from which too much would have to be copied; `unavailable`.
 */
export async function replayRun(engine: Engine, request: ReplayRequest): Promise<{ runId: string }> {
  const done = await findReplayed(engine, request);
  if (done !== null) return { runId: done };
  const source = await getFinished(engine, request);
  const plan = await engine.plans.get(source.definitionId, source.version);
  const from = await findPoint(engine, { source, plan, step: request.fromStep });
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const definition = await getReplayable(engine, source);
    const decision = decide(engine, { request, source, plan, from });
    const { actor, origin = null } = request;
    const { podId, revision } = definition;
    const start = { trigger: 'replay', owner: actor.userId, podId, replayOf: source.id, origin, revision };
    if ((await commitStart(engine, decision, start)) === 'committed') return { runId: decision.state.id };
    const found = await findReplayed(engine, request);
    if (found !== null) return { runId: found };
  }
  throw new AppError('conflict', 'The run could not be created; try again');
}

async function findReplayed({ db }: Engine, { actor, origin }: ReplayRequest): Promise<string | null> {
  return origin === undefined ? null : findRunByOrigin(db.pool, actor.workspaceId, origin);
}

async function getFinished(engine: Engine, { actor, runId }: ReplayRequest): Promise<RunState> {
  const state = (await engine.loadRun(runId))?.state;
  if (state?.workspaceId !== actor.workspaceId) throw new AppError('run_not_found', `Run ${runId} does not exist`);
  if (!FINISHED.has(state.status))
    throw new AppError('conflict', 'it is not over: wait for its end, or cancel it, and replay it then');
  return state;
}

/** Like any start, none is of a workflow that is archived. */
async function getReplayable({ db }: Engine, { workspaceId, definitionId }: RunState): Promise<DefinitionRow> {
  const row = await findDefinition(db, { workspaceId, idOrKey: definitionId });
  if (row === null) throw new AppError('workflow_not_found', 'the workflow of this run was deleted');
  if (row.archivedAt !== null)
    throw new AppError('workflow_archived', `Workflow "${row.key}" is archived; unarchive it to replay its runs`);
  return row;
}

async function findPoint(
  engine: Engine,
  { source, plan, step }: { source: RunState; plan: Plan; step: string | undefined },
): Promise<ReplayPoint | null> {
  if (step === undefined) return null;
  if (!plan.steps.has(step))
    throw refuse(`the workflow has no step "${step}"`, 'leave it out to replay from the start');
  const point = await foldBefore(engine, { ...source, plan }, step);
  if (point === null) throw refuse(`the run never reached step "${step}"`, 'name a step that it reached, or none');
  if (point === 'too-much')
    throw refuse(
      `too much came before step "${step}" to be copied`,
      'name a step that was reached earlier, or none to replay from the start',
    );
  return point;
}

function refuse(message: string, hint: string): AppError {
  return new AppError('invalid_request', message, [{ pointer: '/fromStep', message, hint }]);
}

interface Replay {
  request: ReplayRequest;
  source: RunState;
  plan: Plan;
  from: ReplayPoint | null;
}

/** It sees the claims that the other run was started with: they are part of what it was given. */
function decide(engine: Engine, { request, source, plan, from }: Replay): Decision {
  const { id: replayOf, workspaceId, definitionId, version, input, context } = source;
  const run = { id: newId(), workspaceId, definitionId, version, input, context, replayOf };
  return decideReplay(plan, run, from, {
    now: engine.clock.now(),
    actor: request.actor,
    commandId: randomUUID(),
    newId,
  });
}
