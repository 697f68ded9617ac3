// How the program ends: numbers that scripts can go by, and which one an error means. README.md lists them.

import { ApiError, ExecutionError, TimeoutError } from '../sdk/errors.ts';

export const EXIT = {
  ok: 0,
  /** The execution failed or was cancelled; a check of the doctor failed; a process that was started ended so. */
  failed: 1,
  /** The command line or the settings are wrong. */
  usage: 2,
  notFound: 3,
  /** The server refused: credentials, role, input, or the state of things. */
  refused: 4,
  /** No answer, or one that says to come again later. */
  unavailable: 5,
  /** Not done in the time given; it goes on. */
  timeout: 6,
  interrupted: 130,
} as const;

/** What is wrong with what the user gave; its message says what to do. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof ExecutionError) return EXIT.failed;
  if (error instanceof TimeoutError) return EXIT.timeout;
  if (!(error instanceof ApiError)) return EXIT.failed;
  if (error.status === 404) return EXIT.notFound;
  if (error.status === 0 || error.status === 429 || error.status >= 500) return EXIT.unavailable;
  return EXIT.refused;
}
