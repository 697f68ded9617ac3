// The one error vocabulary of the core and the engine. A code says what went wrong; each edge maps codes to its own
// numbers and words once (http/errors.ts), so nothing in here knows about HTTP.

/** One thing that is wrong with an input: where (JSON pointer), what, and how to mend it. */
export interface Problem {
  /** JSON pointer into what was sent, `''` for the whole of it. */
  pointer: string;
  message: string;
  hint?: string;
}

export type ErrorCode =
  // the caller's input
  | 'invalid_request'
  | 'invalid_definition'
  | 'invalid_input'
  | 'unauthenticated'
  | 'forbidden'
  | 'rate_limit_exceeded'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'quota_exceeded'
  // what was asked for
  | 'not_found'
  | 'workflow_not_found'
  | 'version_not_found'
  | 'run_not_found'
  | 'file_not_found'
  | 'method_not_allowed'
  // the state of things
  | 'conflict'
  | 'workflow_archived'
  | 'version_changed'
  | 'run_finished'
  | 'run_not_paused'
  | 'already_answered'
  | 'ambiguous_pause'
  | 'idempotency_pending'
  | 'idempotency_mismatch'
  // asked by a worker about a step run that is no longer its own
  | 'step_not_open'
  | 'claim_lost'
  | 'not_due'
  // ours, or our neighbours'
  | 'unavailable'
  | 'internal';

/** A failure with a code that an edge can translate; `details` lists every problem at once. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: Problem[];

  constructor(code: ErrorCode, message: string, details: Problem[] = [], options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'AppError';
    this.code = code;
    this.details = details;
  }
}
