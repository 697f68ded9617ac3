// Which edges are followed when a step ends, who waits for whom at a join, and the settling of steps that need no job.
// All of DESIGN §4's rules on edges, joins and loops are here; what a command means is core/transition.ts.

import { LIMITS } from './definition.ts';
import { type Draft, keyOf } from './draft.ts';
import { failRun, finishRun, RunFailure } from './endings.ts';
import { ExpressionError, type Scope } from './expression.ts';
import { isJsonObject, type Json, type JsonObject, MAX_DATA_BYTES } from './json.ts';
import { type PlanEdge, type PlanStep, resolveValue } from './plan.ts';
import type { OpenStep, RunError } from './run.ts';
import type { Outcome, PauseSpec } from './step-type.ts';

type Completion = Extract<Outcome, { kind: 'complete' }>;
type Ending =
  | { kind: 'completed'; on: readonly string[]; rejected: boolean }
  | { kind: 'failed' }
  | { kind: 'timed-out' };

/** Ends a step run with an output: records it, and follows its edges unless the run is being cancelled. */
export function completeStep(
  draft: Draft,
  open: OpenStep,
  completion: Completion,
  extra: { input?: JsonObject | null; ranMs?: number; fields?: JsonObject | null } = {},
): void {
  const step = draft.stepOf(open);
  const { fields = null, ...result } = extra;
  draft.before = [...draft.open.values()];
  draft.event('step.completed', open, completion.outcome ? { outcome: completion.outcome } : undefined);
  draft.closeStep(open, 'completed', { ...result, output: completion.output, error: null });
  draft.keepOutput(step, completion.output);
  mergeIntoData(draft, step, completion.output, fields);
  if (draft.state.cancellation) return;
  const rejected = completion.outcome === 'rejected';
  const names = [...(completion.on ?? []), ...(completion.outcome ? [completion.outcome] : [])];
  const followed = follow(draft, step, { kind: 'completed', on: names, rejected });
  if (rejected && followed === 0)
    throw new RunFailure({
      code: 'approval_rejected',
      message: `Step "${step.step.id}" was rejected`,
      step: step.step.id,
    });
}

/** Ends a step run for good without an output; without an edge that takes it, the run fails with the same error. */
export function failStep(
  draft: Draft,
  open: OpenStep,
  error: RunError,
  kind: 'failed' | 'timed-out',
  ranMs?: number,
): void {
  const step = draft.stepOf(open);
  draft.before = [...draft.open.values()];
  draft.event('step.failed', open, { code: error.code, message: error.message });
  draft.closeStep(open, 'failed', { error, ...(ranMs === undefined ? {} : { ranMs }) });
  if (draft.state.cancellation) return;
  if (follow(draft, step, { kind }) === 0) throw new RunFailure({ ...error, step: step.step.id });
}

/** Lets every step run go that waits for nothing more, until none is left; settling ones at most 100 per decision. */
export function advance(draft: Draft): void {
  let isAtRest = false;
  while (!isAtRest && !draft.isOver) isAtRest = !letGo(draft);
}

/**
 * One pass over what is pending, in order of arrival, save that a `join: "any"` goes before others arrive. Ends, to be
 * asked again, where others may have become ready: after one that settled, or that cancelled others.
 */
function letGo(draft: Draft): boolean {
  const waiting = pending(draft);
  const joinsAny = (open: OpenStep) => draft.stepOf(open).step.join === 'any';
  const next = waiting.find(joinsAny);
  for (const open of next ? [next] : waiting) {
    if (!isReady(draft, open)) continue;
    const works = draft.stepOf(open).type.settle === undefined || draft.settled >= LIMITS.settledPerDecision;
    const gone = go(draft, open);
    if (works) queueStep(draft, gone);
    else settleStep(draft, gone);
    if (!works || next) return true;
  }
  return false;
}

