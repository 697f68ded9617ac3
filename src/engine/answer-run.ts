// Answers a pause. Exactly one answer wins; the others are told that the pause is over.

import { AppError } from '../core/errors.ts';
import type { Actor, RunState, RunStatus } from '../core/run.ts';
import type { Answer } from '../core/step-type.ts';
import { type Changed, changeRun } from './change-run.ts';
import type { Engine } from './engine.ts';

export interface AnswerRequest {
  actor: Actor;
  runId: string;
  answer: Answer;
  /** Needed when several pauses of the answer's type are open. */
  stepId?: string;
  pauseId?: string;
}

/**
 * Resolves once the answer is committed. Throws `run_not_found`, `run_not_paused`, `already_answered`, `ambiguous_pause`,
 * `run_finished`, `forbidden` (assigned to somebody else), `invalid_input` with every problem, `unavailable`.
 */
export async function answerRun(
  engine: Engine,
  { actor, runId, answer, stepId, pauseId }: AnswerRequest,
): Promise<{ runId: string; status: RunStatus }> {
  const command = {
    type: 'answer' as const,
    answer,
    ...(stepId === undefined ? {} : { step: stepId }),
    ...(pauseId === undefined ? {} : { pauseId }),
  };
  const { status } = stateOf(await changeRun(engine, runId, command, { actor }));
  return { runId, status };
}

/** The run as it is after a change, or the refusal as an error. */
export function stateOf(changed: Changed): RunState {
  if (changed.kind === 'refused') throw new AppError(changed.code, changed.message, changed.details ?? []);
  return changed.state;
}
