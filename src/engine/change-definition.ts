// The one way in which a workflow changes after its creation: read, decide, commit where its revision is still the one
// that was read, else again. What a change is, is the verbs' beside this file and core/publishing.ts.

import { AppError } from '../core/errors.ts';
import { decidePublishing, type PublishingCommand, type PublishingDecision } from '../core/publishing.ts';
import type { Actor } from '../core/run.ts';
import type { Connection } from '../store/db.ts';
import { type DefinitionRow, findDefinition } from '../store/definitions.ts';
import type { Engine } from './engine.ts';

/** Each try loses only to another change that was committed, so only as many racers at once can make it give up. */
const MAX_TRIES = 100;

export interface WorkflowRequest {
  actor: Actor;
  /** Id or key. */
  workflow: string;
  /** When given, the workflow must be in the pod with this id. */
  podId?: string;
  /** Of the request, the same however often it is worked on: what it did before is answered as done. */
  idempotencyId?: string | undefined;
}

/** Throws `workflow_not_found`. */
export async function getDefinition(
  { db }: { db: Connection },
  { actor, workflow, podId }: WorkflowRequest,
): Promise<DefinitionRow> {
  const row = await findDefinition(db, { workspaceId: actor.workspaceId, idOrKey: workflow });
  if (row === null || (podId !== undefined && row.podId !== podId))
    throw new AppError('workflow_not_found', 'no workflow here has this id or key');
  return row;
}

/**
 * Tries until `attempt` answers something; null means that the workflow was changed since it was read.
 * Throws `workflow_not_found`, `conflict`, and what `attempt` throws.
 */
export async function changeDefinition<Result>(
  engine: Engine,
  request: WorkflowRequest,
  attempt: (row: DefinitionRow) => Promise<Result | null>,
): Promise<Result> {
  for (let tried = 0; tried < MAX_TRIES; tried += 1) {
    const result = await attempt(await getDefinition(engine, request));
    if (result !== null) return result;
  }
  throw new AppError('conflict', 'the workflow is being changed by many at once; try again');
}

/** The decision, or null when there is nothing left to do. Throws the refusal. */
export function decideChange(
  engine: Engine,
  row: DefinitionRow,
  command: PublishingCommand,
): PublishingDecision | null {
  const verdict = decidePublishing(row, command, engine.clock.now());
  if (verdict.kind === 'refused') throw new AppError(verdict.code, verdict.message, verdict.details ?? []);
  return verdict.kind === 'already' ? null : verdict;
}
