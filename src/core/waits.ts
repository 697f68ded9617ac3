// How a wait ends: a person answers a pause, a receiver a callback, or its time has come. Each verb answers what is to be done, or why not;
// core/transition.ts does it.

import type { Command } from './commands.ts';
import type { Draft } from './draft.ts';
import { type Refusal, refuse } from './refusal.ts';
import { completeStep, failStep } from './routing.ts';
import type { Actor, OpenStep } from './run.ts';
import type { Answer } from './step-type.ts';

/** What somebody sent, and the pause it is for: by its step, by its id, or, where only one fits, by neither. */
export interface AnswerRequest {
  answer: Answer;
  step?: string;
  pauseId?: string;
}

/** A waiting step run whose time has come: a timer is over, a pause ran out. */
export function wakeStep(draft: Draft, open: OpenStep): Refusal | (() => void) {
  const { now, actor } = draft.context;
  if (open.status !== 'waiting' || open.dueAt === undefined)
    return refuse('step_not_open', 'The step waits for no time');
  if (open.dueAt > now) return refuse('not_due', 'The step is not due yet');
  if (open.awaits === 'time')
    return () => completeStep(draft, open, { kind: 'complete', output: { wokeAt: new Date(now).toISOString() } });
  const { step, type } = draft.stepOf(open);
  const answer = type.expire?.(step, { now })?.answer;
  // In nobody's name, whoever let time go on: a release fires what became due under the hold.
  const nobody: Actor = { workspaceId: actor.workspaceId, userId: 'system' };
  const verdict = answer && type.answer!(step, answer, { actor: nobody, now });
  if (answer && verdict?.ok) {
    return () => {
      draft.closePause(open, { status: 'expired', answer, answeredBy: nobody.userId });
      completeStep(draft, open, verdict.outcome);
    };
  }
  return () => {
    draft.closePause(open, { status: 'expired' });
    failStep(draft, open, { code: 'timeout', message: `Nobody answered step "${open.step}" in time` }, 'timed-out');
  };
}

/** Ends a step run that waits for what it sent outside; refused `step_not_open` when it waits for another delivery, or for none. */
export function settleCallback(
  draft: Draft,
  open: OpenStep,
  { deliveryId, result }: Extract<Command, { type: 'settle-callback' }>,
): Refusal | (() => void) {
  if (open.awaits !== 'callback' || open.deliveryId !== deliveryId)
    return refuse('step_not_open', `Step "${open.step}" does not wait for this delivery any more`);
  if ('error' in result) return () => failStep(draft, open, result.error, 'failed');
  return () => completeStep(draft, open, { kind: 'complete', output: result.output });
}

/** An answer that does not fit leaves the pause open; one that fits is kept with it, whatever becomes of the step run. */
export function answerPause(draft: Draft, request: AnswerRequest): Refusal | (() => void) {
  const open = findPause(draft, request);
  if ('kind' in open) return open;
  const { answer } = request;
  const { actor, now } = draft.context;
  if (open.assignees && !open.assignees.includes(actor.userId))
    return refuse('forbidden', `Step "${open.step}" is assigned to somebody else`);
  const { step, type } = draft.stepOf(open);
  const verdict = type.answer!(step, answer, { actor, now });
  if (!verdict.ok) return refuse('invalid_input', 'The answer does not fit; the pause stays open', verdict.problems);
  return () => {
    draft.closePause(open, { status: 'answered', answer, answeredBy: actor.userId });
    completeStep(draft, open, verdict.outcome);
  };
}

/** The one open pause an answer is for; several of its type need a `stepId` or `pauseId`. */
function findPause(draft: Draft, { answer, step, pauseId }: AnswerRequest): OpenStep | Refusal {
  const paused = draft.open.filter((open) => open.awaits === 'person');
  if (paused.length === 0) return refuse('run_not_paused', 'The run is not paused: it waits for nobody');
  const named = paused.filter(
    (open) => (step === undefined || open.step === step) && (pauseId === undefined || open.pauseId === pauseId),
  );
  if (named.length === 0)
    return refuse('already_answered', `This pause is not open any more; open now: ${listPauses(paused)}`);
  const wanted = answer.type === 'collect_inputs' ? 'collect-inputs' : 'request-user-action';
  const fitting = named.filter((open) => draft.stepOf(open).type.type === wanted);
  if (fitting.length === 0)
    return refuse('run_not_paused', `The run does not wait for "${answer.type}"; open now: ${listPauses(paused)}`);
  if (fitting.length > 1) {
    return refuse(
      'ambiguous_pause',
      'Several pauses of this type are open: say which with stepId or pauseId',
      fitting.map((open) => ({ pointer: '/stepId', message: `${open.step} (pauseId ${open.pauseId})` })),
    );
  }
  return fitting[0]!;
}

function listPauses(open: OpenStep[]): string {
  return open.map((pause) => `${pause.step} (${pause.pauseId})`).join(', ');
}
