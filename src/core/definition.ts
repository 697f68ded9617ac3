// What a user writes: the graph of a workflow as JSON (API.md §5), its limits, and nothing about how it runs.
// Checking one is core/validation.ts; the indexed form that the engine walks is core/plan.ts.

import type { Json, JsonObject } from './json.ts';

export interface Definition {
  name: string;
  description?: string;
  initialStep: string;
  steps: Step[];
  edges: Edge[];
  /** The input a run takes: a field map, or a JSON Schema iff its `type` is the string `object`. */
  payload?: JsonObject;
  /** The run's result when its `end-flow` names none; `${…}` is resolved at the end. */
  output?: Json;
  /** A working step that runs, alone, when a run is cancelled. */
  onCancel?: string;
  /** Within which a run must be done, from its start, pauses and holds included; a retry or a rollback counts anew. */
  deadlineMs?: number;
  defaults?: { retry?: RetryPolicy; timeoutMs?: number };
  [extension: `x-${string}`]: Json;
}

/** Fields that every step may have; what its type adds is that type's own schema (`steps/<type>.ts`). */
export interface Step {
  id: string;
  type: string;
  name?: string;
  description?: string;
  /** Puts the output under this key of `data`. */
  outputKey?: string;
  retry?: RetryPolicy;
  /** Of one attempt. */
  timeoutMs?: number;
  /** Within which a worker must take it, each time that it waits for one. */
  queueTimeoutMs?: number;
  /** Within which it must be done, from when it is first queued, over all attempts and what is between them. */
  deadlineMs?: number;
  /** Go when every branch has arrived (default), or at the first arrival. */
  join?: 'all' | 'any';
  /** Follow every edge that applies (default), or only the first. */
  route?: 'all' | 'first';
  maxVisits?: number;
  [field: string]: unknown;
}

/** A link: `on` names how the step ended (an action, its outcome, `true`, `false`, `error`, `timeout`). */
export interface Edge {
  from: string;
  to: string;
  condition?: string;
  on?: string;
  default?: boolean;
  label?: string;
  [extension: `x-${string}`]: Json;
}

/** Delays in milliseconds; the nth retry waits `delayMs * factor^(n-1)`, at most `maxDelayMs`, ± `jitter` (0–1). */
export interface RetryPolicy {
  attempts?: number;
  delayMs?: number;
  factor?: number;
  maxDelayMs?: number;
  jitter?: number;
  /** No retry is started that would begin later than this after the visit was first queued. */
  budgetMs?: number;
  /** Codes of errors that no attempt is made after. */
  nonRetryable?: string[];
}

/** The definition with the keys of `changes` in place of its own; `null` takes a key away. Not validated. */
export function applyChanges(definition: Definition, changes: JsonObject): JsonObject {
  const merged = { ...(definition as unknown as JsonObject), ...changes };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
}

export const DEFAULT_RETRY: Required<Omit<RetryPolicy, 'budgetMs'>> = {
  attempts: 3,
  delayMs: 1_000,
  factor: 2,
  maxDelayMs: 30_000,
  jitter: 0.25,
  nonRetryable: [],
};
export const DEFAULT_STEP_TIMEOUT_MS = 300_000;
export const DEFAULT_MAX_VISITS = 1_000;

/** Limits of one definition and of one run (GUARANTEES S-48, S-49). */
export const LIMITS = {
  steps: 10_000,
  edges: 100_000,
  stepRunsPerRun: 100_000,
  settledPerDecision: 100,
  lostClaims: 5,
  attempts: 50,
  delayMs: 31_536_000_000,
  cancelGraceMs: 30_000,
} as const;

/** The type of step that ends a run. */
export const END_FLOW = 'end-flow';

export const STEP_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** Ids that are property names of every object: refused by name, so no lookup by id can find a prototype. */
export const RESERVED_STEP_IDS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
