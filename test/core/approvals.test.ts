import { expect } from 'chai';
import { findChosen, findDeciding, findNamedAction } from '../../src/core/approvals.ts';
import type { Action, PauseSpec } from '../../src/core/step-type.ts';

const YES: Action = { id: 'yes', label: 'Yes', value: 'approved', outcome: 'approved' };
const SURE: Action = { id: 'sure', label: 'Sure', outcome: 'approved' };
const NO: Action = { id: 'reject', label: 'No', outcome: 'rejected' };
const LATER: Action = { id: 'later', label: 'Later' };
const SPEC: PauseSpec = { type: 'request_user_action', actions: [LATER, YES, SURE, NO] };
const answer = (actionId: string, actionValue?: string) =>
  ({ type: 'request_user_action', actionId, ...(actionValue ? { actionValue } : {}) }) as const;

describe('the actions of an approval', () => {
  it('are chosen by a plain yes or no: the first that decides like this', () => {
    expect(findDeciding(SPEC, 'approved')).to.equal(YES);
    expect(findDeciding(SPEC, 'rejected')).to.equal(NO);
    expect(findDeciding({ ...SPEC, actions: [LATER] }, 'rejected')).to.equal(null);
    expect(findDeciding({ type: 'request_user_action' }, 'approved')).to.equal(null);
  });

  it('are found by id, then by value, then by the other form of the word', () => {
    expect(findNamedAction([NO, YES], 'yes')).to.equal(YES);
    expect(findNamedAction([NO, YES], 'approve')).to.equal(YES);
    expect(findNamedAction([NO, YES], 'rejected')).to.equal(NO);
    expect(findNamedAction([NO, YES], 'constructor')).to.equal(null);
  });

  it('are told from a stored answer, however it named them', () => {
    expect(findChosen(SPEC, answer('sure'))).to.equal(SURE);
    expect(findChosen(SPEC, answer('gate', 'approved'))).to.equal(YES);
    expect(findChosen(SPEC, answer('gate', 'reject'))).to.equal(NO);
    expect(findChosen(SPEC, answer('gate'))).to.equal(null);
    expect(findChosen(SPEC, { type: 'request_user_action', outcome: 'rejected' })).to.equal(NO);
    expect(findChosen(SPEC, { ...answer('sure'), outcome: 'rejected' })).to.equal(SURE);
    expect(findChosen(SPEC, null)).to.equal(null);
  });
});
