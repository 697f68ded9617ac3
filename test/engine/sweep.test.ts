import { expect } from 'chai';
import { changeRun, systemActor } from '../../src/engine/change-run.ts';
import { createSweeper } from '../../src/engine/sweep.ts';
import { takeSweepLock } from '../../src/store/sweep-lock.ts';
import { eventually } from '../support/eventually.ts';
import { checkInvariants } from '../support/invariants.ts';
import { tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

for (const queue of ['redis', 'postgres'] as const) {
  describe(`the sweep, with its queue in ${queue}`, () => {
    // No worker: what is swept is then only what the test did.
    let world: World;
    before(async () => {
      world = await createWorld({ queue, settings: { LEASE_MS: '60000', HEARTBEAT_MS: '1000' } });
    });
    after(async () => {
      await world.work();
      await eventually(async () => (await world.jobs()).length === 0, { what: 'a queue without jobs' });
      await checkInvariants(world);
      await world.close();
    });

    async function loseLease(runId: string): Promise<void> {
      await changeRun(
        world.engine,
        runId,
        { type: 'claim', step: 'a', visit: 1, input: null },
        { actor: systemActor() },
      );
      await world.db.pool.query(
        `UPDATE step_runs SET lease_until = now() - interval '1 ms' WHERE run_id = $1 AND status = 'running'`,
        [runId],
      );
    }

    it('fails a step with worker_lost after exactly 5 lost claims, and no sooner (F-39)', async () => {
      const runId = await world.start(await world.define({ steps: [tool('a', 'noop')] }));
      const sweeper = createSweeper(world.engine);
      for (let lost = 1; lost <= 5; lost++) {
        expect((await world.see(runId)).error).to.equal(null);
        await loseLease(runId);
        await sweeper.sweep();
      }
      expect((await world.see(runId)).error).to.deep.include({ code: 'worker_lost', step: 'a' });
      const history = await world.history(runId);
      expect(history.filter((event) => event === 'step.started a')).to.have.length(5);
    });

    it('offers a step whose worker was lost again at once, however long the queue is', async () => {
      const workflow = await world.define({ steps: [tool('a', 'noop')] });
      const runs = await Promise.all(Array.from({ length: 5 }, () => world.start(workflow)));
      const [lost] = runs;
      const sweeper = createSweeper(world.engine);
      await eventually(
        async () => (await world.jobs()).filter((job) => runs.includes(job.runId)).length === 5 && sweeper.sweep(),
      );
      await loseLease(lost!);
      await sweeper.sweep();
      expect(
        (await world.jobs())
          .filter((job) => job.runId === lost)
          .map((job) => job.dispatch)
          .sort(),
      ).to.deep.equal([1, 2]);
    });

    it('does nothing while another process sweeps', async () => {
      const lock = await takeSweepLock(world.db.pool, 60_000);
      expect(await createSweeper(world.engine).sweep()).to.equal(false);
      await lock!.release();
      expect(await createSweeper(world.engine).sweep()).to.equal(true);
    });

    it('takes over from a process that fell silent while it was sweeping', async () => {
      const lock = await takeSweepLock(world.db.pool, 200);
      await eventually(() => createSweeper(world.engine).sweep());
      lock!.abandon();
    });
  });
}
