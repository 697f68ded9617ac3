// Jobs that are offered while the commit that queues their step is still on its way (engine/fresh-jobs.ts).

import { expect } from 'chai';
import { v7 as newId } from 'uuid';
import { eventually } from '../support/eventually.ts';
import { checkInvariants } from '../support/invariants.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

describe('a job that comes before its commit', () => {
  const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
  let world: World;
  let proxy: TestProxy;
  let workflow: string;

  before(async () => {
    // No sweep comes to anybody's help.
    world = await createWorld({ settings: { SWEEP_MS: '60000' } });
    proxy = await startProxy(world.environment['DATABASE_URL']!);
    workflow = await world.define({ steps: ids.map((id) => tool(id, 'pure')), edges: edges(ids.join(' ')) });
    await world.work();
    await world.work({ DATABASE_URL: proxy.url });
  });
  afterEach(() => checkInvariants(world));
  after(async () => {
    await world.close();
    await proxy.close();
  });

  it('waits for it in a worker that is quicker than the one that commits', async () => {
    await proxy.set({ latencyMs: 8 });
    for (let run = 0; run < 10; run++) {
      const runId = await world.start(workflow);
      await world.until(runId, 'completed');
      const completed = (await world.history(runId)).filter((event) => event.startsWith('step.completed'));
      expect(completed).to.deep.equal([...ids, 'end'].map((id) => `step.completed ${id}`));
    }
  });

  it('outlives a commit that takes longer than anybody looks for it', async () => {
    await proxy.set({ latencyMs: 150 });
    const runId = await world.start(workflow);
    await world.until(runId, 'completed');
  });

  it('points nowhere without its commit, and is dropped', async () => {
    await proxy.set('pass');
    const { workspaceId } = world.actor;
    world.queues.steps.offer([{ runId: newId(), workspaceId, step: 'a', visit: 1, dispatch: 1, early: 'step' }]);
    await eventually(async () => (await world.jobs()).length === 1, { what: 'the job' });
    await eventually(async () => (await world.jobs()).length === 0, { what: 'no job' });
  });
});
