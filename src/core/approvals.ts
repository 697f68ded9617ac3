// The actions of a pause by what they are called and what they decide: which one a name or a plain yes or no chooses, and
// which one a stored answer chose. Pure.

import type { Action, Answer, PauseSpec } from './step-type.ts';

export type ApprovalOutcome = 'approved' | 'rejected';

const SYNONYMS: Readonly<Record<string, string>> = {
  approve: 'approved',
  approved: 'approve',
  reject: 'rejected',
  rejected: 'reject',
};

/** By id, by value, then with `approve` and `approved` (`reject` and `rejected`) taken as one word. */
export function findNamedAction(actions: readonly Action[], name: string): Action | null {
  const synonym = Object.hasOwn(SYNONYMS, name) ? SYNONYMS[name] : undefined;
  return (
    actions.find((action) => action.id === name) ??
    actions.find((action) => action.value === name) ??
    (synonym === undefined ? undefined : actions.find((action) => action.id === synonym || action.value === synonym)) ??
    null
  );
}

/** The first action on offer that decides like this. */
export function findDeciding({ actions = [] }: Partial<PauseSpec>, outcome: ApprovalOutcome): Action | null {
  return actions.find((action) => action.outcome === outcome) ?? null;
}

/** The action that a stored answer chose: its `actionId` names it, or names the step while `actionValue` chooses; or an outcome. */
export function findChosen({ actions = [] }: PauseSpec, answer: Answer | null): Action | null {
  if (answer?.actionId === undefined && answer?.outcome !== undefined) return findDeciding({ actions }, answer.outcome);
  const offered = actions.find((action) => action.id === answer?.actionId);
  if (offered || answer?.actionValue === undefined) return offered ?? null;
  return findNamedAction(actions, answer.actionValue);
}
