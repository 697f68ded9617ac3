// How a step run ends, what is entered then, and the settling of steps that need no job. Which edges are followed is
// core/edges.ts, who waits for whom core/joins.ts, what a command means core/transition.ts.

import { startClocks } from './clocks.ts';
import { patchOf } from './data.ts';
import type { StepResult } from './decision.ts';
import { LIMITS } from './definition.ts';
import type { Draft } from './draft.ts';
import { type Ending, followEdges, PLAINLY } from './edges.ts';
import { finishRun, RunFailure, resolveResult } from './endings.ts';
import { ExpressionError, type Scope } from './expression.ts';
import { isJsonObject, type Json, type JsonObject, MAX_DATA_BYTES } from './json.ts';
import { type PlanEdge, type PlanStep, resolveValue } from './plan.ts';
import type { OpenStep, RunError } from './run.ts';
import type { Outcome, PauseSpec } from './step-type.ts';
import { countVisits, placeOfVisit } from './visits.ts';

type Completion = Extract<Outcome, { kind: 'complete' }>;

/**
 * Ends a step run with an output, and follows its edges unless the run is being cancelled. What is to follow is worked
 * out first: a completion that cannot be followed up is a failure of the step run, and data and outputs stay as they are.
 */
export function completeStep(
  draft: Draft,
  open: OpenStep,
  completion: Completion,
  { input, ranMs }: { input?: JsonObject | null; ranMs?: number } = {},
): void {
  const { output, outcome } = completion;
  const result: StepResult = { output };
  if (input !== undefined) result.input = input;
  if (ranMs !== undefined) result.ranMs = ranMs;
  // The output stays to be seen on the failed row: who rejected, or what was too much.
  const { patch, edges } = workOut(draft, open, result, () => {
    const patch = buildPatch(draft, open, output);
    return { patch, edges: draft.state.cancellation ? [] : chooseNext(draft, open, completion, patch) };
  });
  draft.event('step.completed', open, outcome ? { outcome } : undefined);
  result.error = null;
  draft.closeStep(open, 'completed', result);
  if (draft.state.cancellation) oweEdges(draft, open);
  draft.keepOutput(draft.stepOf(open), output);
  if (patch) draft.patchData(patch);
  enterSteps(draft, edges);
}

/** A run that is being cancelled follows no edges; a retry of it follows them instead of doing the work again. */
function oweEdges({ state }: Draft, { step, visit }: OpenStep): void {
  state.interrupted = state.interrupted!.map((mark) =>
    mark.step === step && mark.visit === visit ? { ...mark, completed: true } : mark,
  );
}

/** Follows the edges of a step run that completed when none could be followed; only working steps do. */
export function followOwed(draft: Draft, mark: OpenStep): void {
  enterSteps(
    draft,
    chooseEdges(draft, mark, PLAINLY, () => draft.scope),
  );
}

/** Answers what `find` finds; where it throws, the step run ends as failed for the same reason as the run. */
function workOut<Found>(draft: Draft, open: OpenStep, result: StepResult, find: () => Found): Found {
  draft.before = draft.open.slice();
  try {
    return find();
  } catch (error) {
    if (error instanceof RunFailure) closeFailed(draft, open, error.error, result);
    throw error;
  }
}

/** The edges that the completed step run follows; throws where it may not end like this. */
function chooseNext(
  draft: Draft,
  open: OpenStep,
  completion: Completion,
  patch: JsonObject | null,
): readonly PlanEdge[] {
  const { output, outcome } = completion;
  const ending = endingOf(completion);
  const edges = chooseEdges(draft, open, ending, () => {
    const { data, steps, ...scope } = draft.scope;
    return { ...scope, data: { ...data, ...patch }, steps: { ...steps, [open.step]: { output } } };
  });
  if (outcome === 'rejected' && edges.length === 0) {
    throw new RunFailure({
      code: 'approval_rejected',
      message: `Step "${open.step}" was rejected${reasonOf(output)}`,
      step: open.step,
    });
  }
  return edges;
}

