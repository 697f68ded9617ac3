// Starts a run whose steps are written out in the request: they become a workflow of their own, which no list shows, and
// the run is one of it like any other. The run is what counts: a workflow whose start failed is never seen by anybody, and is
// removed in the end (purge-workflows.ts).

import { v7 as uuidv7 } from 'uuid';
import { AppError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Actor } from '../core/run.ts';
import { defineSequence, findSequenceProblems, locateInSequence, type Sequence } from '../core/sequence.ts';
import { insertDefinition } from '../store/definition-changes.ts';
import { checkDefinition } from './check-definition.ts';
import type { Engine } from './engine.ts';
import { startRun } from './start-run.ts';

export interface StartSequenceRequest {
  actor: Actor;
  sequence: Sequence;
  input: JsonObject;
  trigger: string;
  /** The id of its workflow, and part of the run's origin: what was started with it before is answered. */
  id?: string;
}

/** Throws `invalid_definition` with every problem at its place in the sequence, `invalid_input`, `unavailable`. */
export async function startSequence(
  engine: Engine,
  { actor, sequence, input, trigger, id = uuidv7() }: StartSequenceRequest,
): Promise<{ runId: string }> {
  const { workspaceId, userId } = actor;
  const body = checkSequence(engine, sequence);
  await insertDefinition(engine.db, { id, workspaceId, key: `one-off-${id}`, createdBy: userId, body, isOneOff: true });
  return startRun(engine, { actor, workflow: id, version: '1', input, trigger, origin: `sequence:${id}` });
}

function checkSequence(engine: Engine, sequence: Sequence) {
  const problems = findSequenceProblems(sequence);
  if (problems.length > 0) throw refuse(problems);
  try {
    return checkDefinition(engine, defineSequence(sequence));
  } catch (error) {
    if (error instanceof AppError && error.code === 'invalid_definition')
      throw refuse(error.details.map(locateInSequence));
    throw error;
  }
}

function refuse(problems: AppError['details']): AppError {
  return new AppError('invalid_definition', 'the steps have problems; details lists each with its place', problems);
}
