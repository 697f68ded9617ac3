// Which edges of a step are followed, by how it ended: DESIGN §4's rules on edges. What a condition evaluates to is asked of
// the caller.

import type { PlanEdge, PlanStep } from './plan.ts';

export type Ending =
  | { kind: 'completed'; on: readonly string[]; rejected: boolean }
  | { kind: 'failed' }
  | { kind: 'timed-out' };

/** Completed without an action or an outcome, as every working step does. */
export const PLAINLY: Ending = { kind: 'completed', on: [], rejected: false };

/** The edges of `from` that are followed when it ends like this; `holds` says of an edge whether its condition does. */
export function followEdges(from: PlanStep, ending: Ending, holds: (edge: PlanEdge) => boolean): PlanEdge[] {
  const candidates = from.out.filter((edge) => applies(edge, from, ending));
  let chosen = candidates.filter((edge) => !edge.edge.default && holds(edge));
  if (chosen.length === 0) chosen = candidates.filter((edge) => edge.edge.default && holds(edge));
  return from.step.route === 'first' ? chosen.slice(0, 1) : chosen;
}

/** What is followed whenever `from` completes plainly, in any run; null where conditions decide. */
export function followAlways(from: PlanStep): readonly PlanEdge[] | null {
  const isOpen = from.out.some((edge) => edge.condition !== null && applies(edge, from, PLAINLY));
  return isOpen ? null : followEdges(from, PLAINLY, () => true);
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