/** Runs a settling step inside the decision. */
export function settleStep(draft: Draft, open: OpenStep): void {
  const step = draft.stepOf(open);
  draft.settled += 1;
  let outcome: Outcome;
  try {
    outcome = step.type.settle!(step.step, {
      visit: open.visit,
      now: draft.context.now,
      input: draft.state.input,
      resolve: (value) => resolveValue(step, value, draft.scope),
    });
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    failStep(draft, open, { code: 'expression_error', message: error.message }, 'failed');
    return;
  }
  record(draft, open, outcome);
}

function record(draft: Draft, open: OpenStep, outcome: Outcome): void {
  switch (outcome.kind) {
    case 'complete':
      completeStep(draft, open, outcome);
      break;
    case 'pause':
      pauseStep(draft, open, outcome.pause);
      break;
    case 'sleep':
      draft.event('step.paused', open, { until: new Date(outcome.untilMs).toISOString() });
      draft.moveStep(open, { status: 'waiting', awaits: 'time', dueAt: outcome.untilMs });
      break;
    case 'end':
      endFlow(draft, open, outcome);
  }
}

function endFlow(draft: Draft, open: OpenStep, { status, result, error }: Extract<Outcome, { kind: 'end' }>): void {
  draft.before = [...draft.open.values()];
  draft.event('step.completed', open);
  draft.closeStep(open, 'completed', { output: result ?? null });
  if (status === 'completed') finishRun(draft, result);
  else failRun(draft, { code: 'flow_failed', message: 'The flow ended as failed', ...error, step: open.step });
}

/** Makes `target` pending, as a new visit or by merging into the arrival that already waits. */
export function enterStep(draft: Draft, target: PlanStep, urgent = false): OpenStep {
  const { id } = target.step;
  const waiting = pending(draft).find((open) => open.step === id);
  if (waiting) return urgent ? draft.moveStep(waiting, { urgent: true }) : waiting;
  if ((draft.state.visits[id] ?? 0) >= target.maxVisits)
    throw new RunFailure({
      code: 'max_visits_exceeded',
      message: `Step "${id}" was entered more than ${target.maxVisits} times; give the loop an exit or raise its maxVisits`,
      step: id,
    });
  if (draft.state.stepRuns >= LIMITS.stepRunsPerRun)
    throw new RunFailure({
      code: 'too_many_steps',
      message: `The run needs more than ${LIMITS.stepRunsPerRun} step runs; split it into several runs`,
      step: id,
    });
  const open = openVisit(draft, target);
  return urgent ? draft.moveStep(open, { urgent: true }) : open;
}

/** Opens the next visit of a step, whatever its limits say: cleaning up is owed even by a run that has used them up. */
export function openVisit(draft: Draft, target: PlanStep): OpenStep {
  const { id } = target.step;
  let visit = 1;
  if (target.repeats) {
    visit = (draft.state.visits[id] ?? 0) + 1;
    draft.state.visits = { ...draft.state.visits, [id]: visit };
  }
  draft.state.stepRuns += 1;
  return draft.openStep(target, visit);
}

export function queueStep(draft: Draft, open: OpenStep): void {
  const step = draft.stepOf(open);
  draft.moveStep(open, {
    status: 'queued',
    ...(step.retry.budgetMs === undefined ? {} : { since: draft.context.now }),
  });
}

function follow(draft: Draft, from: PlanStep, ending: Ending): number {
  const edges = chooseEdges(draft, from, ending);
  for (const edge of edges) enterStep(draft, edge.to, edge.fault);
  return edges.length;
}

function chooseEdges(draft: Draft, from: PlanStep, ending: Ending): PlanEdge[] {
  const candidates = from.out.filter((edge) => applies(edge, from, ending));
  if (candidates.length === 0) return [];
  let scope: Scope | undefined;
  const holds = (edge: PlanEdge) => {
    if (edge.condition === null) return true;
    scope ??= draft.scope;
    try {
      return isTruthy(edge.condition.evaluate(scope));
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      throw new RunFailure({
        code: 'expression_error',
        message: `The condition of the edge to "${edge.to.step.id}" failed: ${error.message}`,
        step: from.step.id,
      });
    }
  };
  let chosen = candidates.filter((edge) => !edge.edge.default && holds(edge));
  if (chosen.length === 0) chosen = candidates.filter((edge) => edge.edge.default && holds(edge));
  return from.step.route === 'first' ? chosen.slice(0, 1) : chosen;
}

