// A replay: a new run that begins where another one was before a step, or from the start. What had completed by then is
// copied with its outputs and is not done again: its step runs say so by their attempt, 0, and their events by `replayed`.

import type { Decision, DecisionContext } from './decision.ts';
import type { Draft } from './draft.ts';
import type { Json, JsonObject } from './json.ts';
import type { Plan } from './plan.ts';
import { openNextVisit, reopenAll } from './reopening.ts';
import { openVisit } from './routing.ts';
import type { RestoredData, Snapshot } from './snapshots.ts';
import { beginRun, type NewRun } from './transition.ts';

/** Where another run was: the snapshot before the last visit of `step` began. */
export interface ReplayPoint {
  step: string;
  snapshot: Snapshot;
  /** Of everything that had completed, in the snapshot's order. */
  outputs: readonly Json[];
  restored: RestoredData;
}

/** The first decision of a run that replays the run `replayOf`, from the start where no point is given. */
export function decideReplay(
  plan: Plan,
  run: NewRun & { replayOf: string },
  from: ReplayPoint | null,
  context: DecisionContext,
): Decision {
  const detail: JsonObject = { replayOf: run.replayOf, ...(from ? { fromStep: from.step } : {}) };
  return beginRun(plan, run, context, { detail, ...(from ? { enter: (draft) => enterAt(draft, from) } : {}) });
}

function enterAt(draft: Draft, { snapshot, outputs, restored }: ReplayPoint): void {
  for (const [index, { step }] of snapshot.completed.entries()) copy(draft, step, outputs[index] ?? null);
  draft.restoreData(restored);
  reopenAll(draft, snapshot.marks, openNextVisit);
}

/**
 * Visits are counted anew: what the other run had undone leaves no gap. It is opened by the event before the one that closes it,
 * since an event names a step run once.
 */
function copy(draft: Draft, id: string, output: Json): void {
  const open = draft.moveStep(openVisit(draft, draft.plan.steps.get(id)!), { attempt: 0 });
  draft.event('step.completed', open, { replayed: true });
  draft.closeStep(open, 'completed', { output });
}
