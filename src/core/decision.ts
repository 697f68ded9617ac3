// What a decision is made with and what it comes to: the next state, the rows to write and the events to append. Types only;
// core/draft.ts makes one, core/merging.ts makes one of two, store/commit.ts writes it.

import type { RunEvent } from './events.ts';
import type { Json, JsonObject } from './json.ts';
import type { Actor, RunError, RunState, StepRef, StepRunStatus } from './run.ts';
import type { Answer, DeliverySpec, PauseSpec } from './step-type.ts';

/** What a decision is given beside state and command: time (epoch ms by Postgres' clock) and fresh ids are arguments. */
export interface DecisionContext {
  now: number;
  actor: Actor;
  /** Stands on the decision's first event, so that a lost reply can be told from a lost commit. */
  commandId: string;
  newId(): string;
}

/** A step run as it is to be stored. `undefined` leaves a column as it is. */
export interface StepRow extends StepRef {
  isNew: boolean;
  /** Number of the event that opened it. */
  seq: number;
  type: string;
  tool: string | null;
  status: StepRunStatus;
  attempt: number;
  fence: number;
  epoch: number;
  lost: number;
  dueAt: number | null;
  input?: JsonObject | null;
  output?: Json;
  error?: RunError | null;
  /** How long the handler ran, where claim and completion are one commit. */
  ranMs?: number;
  /** A job made before must not be used again: the next one gets a new dispatch number. */
  redispatch: boolean;
}

export interface PauseRow extends StepRef {
  id: string;
  isNew: boolean;
  status: 'open' | 'answered' | 'expired' | 'cancelled';
  spec?: PauseSpec;
  dueAt?: number;
  answer?: Answer;
  answeredBy?: string;
}

/**
 * What a step run asks to be sent outside, written with the decision that asks it. It is wanted for as long as its step run
 * waits with this id as `deliveryId`; what came of it is told by the command `settle-callback`.
 */
export interface DeliveryRow extends StepRef {
  id: string;
  /** Of the step run: the same while a receiver may have had this already, whatever the delivery's id. */
  epoch: number;
  spec: DeliverySpec;
}

/** Everything one or more commands change, to be committed as a whole. */
export interface Decision {
  commandId: string;
  state: RunState;
  events: RunEvent[];
  steps: StepRow[];
  pauses: PauseRow[];
  deliveries: DeliveryRow[];
  /** Keys of `data` that changed, with their new values. */
  dataPatch: JsonObject | null;
  /** The state's `data` stands in the place of what there was: a rollback has taken keys away. */
  rewritesData: boolean;
}

/** What a step run leaves behind. */
export type StepResult = Pick<StepRow, 'input' | 'output' | 'error' | 'ranMs'>;
