import { expect } from 'chai';
import { createKey } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { checkEffects, checkStored } from '../support/invariants.ts';
import { createFleet, startProcess } from '../support/processes.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
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
        await eventually(async () => (await completed()) >= mark, { withinMs: 20_000 });
        fleet.members[0]!.signal(signal);
      }
      await world.untilAll('completed', 25_000);
      expect(await completed()).to.equal(600);
      await checkStored(world, runs);
      await checkEffects(world, receiver);
      const { rows } = await world.db.pool.query(`SELECT max(lost) AS lost, max(attempt) AS attempt FROM step_runs`);
      expect(rows[0].lost).to.be.lessThan(5);
    } finally {
      await fleet.killAll();
    }
  }).timeout(60_000);

  it('goes on with paused runs after everything was killed and started anew', async () => {
    const workflow = await world.define({
      steps: [tool('a', 'noop'), ask(), tool('b', 'noop')],
      edges: edges('a ask b'),
    });
    const key = await createKey(world.db, { workspaceId: world.actor.workspaceId, role: 'editor' });
    const settings = { ...world.environment, LOG_LEVEL: 'info', PORT: '0' };
    const startAll = async () => {
      const [web, worker] = [startProcess('web', settings), startProcess('worker', settings)];
      const line = await web.logged(/web started/);
      await worker.logged(/worker started/);
      return { web, worker, address: (JSON.parse(line) as { address: string }).address };
    };
    const call = async (url: string, body: object) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return (await response.json()) as { runId: string };
    };
    const before = await startAll();
    const runs = await Promise.all(
      Array.from({ length: 10 }, () =>
        call(`${before.address}/api/workflow/start-async/${workflow}`, { data: {} }).then(({ runId }) => runId),
      ),
    );
    await world.untilAll('waiting');
    await Promise.all([before.web.kill(), before.worker.kill()]);
    const after = await startAll();
    await Promise.all(runs.map((runId) => call(`${after.address}/api/workflow/resume/${runId}`, APPROVE)));
    await world.untilAll('completed');
    await checkStored(world, runs);
    expect(await Promise.all([after.web.stop(), after.worker.stop()])).to.deep.equal([0, 0]);
  });
});
