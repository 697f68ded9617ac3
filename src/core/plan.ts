// A definition made ready to be walked: steps and edges by reference, parsed expressions, who waits for whom. Built once per
// version and shared by every run of it; it holds no state of any run.

import {
  DEFAULT_MAX_VISITS,
  DEFAULT_RETRY,
  DEFAULT_STEP_TIMEOUT_MS,
  type Definition,
  type Edge,
  type RetryPolicy,
  type Step,
} from './definition.ts';
import { followAlways } from './edges.ts';
import { type Expression, parseExpression, type Scope } from './expression.ts';
import type { Json, JsonObject } from './json.ts';
import { buildArrivals, findCyclic } from './reachability.ts';
import { compilePayload, type Validator } from './schema.ts';
import type { StepType } from './step-type.ts';
import { parseTemplate, type Template } from './template.ts';

export type Reads = ReadonlySet<string> | 'all';

export interface PlanStep {
  index: number;
  step: Step;
  type: StepType;
  out: PlanEdge[];
  /** The edges that are followed whenever it completes without an action or an outcome; null where conditions decide. */
  always: readonly PlanEdge[] | null;
  /** It can be entered more than once, so its visits are counted. */
  repeats: boolean;
  retry: Required<Omit<RetryPolicy, 'budgetMs'>> & { budgetMs?: number };
  timeoutMs: number;
  /** What is timed from when the step is queued; null where nothing is. */
  clocks: { budgetMs?: number; queueTimeoutMs?: number; deadlineMs?: number } | null;
  maxVisits: number;
  /** Steps whose outputs a decision needs that closes this step: its own, its edges', and what those settle at once. */
  reads: Reads;
  /** Steps whose outputs its own templates name: what a worker needs to run it. */
  inputReads: Reads;
  /** Templates and bare expressions of its fields, by the raw value they were parsed from. */
  parsed: ReadonlyMap<unknown, Template | Expression>;
}

export interface PlanEdge {
  edge: Edge;
  to: PlanStep;
  condition: Expression | null;
  /** Followed only when the step failed or timed out. */
  fault: boolean;
}

export interface Plan {
  definition: Definition;
  steps: ReadonlyMap<string, PlanStep>;
  initial: PlanStep;
  onCancel: PlanStep | null;
  output: Template | null;
  /** Checks what a run is started with; null where anything goes. */
  payload: Validator | null;
  /** Steps whose output some expression of the definition names; others' outputs need not be kept at hand. */
  readOutputs: Reads;
  /**
   * Whether what is open at `from` may yet come to `to`, over edges that are not `on: "error"` or `on: "timeout"`: leading
   * on, or from within a loop back to where it begins. What could come only by going round a loop once more does not count.
   */
  canArrive(from: PlanStep, to: PlanStep): boolean;
  /** The same over every kind of edge. */
  canArriveAnyhow(from: PlanStep, to: PlanStep): boolean;
}

export function isFault(edge: Edge): boolean {
  return edge.on === 'error' || edge.on === 'timeout';
}

/**
 * Indexes a validated definition. Throws when a step's type is unknown to `getType`: the run then belongs to another
 * process (GUARANTEES M13).
 */
export function buildPlan(definition: Definition, getType: (name: string) => StepType | undefined): Plan {
  const steps = new Map<string, PlanStep>();
  for (const step of definition.steps) {
    const type = getType(step.type);
    if (!type) throw new UnknownStepTypeError(step.type);
    steps.set(step.id, buildStep(step, type, steps.size, definition));
  }
  const ordered = [...steps.values()];
  for (const edge of definition.edges) {
    const condition = edge.condition === undefined ? null : parseExpression(edge.condition);
    steps.get(edge.from)!.out.push({ edge, to: steps.get(edge.to)!, condition, fault: isFault(edge) });
  }
  for (const step of ordered) step.always = followAlways(step);
  const links = (faults: boolean) =>
    ordered.map((step) => step.out.filter((edge) => faults || !edge.fault).map((edge) => edge.to.index));
  const initial = steps.get(definition.initialStep)!;
  const arrives = buildArrivals(links(false), initial.index);
  const arrivesWithFaults = buildArrivals(links(true), initial.index);
  markRepeating(ordered, findCyclic(links(true)), definition.onCancel);
  const output = definition.output === undefined ? null : parseTemplate(definition.output);
  const readOutputs = unite([
    ...ordered.flatMap((step) => [ownReads(step), step.inputReads]),
    output?.reads ?? new Set<string>(),
  ]);
  linkReads(ordered, output, readOutputs);
  return {
    definition,
    steps,
    initial,
    onCancel: definition.onCancel === undefined ? null : steps.get(definition.onCancel)!,
    output,
    payload:
      definition.payload && Object.keys(definition.payload).length > 0 ? compilePayload(definition.payload) : null,
    readOutputs,
    canArrive: (from, to) => arrives(from.index, to.index),
    // Seen with the fault edges, other plain edges may lead back; what can arrive without them still can.
    canArriveAnyhow: (from, to) => arrives(from.index, to.index) || arrivesWithFaults(from.index, to.index),
  };
}

