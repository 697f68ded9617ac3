// Who asks things of a random run: a sequence of numbers becomes commands, most of them sensible for the run as it stands,
// others early, stale, repeated or meant for nobody; and an adversary's opposite, who drives a run on until it ends.

import type { Command, Work } from '../../src/core/commands.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { FINISHED, type OpenStep, type StepRef } from '../../src/core/run.ts';
import { rollbackTo, snapshotsOf } from './core-history.ts';
import { type TestRun, toAnswer } from './core-run.ts';

/** One number: its low bits choose what to ask, its high bits of whom and how. */
export function chooseCommand(run: TestRun, asked: readonly Command[], number: number): Command {
  const choice = number & 31;
  const how = number >>> 5;
  const { open } = run.state;
  const one = open[how % Math.max(1, open.length)];
  if (FINISHED.has(run.state.status) && how % 2) return { type: 'retry', ...(how % 4 > 1 ? { reason: 'again' } : {}) };
  if (choice === 11 || (FINISHED.has(run.state.status) && how % 4 === 0)) {
    const snapshots = snapshotsOf(run);
    const to = snapshots[how % Math.max(1, snapshots.length)];
    if (to) return { ...rollbackTo(run, to.seq)!, ...(how % 3 ? { reason: 'take it back' } : {}) };
  }
  if (choice === 10 && how % 8 === 0) return { type: 'retry' };
  if (choice === 0) return { type: 'cancel', ...(how % 2 ? { reason: 'enough' } : {}) };
  if (choice === 1 && how % 4 === 0) return { type: 'terminate' };
  if (choice === 2) return { type: 'expire-run' };
  if (choice === 3 && asked.length > 0) return asked[how % asked.length]!;
  if (choice === 7 && how % 2 === 0) return { type: 'hold', ...(how % 4 ? { reason: 'look first' } : {}) };
  if (choice === 8 || (run.status === 'held' && choice === 9)) return { type: 'release' };
  if (choice === 4 || !one) return { type: 'answer', answer: answerFor(how) };
  if (choice === 5) return wrongCommand(one, how);
  if (choice === 6) return { type: 'wake', step: one.step, visit: one.visit };
  return nextCommand(run, one, how);
}

/** Something that brings this step run on, or makes it fail, if it is time for it. */
export function nextCommand(run: TestRun, open: OpenStep, how: number): Command {
  const ref = { step: open.step, visit: open.visit };
  const settles = run.plan.steps.get(open.step)!.type.settle !== undefined;
  switch (open.status) {
    case 'pending':
      return { type: 'wake', ...ref };
    case 'waiting':
      if (open.awaits === 'time' || (open.dueAt !== undefined && how % 3 === 0)) return { type: 'wake', ...ref };
      if (open.awaits === 'callback') return callBack(open, how);
      return {
        type: 'answer',
        step: open.step,
        ...(how % 2 ? { pauseId: open.pauseId! } : {}),
        answer: fittingAnswer(run, open, how),
      };
    case 'queued':
      if (settles) return { type: 'settle', ...ref };
      if (how % 4 > 0) return { type: 'claim', ...ref, input: { args: { epoch: open.epoch } } };
      return endOfWork(ref, { fence: null, attempt: open.attempt }, how >>> 2);
    case 'running':
      if (how % 8 < 2) return { type: 'expire-lease', ...ref, fence: open.fence, released: how % 8 === 0 };
      return endOfWork(ref, { fence: open.fence }, how >>> 3);
  }
}

/** Asks what ends it soonest, whatever it is, letting time pass; throws when the run goes on for ever. */
export function driveToEnd(run: TestRun, most: number): void {
  for (let asked = 0; !FINISHED.has(run.state.status); asked++) {
    if (asked > most) throw new Error(`The run does not end: ${run.open.join(', ')}`);
    if (run.status === 'held') {
      run.when({ type: 'release' });
      continue;
    }
    const open = run.state.open.find(({ status }) => status !== 'pending')!;
    if (open.dueAt !== undefined) run.now = Math.max(run.now, open.dueAt);
    if (open.awaits === 'person')
      run.when({ type: 'answer', pauseId: open.pauseId!, answer: fittingAnswer(run, open, 0) });
    else if (open.status === 'running') run.when(endOfWork(open, { fence: open.fence }, asked * 7 + 1));
    else run.when(nextCommand(run, open, 1));
  }
}

function endOfWork({ step, visit }: StepRef, work: Work, how: number): Command {
  const ref = { step, visit };
  if (how % 4 > 0 && how % 5 > 0) return { type: 'complete', ...ref, ...work, output: outputFor(how), ranMs: how };
  const error = {
    code: 'broken',
    message: 'It broke',
    retryable: how % 8 > 3,
    definite: how % 16 > 8,
    timedOut: how % 3 === 0,
  };
  return {
    type: 'fail-attempt',
    ...ref,
    ...work,
    random: (how % 7) / 7,
    error: how % 5 ? error : { ...error, retryAfterMs: how % 40 },
  };
}

function outputFor(how: number): JsonObject | number {
  return how % 16 === 15 ? how : { n: (how >>> 2) % 4 };
}

function callBack({ step, visit, deliveryId }: OpenStep, how: number): Command {
  const result = how % 4 === 0 ? { error: { code: 'gone', message: 'It is gone' } } : { output: outputFor(how) };
  return { type: 'settle-callback', step, visit, deliveryId: how % 7 === 2 ? 'another' : deliveryId!, result };
}

function fittingAnswer(run: TestRun, open: OpenStep, how: number) {
  const asksFields = run.plan.steps.get(open.step)!.type.type === 'collect-inputs';
  return toAnswer(asksFields ? { n: how % 4 } : how % 3 === 1 ? 'reject' : 'approve');
}

function answerFor(how: number) {
  return toAnswer(how % 3 === 0 ? { n: how % 2 ? how : 'no number' } : how % 3 === 1 ? 'approve' : 'nothing offered');
}

/** Meant for another claim, another visit, or a step that is not open or not there. */
function wrongCommand({ step, visit, fence, attempt }: OpenStep, how: number): Command {
  const ref = { step, visit };
  const wrong: Command[] = [
    { type: 'complete', ...ref, fence: fence + 1, output: {} },
    { type: 'complete', ...ref, fence: fence - 1, output: {} },
    { type: 'complete', step, visit: visit + 1, fence, output: {} },
    { type: 'expire-lease', ...ref, fence: fence - 1 },
    { type: 'claim', step: 'nowhere', visit: 1, input: null },
    { type: 'settle', ...ref },
    { type: 'claim', ...ref, input: null },
    { type: 'complete', ...ref, fence: null, attempt, output: null },
    { type: 'complete', ...ref, fence: null, attempt: attempt - 1, output: null },
    { type: 'answer', pauseId: 'nobody', answer: answerFor(how) },
  ];
  return wrong[how % wrong.length]!;
}
