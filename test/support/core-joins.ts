// The rules of joins, said once more and in another way than in core/joins.ts: from the definition's edges by walking
// on from each step, on the marking before and after a decision. It knows nothing of how a decision is made.

import type { Decision } from '../../src/core/decision.ts';
import type { Definition, Edge } from '../../src/core/definition.ts';
import { keyOf, type OpenStep, type RunState } from '../../src/core/run.ts';
import { must } from './must.ts';

/** By step, where what is open there may yet arrive: over plain edges only, and over all. */
export interface Arrivals {
  plain: ReadonlyMap<string, ReadonlySet<string>>;
  anyhow: ReadonlyMap<string, ReadonlySet<string>>;
}

interface Round {
  definition: Definition;
  arrivals: Arrivals;
  before: readonly OpenStep[];
  decision: Decision;
}

const known = new WeakMap<Definition, Arrivals>();

export function arrivalsOf(definition: Definition): Arrivals {
  const found = known.get(definition);
  if (found) return found;
  const { steps, edges } = definition;
  const plain = walkOn(
    definition,
    edges.filter((edge) => !isFault(edge)),
  );
  const all = walkOn(definition, edges);
  const anyhow = new Map(steps.map(({ id }) => [id, new Set([...plain.get(id)!, ...all.get(id)!])]));
  known.set(definition, { plain, anyhow });
  return { plain, anyhow };
}

/** Who went had nobody to wait for, and who waits has somebody. */
export function checkJoins(round: Round): void {
  const { state } = round.decision;
  if (state.cancellation) return;
  if (state.open.length > 0 && state.status !== 'held') checkWaiting(round, state);
  const were = new Map(round.before.map((mark) => [keyOf(mark), mark]));
  const stayed = state.open.filter((mark) => were.has(keyOf(mark)));
  for (const row of round.decision.steps) {
    const hasGone =
      row.status !== 'pending' &&
      row.status !== 'cancelled' &&
      row.status !== 'undone' &&
      row.attempt > 0 &&
      (were.get(keyOf(row))?.status ?? 'pending') === 'pending' &&
      !were.get(keyOf(row))?.wasQueued;
    if (hasGone) checkGone(round, row, stayed, were);
  }
}

/** "J goes when none is left": nothing pending is left without a blocker, and never is all that is open pending. */
function checkWaiting({ definition, arrivals }: Round, { open }: RunState): void {
  must(
    open.some(({ status }) => status !== 'pending'),
    () => `all wait for one another: ${open.map(keyOf).join(', ')}`,
  );
  for (const mark of open) {
    must(!mark.wasQueued, () => `${keyOf(mark)} was not queued again`);
    must(!mark.urgent, () => `${keyOf(mark)} is urgent and still here`);
    if (mark.status !== 'pending') continue;
    const blockers = open.filter((other) => {
      const isMutual = other.status === 'pending' && arrivals.plain.get(mark.step)!.has(other.step);
      return other !== mark && !isMutual && arrivals.plain.get(other.step)!.has(mark.step);
    });
    must(blockers.length > 0, () => `${keyOf(mark)} is pending and waits for nobody`);
    must(joinOf(definition, mark.step) === 'all', () => `${keyOf(mark)} joins any and waits`);
  }
}

function checkGone(
  { definition, arrivals, decision }: Round,
  row: { step: string; visit: number },
  stayed: OpenStep[],
  were: Map<string, OpenStep>,
): void {
  const others = stayed.filter((mark) => keyOf(mark) !== keyOf(row));
  if (joinOf(definition, row.step) === 'any') {
    const left = others.find((mark) => arrivals.anyhow.get(mark.step)!.has(row.step));
    must(!left, () => `${keyOf(row)} joins any, but ${left?.step} is still open`);
    return;
  }
  const failed = new Set(decision.steps.filter(({ status }) => status === 'failed').map(({ step }) => step));
  if (definition.edges.some((edge) => isFault(edge) && edge.to === row.step && failed.has(edge.from))) return;
  const works = (mark: OpenStep) => mark.status !== 'pending' && were.get(keyOf(mark))!.status !== 'pending';
  const blocker = others.find((mark) => works(mark) && arrivals.plain.get(mark.step)!.has(row.step));
  must(!blocker, () => `${keyOf(row)} went although ${blocker?.step} could still arrive`);
}

/** From each step: on over edges that do not lead back, as far as they go; and back from there to what led on to it. */
function walkOn(definition: Definition, edges: readonly Edge[]): Map<string, Set<string>> {
  const from = new Map(definition.steps.map(({ id }) => [id, edges.filter((edge) => edge.from === id)]));
  const back = findBack(definition, from);
  const goOn = (id: string) => {
    const passed = new Set([id]);
    for (const step of passed) for (const edge of from.get(step)!) if (!back.has(edge)) passed.add(edge.to);
    return passed;
  };
  const passedFrom = new Map(definition.steps.map(({ id }) => [id, goOn(id)]));
  const arrive = (id: string) => {
    const out = [...passedFrom.get(id)!].flatMap((step) => from.get(step)!);
    return new Set(out.filter((edge) => !back.has(edge) || passedFrom.get(edge.to)!.has(id)).map(({ to }) => to));
  };
  return new Map(definition.steps.map(({ id }) => [id, arrive(id)]));
}

/** "Edges to a step that is still on the stack of a depth-first search from initialStep, then from any not yet seen." */
function findBack({ steps, initialStep }: Definition, from: ReadonlyMap<string, Edge[]>): Set<Edge> {
  const back = new Set<Edge>();
  const seen = new Set<string>();
  const visit = (id: string, path: readonly string[]): void => {
    if (seen.has(id)) return;
    seen.add(id);
    for (const edge of from.get(id)!) {
      if ([...path, id].includes(edge.to)) back.add(edge);
      else visit(edge.to, [...path, id]);
    }
  };
  for (const id of [initialStep, ...steps.map((step) => step.id)]) visit(id, []);
  return back;
}

function joinOf(definition: Definition, id: string): 'all' | 'any' {
  return definition.steps.find((step) => step.id === id)?.join ?? 'all';
}

function isFault(edge: Edge): boolean {
  return edge.on === 'error' || edge.on === 'timeout';
}
