// A worker that runs ahead of its commits (engine/run-ahead.ts, engine/change-ahead.ts): pure steps are decided on what the run will
// be, their jobs are over before that is stored, and nobody is told before. No sweep comes to anybody's help where not said.

import { expect } from 'chai';
import { answerRun } from '../../src/engine/answer-run.ts';
import { holdRun, releaseRun } from '../../src/engine/control-run.ts';
import type { WorkerProcess } from '../../src/worker.ts';
import { eventually } from '../support/eventually.ts';
import { checkInvariants } from '../support/invariants.ts';
import { createFleet } from '../support/processes.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

const IDS = ['a', 'b', 'c', 'd', 'e', 'f'];

describe('a worker that runs ahead of its commits', () => {
  let world: World;
  let proxy: TestProxy;
  let worker: WorkerProcess;
  let chain: string;

  before(async () => {
    world = await createWorld({ settings: { SWEEP_MS: '60000', LEASE_MS: '60000' } });
    proxy = await startProxy(world.environment['DATABASE_URL']!);
    chain = await world.define({ steps: IDS.map((id) => tool(id, 'pure')), edges: edges(IDS.join(' ')) });
    worker = await world.work({ DATABASE_URL: proxy.url });
    await world.until(await world.start(chain), 'completed');
  });
  afterEach(async () => {
    await proxy.set('pass');
    await world.untilAll('completed');
    await checkInvariants(world);
  });
  after(async () => {
    await world.close();
    await proxy.close();
  });

  const completed = async (runId: string) =>
    (await world.history(runId)).filter((event) => event.startsWith('step.completed'));
  /** How many transactions wrote the run's history. */
  const countCommits = async (runId: string) => {
    const { rows } = await world.db.pool.query<{ commits: number }>(
      'SELECT count(DISTINCT xmin::text)::int AS commits FROM events WHERE run_id = $1',
      [runId],
    );
    return rows[0]!.commits;
  };
  /** Resolves when the worker has decided steps whose commits have not returned. */
  const ahead = () => eventually(() => worker.engine.ahead.uncommitted > 0, { what: 'a step that is decided' });

  it('commits several pure steps at once, each in the history once and in order', async () => {
    // How many depends on how quick the machine is: what counts is that some go together, and that all are there.
    const fewest = await eventually(async () => {
      const runId = await world.start(chain);
      await world.until(runId, 'completed');
      expect(await completed(runId)).to.deep.equal([...IDS, 'end'].map((id) => `step.completed ${id}`));
      const commits = await countCommits(runId);
      return commits < IDS.length ? commits : null;
    });
    expect(fewest).to.be.at.least(2);
  });

  it('has no job left of steps that are decided, and shows nobody what is not stored', async () => {
    await proxy.set({ latencyMs: 1_000 });
    const runId = await world.start(chain);
    await ahead();
    await eventually(async () => (await world.jobs()).length === 0, { what: 'no job' });
    expect(await completed(runId)).to.deep.equal([]);
    expect((await world.see(runId)).status).to.equal('queued');
    await proxy.set('pass');
    await world.until(runId, 'completed');
  });

  it('gives steps and conditions the outputs of steps that are not stored yet', async () => {
    const workflow = await world.define({
      steps: [
        tool('one', 'echo', { n: 1 }),
        tool('two', 'echo', { n: '${steps.one.output.n + 1}', seen: '${data.n}' }),
        tool('three', 'echo', { n: '${steps.two.output.n + steps.one.output.n}' }),
        tool('never', 'echo', {}),
        { id: 'end', type: 'end-flow', result: '${steps.three.output.n}' },
      ],
      edges: [
        ...edges('one two'),
        { from: 'two', to: 'three', condition: 'steps.two.output.n == 2 && steps.two.output.seen == 1' },
        { from: 'two', to: 'never', default: true },
        ...edges('three end', 'never end'),
      ],
    });
    for (const latencyMs of [0, 60]) {
      await proxy.set({ latencyMs });
      const runId = await world.start(workflow);
      await world.until(runId, 'completed');
      const { rows } = await world.db.pool.query('SELECT result FROM runs WHERE id = $1', [runId]);
      expect(rows).to.deep.equal([{ result: 3 }]);
    }
  });

  it('decides again what stands on a run that an operator has held meanwhile', async () => {
    await proxy.set({ latencyMs: 1_000 });
    const runId = await world.start(chain);
    await ahead();
    await holdRun(world.engine, { actor: world.actor, runId, reason: 'look' });
    await eventually(() => worker.engine.ahead.uncommitted === 0, { what: 'nothing uncommitted' });
    const held = await world.see(runId);
    expect(held.status).to.equal('held');
    expect((await completed(runId)).length, 'steps in flight are recorded, none goes on').to.be.at.most(1);
    await proxy.set('pass');
    await releaseRun(world.engine, { actor: world.actor, runId });
    await world.until(runId, 'completed');
    expect(await completed(runId)).to.deep.equal([...IDS, 'end'].map((id) => `step.completed ${id}`));
  });

  it('runs again what it made of a state that never came to be', async () => {
    // One branch goes on from `a`, which is slow to be stored, while a person answers on the other: what `b` sees is what is stored.
    const workflow = await world.define({
      initialStep: 'both',
      steps: [
        { id: 'both', type: 'transform', output: {} },
        { id: 'form', type: 'collect-inputs', output: { name: { type: 'string' } } },
        tool('a', 'echo', { a: 1 }),
        tool('b', 'echo', { greeting: 'Hello ${data.name}' }),
      ],
      edges: edges('both form', 'both a b'),
    });
    await proxy.set({ latencyMs: 1_000 });
    const runId = await world.start(workflow);
    await ahead();
    await answerRun(world.engine, {
      actor: world.actor,
      runId,
      answer: { type: 'collect_inputs', data: { name: 'Ada' } },
    });
    await eventually(() => worker.engine.ahead.uncommitted === 0, { what: 'nothing uncommitted' });
    await world.until(runId, 'completed');
    const { rows } = await world.db.pool.query<{ seen: string }>(
      `SELECT output ->> 'greeting' AS seen FROM step_runs WHERE run_id = $1 AND step_id = 'b'`,
      [runId],
    );
    const history = await world.history(runId);
    const order = (event: string) => history.indexOf(`step.completed ${event}`);
    // Answered before `b` was opened, it was known to it; after `b` was over, it was not; in between it may have been.
    if (order('form') < order('a')) expect(rows).to.deep.equal([{ seen: 'Hello Ada' }]);
    if (order('form') > order('b')) expect(rows).to.deep.equal([{ seen: 'Hello ' }]);
  });

  it('lets no branch wait for another that goes on and on', async () => {
    const ids = Array.from({ length: 120 }, (_, n) => `s${n}`);
    const workflow = await world.define({
      initialStep: 'both',
      steps: [
        { id: 'both', type: 'transform', output: {} },
        ...ids.map((id) => tool(id, 'pure')),
        tool('other', 'noop'),
      ],
      edges: edges(`both ${ids.join(' ')}`, 'both other'),
    });
    const runId = await world.start(workflow);
    await world.until(runId, 'completed');
    const history = await world.history(runId);
    expect(history.indexOf('step.completed other')).to.be.lessThan(history.indexOf(`step.completed ${ids.at(-1)}`));
  });

  it('commits what it has decided when a reply is lost, and no more often', async () => {
    proxy.cutReplies(/\0commit(-[a-z0-9-]+)?\0/, 2);
    const runId = await world.start(chain);
    await world.until(runId, 'completed');
    expect(await completed(runId)).to.deep.equal([...IDS, 'end'].map((id) => `step.completed ${id}`));
  });

  it('does not begin a step with an effect before what leads to it is stored', async () => {
    const workflow = await world.define({
      steps: [tool('a', 'pure'), tool('b', 'pure'), tool('c', 'noop')],
      edges: edges('a b c'),
    });
    const runId = await world.start(workflow);
    await world.until(runId, 'completed');
    const { rows } = await world.db.pool.query<{ event: string; xmin: string }>(
      `SELECT concat_ws(' ', type, step_id) AS event, xmin::text FROM events WHERE run_id = $1 ORDER BY seq`,
      [runId],
    );
    const commitOf = (event: string) => rows.find((row) => row.event === event)!.xmin;
    expect(commitOf('step.started c')).not.to.equal(commitOf('step.completed b'));
    expect(commitOf('step.completed c')).not.to.equal(commitOf('step.started c'));
  });

  it('goes by its commits while early jobs of other workers come to it', async () => {
    const other = await world.work();
    await eventually(async () => {
      await world.until(await world.start(chain), 'completed');
      return !worker.engine.ahead.isAllowed || !other.engine.ahead.isAllowed;
    });
    await other.stop();
  });
});

describe('a worker process that is killed with steps decided and not stored', () => {
  it('has lost their jobs and nothing else: the sweep makes them again', async () => {
    const world = await createWorld();
    const proxy = await startProxy(world.environment['DATABASE_URL']!);
    const doomed = createFleet({ ...world.environment, DATABASE_URL: proxy.url });
    const rescue = createFleet(world.environment);
    try {
      const chain = await world.define({ steps: IDS.map((id) => tool(id, 'pure')), edges: edges(IDS.join(' ')) });
      await doomed.add(1);
      await world.until(await world.start(chain), 'completed');
      await proxy.set({ latencyMs: 2_000 });
      const runs = await Promise.all(Array.from({ length: 20 }, () => world.start(chain)));
      await eventually(async () => (await world.jobs()).length < runs.length, { what: 'jobs that are over' });
      await doomed.killAll();
      await rescue.add(1);
      await world.untilAll('completed');
      await checkInvariants(world);
    } finally {
      await Promise.all([doomed.killAll(), rescue.killAll()]);
      await world.close();
      await proxy.close();
    }
  });
});
