// Commands of one run that wait in one process are decided in order and committed as one decision (DESIGN §5). That must
// come to the same as one commit after the other.

import { expect } from 'chai';
import type { Command } from '../../src/core/commands.ts';
import { mergeDecisions } from '../../src/core/merging.ts';
import { decide } from '../../src/core/transition.ts';
import { ask, flow, set, work } from '../support/core-flows.ts';
import { given, type TestRun } from '../support/core-run.ts';

const ref = (step: string, visit = 1) => ({ step, visit });
const claim = (step: string): Command => ({ type: 'claim', ...ref(step), input: { args: step } });
const complete = (step: string, output = {}): Command => ({ type: 'complete', ...ref(step), fence: 1, output });
const failure = { code: 'x', message: 'x', retryable: true, definite: true };

/** Asks the commands one by one of one run, and folded of another; both must have stored the same. */
function expectSame(build: () => TestRun, commands: readonly Command[]): TestRun {
  const apart = build();
  const together = build().together(commands);
  for (const command of commands) apart.when(command);
  expect(together.state).to.deep.equal(apart.state);
  expect(together.ledger.events).to.deep.equal(apart.ledger.events);
  expect([...together.ledger.pauses]).to.deep.equal([...apart.ledger.pauses]);
  expect(withoutDispatch(together)).to.deep.equal(withoutDispatch(apart));
  return together;
}

function withoutDispatch(run: TestRun): unknown[] {
  return [...run.ledger.steps.values()].map(({ dispatch, ...row }) => ({ ...row, isNewJob: dispatch > 1 }));
}

describe('decisions of one run, merged', () => {
  it('come to the same as one after the other: branches, a join, data', () => {
    const run = expectSame(
      () => given(flow('a > b, c, d > j > end', { d: set({ z: 1 }) })).work('a'),
      [claim('b'), claim('c'), complete('c', { x: 1 }), complete('b', { x: 2, y: 2 }), claim('j')],
    );
    expect(run.decision.dataPatch).to.deep.equal({ x: 2, y: 2 });
    expect(run.open).to.deep.equal(['j running']);
  });

  it('a row that the first inserts and the second changes is inserted, once, as it ends', () => {
    const run = expectSame(() => given(flow('a > b > end')), [claim('a'), complete('a'), claim('b')]);
    const rows = run.decision.steps.map(({ step, isNew, status, seq }) => ({ step, isNew, status, seq }));
    expect(rows).to.deep.equal([
      { step: 'a', isNew: false, status: 'completed', seq: run.row('a').seq === 1 ? rows[0]!.seq : -1 },
      { step: 'b', isNew: true, status: 'running', seq: 3 },
    ]);
  });

  it('a pause that the first opens and the second answers is stored as answered', () => {
    const answer: Command = { type: 'answer', answer: { type: 'request_user_action', actionId: 'approve' } };
    const run = expectSame(
      () => given(flow('a > review > b > end', { review: ask() })),
      [claim('a'), complete('a'), answer],
    );
    expect(run.decision.pauses).to.have.length(1);
    expect(run.decision.pauses[0]).to.include({ isNew: true, status: 'answered' });
    expect(run.decision.pauses[0]?.spec?.type).to.equal('request_user_action');
  });

  it('a job that must not be used again stays so', () => {
    const lose: Command = { type: 'expire-lease', ...ref('a'), fence: 1 };
    const run = expectSame(() => given(flow('a > end')), [claim('a'), lose]);
    expect(run.decision.steps[0]).to.include({ status: 'queued', redispatch: true });
    const taken = expectSame(() => given(flow('a > end')).claim('a'), [lose, claim('a')]);
    expect(taken.decision.steps[0]).to.include({ status: 'running', redispatch: true });
  });

  it('what one result leaves out, the other keeps: input, error, output', () => {
    const fail: Command = {
      type: 'fail-attempt',
      ...ref('a'),
      fence: 1,
      error: { ...failure, definite: false, retryAfterMs: 0 },
      random: 0.5,
    };
    const steps = { a: work({ retry: { attempts: 2 } }) };
    const run = expectSame(() => given(flow('a > end', steps)), [claim('a'), fail]);
    expect(run.row('a').input).to.deep.equal({ args: 'a' });
    expect(run.row('a').error).to.deep.equal({ code: 'x', message: 'x' });
    expectSame(() => given(flow('a > end', steps)), [claim('a'), { ...fail, error: { ...failure, retryAfterMs: 0 } }]);
  });

  it('a claim that brings no input keeps the one that is stored', () => {
    const lose: Command = { type: 'expire-lease', ...ref('a'), fence: 1 };
    const run = expectSame(
      () => given(flow('a > end')),
      [claim('a'), lose, { type: 'claim', ...ref('a'), input: null }],
    );
    expect(run.row('a').input).to.deep.equal({ args: 'a' });
  });

  it("carry the first one's command id, and each their own events", () => {
    const { plan, state, context } = contextOf(given(flow('a > end')));
    const first = decide(plan, state, claim('a'), { ...context, commandId: 'first' });
    if (first.kind !== 'accepted') throw new Error(first.kind);
    const second = decide(plan, first.decision.state, complete('a'), { ...context, commandId: 'second' });
    if (second.kind !== 'accepted') throw new Error(second.kind);
    const merged = mergeDecisions(first.decision, second.decision);
    expect(merged.commandId).to.equal('first');
    expect(merged.events).to.deep.equal([...first.decision.events, ...second.decision.events]);
    expect(merged.state).to.equal(second.decision.state);
  });
});

describe('"Same input, same decision"', () => {
  it('ids and time are arguments, and nothing else is drawn', () => {
    const run = given(flow('a > review, nap > end', { review: ask(), nap: { type: 'wait', durationMs: 10 } })).claim(
      'a',
    );
    const { plan, state, context } = contextOf(run);
    const decided = () => {
      let ids = 0;
      return decide(plan, structuredClone(state), complete('a', { x: 1 }), { ...context, newId: () => `id-${++ids}` });
    };
    expect(decided()).to.deep.equal(decided());
  });
});

function contextOf(run: TestRun) {
  return { plan: run.plan, state: run.state, context: run.context() };
}