/** What whoever rejected had to say. */
function reasonOf(output: Json): string {
  const comment = isJsonObject(output) ? output['comment'] : null;
  return typeof comment === 'string' && comment !== '' ? `: ${comment}` : '';
}

function endingOf({ outcome, on }: Completion): Ending {
  if (outcome === undefined && on === undefined) return PLAINLY;
  const names = on ?? [];
  return { kind: 'completed', on: outcome ? [...names, outcome] : names, rejected: outcome === 'rejected' };
}

/** Ends a step run for good without an output; without an edge that takes it, the run fails with the same error. */
export function failStep(
  draft: Draft,
  open: OpenStep,
  error: RunError,
  kind: 'failed' | 'timed-out',
  ranMs?: number,
): void {
  draft.before = draft.open.slice();
  closeFailed(draft, open, error, ranMs === undefined ? {} : { ranMs });
  if (draft.state.cancellation) return;
  const edges = chooseEdges(draft, open, { kind }, () => draft.scope);
  if (edges.length === 0) throw new RunFailure({ ...error, step: open.step });
  enterSteps(draft, edges);
}

function closeFailed(draft: Draft, open: OpenStep, { code, message }: RunError, result: StepResult): void {
  draft.event('step.failed', open, { code, message });
  draft.closeStep(open, 'failed', { ...result, error: { code, message } });
}

