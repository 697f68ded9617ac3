// How an outgoing call fails, in words that say nothing about the inside of our network: everything that is refused is
// refused alike, whether something listens there or not.

export type EgressErrorCode =
  | 'egress_blocked'
  | 'connection_failed'
  | 'connection_timeout'
  | 'response_timeout'
  | 'response_too_large'
  | 'response_unreadable'
  | 'redirect_refused'
  | 'request_invalid'
  | 'aborted';

export class EgressError extends Error {
  readonly code: EgressErrorCode;
  /** Whether the other side may have got the request. */
  readonly sent: boolean;

  constructor(code: EgressErrorCode, message: string, options: { sent: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'EgressError';
    this.code = code;
    this.sent = options.sent;
  }
}

export const BLOCKED_HINT =
  'http and https URLs of public hosts on ports 80, 443, 8080 and 8443, without user or password, may be called; the operator opens others with HOLDPOINT_EGRESS_ALLOW';

/** The one answer for everything that may not be called. `sent`: an earlier hop had the request. */
export function blocked(sent = false): EgressError {
  return new EgressError('egress_blocked', `The URL may not be called: ${BLOCKED_HINT}`, { sent });
}
