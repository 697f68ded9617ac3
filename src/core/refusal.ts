// Why a command is not taken. It changes nothing; the code is for programs, the message for whoever asked.

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
