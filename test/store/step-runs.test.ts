import { expect } from 'chai';
import { changeRun, systemActor } from '../../src/engine/change-run.ts';
import { cancelRun, terminateRun } from '../../src/engine/control-run.ts';
import {
  type Claim,
  countBacklog,
  findEndangeredClaims,
  listExpiredLeases,
  nextDispatch,
  renewLeases,
  takeForOffer,
} from '../../src/store/step-runs.ts';
import { createWorld, type World } from '../support/world.ts';

const HANDLED = { types: ['call-tool'], tools: ['noop'] };

describe('delivery state of step runs', () => {
  let world: World;
  let workflow: string;
  beforeEach(async () => {
    world = await createWorld();
    workflow = await world.define({ steps: [{ id: 'a', type: 'call-tool', tool: 'noop' }] });
  });
  afterEach(() => world.close());

  const startMany = (count: number) => Promise.all(Array.from({ length: count }, () => world.start(workflow)));

  async function claim(runId: string): Promise<Claim> {
    const changed = await changeRun(
      world.engine,
      runId,
      { type: 'claim', step: 'a', visit: 1, input: null },
      { actor: systemActor() },
    );
    if (changed.kind === 'refused') throw new Error(changed.message);
    return { runId, step: 'a', visit: 1, fence: changed.state.open[0]!.fence };
  }

  const age = (column: string) =>
    world.db.pool.query(`UPDATE step_runs SET ${column} = now() - interval '1 hour' WHERE ${column} IS NOT NULL`);

  it('renews only leases whose fence is still the claim’s', async () => {
    const [mine, other] = await Promise.all((await startMany(2)).map(claim));
    await age('lease_until');
    await renewLeases(world.db.pool, [mine!, { ...other!, fence: 7 }], 60_000);
    expect(await listExpiredLeases(world.db.pool, HANDLED, 10)).to.deep.equal([other]);
  });

  it('tells which claims are lost, which belong to a run that is cancelled, and says nothing of the rest', async () => {
    const [kept, cancelled, terminated, refenced] = await Promise.all((await startMany(4)).map(claim));
    const { engine, actor } = world;
    await cancelRun(engine, { actor, runId: cancelled!.runId });
    await terminateRun(engine, { actor, runId: terminated!.runId });
    await changeRun(
      engine,
      refenced!.runId,
      { type: 'expire-lease', step: 'a', visit: 1, fence: 1, released: true },
      { actor: systemActor() },
    );
    expect(await findEndangeredClaims(world.db.pool, [kept!, cancelled!, terminated!, refenced!])).to.deep.equal([
      { claim: cancelled, fate: 'cancelled' },
      { claim: terminated, fate: 'lost' },
      { claim: refenced, fate: 'lost' },
    ]);
  });

  it('shares out what is due: takers at the same time never take the same step', async () => {
    const runs = await startMany(40);
    await age('offered_at');
    const taken = await Promise.all(Array.from({ length: 4 }, () => takeForOffer(world.db.pool, HANDLED, 10, 1_000)));
    expect(
      taken
        .flat()
        .map((step) => step.runId)
        .sort(),
    )
      .to.have.members(runs)
      .and.to.have.length(40);
    expect(await takeForOffer(world.db.pool, HANDLED, 10, 1_000)).to.deep.equal([]);
  });

  it('takes steps that a lost worker had first, whenever they were offered', async () => {
    const [, lost] = await startMany(3);
    const { fence } = await claim(lost!);
    await changeRun(
      world.engine,
      lost!,
      { type: 'expire-lease', step: 'a', visit: 1, fence },
      { actor: systemActor() },
    );
    const taken = await takeForOffer(world.db.pool, HANDLED, 10, 3_600_000);
    expect(taken.map(({ runId, dispatch }) => ({ runId, dispatch }))).to.deep.equal([{ runId: lost, dispatch: 2 }]);
  });

  it('gives out a dispatch number once', async () => {
    const [runId] = await startMany(1);
    const step = { runId: runId!, workspaceId: world.actor.workspaceId, step: 'a', visit: 1, dispatch: 1 };
    expect(await Promise.all([nextDispatch(world.db.pool, step), nextDispatch(world.db.pool, step)])).to.have.members([
      2,
      null,
    ]);
  });

  it('counts what is due, and apart from it what this process has no tool for', async () => {
    await startMany(3);
    expect(await countBacklog(world.db.pool, HANDLED)).to.deep.equal({ due: 3, givenBack: 0, noHandler: 0 });
    expect(await countBacklog(world.db.pool, { types: ['call-tool'], tools: [] })).to.deep.equal({
      due: 0,
      givenBack: 0,
      noHandler: 3,
    });
  });
});
