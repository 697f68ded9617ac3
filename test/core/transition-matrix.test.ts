// Every command in every status, of the run and of the step run it names: what is accepted, what was done already, and
// with which code the rest is refused. The expectations are written out here; only the list of commands is the core's.

import { expect } from 'chai';
import { ACCEPTS, type Command, type CommandType } from '../../src/core/commands.ts';
import type { RunStatus } from '../../src/core/run.ts';
import { decide } from '../../src/core/transition.ts';
import { ask, flow, send, set, wait } from '../support/core-flows.ts';
import { given, type TestRun } from '../support/core-run.ts';

const RUN_STATUSES: readonly RunStatus[] = ['queued', 'running', 'waiting', 'held', 'completed', 'failed', 'cancelled'];

/** In the order of RUN_STATUSES. `yes` is legal for the run; what the step run says is the second table. */
const BY_RUN: Record<CommandType, string> = {
  claim: '          yes yes yes conflict     run_finished run_finished run_finished',
  complete: '       yes yes yes yes          run_finished run_finished run_finished',
  'fail-attempt': ' yes yes yes yes          run_finished run_finished run_finished',
  'expire-lease': ' yes yes yes yes          run_finished run_finished run_finished',
  settle: '         yes yes yes conflict     run_finished run_finished run_finished',
  wake: '           yes yes yes conflict     run_finished run_finished run_finished',
  'settle-callback': 'yes yes yes yes        run_finished run_finished run_finished',
  answer: '         yes yes yes yes          run_finished run_finished run_finished',
  'expire-run': '   yes yes yes yes          run_finished run_finished run_finished',
  hold: '           yes yes yes already      run_finished run_finished run_finished',
  release: '        conflict conflict conflict yes run_finished run_finished run_finished',
  retry: '          conflict conflict conflict conflict run_finished yes yes',
  rollback: '       conflict conflict conflict yes yes yes yes',
  cancel: '         yes yes yes yes          run_finished run_finished already     ',
  terminate: '      yes yes yes yes          run_finished run_finished already     ',
};

const SITUATIONS = [
  'none',
  'pending',
  'queued',
  'retrying',
  'put-off',
  'running',
  'asking',
  'asking-due',
  'sleeping',
  'sleeping-due',
  'calling',
  'calling-due',
  'closed',
] as const;
type Situation = (typeof SITUATIONS)[number];
type StepCommand = keyof typeof BY_STEP;

/** What a command answers that names a step run in this situation; commands with a claim are asked with its true fence. */
const BY_STEP = {
  claim: {
    none: 'step_not_open',
    pending: 'claim_lost',
    queued: 'accepted',
    retrying: 'not_due',
    'put-off': 'claim_lost',
    running: 'claim_lost',
    asking: 'claim_lost',
    'asking-due': 'claim_lost',
    sleeping: 'claim_lost',
    'sleeping-due': 'claim_lost',
    calling: 'claim_lost',
    'calling-due': 'claim_lost',
    closed: 'step_not_open',
  },
  complete: withClaim({ running: 'accepted' }),
  'complete without a claim': withClaim({ queued: 'accepted', retrying: 'not_due' }),
  'fail-attempt': withClaim({ running: 'accepted' }),
  'fail-attempt without a claim': withClaim({ queued: 'accepted', retrying: 'not_due' }),
  'expire-lease': withClaim({ running: 'accepted' }),
  settle: stepNotOpen({ 'put-off': 'accepted' }),
  wake: stepNotOpen({
    'asking-due': 'accepted',
    'sleeping-due': 'accepted',
    asking: 'step_not_open',
    sleeping: 'not_due',
    'calling-due': 'accepted',
    calling: 'step_not_open',
  }),
  'settle-callback': stepNotOpen({ calling: 'accepted', 'calling-due': 'accepted' }),
  'settle-callback as failed': stepNotOpen({ calling: 'accepted', 'calling-due': 'accepted' }),
  'settle-callback of another delivery': stepNotOpen({}),
  answer: {
    none: 'run_not_paused',
    pending: 'already_answered',
    queued: 'run_not_paused',
    retrying: 'run_not_paused',
    'put-off': 'run_not_paused',
    running: 'run_not_paused',
    asking: 'accepted',
    'asking-due': 'accepted',
    sleeping: 'run_not_paused',
    'sleeping-due': 'run_not_paused',
    calling: 'run_not_paused',
    'calling-due': 'run_not_paused',
    closed: 'run_not_paused',
  },
} satisfies Record<string, Record<Situation, string>>;

