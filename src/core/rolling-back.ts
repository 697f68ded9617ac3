// A rollback: a run that is held or over goes on from one of its snapshots. What has come since is undone, but stays to be seen;
// what was open then is opened again as new visits. What the snapshot holds was folded before (core/snapshots.ts).

import { deadlineFrom } from './clocks.ts';
import type { Command } from './commands.ts';
import type { Draft } from './draft.ts';
import { refuse, type Verdict } from './refusal.ts';
import { openNextVisit, reopenAll } from './reopening.ts';
import type { RunState } from './run.ts';
import { apply } from './settling.ts';
import type { Fold } from './snapshots.ts';
import { countOf } from './visits.ts';

/** Also lets a held run go on. Refused `conflict` when the run has moved on since it was folded. */
export function rollBack(draft: Draft, command: Extract<Command, { type: 'rollback' }>): Verdict | null {
  const { fold, restored, reason } = command;
  const { state } = draft;
  if (fold.lastSeq !== state.seq)
    return refuse('conflict', 'The run has changed meanwhile; look at its snapshots again, and try again');
  draft.isHeld = false;
  // Any status that is not over will do: how the run stands is settled once its steps are open again.
  const open: Partial<RunState> = {
    status: 'running',
    result: null,
    error: null,
    cancellation: null,
    interrupted: null,
  };
  Object.assign(state, open, { deadlineAt: deadlineFrom(draft.plan, draft.context) });
  draft.restoreData(restored);
  apply(draft, () => {
    const detail = { toSequence: fold.snapshot.seq, ...(reason === undefined ? {} : { reason }) };
    draft.event('run.rolled_back', null, detail);
    for (const { mark, ended } of fold.since) draft.undoStep(mark, ended);
    countUndone(state, fold);
    reopenAll(draft, fold.snapshot.marks, openNextVisit);
  });
  return null;
}

/** From now on the visits of every step that was undone are counted, so that none is given out twice. */
function countUndone(state: RunState, { since, visits }: Fold): void {
  state.visits = { ...state.visits, ...visits };
  state.undone = { ...state.undone };
  for (const { mark } of since) state.undone[mark.step] = countOf(state.undone, mark.step) + 1;
}
