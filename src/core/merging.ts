// Commands of one run that wait together are decided in order and written at once (DESIGN §5): two decisions as one.

import type { Decision, PauseRow, StepRow } from './decision.ts';
import { isSame, keyOf } from './run.ts';

/** Two decisions of one run, the second made on the state of the first, as one commit. */
export function mergeDecisions(first: Decision, second: Decision): Decision {
  const hasPauses = first.pauses.length > 0 || second.pauses.length > 0;
  return {
    commandId: first.commandId,
    state: second.state,
    events: first.events.concat(second.events),
    steps: mergeSteps(first.steps, second.steps),
    pauses: hasPauses ? mergePauses(first.pauses, second.pauses) : first.pauses,
    deliveries: first.deliveries.concat(second.deliveries),
    dataPatch:
      first.dataPatch && second.dataPatch
        ? { ...first.dataPatch, ...second.dataPatch }
        : (second.dataPatch ?? first.dataPatch),
    rewritesData: first.rewritesData || second.rewritesData,
  };
}

/** From how many rows on they are found by an index. */
const MANY = 16;

function mergeSteps(first: StepRow[], second: StepRow[]): StepRow[] {
  const merged = first.slice();
  const places = first.length < MANY ? null : new Map(first.map((row, place) => [keyOf(row), place]));
  for (const row of second) {
    const place = places ? (places.get(keyOf(row)) ?? -1) : first.findIndex((known) => isSame(known, row));
    if (place < 0) {
      merged.push(row);
      continue;
    }
    merged[place] = mergeRow(first[place]!, row);
  }
  return merged;
}

function mergePauses(first: PauseRow[], second: PauseRow[]): PauseRow[] {
  const pauses = new Map(first.map((row) => [row.id, row]));
  for (const row of second) {
    const known = pauses.get(row.id);
    pauses.set(row.id, known ? { ...known, ...row, isNew: known.isNew } : row);
  }
  return [...pauses.values()];
}

/** Spelled out, because this is done for nearly every step under load. */
function mergeRow(known: StepRow, row: StepRow): StepRow {
  const { step, visit, isNew, seq } = known;
  const { type, tool, status, attempt, fence, epoch, lost, dueAt } = row;
  const redispatch = known.redispatch || row.redispatch;
  const merged: StepRow = {
    step,
    visit,
    isNew,
    seq,
    type,
    tool,
    status,
    attempt,
    fence,
    epoch,
    lost,
    dueAt,
    redispatch,
  };
  const input = row.input === undefined ? known.input : row.input;
  const output = row.output === undefined ? known.output : row.output;
  const error = row.error === undefined ? known.error : row.error;
  const ranMs = row.ranMs ?? known.ranMs;
  if (input !== undefined) merged.input = input;
  if (output !== undefined) merged.output = output;
  if (error !== undefined) merged.error = error;
  if (ranMs !== undefined) merged.ranMs = ranMs;
  return merged;
}
