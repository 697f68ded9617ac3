// Why a command is not taken. It changes nothing; the code is for programs, the message for whoever asked.

import type { Decision } from './decision.ts';
import type { ErrorCode, Problem } from './errors.ts';

export interface Refusal {
  kind: 'refused';
  code: ErrorCode;
  message: string;
  details?: Problem[];
}

export function refuse(code: ErrorCode, message: string, details?: Problem[]): Refusal {
  return { kind: 'refused', code, message, ...(details ? { details } : {}) };
}

/** What became of a command: written, done before, or not taken. */
export type Verdict = { kind: 'accepted'; decision: Decision } | { kind: 'already' } | Refusal;
