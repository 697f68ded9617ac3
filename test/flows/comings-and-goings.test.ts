import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { checkEffects, checkStored } from '../support/invariants.ts';
import { createFleet } from '../support/processes.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

describe('a Holdpoint whose processes come and go', () => {
  let world: World;
  let receiver: Receiver;
  beforeEach(async () => {
    [world, receiver] = await Promise.all([createWorld(), startReceiver()]);
  });
  afterEach(() => Promise.all([world.close(), receiver.close()]));

  it('brings 100 runs to their end while workers are killed, asked to leave, and replaced', async () => {
    const steps = ['a', 'b', 'c', 'd', 'j'].map((id) =>
      tool(id, id === 'c' ? 'pure' : 'effect', id === 'c' ? {} : { url: receiver.url }),
    );
    const workflow = await world.define({ steps, edges: edges('a b j', 'a c d j') });
    const fleet = createFleet(world.environment);
    try {
      await fleet.add(2);
      fleet.supervise();
      const runs = await Promise.all(Array.from({ length: 100 }, () => world.start(workflow)));
      const completed = async () =>
        (
          await world.db.pool.query<{ n: number }>(
            `SELECT count(*)::int AS n FROM events WHERE type = 'step.completed'`,
          )
        ).rows[0]!.n;
      for (const [mark, signal] of [
        [50, 'SIGKILL'],
        [200, 'SIGTERM'],
        [350, 'SIGKILL'],
      ] as const) {
        await eventually(async () => (await completed()) >= mark);
        fleet.members[0]!.signal(signal);
      }
      await world.untilAll('completed');
      expect(await completed()).to.equal(600);
      await checkStored(world, runs);
      await checkEffects(world, receiver);
      const { rows } = await world.db.pool.query(`SELECT max(lost) AS lost, max(attempt) AS attempt FROM step_runs`);
      expect(rows[0].lost).to.be.lessThan(5);
    } finally {
      await fleet.killAll();
    }
  });
});
