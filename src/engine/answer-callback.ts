// Takes the answer to a callback: whoever has the address that was sent along may use it once, while the step waits.

import { AppError } from '../core/errors.ts';
import { findJsonProblems, type Json } from '../core/json.ts';
import { findByAnswerHash } from '../store/deliveries.ts';
import { changeRun } from './change-run.ts';
import { readAnswerToken } from './compose-message.ts';
import type { Engine } from './engine.ts';

/** How events name whoever answered: an address says no more. */
const USER = 'callback';

/** Throws `not_found` for an address that was never given out, `invalid_request`, and `already_answered` once nobody waits. */
export async function answerCallback(
  engine: Engine,
  { token, answer }: { token: string; answer: Json },
): Promise<{ runId: string }> {
  const named = readAnswerToken(token);
  const found = named && (await findByAnswerHash(engine.db, { id: named.deliveryId, hash: named.hash }));
  if (!named || !found) throw new AppError('not_found', 'no callback can be answered here; check the address');
  const problems = findJsonProblems(answer);
  if (problems.length > 0) throw new AppError('invalid_request', 'the answer cannot be stored', problems);
  const { runId, workspaceId, step, visit } = found;
  const changed = await changeRun(
    engine,
    runId,
    { type: 'settle-callback', step, visit, deliveryId: named.deliveryId, result: { output: answer } },
    { actor: { workspaceId, userId: USER } },
  );
  if (changed.kind === 'accepted') return { runId };
  throw new AppError(
    'already_answered',
    'the step does not wait for this answer any more: it was answered, ran out of time, or its run was stopped',
  );
}