/** Runs a settling step inside the decision. */
export function settleStep(draft: Draft, open: OpenStep): void {
  const step = draft.stepOf(open);
  draft.settled += 1;
  let outcome: Outcome;
  try {
    outcome = step.type.settle!(step.step, {
      visit: placeOfVisit(draft.state, open),
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
    case 'deliver':
      sendOut(draft, open, outcome);
      break;
    case 'end':
      endFlow(draft, open, outcome);
  }
}

function endFlow(draft: Draft, open: OpenStep, { status, result, error }: Extract<Outcome, { kind: 'end' }>): void {
  const output = result ?? null;
  const value = workOut(draft, open, { output }, () => {
    if (status === 'completed') return resolveResult(draft, result);
    throw new RunFailure({ code: 'flow_failed', message: 'The flow ended as failed', ...error, step: open.step });
  });
  draft.event('step.completed', open);
  draft.closeStep(open, 'completed', { output });
  finishRun(draft, value);
}

/** Makes `target` pending, as a new visit or by merging into the arrival that already waits. */
export function enterStep(draft: Draft, target: PlanStep, urgent = false): OpenStep {
  const { id } = target.step;
  const waiting = draft.open.find((open) => open.step === id && waitsForOthers(open));
  const open = waiting ?? openVisit(draft, target);
  return urgent ? draft.moveStep(open, { urgent: true }) : open;
}

function enterSteps(draft: Draft, edges: readonly PlanEdge[]): void {
  for (const edge of edges) enterStep(draft, edge.to, edge.fault);
}

/** Opens the next visit of a step, whatever its limits say: cleaning up is owed even by a run that has used them up. */
export function openVisit(draft: Draft, target: PlanStep): OpenStep {
  const { id } = target.step;
  let visit = 1;
  if (target.repeats || Object.hasOwn(draft.state.visits, id)) {
    visit = draft.countVisit(id);
  }
  draft.state.stepRuns += 1;
  return draft.openStep(target, visit);
}

export function queueStep(draft: Draft, open: OpenStep): void {
  const clocks = startClocks(draft.stepOf(open), open, draft.context.now);
  // Reopened by a retry: the job it may have had in its former life is used up.
  draft.moveStep(open, { status: 'queued', ...clocks }, open.fence > 0 ? { redispatch: true } : {});
}

/** The edges that are followed when `open` ends; throws when one cannot be. Changes nothing. */
function chooseEdges(draft: Draft, open: OpenStep, ending: Ending, getScope: () => Scope): readonly PlanEdge[] {
  const from = draft.stepOf(open);
  const always = ending === PLAINLY ? from.always : null;
  const chosen = always ?? followEdges(from, ending, buildTest(open, getScope));
  checkLimits(draft, open, chosen);
  return chosen;
}

/** Whether an edge's condition holds when `open` has ended; throws when that cannot be told. */
function buildTest(open: OpenStep, getScope: () => Scope): (edge: PlanEdge) => boolean {
  let scope: Scope | undefined;
  return (edge) => {
    if (edge.condition === null) return true;
    scope ??= getScope();
    try {
      return isTruthy(edge.condition.evaluate(scope));
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      throw new RunFailure({
        code: 'expression_error',
        message: `The condition of the edge to "${edge.to.step.id}" failed: ${error.message}`,
        step: open.step,
      });
    }
  };
}

/** Throws when a loop, or the run, has no step run left for what `edges` lead to once `leaving` has ended. */
function checkLimits(draft: Draft, leaving: OpenStep, edges: readonly PlanEdge[]): void {
  const hasRoom = draft.state.stepRuns + edges.length <= LIMITS.stepRunsPerRun;
  // Only steps that can be entered twice have their visits counted.
  if (hasRoom && !edges.some((edge) => edge.to.repeats)) return;
  const targets = new Set(edges.map((edge) => edge.to));
  for (const open of listPending(draft)) if (open !== leaving) targets.delete(draft.stepOf(open));
  for (const { step, maxVisits } of targets) {
    if (countVisits(draft.state, step.id) < maxVisits) continue;
    throw new RunFailure({
      code: 'max_visits_exceeded',
      message: `Step "${step.id}" was entered more than ${maxVisits} times; give the loop an exit or raise its maxVisits`,
      step: leaving.step,
    });
  }
  if (draft.state.stepRuns + targets.size <= LIMITS.stepRunsPerRun) return;
  throw new RunFailure({
    code: 'too_many_steps',
    message: `The run needs more than ${LIMITS.stepRunsPerRun} step runs; split it into several runs`,
    step: leaving.step,
  });
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

/** Nobody is paused by it: the run goes on by itself when the answer comes. */
function sendOut(draft: Draft, open: OpenStep, { delivery, dueInMs }: Extract<Outcome, { kind: 'deliver' }>): void {
  const deliveryId = draft.context.newId();
  const due = dueInMs === undefined ? {} : { dueAt: draft.context.now + dueInMs };
  const { step, visit, epoch } = open;
  draft.event('step.paused', open, { deliveryId });
  draft.moveStep(open, { status: 'waiting', awaits: 'callback', deliveryId, ...due });
  draft.sendOut({ id: deliveryId, step, visit, epoch, spec: delivery });
}

/** What the output adds to the run's data; throws when it has no room there. */
function buildPatch(draft: Draft, open: OpenStep, output: Json): JsonObject | null {
  const patch = patchOf(draft.stepOf(open), output);
  if (patch === null) return null;
  if (Buffer.byteLength(JSON.stringify({ ...draft.state.data, ...patch })) > MAX_DATA_BYTES)
    throw new RunFailure({
      code: 'data_too_large',
      message: `The run's data grew beyond ${MAX_DATA_BYTES} bytes; keep big outputs out of it with outputKey or as files`,
      step: open.step,
    });
  return patch;
}

/** The step runs that wait for others, the one reached first first. */
export function listPending(draft: Draft): OpenStep[] {
  const found: OpenStep[] = [];
  for (const open of draft.open) if (waitsForOthers(open)) found.push(open);
  return found;
}

/** What was queued once has stopped waiting: an arrival that comes later is a visit of its own. */
function waitsForOthers(open: OpenStep): boolean {
  return open.status === 'pending' && !open.wasQueued;
}

function isTruthy(value: Json): boolean {
  return Boolean(value);
}
