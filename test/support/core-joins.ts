// The rules of joins, said once more and in another way than in core/routing.ts: from the definition's edges by plain
// search, on the marking before and after a decision. It knows nothing of how a decision is made.

import type { Definition, Edge } from '../../src/core/definition.ts';
import { type Decision, keyOf } from '../../src/core/draft.ts';
import type { OpenStep, RunState } from '../../src/core/run.ts';
import { must } from './must.ts';

/** Steps that can be reached over at least one edge: over plain edges only, and over all. */
export interface Reach {
  plain: ReadonlyMap<string, ReadonlySet<string>>;
  anyhow: ReadonlyMap<string, ReadonlySet<string>>;
}

interface Round {
  definition: Definition;
  reach: Reach;
  before: readonly OpenStep[];
  decision: Decision;
}

const known = new WeakMap<Definition, Reach>();

export function reachOf(definition: Definition): Reach {
  const found = known.get(definition) ?? {
    plain: search(
      definition,
      definition.edges.filter((edge) => !isFault(edge)),
    ),
    anyhow: search(definition, definition.edges),
  };
  known.set(definition, found);
  return found;
}

/** Who went had nobody to wait for, and who waits has somebody. */
export function checkJoins(round: Round): void {
  const { state } = round.decision;
  if (state.cancellation) return;
  if (state.open.length > 0) checkWaiting(round, state);
  const were = new Map(round.before.map((mark) => [keyOf(mark), mark]));
  const stayed = state.open.filter((mark) => were.has(keyOf(mark)));
  for (const row of round.decision.steps) {
    const hasGone =
      row.status !== 'pending' &&
      row.status !== 'cancelled' &&
      (were.get(keyOf(row))?.status ?? 'pending') === 'pending';
    if (hasGone) checkGone(round, row, stayed, were);
  }
}

/** "J goes when none is left": nothing pending is left without a blocker. */
function checkWaiting({ definition, reach }: Round, { open }: RunState): void {
  for (const mark of open) {
    must(!mark.urgent, () => `${keyOf(mark)} is urgent and still here`);
    if (mark.status !== 'pending') continue;
    const blockers = open.filter((other) => {
      const isMutual = other.status === 'pending' && reach.plain.get(mark.step)!.has(other.step);
      return other !== mark && !isMutual && reach.plain.get(other.step)!.has(mark.step);
    });
    must(blockers.length > 0, () => `${keyOf(mark)} is pending and waits for nobody`);
    must(joinOf(definition, mark.step) === 'all', () => `${keyOf(mark)} joins any and waits`);
  }
}

function checkGone(
  { definition, reach, decision }: Round,
  row: { step: string; visit: number },
  stayed: OpenStep[],
  were: Map<string, OpenStep>,
): void {
  const others = stayed.filter((mark) => keyOf(mark) !== keyOf(row));
  if (joinOf(definition, row.step) === 'any') {
    const left = others.find((mark) => reach.anyhow.get(mark.step)!.has(row.step));
    must(!left, () => `${keyOf(row)} joins any, but ${left?.step} is still open`);
    return;
  }
  const failed = new Set(decision.steps.filter(({ status }) => status === 'failed').map(({ step }) => step));
  if (definition.edges.some((edge) => isFault(edge) && edge.to === row.step && failed.has(edge.from))) return;
  const works = (mark: OpenStep) => mark.status !== 'pending' && were.get(keyOf(mark))!.status !== 'pending';
  const blocker = others.find((mark) => works(mark) && reach.plain.get(mark.step)!.has(row.step));
  must(!blocker, () => `${keyOf(row)} went although ${blocker?.step} could still reach it`);
}

function search({ steps }: Definition, edges: readonly Edge[]): Map<string, Set<string>> {
  const next = new Map(steps.map(({ id }) => [id, edges.filter((edge) => edge.from === id).map((edge) => edge.to)]));
  const found = new Map<string, Set<string>>();
  for (const { id } of steps) {
    const seen = new Set<string>();
    const stack = [...next.get(id)!];
    for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
      if (seen.has(step)) continue;
      seen.add(step);
      stack.push(...next.get(step)!);
    }
    found.set(id, seen);
  }
  return found;
}

function joinOf(definition: Definition, id: string): 'all' | 'any' {
  return definition.steps.find((step) => step.id === id)?.join ?? 'all';
}

function isFault(edge: Edge): boolean {
  return edge.on === 'error' || edge.on === 'timeout';
}
