// Events in the words of the outside: what a story is told as, how bad each event is, and why it happened.

import { expect } from 'chai';
import { EVENT_NAMES, type NamedEvent, namesOf, reasonOf, severityOf, viewEvent } from '../../src/core/event-names.ts';
import type { EventType } from '../../src/core/events.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { ask, collect, flow, wait } from '../support/core-flows.ts';
import { given, type TestRun } from '../support/core-run.ts';

/** How each event of the run is told: all its names, how bad it is unless it is only information, and its reason. */
function tell(run: TestRun): string[] {
  return run.ledger.events.map((event) => {
    const [severity, reason] = [severityOf(event), reasonOf(event)];
    const told = [namesOf(event).join('+'), severity === 'info' ? [] : severity, reason ?? []];
    return told.flat().join(' ');
  });
}

function event(type: EventType, detail?: JsonObject): NamedEvent {
  return { type, data: detail === undefined ? {} : { detail } };
}

describe('the names of events', () => {
  it('tell a run that is approved', () => {
    const run = given(flow('a > review > end', { review: ask() }))
      .work('a')
      .answer('review', 'approve');
    expect(tell(run)).to.deep.equal([
      'run_created',
      'step_started+run_started',
      'step_completed',
      'approval_requested+step_waiting',
      'approval_decided+step_completed',
      'step_completed',
      'run_completed',
    ]);
  });

  it('tell a run that is rejected and retried, which is no fault of the machine', () => {
    const run = given(flow('review > end', { review: ask() })).answer('review', 'reject');
    run.when({ type: 'retry', reason: 'she changed her mind' });
    expect(tell(run)).to.deep.equal([
      'run_created',
      'approval_requested+step_waiting+run_started',
      'approval_decided+step_failed warning approval_rejected',
      'run_failed warning approval_rejected',
      'run_retried she changed her mind',
      'approval_requested+step_waiting',
    ]);
  });

  it('tell attempts that fail, a worker that is lost, and a failure', () => {
    const run = given(flow('a > end'))
      .fail('a', { retryable: true, code: 'timeout' })
      .pass(60_000)
      .claim('a')
      .lose('a')
      .claim('a')
      .lose('a', true)
      .fail('a', { code: 'broken' });
    expect(tell(run)).to.deep.equal([
      'run_created',
      'step_started+run_started',
      'attempt_failed warning timeout',
      'step_retried+step_started',
      'lease_expired warning',
      'step_retried+step_started',
      'lease_expired',
      'step_retried+step_started',
      'attempt_failed warning broken',
      'step_failed error broken',
      'run_failed error broken',
    ]);
  });

  it('tell a hold before anything was done, a release, waits for input and time, and a cancellation with clean-up', () => {
    const steps = { form: collect({ name: { type: 'string' } }), nap: wait(10) };
    const run = given(flow('a > form > nap > end; clean', steps, { onCancel: 'clean' }));
    run.when({ type: 'hold', reason: 'audit' }).when({ type: 'release' });
    run.work('a').answer('form', { name: 'Ann' }).when({ type: 'cancel', reason: 'too late' }).work('clean');
    expect(tell(run)).to.deep.equal([
      'run_created',
      'run_paused audit',
      'run_resumed',
      'step_started+run_started',
      'step_completed',
      'input_requested+step_waiting',
      'step_completed',
      'step_waiting',
      'run_cancel_requested too late',
      'run_cleanup_started',
      'step_started',
      'step_completed',
      'run_cancelled warning too late',
    ]);
  });

  it('tell a termination as a cancellation too, for whoever waits for either', () => {
    const run = given(flow('a > end')).when({ type: 'terminate', reason: 'now' });
    expect(tell(run)).to.deep.equal(['run_created', 'run_terminated+run_cancelled warning now']);
  });

  it('tell a callback, a rollback and a cancellation that ran out of time', () => {
    expect(namesOf(event('step.paused', { deliveryId: 'd' }))).to.deep.equal(['callback_sent', 'step_waiting']);
    expect(namesOf(event('run.rolled_back', { reason: 'wrong price' }))).to.deep.equal(['run_rolled_back']);
    expect(reasonOf(event('run.rolled_back', { reason: 'wrong price' }))).to.equal('wrong price');
    expect(namesOf(event('run.cancel_expired'))).to.deep.equal(['run_cancel_expired']);
    expect(severityOf(event('run.cancel_expired'))).to.equal('warning');
  });

  it('are in the list that subscriptions choose from, each once', () => {
    expect(new Set(EVENT_NAMES).size).to.equal(EVENT_NAMES.length);
    for (const type of ['run.created', 'step.paused', 'run.cancelled'] as const)
      expect(EVENT_NAMES).to.include.members([...namesOf(event(type))]);
  });

  it('are part of what people read of an event, which leaves out the marking', () => {
    const run = given(flow('a > end')).fail('a', { code: 'broken' });
    const views = run.ledger.events.map((one) => viewEvent('run', one));
    expect(views.map(({ sequence }) => sequence)).to.deep.equal([1, 2, 3, 4, 5]);
    expect(views[1]).to.deep.equal({
      id: 'run.2',
      sequence: 2,
      name: 'step_started',
      also: ['run_started'],
      severity: 'info',
      actor: 'system',
      reason: null,
      data: { step: 'a', visit: 1, attempt: 1 },
    });
    expect(views[4]).to.deep.include({
      name: 'run_failed',
      severity: 'error',
      reason: 'broken',
      data: { code: 'broken', message: 'It broke', step: 'a' },
    });
  });

  it('say that a run has started once, with the first event of a step at work', () => {
    const run = given(flow('a > b > end')).work('a').fail('b').when({ type: 'retry' }).work('b');
    expect(run.ledger.events.filter((one) => namesOf(one).includes('run_started')).length).to.equal(1);
  });
});
