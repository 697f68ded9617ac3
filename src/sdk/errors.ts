// What the client throws: `ApiError` for a request that was refused or got no answer, `ExecutionError` for an execution
// that failed or was cancelled, `TimeoutError` for one that was not waited for any longer. Knows no route.

import type { Execution, Problem } from './api-types.ts';

/** A request that failed for good. Retries, where they make sense, have been made before this is thrown. */
export class ApiError extends Error {
  /** The HTTP status; 0 when no answer came. */
  readonly status: number;
  /** What went wrong, for programs; `unreachable` when no answer came. */
  readonly code: string;
  /** Every problem of what was sent, each with its place. */
  readonly details: Problem[];
  /** Quote it when you report the failure. */
  readonly requestId: string | null;

  constructor(
    message: string,
    {
      status,
      code,
      details = [],
      requestId = null,
      cause,
    }: Omit<Partial<ApiError>, 'name' | 'message' | 'stack'> & {
      status: number;
      code: string;
    },
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
    this.details = details;
    this.requestId = requestId;
  }
}

/** An execution that ended otherwise than completed; `execution` says how. */
export class ExecutionError extends Error {
  readonly execution: Execution;

  constructor(execution: Execution) {
    super(describeEnd(execution));
    this.name = 'ExecutionError';
    this.execution = execution;
  }
}

/** The execution was not done in time. It goes on: wait again, or cancel it. */
export class TimeoutError extends Error {
  readonly executionId: string;
  readonly timeoutMs: number;

  constructor(executionId: string, timeoutMs: number) {
    super(`execution ${executionId} was not done within ${timeoutMs} ms; it goes on`);
    this.name = 'TimeoutError';
    this.executionId = executionId;
    this.timeoutMs = timeoutMs;
  }
}

function describeEnd({ id, status, error }: Execution): string {
  const reason = typeof error === 'object' && error !== null ? `: ${error.message}` : '';
  return `execution ${id} ${status === 'cancelled' ? 'was cancelled' : status}${reason}`;
}
