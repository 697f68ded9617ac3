// Why a run does not move: every reason there is, with what people and programs are told of it.

import { expect } from 'chai';
import {
  durationText,
  explainRun,
  MANY_AHEAD,
  type OpenSituation,
  RUN_REASONS,
  type Situation,
  STEP_REASONS,
} from '../../src/core/explain.ts';
import type { OpenStep } from '../../src/core/run.ts';

const NOW = Date.parse('2026-11-22T10:00:00.000Z');
const LATER = NOW + 90_000;
const MINUTE = 60_000;

const told: { run: Set<string>; step: Set<string> } = { run: new Set(), step: new Set() };

/** The run's explanation; what it is not told is that of a run that runs. */
function explain(situation: Partial<Situation>) {
  const whole: Situation = {
    status: 'running',
    now: NOW,
    finishedAt: null,
    error: null,
    cancellation: null,
    hold: null,
    steps: [],
    ...situation,
  };
  const explanation = explainRun(whole);
  told.run.add(explanation.reason);
  for (const { reason } of explanation.steps) told.step.add(reason);
  return explanation;
}

function explainStep(mark: Partial<OpenStep>, more: Partial<OpenSituation> = {}, run: Partial<Situation> = {}) {
  const full: OpenStep = { step: 'a', visit: 1, status: 'queued', attempt: 1, fence: 0, epoch: 0, lost: 0, ...mark };
  const situation = { mark: full, since: NOW - 5 * MINUTE, ahead: 0, unknown: null, blockers: [], ...more };
  const [only] = explain({ ...run, steps: [situation] }).steps;
  return only!;
}

describe('an explanation of a run', () => {
  it('says how a finished one ended, when, and by whom', () => {
    const at = NOW - MINUTE;
    expect(explain({ status: 'completed', finishedAt: at })).to.deep.equal({
      reason: 'finished',
      message: 'The run completed at 2026-11-22T09:59:00.000Z.',
      until: null,
      steps: [],
    });
    const error = { code: 'approval_rejected', message: 'Step "gate" was rejected', step: 'gate' };
    expect(explain({ status: 'failed', finishedAt: at, error }).message).to.equal(
      'The run failed at 2026-11-22T09:59:00.000Z: Step "gate" was rejected.',
    );
    const cancellation = { type: 'cancel', by: 'jane', at, reason: 'Entered twice' } as const;
    expect(explain({ status: 'cancelled', finishedAt: at, cancellation }).message).to.equal(
      'The run was cancelled at 2026-11-22T09:59:00.000Z by jane (Entered twice).',
    );
    expect(
      explain({ status: 'cancelled', finishedAt: at, cancellation: { type: 'terminate', by: 'jane', at } }).message,
    ).to.equal('The run was terminated at 2026-11-22T09:59:00.000Z by jane.');
  });

  it('says who holds it, since when and why', () => {
    const hold = { by: 'jane', at: NOW - MINUTE, reason: 'Quarter end' };
    expect(explain({ status: 'held', hold })).to.include({
      reason: 'held',
      message:
        'The run is held by jane since 2026-11-22T09:59:00.000Z (Quarter end); nothing begins until somebody releases it.',
    });
    expect(explain({ status: 'held', hold: { ...hold, reason: null } }).message).not.to.include('(');
    expect(explain({ status: 'held' }).message).to.equal('The run is held until somebody releases it.');
  });

  it('says how far a cancellation is, and until when it may take', () => {
    const cancellation = { type: 'cancel', by: 'jane', at: NOW, stage: 'stopping', dueAt: LATER } as const;
    expect(explain({ cancellation })).to.include({
      reason: 'cancelling',
      message: 'The run is being cancelled: steps in flight may finish, until 2026-11-22T10:01:30.000Z.',
      until: LATER,
    });
    expect(explain({ cancellation: { ...cancellation, stage: 'cleaning-up' } }).message).to.include(
      'its clean-up runs',
    );
  });

  it('says whether people are waited for, or it goes on by itself', () => {
    expect(explain({ status: 'waiting' })).to.include({ reason: 'waiting', message: 'The run waits for people.' });
    for (const status of ['queued', 'running'] as const) expect(explain({ status }).reason).to.equal('working');
  });

  it('has every reason that there is, here or below', () => {
    expect([...told.run]).to.have.members([...RUN_REASONS]);
  });
});

