// Deadlines of runs and steps, as the sweep and the timers of real processes find them.

import { expect } from 'chai';
import { holdRun, releaseRun } from '../../src/engine/control-run.ts';
import { fireDue } from '../../src/engine/fire-due.ts';
import { eventually } from '../support/eventually.ts';
import { checkInvariants } from '../support/invariants.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { ask, edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

describe('deadlines', () => {
  let world: World;
  let receiver: Receiver;
  before(async () => {
    [world, receiver] = await Promise.all([createWorld(), startReceiver()]);
    await world.work();
  });
  afterEach(() => checkInvariants(world));
  after(() => Promise.all([world.close(), receiver.close()]));

  it('fail a run that waits for a person, though no process remembers it', async () => {
    const workflow = await world.define({ steps: [ask()], deadlineMs: 200 });
    const runId = await world.start(workflow);
    const { error } = await world.until(runId, 'failed');
    expect(error).to.deep.equal({ code: 'deadline_exceeded', message: 'The run was not done within 200 ms' });
  });

  it('fail a run that is held', async () => {
    const workflow = await world.define({ steps: [ask()], deadlineMs: 300 });
    const runId = await world.start(workflow);
    await holdRun(world.engine, { actor: world.actor, runId });
    expect((await world.until(runId, 'failed')).error?.code).to.equal('deadline_exceeded');
  });

  it('take a step away from its worker, whose handler is aborted, and lead along its timeout edge', async () => {
    const hang = tool('hang', 'hang', { url: receiver.url }, { deadlineMs: 300, retry: { attempts: 1 } });
    const workflow = await world.define({
      steps: [hang, tool('late', 'noop'), { id: 'end', type: 'end-flow' }],
      edges: [...edges('hang end', 'late end'), { from: 'hang', to: 'late', on: 'timeout' }],
    });
    const runId = await world.start(workflow);
    await world.until(runId, 'completed');
    await eventually(() => receiver.calls.some((call) => call.runId === runId && call.what === 'aborted'));
    const history = await world.history(runId);
    expect(history.slice(1, 5)).to.deep.equal([
      'step.started hang',
      'attempt.failed hang',
      'step.failed hang',
      'step.started late',
    ]);
  });

  it('bound the wait for a worker, but not under a hold', async () => {
    const workflow = await world.define({
      steps: [tool('a', 'noop', {}, { queueTimeoutMs: 1_000_000 }), ask()],
      edges: edges('a ask'),
    });
    const runId = await world.start(workflow);
    await world.until(runId, 'waiting');
    await holdRun(world.engine, { actor: world.actor, runId });
    const due = () => world.db.pool.query('SELECT FROM runs WHERE id = $1 AND due_at IS NOT NULL', [runId]);
    expect((await due()).rowCount).to.equal(0);
    await releaseRun(world.engine, { actor: world.actor, runId });
    expect((await world.see(runId)).status).to.equal('waiting');
  });
});

describe('the wait for a worker', () => {
  it('fails the step when none comes in time', async () => {
    const world = await createWorld();
    const workflow = await world.define({ steps: [tool('a', 'noop', {}, { queueTimeoutMs: 50 })] });
    const runId = await world.start(workflow);
    await eventually(async () => {
      await fireDue(world.engine);
      return (await world.see(runId)).status === 'failed';
    });
    expect((await world.see(runId)).error).to.include({ code: 'queue_timeout', step: 'a' });
    await world.work();
    await eventually(async () => (await world.jobs()).length === 0, { what: 'a queue without jobs' });
    await checkInvariants(world);
    await world.close();
  });
});
