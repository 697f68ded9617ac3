// The state of a run: the marking (its open step runs) and what goes with it. This is what a decision reads and
// returns; delivery state (dispatch, offers, leases) is columns of the step row and unknown here.

import type { Json, JsonObject } from './json.ts';

export type RunStatus = 'queued' | 'running' | 'waiting' | 'held' | 'completed' | 'failed' | 'cancelled';
/** `undone`: a rollback took it back, whatever had become of it; its row and its events stay. */
export type StepRunStatus =
  | 'pending'
  | 'queued'
  | 'running'
  | 'waiting'
  | 'completed'
  | 'failed'
  | 'undone'
  | 'cancelled';
export type OpenStatus = 'pending' | 'queued' | 'running' | 'waiting';

export const FINISHED: ReadonlySet<RunStatus> = new Set(['completed', 'failed', 'cancelled']);

/** Whether a run is finished or waits for somebody: nothing more happens by itself but what is due. */
export function isSettled(status: RunStatus): boolean {
  return FINISHED.has(status) || status === 'waiting' || status === 'held';
}

/** One visit of one step in one run. */
export interface StepRef {
  step: string;
  visit: number;
}

export function keyOf(ref: StepRef): string {
  return `${ref.step}.${ref.visit}`;
}

export function isSame(one: StepRef, other: StepRef): boolean {
  return one.visit === other.visit && one.step === other.step;
}

/** An open step run: one entry of the marking. Times are epoch milliseconds. */
export interface OpenStep extends StepRef {
  status: OpenStatus;
  /** nth try of this visit, from 1; spends the retry budget. */
  attempt: number;
  /** Grows with every claim and whenever a claim is taken away; a result with another fence is refused. */
  fence: number;
  /** Part of the effect key; grows only after an attempt has definitely failed. */
  epoch: number;
  /** Claims lost to expired leases; the fifth fails the step with `worker_lost`. */
  lost: number;
  /** When a retry may start, a timer wakes, or a pause runs out. */
  dueAt?: number;
  /** When this visit was first queued, kept where the retry policy has a budget. */
  since?: number;
  /** When a worker must have taken it. */
  queueUntil?: number;
  /** When it must be done, whatever it has been through. */
  until?: number;
  /** Whom a waiting step run waits for: a person, the clock, or somebody outside whom something was sent. */
  awaits?: 'person' | 'time' | 'callback';
  pauseId?: string;
  /** What was sent outside, where a callback is awaited. */
  deliveryId?: string;
  /** Who alone may answer a pause, as it was when it opened; absent where anybody may. */
  assignees?: string[];
  /** Reached over an error or timeout edge: it waits for no other branch. */
  urgent?: true;
  /** Pending only because the run is held: it waits for no other branch, and is queued again when the run is released. */
  wasQueued?: true;
  /** Only in `interrupted`: it completed while the run was being cancelled, and what follows it is still owed. */
  completed?: true;
}

/** Where a request came from, as the edge saw it: told in audit logs, and nothing is decided by it. */
export interface Via {
  address: string;
  userAgent: string;
  requestId: string;
}

export interface Actor {
  workspaceId: string;
  /** A user, a key, or `system`. */
  userId: string;
  keyId?: string;
  role?: string;
  /** What the credential says about its bearer; expressions of the runs they start see it as `context`. */
  context?: JsonObject;
  /** When the credential ends by itself, where that is known. */
  endsAt?: number;
  via?: Via;
}

export interface RunError {
  code: string;
  message: string;
  step?: string;
}

/** How a run is being, or was, cancelled; `stage` is gone once it is over. */
export interface Cancellation {
  type: 'cancel' | 'terminate';
  reason?: string;
  by: string;
  at: number;
  /** `stopping`: running steps may finish until `dueAt`; `cleaning-up`: the `onCancel` step runs until `dueAt`. */
  stage?: 'stopping' | 'cleaning-up';
  dueAt?: number;
}

export interface RunState {
  id: string;
  workspaceId: string;
  definitionId: string;
  version: number;
  status: RunStatus;
  /** Sequence number of the run's last event; every decision is guarded by it. */
  seq: number;
  open: OpenStep[];
  /** How often each step was entered, of those that can be entered twice or that a rollback has touched. */
  visits: Record<string, number>;
  /** How many of these visits rollbacks have undone: they count for no limit. Only steps that have some. */
  undone: Record<string, number>;
  /** Step runs so far. */
  stepRuns: number;
  /** What the run was started with; never changed. */
  input: JsonObject;
  data: JsonObject;
  /** Claims of the credential that started the run, offered to expressions. */
  context: JsonObject;
  /** The latest output by step id: those that the expressions at hand name, and those this process has seen. */
  outputs: Record<string, { output: Json }>;
  result: Json;
  /** Why the run failed; of a held run, why it will fail when it is released. */
  error: RunError | null;
  cancellation: Cancellation | null;
  /**
   * The marking as it was when the run failed or was cancelled: what a retry reopens. Of a held run that will fail, the
   * step runs that have failed so far.
   */
  interrupted: OpenStep[] | null;
  /** When the whole run must be done; null where its definition has no deadline. */
  deadlineAt: number | null;
  /** How often it was retried. */
  retries: number;
  createdAt: number;
  startedAt: number | null;
}
