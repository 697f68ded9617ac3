// Answers a pause. Exactly one answer wins; the others are told that the pause is over.

import type { Actor, RunStatus } from '../core/run.ts';
import type { Answer } from '../core/step-type.ts';
import { changeRunOnce } from './change-once.ts';
import type { Engine } from './engine.ts';

export interface AnswerRequest {
  actor: Actor;
  runId: string;
  answer: Answer;
  /** Needed when several pauses of the answer's type are open. */
  stepId?: string;
  pauseId?: string;
  /** Of the request, the same however often it is worked on: what it answered before is answered again. */
  idempotencyId?: string | undefined;
}

/**
 * Resolves once the answer is committed. Throws `run_not_found`, `run_not_paused`, `already_answered`, `ambiguous_pause`,
 * `run_finished`, `forbidden` (assigned to somebody else), `invalid_input` with every problem, `unavailable`.
 */
export async function answerRun(
  engine: Engine,
  { actor, runId, answer, stepId, pauseId, idempotencyId }: AnswerRequest,
): Promise<{ runId: string; status: RunStatus }> {
  const command = {
    type: 'answer' as const,
    answer,
    ...(stepId === undefined ? {} : { step: stepId }),
    ...(pauseId === undefined ? {} : { pauseId }),
  };
  const { status } = await changeRunOnce(engine, runId, command, { actor, idempotencyId });
  return { runId, status };
}
