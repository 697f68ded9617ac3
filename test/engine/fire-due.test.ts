// What is due by the clock, in a process that takes no jobs and does not sweep.

import { fireOnTime } from '../../src/engine/fire-due.ts';
import { checkInvariants } from '../support/invariants.ts';
import { edges } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

describe('a process that does not sweep', () => {
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  afterEach(() => checkInvariants(world));
  after(() => world.close());

  it('fires what it has opened itself on time, so that a short wait is not a sweep long', async () => {
    const firing = fireOnTime(world.engine, 60_000);
    const workflow = await world.define({
      steps: [
        { id: 'first', type: 'wait', durationMs: 30 },
        { id: 'second', type: 'wait', durationMs: 10 },
      ],
      edges: edges('first second'),
    });
    const runs = await Promise.all([world.start(workflow), world.start(workflow), world.start(workflow)]);
    for (const runId of runs) await world.until(runId, 'completed');
    await firing.stop();
  });
});
