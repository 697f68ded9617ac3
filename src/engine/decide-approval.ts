// Approves or rejects a pause by its id. Exactly one decision wins; whoever repeats their own is told the same again, and
// everybody else that it was decided.

import { type ApprovalOutcome, findChosen, findDeciding } from '../core/approvals.ts';
import { AppError, type ErrorCode } from '../core/errors.ts';
import type { Actor } from '../core/run.ts';
import { findPause, type PauseRow } from '../store/pauses.ts';
import { answerRun } from './answer-run.ts';
import type { Engine } from './engine.ts';

export interface DecideRequest {
  actor: Actor;
  runId: string;
  approvalId: string;
  outcome: ApprovalOutcome;
  comment?: string;
  /** Of the request, the same however often it is worked on. */
  idempotencyId?: string | undefined;
}

/** Said of a pause that is over, and of a run that waits for nobody any more. */
const TOO_LATE: ReadonlySet<ErrorCode> = new Set(['already_answered', 'run_not_paused', 'run_finished']);

/**
 * Throws `not_found` (no such approval), `already_answered`, `forbidden` (assigned to somebody else), `conflict` (no action
 * on offer decides like this), `invalid_input` (the action asks for more than a comment), `unavailable`.
 */
export async function decideApproval(engine: Engine, request: DecideRequest): Promise<void> {
  const pause = await getApproval(engine, request);
  if (pause.status !== 'open') return refuseUnlessSame(pause, request);
  const { actor, runId, outcome, comment, idempotencyId } = request;
  const action = findDeciding(pause.spec, outcome);
  if (action === null) throw new AppError('conflict', describeOffer(pause, outcome));
  const answer = {
    type: 'request_user_action',
    actionId: action.id,
    ...(comment === undefined ? {} : { comment }),
  } as const;
  try {
    await answerRun(engine, { actor, runId, answer, pauseId: pause.id, idempotencyId });
  } catch (error) {
    if (!(error instanceof AppError) || !TOO_LATE.has(error.code)) throw error;
    refuseUnlessSame(await getApproval(engine, request), request);
  }
}

async function getApproval({ db }: Engine, { actor, runId, approvalId }: DecideRequest): Promise<PauseRow> {
  const pause = await findPause(db, { workspaceId: actor.workspaceId, runId, pauseId: approvalId });
  if (pause?.spec.type !== 'request_user_action')
    throw new AppError('not_found', 'the run has no approval with this id');
  return pause;
}

function refuseUnlessSame({ status, spec, answer, answeredBy }: PauseRow, { actor, outcome }: DecideRequest): void {
  const decided = findChosen(spec, answer);
  if (status === 'answered' && answeredBy === actor.userId && decided?.outcome === outcome) return;
  const what = status === 'answered' ? `was decided by ${answeredBy} (${decided?.id ?? 'answered'})` : `is ${status}`;
  throw new AppError(
    'already_answered',
    `the approval ${what}, and takes no other decision; read the run to see where it stands`,
  );
}

function describeOffer({ spec: { actions = [] } }: PauseRow, outcome: ApprovalOutcome): string {
  return `the approval offers nothing that counts as ${outcome}; on offer: ${actions.map(({ id }) => id).join(', ')}`;
}
