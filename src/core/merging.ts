// Commands of one run that wait together are decided in order and written at once (DESIGN §5): two decisions as one.

import type { Decision } from './decision.ts';
import { keyOf } from './run.ts';

/** Two decisions of one run, the second made on the state of the first, as one commit. */
export function mergeDecisions(first: Decision, second: Decision): Decision {
  const steps = new Map(first.steps.map((row) => [keyOf(row), row]));
  for (const row of second.steps) {
    const known = steps.get(keyOf(row));
    steps.set(
      keyOf(row),
      known
        ? { ...known, ...row, isNew: known.isNew, seq: known.seq, redispatch: known.redispatch || row.redispatch }
        : row,
    );
  }
  const pauses = new Map(first.pauses.map((row) => [row.id, row]));
  for (const row of second.pauses) {
    const known = pauses.get(row.id);
    pauses.set(row.id, known ? { ...known, ...row, isNew: known.isNew } : row);
  }
  return {
    commandId: first.commandId,
    state: second.state,
    events: [...first.events, ...second.events],
    steps: [...steps.values()],
    pauses: [...pauses.values()],
    deliveries: [...first.deliveries, ...second.deliveries],
    dataPatch: first.dataPatch || second.dataPatch ? { ...first.dataPatch, ...second.dataPatch } : null,
    rewritesData: first.rewritesData || second.rewritesData,
  };
}
