// How a run ends: completed, failed, or cancelled with or without clean-up. Each closes whatever is still open, so a
// finished run never has an open step, and keeps the marking that a retry would reopen.

import type { Draft } from './draft.ts';
import { ExpressionError } from './expression.ts';
import type { Json, JsonObject } from './json.ts';
import type { OpenStep, RunError } from './run.ts';

/** Thrown inside a decision when the run cannot go on; `decide` turns it into `run.failed`. */
export class RunFailure extends Error {
  readonly error: RunError;

  constructor(error: RunError) {
    super(error.message);
    this.name = 'RunFailure';
    this.error = error;
  }
}

/** What a run results in: its end-flow's own result, else what the definition says. Throws when that cannot be told. */
export function resolveResult(draft: Draft, own?: Json): Json {
  const { output } = draft.plan;
  if (own !== undefined || !output) return own ?? { success: true };
  try {
    return output.resolve(draft.scope);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw new RunFailure({ code: 'expression_error', message: `The workflow's output failed: ${error.message}` });
  }
}

/** Completes the run: an `end-flow` step was reached, or the last branch ended. */
export function finishRun(draft: Draft, result: Json): void {
  draft.event('run.completed');
  closeAll(draft);
  draft.state.status = 'completed';
  draft.state.result = result;
}

export function failRun(draft: Draft, error: RunError): void {
  const interrupted = draft.before.length > 0 ? draft.before : draft.open.slice();
  const detail: JsonObject = {
    code: error.code,
    message: error.message,
    ...(error.step === undefined ? {} : { step: error.step }),
  };
  draft.event('run.failed', null, detail);
  closeAll(draft);
  draft.state.status = 'failed';
  draft.state.error = error;
  draft.state.interrupted = interrupted;
}

/** Ends the run at once: `terminate`, or the last stage of a cancellation. */
export function cancelRun(draft: Draft): void {
  const { cancellation } = draft.state;
  draft.event('run.cancelled', null, {
    type: cancellation!.type,
    ...(cancellation!.reason === undefined ? {} : { reason: cancellation!.reason }),
  });
  closeAll(draft);
  const { stage: _stage, dueAt: _dueAt, ...over } = cancellation!;
  draft.state.cancellation = over;
  draft.state.status = 'cancelled';
}

/** Closes every open step run that `keep` does not spare, and its pause with it. */
export function closeAll(draft: Draft, keep: (open: OpenStep) => boolean = () => false): void {
  for (const open of draft.open.slice()) {
    if (keep(open)) continue;
    draft.closePause(open, { status: 'cancelled' });
    draft.closeStep(open, 'cancelled');
  }
}
