// What may be asked of a run, and in which status: the commands, and the table of their legality. What each does is
// core/transition.ts.

import type { Json, JsonObject } from './json.ts';
import type { RunError, RunStatus, StepRef } from './run.ts';
import type { Fold, RestoredData } from './snapshots.ts';
import type { AnswerRequest } from './waits.ts';

/** A failed attempt, as its worker saw it. */
export interface AttemptError {
  code: string;
  message: string;
  retryable: boolean;
  /** The effect certainly did not happen, or was certainly refused: the next attempt gets a new effect key. */
  definite: boolean;
  timedOut?: boolean;
  retryAfterMs?: number;
}

/** The work that a result comes from: under a claim, or without one (pure steps), and then for that attempt only. */
export type Work = { fence: number } | { fence: null; attempt: number };

/** What came of something that was sent outside: the receiver's answer, or why there will be none. */
export type CallbackResult = { output: Json } | { error: Pick<RunError, 'code' | 'message'> };

/** Durations in milliseconds. */
export type Command =
  | ({ type: 'claim'; input: JsonObject | null } & StepRef)
  | ({ type: 'complete'; output: Json; input?: JsonObject | null; ranMs?: number } & StepRef & Work)
  | ({
      type: 'fail-attempt';
      error: AttemptError;
      /** 0–1, drawn once for the jitter. */
      random: number;
      ranMs?: number;
    } & StepRef &
      Work)
  | ({
      type: 'expire-lease';
      fence: number;
      /** Given back by a worker that stops: no lost claim. */
      released?: boolean;
    } & StepRef)
  | ({ type: 'settle' } & StepRef)
  | ({ type: 'wake' } & StepRef)
  | ({ type: 'settle-callback'; deliveryId: string; result: CallbackResult } & StepRef)
  | ({ type: 'answer' } & AnswerRequest)
  | { type: 'expire-run' }
  | { type: 'hold'; reason?: string }
  | { type: 'release'; reason?: string }
  | { type: 'retry'; reason?: string }
  /** To a snapshot as it was folded with the run's last event, and what its outputs come to. */
  | { type: 'rollback'; fold: Fold; restored: RestoredData; reason?: string }
  | { type: 'cancel'; reason?: string }
  | { type: 'terminate'; reason?: string };

export type CommandType = Command['type'];

type Legality = 'accept' | 'already' | 'refused';
type Accepts = Readonly<Record<RunStatus, Legality>>;

const WHILE_ACTIVE: Accepts = {
  queued: 'accept',
  running: 'accept',
  waiting: 'accept',
  held: 'accept',
  completed: 'refused',
  failed: 'refused',
  cancelled: 'refused',
};

/** Which commands a run takes in which status; what the step run itself allows comes after. */
export const ACCEPTS: Readonly<Record<CommandType, Accepts>> = {
  claim: { ...WHILE_ACTIVE, held: 'refused' },
  complete: WHILE_ACTIVE,
  'fail-attempt': WHILE_ACTIVE,
  'expire-lease': WHILE_ACTIVE,
  settle: { ...WHILE_ACTIVE, held: 'refused' },
  wake: { ...WHILE_ACTIVE, held: 'refused' },
  'settle-callback': WHILE_ACTIVE,
  answer: WHILE_ACTIVE,
  'expire-run': WHILE_ACTIVE,
  hold: { ...WHILE_ACTIVE, held: 'already' },
  release: { ...WHILE_ACTIVE, queued: 'refused', running: 'refused', waiting: 'refused' },
  retry: {
    queued: 'refused',
    running: 'refused',
    waiting: 'refused',
    held: 'refused',
    completed: 'refused',
    failed: 'accept',
    cancelled: 'accept',
  },
  rollback: {
    queued: 'refused',
    running: 'refused',
    waiting: 'refused',
    held: 'accept',
    completed: 'accept',
    failed: 'accept',
    cancelled: 'accept',
  },
  cancel: { ...WHILE_ACTIVE, cancelled: 'already' },
  terminate: { ...WHILE_ACTIVE, cancelled: 'already' },
};
