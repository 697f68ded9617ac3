// Explanations of real runs: what is read of them, and what a process knows of plans, types and tools.

import { expect } from 'chai';
import { AppError } from '../../src/core/errors.ts';
import { answerRun } from '../../src/engine/answer-run.ts';
import { holdRun, releaseRun, terminateRun } from '../../src/engine/control-run.ts';
import { createDefinition } from '../../src/engine/create-definition.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { explainRun } from '../../src/engine/explain-run.ts';
import { startRun } from '../../src/engine/start-run.ts';
import { openReaders } from '../../src/store/readers.ts';
import { createWorkspace } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
import { createWorld, openEngine, type World } from '../support/world.ts';

describe('explaining a run', () => {
  let world: World;
  let receiver: Receiver;
  let started: string[];
  before(async () => {
    [world, receiver] = await Promise.all([createWorld(), startReceiver()]);
  });
  beforeEach(() => {
    started = [];
  });
  // What one test leaves in the queue, the next would be behind.
  afterEach(() =>
    Promise.all(started.map((runId) => terminateRun(world.engine, { actor: world.actor, runId }).catch(() => {}))),
  );
  after(() => Promise.all([world.close(), receiver.close()]));

  const start = async (workflow: string): Promise<string> => {
    const runId = await world.start(workflow);
    started.push(runId);
    return runId;
  };
  const explain = (runId: string, engine: Engine = world.engine) =>
    explainRun(engine, world.db, { workspaceId: world.actor.workspaceId, runId });
  const reasonsOf = async (runId: string, engine?: Engine) =>
    (await explain(runId, engine)).steps.map(({ step, reason }) => `${step} ${reason}`);

  it('counts what is queued before it, and tells for how long no worker has taken it', async () => {
    const workflow = await world.define({ steps: [tool('a', 'noop')] });
    const runs: string[] = [];
    for (let count = 0; count < 3; count += 1) runs.push(await start(workflow));
    expect(await reasonsOf(runs[0]!)).to.deep.equal(['a not_taken']);
    expect((await explain(runs[2]!)).steps[0]).to.include({ reason: 'queued_behind', ahead: 2 });
  });

  it('sees one workspace through its reader, and yet counts the queue that it shares with others', async () => {
    const other = { ...world.actor, workspaceId: (await createWorkspace(world.db)).id };
    const end = { id: 'end', type: 'end-flow' };
    const definition = { name: 'Other', initialStep: 'a', steps: [tool('a', 'noop'), end], edges: edges('a end') };
    const { id } = await createDefinition(world.engine, { actor: other, definition });
    const theirs = await startRun(world.engine, { actor: other, workflow: id, input: {}, trigger: 'api' });
    const runId = await start(await world.define({ steps: [tool('a', 'noop')] }));
    const readers = openReaders({ db: world.db, max: 1, name: 'test', onError: () => {}, onGap: () => {} });
    const reader = readers.of(world.actor.workspaceId);
    const { steps } = await explainRun(world.engine, reader, { workspaceId: world.actor.workspaceId, runId });
    expect(steps[0]).to.include({ reason: 'queued_behind', ahead: 1 });
    const foreign = { workspaceId: other.workspaceId, runId: theirs.runId };
    const error = await explainRun(world.engine, reader, foreign).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'run_not_found' });
    await readers.close();
    await terminateRun(world.engine, { actor: other, runId: theirs.runId });
  });

  it('says which tool is missing here, and says the rest all the same where a type is', async () => {
    const workflow = await world.define({ steps: [tool('a', 'noop')] });
    const runId = await start(workflow);
    const other = await openEngine({ ...world.environment, HOLDPOINT_TOOLS: '' });
    const [step] = (await explain(runId, other.engine)).steps;
    expect(step).to.include({ reason: 'no_worker' });
    expect(step!.message).to.include('"noop"');
    await other.close();
  });

  it('knows no run of another workspace, or of another owner where one is named', async () => {
    const runId = await start(await world.define({ steps: [ask()] }));
    const { workspaceId } = world.actor;
    for (const request of [
      { workspaceId: '0193b6f1-0000-7000-8000-000000000000', runId },
      { workspaceId, runId, owner: 'somebody' },
      { workspaceId, runId: 'no-id' },
    ]) {
      const error = await explainRun(world.engine, world.db, request).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(AppError).and.include({ code: 'run_not_found' });
    }
    expect((await explainRun(world.engine, world.db, { workspaceId, runId, owner: 'tester' })).runId).to.equal(runId);
  });

  it('tells whose hold it is, why, and what goes on when it is released', async () => {
    const workflow = await world.define({ steps: [tool('a', 'noop'), ask()], edges: edges('a ask') });
    const runId = await start(workflow);
    const request = { actor: world.actor, runId };
    await holdRun(world.engine, { ...request, reason: 'audit' });
    const held = await explain(runId);
    expect(held).to.include({ status: 'held', reason: 'held' });
    expect(held.message).to.match(/^The run is held by tester since .+ \(audit\); nothing begins/);
    expect(held.steps.map(({ step, reason }) => `${step} ${reason}`)).to.deep.equal(['a held']);
    await releaseRun(world.engine, request);
    expect(await reasonsOf(runId)).to.deep.equal(['a not_taken']);
    await world.work();
    await world.until(runId, 'waiting');
    expect(await reasonsOf(runId)).to.deep.equal(['ask waits_for_person']);
    await answerRun(world.engine, { ...request, answer: APPROVE });
    expect(await explain(runId)).to.deep.include({ reason: 'finished', steps: [] });
  });

  it('tells of running steps, of the steps that a join waits for, and of a retry', async () => {
    const retry = { attempts: 2, delayMs: 60_000, jitter: 0 };
    const workflow = await world.define({
      steps: [
        tool('fork', 'noop'),
        tool('slow', 'effect', { url: receiver.url }),
        tool('flaky', 'fail', { times: 1 }, { retry }),
        tool('quick', 'noop'),
        tool('join', 'noop'),
      ],
      edges: edges('fork slow join', 'fork flaky join', 'fork quick join'),
    });
    receiver.hold();
    const runId = await start(workflow);
    await eventually(
      async () =>
        (await reasonsOf(runId)).sort().join() === 'flaky waits_for_retry,join waits_for_steps,slow running' || null,
      { what: async () => `the three reasons, not ${await reasonsOf(runId)},` },
    );
    const { steps } = await explain(runId);
    expect(steps.find(({ step }) => step === 'join')!.waitsFor).to.have.members(['slow', 'flaky']);
    expect(steps.find(({ step }) => step === 'flaky')).to.include({ attempt: 2 });
    expect(steps.find(({ step }) => step === 'flaky')!.until).to.be.greaterThan(Date.now());
    receiver.release();
  });
});