describe('an explanation of an open step', () => {
  it('names the people it waits for, and until when', () => {
    const waiting = { status: 'waiting', awaits: 'person' } as const;
    expect(explainStep({ ...waiting, assignees: ['kim', 'lee'], dueAt: LATER })).to.deep.equal({
      step: 'a',
      visit: 1,
      attempt: 1,
      reason: 'waits_for_person',
      message: 'Step "a" waits for kim or lee, until 2026-11-22T10:01:30.000Z.',
      since: NOW - 5 * MINUTE,
      until: LATER,
      waitsFor: ['kim', 'lee'],
      ahead: null,
    });
    expect(explainStep(waiting)).to.include({ message: 'Step "a" waits for anybody who may answer.', until: null });
  });

  it('says when a timer or a callback ends, also when that is past', () => {
    const timer = { status: 'waiting', awaits: 'time' } as const;
    expect(explainStep({ ...timer, dueAt: LATER })).to.include({
      reason: 'waits_for_time',
      message: 'Step "a" waits for its time, until 2026-11-22T10:01:30.000Z.',
      until: LATER,
    });
    expect(explainStep({ ...timer, dueAt: NOW }).message).to.equal(
      'Step "a" waits for its time; its time is up, which counts within seconds.',
    );
    expect(explainStep({ ...timer, dueAt: NOW }, {}, { status: 'held' }).message).to.equal(
      'Step "a" waits for its time; its time is up, which counts at the release.',
    );
    expect(explainStep({ status: 'waiting', awaits: 'callback' })).to.include({
      reason: 'waits_for_callback',
      message: 'Step "a" waits for a callback.',
    });
  });

  it('says when a failed attempt is tried again', () => {
    expect(explainStep({ attempt: 2, dueAt: LATER })).to.include({
      reason: 'waits_for_retry',
      message: 'Step "a" is tried again at 2026-11-22T10:01:30.000Z, for the 2nd time.',
      until: LATER,
      attempt: 2,
    });
    const nths = [3, 4, 11, 12, 13, 21, 22, 23, 111].map(
      (attempt) => /the (\w+) time/.exec(explainStep({ attempt, dueAt: LATER }).message)![1],
    );
    expect(nths).to.deep.equal(['3rd', '4th', '11th', '12th', '13th', '21st', '22nd', '23rd', '111th']);
  });

  it('says how many are queued before it, or for how long no worker has taken it', () => {
    expect(explainStep({}, { ahead: 7 })).to.include({
      reason: 'queued_behind',
      message: 'Step "a" is queued behind 7 other steps.',
      ahead: 7,
    });
    expect(explainStep({}, { ahead: MANY_AHEAD + 1 }).message).to.include(`behind more than ${MANY_AHEAD} other`);
    expect(explainStep({})).to.include({
      reason: 'not_taken',
      message: 'Step "a" is queued, and no worker has taken it for 5 min.',
      ahead: null,
    });
    expect(explainStep({ attempt: 2, dueAt: NOW }).reason, 'a retry that is due').to.equal('not_taken');
  });

  it('says what no worker here knows, before anything about the queue', () => {
    expect(explainStep({}, { unknown: 'send-fax', ahead: 7 })).to.include({
      reason: 'no_worker',
      message: 'Step "a" needs "send-fax", which no worker here is known to have.',
    });
  });

  it('says for how long it runs, and in which attempt', () => {
    expect(explainStep({ status: 'running', attempt: 3 })).to.include({
      reason: 'running',
      message: 'Step "a" has run for 5 min, in attempt 3.',
    });
  });

  it('names the steps that it waits for where branches meet', () => {
    expect(explainStep({ status: 'pending' }, { blockers: ['b', 'c'] })).to.deep.include({
      reason: 'waits_for_steps',
      message: 'Step "a" waits for "b", "c" to arrive or end.',
      waitsFor: ['b', 'c'],
    });
    expect(explainStep({ status: 'pending' }).message).to.equal('Step "a" waits for other branches to arrive or end.');
  });

  it('names whose hold it waits for', () => {
    const hold = { by: 'jane', at: NOW, reason: null };
    expect(explainStep({ status: 'pending', wasQueued: true }, {}, { status: 'held', hold })).to.include({
      reason: 'held',
      message: 'Step "a" goes on when jane’s hold is released.',
    });
  });

  it('has every reason that there is', () => {
    expect([...told.step]).to.have.members([...STEP_REASONS]);
  });
});

describe('a duration in words', () => {
  it('has its two largest units, and no more', () => {
    const words = [0, 400, 1_000, 59_999, 60_000, 3_599_000, 3_600_000, 90_061_000, -5].map(durationText);
    expect(words).to.deep.equal(['0 s', '0 s', '1 s', '1 min', '1 min', '59 min 59 s', '1 h', '1 d 1 h', '0 s']);
  });
});
