// A step that sends something outside and waits for what comes of it: it is no person's business, so the run goes on running.

import { expect } from 'chai';
import type { Command } from '../../src/core/commands.ts';
import { ask, flow, send, set } from '../support/core-flows.ts';
import { given, START, type TestRun } from '../support/core-run.ts';

const gone = { code: 'gone', message: 'It is gone' };

function callBack(
  run: TestRun,
  result: Extract<Command, { type: 'settle-callback' }>['result'] = { output: 1 },
): Command {
  return { type: 'settle-callback', ...run.ref('call'), deliveryId: run.find('call').deliveryId!, result };
}

describe('a callback', () => {
  it('is sent with the decision that asks for it, and awaited under the same id', () => {
    const run = given(flow('a > call > end', { call: send() })).work('a');
    const { deliveryId } = run.find('call');
    expect(run.decision.deliveries).to.deep.equal([
      { id: deliveryId, step: 'call', visit: 1, epoch: 0, spec: { url: 'https://example.com/', payload: {} } },
    ]);
    expect(run.find('call')).to.include({ status: 'waiting', awaits: 'callback' });
    expect(run.ledger.events.at(-1)).to.deep.include({ type: 'step.paused', step: 'call' });
    expect(run.status, 'nobody is paused by it').to.equal('running');
  });

  it('leaves the run waiting for the person that it waits for beside it', () => {
    const run = given(flow('a > call, review > end', { call: send(), review: ask() })).work('a');
    expect(run.status).to.equal('waiting');
    expect(run.answer('review', 'approve').status).to.equal('running');
  });

  it('its answer is the output of the step, and is not merged into data', () => {
    const run = given(flow('call > seen > end', { call: send(), seen: set({ seen: '${steps.call.output.n}' }) }));
    run.when(callBack(run, { output: { n: 7 } }));
    expect(run.row('call').output).to.deep.equal({ n: 7 });
    expect(run.state.data).to.deep.equal({ seen: 7 });
    expect(run.status).to.equal('completed');
  });

  it('a failure takes its error edge, or fails the run', () => {
    const mended = given(flow('call > end; call -error> mend > end', { call: send() }));
    expect(mended.when(callBack(mended, { error: gone })).open).to.deep.equal(['mend queued']);
    const failed = given(flow('call > end', { call: send() }));
    failed.when(callBack(failed, { error: gone }));
    expect(failed.state.error).to.deep.equal({ ...gone, step: 'call' });
  });

  it('that does not come in time takes its timeout edge', () => {
    const run = given(flow('call > end; call -timeout> late > end', { call: send({ dueInMs: 1_000 }) }));
    expect(run.find('call').dueAt).to.equal(START + 1_000);
    expect(run.wake('call').open).to.deep.equal(['late queued']);
    expect(run.row('call').error).to.include({ code: 'timeout' });
  });

  it('is answered once, and only for the delivery that is awaited', () => {
    const run = given(flow('call > a > end', { call: send() }));
    const command = callBack(run);
    run.when(command);
    expect(run.ask(command)).to.include({ kind: 'refused', code: 'step_not_open' });
  });

  it('is recorded under a hold, and moves nothing until the release', () => {
    const run = given(flow('call > a > end', { call: send() })).when({ type: 'hold' });
    expect(run.when(callBack(run)).open).to.deep.equal(['a pending']);
    expect(run.when({ type: 'release' }).open).to.deep.equal(['a queued']);
  });

  it('is not awaited by a run that was cancelled', () => {
    for (const type of ['cancel', 'terminate'] as const) {
      const run = given(flow('call > end', { call: send() }));
      const command = callBack(run);
      expect(run.when({ type }).status).to.equal('cancelled');
      expect(run.ask(command)).to.include({ kind: 'refused', code: 'run_finished' });
    }
  });

  it('a retry sends it anew, under another id and the same epoch, and the late answer to the first does not count', () => {
    const run = given(flow('call > end', { call: send() }));
    const first = callBack(run);
    run.when(callBack(run, { error: gone })).when({ type: 'retry' });
    const [delivery] = run.decision.deliveries;
    expect(delivery).to.deep.include({ step: 'call', visit: 1, epoch: 0 });
    expect(run.ask(first)).to.include({ kind: 'refused', code: 'step_not_open' });
    expect(run.when(callBack(run)).status).to.equal('completed');
  });
});
