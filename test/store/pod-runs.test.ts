// How much of a run one answer shows.

import { expect } from 'chai';
import { findPodRun } from '../../src/store/pod-runs.ts';
import { ask } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

describe('a run as its pod’s readers see it', () => {
  let world: World;
  let runId: string;
  before(async () => {
    world = await createWorld();
  });
  after(() => world.close());
  beforeEach(async () => {
    runId = await world.start(await world.define({ steps: [ask()] }));
  });

  /** Adds `count` steps that have completed with outputs of so many bytes, none of which the engine made. */
  async function addSteps(count: number, bytes: number): Promise<void> {
    await world.db.pool.query(
      `INSERT INTO step_runs (run_id, step_id, visit, workspace_id, seq, type, status, output, finished_at)
       SELECT r.id, 's' || n, 1, r.workspace_id, 100 + n, 'transform', 'completed', to_jsonb(repeat('x', $3)), now()
         FROM runs r, generate_series(1, $2) AS n WHERE r.id = $1`,
      [runId, count, bytes],
    );
  }
  const find = async () => {
    const { workspaceId } = world.actor;
    return (await findPodRun(world.db, { workspaceId, podId: workspaceId, runId }))!;
  };

  it('has the newest 1,000 of its steps, and says that there are more', async () => {
    await addSteps(999, 10);
    expect(await find()).to.deep.include({ nodesTruncated: false });
    await world.db.pool.query(`UPDATE step_runs SET step_id = 'more' WHERE run_id = $1 AND step_id = 's1'`, [runId]);
    await addSteps(1, 10);
    const { nodes, nodesTruncated } = await find();
    expect([nodes.length, nodesTruncated, nodes.at(-1)!.stepId]).to.deep.equal([1_000, true, 's999']);
  });

  it('has outputs of 16 MB at most, those of its newest steps', async () => {
    await addSteps(20, 1_000_000);
    const { nodes, nodesTruncated } = await find();
    expect([nodes.length, nodesTruncated, nodes[0]!.stepId, nodes.at(-1)!.stepId]).to.deep.equal([
      16,
      true,
      's5',
      's20',
    ]);
  });

  it('has one entry a step, the latest visit that was not undone', async () => {
    await addSteps(1, 10);
    await world.db.pool.query(
      `INSERT INTO step_runs (run_id, step_id, visit, workspace_id, seq, type, status, output, finished_at)
       SELECT run_id, step_id, visit + n, workspace_id, seq + n, type,
              CASE n WHEN 2 THEN 'undone' WHEN 3 THEN 'pending' ELSE 'completed' END, to_jsonb(n),
              CASE n WHEN 3 THEN NULL ELSE now() END
         FROM step_runs, generate_series(1, 3) AS n WHERE run_id = $1 AND step_id = 's1'`,
      [runId],
    );
    const shown = (await find()).nodes.filter(({ stepId }) => stepId === 's1');
    expect(shown.map(({ visit, status, output }) => ({ visit, status, output }))).to.deep.equal([
      { visit: 2, status: 'completed', output: 1 },
    ]);
  });
});
