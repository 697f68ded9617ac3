// Steps that wait for time: a row with a due time and no job, fired by `wake` (DESIGN §4, "Waits").

import { expect } from 'chai';
import { flow, wait } from '../support/core-flows.ts';
import { given, START } from '../support/core-run.ts';

describe('timers', () => {
  const nap = (fields: Record<string, unknown>, input = {}) =>
    given(flow('nap > end', { nap: { type: 'wait', ...fields } }), input);

  it('"a row with an id, an optional due_at, no job": the run is running, and nothing is queued', () => {
    const run = nap({ durationMs: 5_000 });
    expect(run.status).to.equal('running');
    expect(run.state.open).to.deep.equal([
      {
        step: 'nap',
        visit: 1,
        status: 'waiting',
        attempt: 1,
        fence: 0,
        epoch: 0,
        lost: 0,
        awaits: 'time',
        dueAt: START + 5_000,
      },
    ]);
    expect(run.ledger.pauses.size).to.equal(0);
  });

  it('wakes when it is due, and not a millisecond before', () => {
    const run = nap({ durationMs: 5_000 }).pass(4_999);
    expect(run.ask({ type: 'wake', step: 'nap', visit: 1 })).to.include({ kind: 'refused', code: 'not_due' });
    run.pass(1).wake('nap');
    expect(run.status).to.equal('completed');
    expect(run.row('nap').output).to.deep.equal({ wokeAt: new Date(START + 5_000).toISOString() });
  });

  it('a second wake finds nothing open', () => {
    const run = given(flow('nap > a > end', { nap: wait(10) })).wake('nap');
    expect(run.ask({ type: 'wake', step: 'nap', visit: 1 })).to.include({ kind: 'refused', code: 'step_not_open' });
    expect(run.ask({ type: 'wake', step: 'a', visit: 1 })).to.include({ kind: 'refused', code: 'step_not_open' });
  });

  it('takes a duration, a point in time, or an expression for either', () => {
    const due = (fields: Record<string, unknown>) =>
      nap(fields, { ms: 7_000, at: '2026-01-01T00:01:00Z' }).find('nap').dueAt;
    expect(due({ duration: 'PT2M' })).to.equal(START + 120_000);
    expect(due({ until: `\${data.at}` })).to.equal(START + 60_000);
    expect(due({ durationMs: `\${data.ms}` })).to.equal(START + 7_000);
  });

  it('a time that has passed is not waited for', () => {
    expect(nap({ until: '2020-01-01T00:00:00Z' }).status).to.equal('completed');
    expect(nap({ durationMs: 0 }).status).to.equal('completed');
  });

  it('cannot be answered', () => {
    const run = nap({ durationMs: 5_000 });
    const answer = { type: 'request_user_action' as const, actionId: 'approve' };
    expect(run.ask({ type: 'answer', answer })).to.include({ code: 'run_not_paused' });
  });
});
