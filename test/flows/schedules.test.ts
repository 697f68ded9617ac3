// Schedules over real worker processes: one that is killed between the run that it has started and its record, and one that
// is there when a time comes.

import { expect } from 'chai';
import { createSchedule } from '../../src/engine/schedules.ts';
import { findSchedule } from '../../src/store/schedules.ts';
import { eventually } from '../support/eventually.ts';
import { checkInvariants } from '../support/invariants.ts';
import { startProcess } from '../support/processes.ts';
import { tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

describe('a schedule', () => {
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  after(() => world.close());

  const podId = () => world.actor.workspaceId;
  async function make(): Promise<string> {
    const workflowId = await world.define({ name: 'Nightly', steps: [tool('a', 'noop')] });
    const request = { workflowId, name: 'test', cronExpression: '0 0 1 1 *' };
    return (await createSchedule(world.engine, { actor: world.actor, podId: podId(), request })).id;
  }
  /** Its time comes in so many milliseconds. */
  const comeDue = (id: string, inMs: number) =>
    world.db.pool.query(
      `UPDATE schedules SET next_at = now() + $2 * interval '1 ms', look_at = now() + $2 * interval '1 ms' WHERE id = $1`,
      [id, inMs],
    );
  const see = (id: string) => findSchedule(world.db, { workspaceId: podId(), podId: podId(), id });
  const listRuns = async (id: string) =>
    (
      await world.db.pool.query<{ id: string; status: string }>(
        `SELECT id, status FROM runs WHERE starts_with(origin, 'schedule:' || $1)`,
        [id],
      )
    ).rows;

  it('has one run of a time over which its worker was killed, and goes on (F-47)', async () => {
    const id = await make();
    await comeDue(id, 0);
    const victim = startProcess('worker', { ...world.environment, FP: 'schedule.after_fire:kill' });
    expect(await victim.ended()).to.equal('SIGKILL');
    expect(await listRuns(id)).to.have.length(1);
    expect((await see(id))!.last).to.equal(null);
    await world.work();
    const seen = await eventually(async () => {
      const row = await see(id);
      return row?.last ? row : null;
    });
    expect(seen.last!.outcome).to.equal('started');
    expect(seen.nextAt).to.be.greaterThan(Date.now());
    const runs = await listRuns(id);
    expect(runs.map((run) => run.id)).to.deep.equal([seen.lastRunId]);
    await world.until(runs[0]!.id, 'completed');
    await checkInvariants(world, [runs[0]!.id]);
  });

  it('fires while a worker waits for its time', async () => {
    const id = await make();
    await world.work();
    await comeDue(id, 700);
    const [run] = await eventually(async () => {
      const runs = await listRuns(id);
      return runs.length > 0 ? runs : null;
    });
    await world.until(run!.id, 'completed');
    expect(await listRuns(id)).to.have.length(1);
  });
});