function withClaim(others: Partial<Record<Situation, string>>): Record<Situation, string> {
  return { ...all('claim_lost'), none: 'step_not_open', closed: 'step_not_open', ...others };
}

function stepNotOpen(others: Partial<Record<Situation, string>>): Record<Situation, string> {
  return { ...all('step_not_open'), ...others };
}

function all(answer: string): Record<Situation, string> {
  return Object.fromEntries(SITUATIONS.map((situation) => [situation, answer])) as Record<Situation, string>;
}

const hundred = Array.from({ length: 100 }, (_, index) => `t${index}`);

/** A run whose step `x` is in the situation. */
const BUILD: Record<Situation, () => TestRun> = {
  none: () => given(flow('a > x > end')),
  pending: () =>
    given(flow('a > b, c; b, c > x > end', { c: ask() }))
      .work('a')
      .work('b'),
  queued: () => given(flow('x > end')),
  retrying: () => given(flow('x > end')).fail('x', { retryable: true }),
  'put-off': () =>
    given(
      flow(`${hundred.join(' > ')} > x`, {
        ...Object.fromEntries(hundred.map((id) => [id, set({})])),
        x: { type: 'end-flow' },
      }),
    ),
  running: () => given(flow('x > end')).claim('x'),
  asking: () => given(flow('x > end', { x: ask() })),
  'asking-due': () => given(flow('x > end', { x: ask({ dueInMs: 10, onTimeout: 'approve' }) })).pass(10),
  sleeping: () => given(flow('x > end', { x: wait(10) })),
  'sleeping-due': () => given(flow('x > end', { x: wait(10) })).pass(10),
  calling: () => given(flow('x > end', { x: send() })),
  'calling-due': () => given(flow('x > end', { x: send({ dueInMs: 10 }) })).pass(10),
  closed: () => given(flow('x > b > end')).work('x'),
};

const error = { code: 'broken', message: 'It broke', retryable: true, definite: false };

function commandFor(name: StepCommand, run: TestRun): Command {
  const ref = { step: 'x', visit: 1 };
  const open = run.state.open.find(({ step }) => step === 'x');
  const { fence, attempt } = open ?? { fence: 1, attempt: 1 };
  const callback = { type: 'settle-callback', ...ref, deliveryId: open?.deliveryId ?? 'none' } as const;
  const commands: Record<StepCommand, Command> = {
    claim: { type: 'claim', ...ref, input: null },
    complete: { type: 'complete', ...ref, fence, output: {} },
    'complete without a claim': { type: 'complete', ...ref, fence: null, attempt, output: {} },
    'fail-attempt': { type: 'fail-attempt', ...ref, fence, error, random: 0.5 },
    'fail-attempt without a claim': { type: 'fail-attempt', ...ref, fence: null, attempt, error, random: 0.5 },
    'expire-lease': { type: 'expire-lease', ...ref, fence },
    settle: { type: 'settle', ...ref },
    wake: { type: 'wake', ...ref },
    'settle-callback': { ...callback, result: { output: { ok: true } } },
    'settle-callback as failed': { ...callback, result: { error: { code: 'gone', message: 'It is gone' } } },
    'settle-callback of another delivery': { ...callback, deliveryId: 'another', result: { output: {} } },
    answer: { type: 'answer', step: 'x', answer: { type: 'request_user_action', actionId: 'approve' } },
  };
  return commands[name];
}

const COMMANDS: Record<CommandType, Command> = {
  claim: { type: 'claim', step: 'a', visit: 1, input: null },
  complete: { type: 'complete', step: 'a', visit: 1, fence: 1, output: {} },
  'fail-attempt': { type: 'fail-attempt', step: 'a', visit: 1, fence: 1, error, random: 0.5 },
  'expire-lease': { type: 'expire-lease', step: 'a', visit: 1, fence: 1 },
  settle: { type: 'settle', step: 'a', visit: 1 },
  wake: { type: 'wake', step: 'a', visit: 1 },
  'settle-callback': { type: 'settle-callback', step: 'a', visit: 1, deliveryId: 'd', result: { output: {} } },
  answer: { type: 'answer', answer: { type: 'request_user_action', actionId: 'approve' } },
  'expire-run': { type: 'expire-run' },
  hold: { type: 'hold' },
  release: { type: 'release' },
  retry: { type: 'retry' },
  rollback: {
    type: 'rollback',
    fold: { lastSeq: 1, snapshot: { seq: 1, marks: [], completed: [] }, since: [], visits: {} },
    restored: { data: {}, outputs: {} },
  },
  cancel: { type: 'cancel' },
  terminate: { type: 'terminate' },
};