function applies(edge: PlanEdge, from: PlanStep, ending: Ending): boolean {
  const { on } = edge.edge;
  if (ending.kind === 'failed') return on === 'error';
  if (ending.kind === 'timed-out')
    return on === (from.out.some((other) => other.edge.on === 'timeout') ? 'timeout' : 'error');
  if (edge.fault) return false;
  if (on !== undefined) return ending.on.includes(on);
  return !ending.rejected || edge.condition !== null;
}

/** A pending step run goes when no other open one can still reach it, save pending ones that it can itself reach. */
function isReady(draft: Draft, open: OpenStep): boolean {
  const step = draft.stepOf(open);
  if (open.urgent || step.step.join === 'any' || draft.open.size === 1) return true;
  for (const other of draft.open.values()) {
    if (other === open) continue;
    const from = draft.stepOf(other);
    if (other.status === 'pending' && draft.plan.reaches(step, from)) continue;
    if (draft.plan.reaches(from, step)) return false;
  }
  return true;
}

/** Takes a step run out of its join: with `join: "any"` whatever else could still reach it is cancelled. */
function go(draft: Draft, open: OpenStep): OpenStep {
  const step = draft.stepOf(open);
  if (step.step.join === 'any') {
    for (const other of [...draft.open.values()]) {
      if (keyOf(other) === keyOf(open) || !draft.plan.reachesAnyhow(draft.stepOf(other), step)) continue;
      draft.closePause(other, { status: 'cancelled' });
      draft.closeStep(other, 'cancelled');
    }
  }
  if (!open.urgent) return open;
  const { urgent: _urgent, ...calm } = open;
  return draft.moveStep(calm, {});
}

function pauseStep(draft: Draft, open: OpenStep, spec: PauseSpec): void {
  const pauseId = draft.context.newId();
  const dueAt = spec.dueInMs === undefined ? undefined : draft.context.now + spec.dueInMs;
  const due = dueAt === undefined ? {} : { dueAt };
  draft.event('step.paused', open, { pauseId, type: spec.type });
  draft.moveStep(open, {
    status: 'waiting',
    awaits: 'person',
    pauseId,
    ...(spec.assignees ? { assignees: spec.assignees } : {}),
    ...due,
  });
  draft.openPause({ id: pauseId, step: open.step, visit: open.visit, spec, ...due });
}

/** Puts an output where DESIGN §7 says; `fields` are those of a chosen action, which are merged beside its output. */
function mergeIntoData(draft: Draft, step: PlanStep, output: Json, fields: JsonObject | null): void {
  const { outputKey } = step.step;
  const { mergesOutput } = step.type;
  const own = outputKey !== undefined ? { [outputKey]: output } : mergesOutput && isJsonObject(output) ? output : null;
  const patch = mergesOutput ? { ...own } : { ...fields, ...own };
  if (Object.keys(patch).length === 0) return;
  if (Buffer.byteLength(JSON.stringify({ ...draft.state.data, ...patch })) > MAX_DATA_BYTES)
    throw new RunFailure({
      code: 'data_too_large',
      message: `The run's data grew beyond ${MAX_DATA_BYTES} bytes; keep big outputs out of it with outputKey or as files`,
      step: step.step.id,
    });
  draft.patchData(patch);
}

function pending(draft: Draft): OpenStep[] {
  const found: OpenStep[] = [];
  for (const open of draft.open.values()) if (open.status === 'pending') found.push(open);
  return found;
}

function isTruthy(value: Json): boolean {
  return Boolean(value);
}