export class UnknownStepTypeError extends Error {
  constructor(type: string) {
    super(`This process does not know the step type "${type}"`);
    this.name = 'UnknownStepTypeError';
  }
}

/** Resolves `value` of `step`: what was parsed with the plan is used as it is, anything else is parsed now. */
export function resolveValue(step: PlanStep, value: unknown, scope: Scope): Json {
  const parsed = step.parsed.get(value);
  if (parsed === undefined) return parseTemplate(value).resolve(scope);
  return 'resolve' in parsed ? parsed.resolve(scope) : parsed.evaluate(scope);
}

/** The fields of a working step that hold templates, resolved: what is stored as its input and given to its handler. */
export function resolveInput(step: PlanStep, scope: Scope): JsonObject | null {
  let input: JsonObject | null = null;
  for (const field of step.type.templates) {
    const value = step.step[field];
    if (value === undefined) continue;
    input ??= {};
    input[field] = resolveValue(step, value, scope);
  }
  return input;
}

export function unite(all: Reads[]): Reads {
  const united = new Set<string>();
  for (const reads of all) {
    if (reads === 'all') return 'all';
    for (const step of reads) united.add(step);
  }
  return united;
}

function buildStep(step: Step, type: StepType, index: number, { defaults }: Definition): PlanStep {
  const parsed = new Map<unknown, Template | Expression>();
  for (const field of type.templates)
    if (step[field] !== undefined)
      parsed.set(step[field], parseTemplate(step[field], type.interpolation?.(step, field)));
  for (const field of type.expressions ?? [])
    if (typeof step[field] === 'string') parsed.set(step[field], parseExpression(step[field]));
  const retry = { ...DEFAULT_RETRY, ...defaults?.retry, ...step.retry };
  return {
    index,
    step,
    type,
    out: [],
    always: null,
    repeats: false,
    retry,
    clocks: clocksOf(step, retry),
    timeoutMs: step.timeoutMs ?? defaults?.timeoutMs ?? DEFAULT_STEP_TIMEOUT_MS,
    maxVisits: step.maxVisits ?? DEFAULT_MAX_VISITS,
    reads: new Set(),
    inputReads: unite([...parsed.values()].map((template) => template.reads)),
    parsed,
  };
}

function clocksOf({ queueTimeoutMs, deadlineMs }: Step, { budgetMs }: RetryPolicy): PlanStep['clocks'] {
  if (budgetMs === undefined && queueTimeoutMs === undefined && deadlineMs === undefined) return null;
  return {
    ...(budgetMs === undefined ? {} : { budgetMs }),
    ...(queueTimeoutMs === undefined ? {} : { queueTimeoutMs }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  };
}

/** A step can be entered twice when it is on a cycle, or over a fault edge, as clean-up, or behind a step that can. */
function markRepeating(steps: PlanStep[], cyclic: boolean[], onCancel: string | undefined): void {
  const stack = steps.filter((step) => cyclic[step.index] || step.step.id === onCancel);
  for (const step of steps) for (const edge of step.out) if (edge.fault) stack.push(edge.to);
  for (let step = stack.pop(); step; step = stack.pop()) {
    if (step.repeats) continue;
    step.repeats = true;
    for (const edge of step.out) stack.push(edge.to);
  }
}

function ownReads(step: PlanStep): Reads {
  const edges = step.out.map((edge) => edge.condition?.reads ?? new Set<string>());
  return unite(step.type.settle ? [step.inputReads, ...edges] : edges);
}

/** Passes after which the fixed point below is given up for the coarse answer: every output that is ever named. */
const MAX_PASSES = 20;

/**
 * What a decision that closes a step may read: its edges' conditions, and those of every step that settles at once
 * behind it. Grows to a fixed point, backwards, so a chain written in order needs two passes.
 */
function linkReads(steps: PlanStep[], output: Template | null, readOutputs: Reads): void {
  if (readOutputs !== 'all' && readOutputs.size === 0) return;
  const ending = output?.reads ?? new Set<string>();
  for (const step of steps) step.reads = unite([ownReads(step), ending]);
  const backwards = [...steps].reverse();
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    let changed = false;
    for (const step of backwards) {
      const behind = step.out.filter((edge) => edge.to.type.settle).map((edge) => edge.to.reads);
      if (behind.length === 0) continue;
      const next = unite([step.reads, ...behind]);
      if (size(next) === size(step.reads)) continue;
      step.reads = next;
      changed = true;
    }
    if (!changed) return;
  }
  for (const step of steps) step.reads = readOutputs;
}

function size(reads: Reads): number {
  return reads === 'all' ? Number.POSITIVE_INFINITY : reads.size;
}