/** Asks, on a state that nobody may write to; says how it was answered. A refusal answers nothing but a code and why. */
function answerOf(run: TestRun, command: Command, status = run.state.status): string {
  const state = deepFreeze(structuredClone({ ...run.state, status }));
  const asked =
    command.type === 'rollback' ? { ...command, fold: { ...command.fold, lastSeq: run.state.seq } } : command;
  const verdict = decide(run.plan, state, asked, run.context());
  if (verdict.kind !== 'refused') return verdict.kind;
  expect(verdict.message).to.not.equal('');
  expect(Object.keys(verdict)).to.have.members(
    verdict.details ? ['kind', 'code', 'message', 'details'] : ['kind', 'code', 'message'],
  );
  return verdict.code;
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const child of Object.values(value)) deepFreeze(child);
  return value;
}

describe('every command × run status', () => {
  it('the table has every command', () => {
    expect(Object.keys(BY_RUN)).to.have.members(Object.keys(ACCEPTS));
  });

  for (const type of Object.keys(BY_RUN) as CommandType[]) {
    const expected = BY_RUN[type].trim().split(/\s+/);
    for (const [index, status] of RUN_STATUSES.entries()) {
      it(`${type} of a ${status} run: ${expected[index]}`, () => {
        const answer = answerOf(given(flow('a > end')), COMMANDS[type], status);
        if (expected[index] === 'yes') expect(answer).to.not.be.oneOf(['run_finished', 'conflict', 'already']);
        else expect(answer).to.equal(expected[index]);
      });
    }
  }

  for (const [status, run] of [...finishedRuns(), heldRun()]) {
    it(`a run that came to be ${status} answers each command as the table says`, () => {
      const answers = Object.values(COMMANDS).map((command) => answerOf(run, command));
      const column = RUN_STATUSES.indexOf(status);
      for (const [index, type] of Object.keys(COMMANDS).entries()) {
        const expected = BY_RUN[type as CommandType].trim().split(/\s+/)[column];
        if (expected !== 'yes') expect(answers[index], type).to.equal(expected);
        else expect(answers[index], type).to.not.be.oneOf(['run_finished', 'conflict', 'already']);
      }
    });
  }
});

describe('every command × step run status', () => {
  for (const [name, expected] of Object.entries(BY_STEP) as [StepCommand, Record<Situation, string>][]) {
    for (const situation of SITUATIONS) {
      it(`${name} of a step run that is ${situation}: ${expected[situation]}`, () => {
        const run = BUILD[situation]();
        const command = commandFor(name, run);
        expect(answerOf(run, command)).to.equal(expected[situation]);
        if (expected[situation] === 'accepted') run.when(command);
      });
    }
  }

  it('hold and release are taken whatever the steps do', () => {
    for (const situation of SITUATIONS) {
      const held = BUILD[situation]().when({ type: 'hold' });
      expect(held.status).to.equal('held');
      expect(held.open).to.not.include('x queued');
      expect(held.when({ type: 'release' }).status).to.not.equal('held');
    }
  });

  it('held, it takes what is in flight and what somebody says, and nothing else', () => {
    const taken: Partial<Record<StepCommand, Situation[]>> = {
      complete: ['running'],
      'fail-attempt': ['running'],
      'expire-lease': ['running'],
      answer: ['asking', 'asking-due'],
      'settle-callback': ['calling', 'calling-due'],
      'settle-callback as failed': ['calling', 'calling-due'],
    };
    for (const name of Object.keys(BY_STEP) as StepCommand[]) {
      for (const situation of SITUATIONS) {
        const run = BUILD[situation]();
        if (run.status === 'completed') continue;
        run.when({ type: 'hold' });
        const answer = answerOf(run, commandFor(name, run));
        expect(answer === 'accepted', `${name} of ${situation}`).to.equal(taken[name]?.includes(situation) ?? false);
      }
    }
  });

  it('cancel and terminate are taken whatever the steps do', () => {
    for (const situation of SITUATIONS) {
      expect(BUILD[situation]().when({ type: 'terminate' }).status).to.equal('cancelled');
      expect(BUILD[situation]().when({ type: 'cancel' }).status).to.equal(
        situation === 'running' ? 'running' : 'cancelled',
      );
    }
  });
});

function heldRun(): [RunStatus, TestRun] {
  return ['held', given(flow('a > end')).claim('a').when({ type: 'hold' })];
}

function finishedRuns(): [RunStatus, TestRun][] {
  return [
    ['completed', given(flow('a > end')).work('a')],
    ['failed', given(flow('a > end')).fail('a')],
    ['cancelled', given(flow('a > end')).when({ type: 'terminate' })],
  ];
}
