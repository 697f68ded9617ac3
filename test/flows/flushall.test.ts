import { expect } from 'chai';
import { Redis } from 'ioredis';
import { answerRun } from '../../src/engine/answer-run.ts';
import { eventually } from '../support/eventually.ts';
import { checkEffects, checkInvariants } from '../support/invariants.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startRedis, type TestServer } from '../support/services.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

describe('a queue that loses everything', () => {
  let redis: TestServer;
  let client: Redis;
  let world: World;
  let receiver: Receiver;
  let started: string[];

  before(async () => {
    [redis, receiver] = await Promise.all([startRedis(), startReceiver()]);
    client = new Redis(redis.url);
    client.on('error', () => {});
  });
  beforeEach(async () => {
    started = [];
    world = await createWorld({ redisUrl: redis.url });
  });
  afterEach(async () => {
    await checkInvariants(world, started);
    await checkEffects(world, receiver);
    await world.close();
  });
  after(async () => {
    client.disconnect();
    await Promise.all([redis.stop(), receiver.close()]);
  });

  const startMany = async (workflow: string, count: number) =>
    void started.push(...(await Promise.all(Array.from({ length: count }, () => world.start(workflow)))));
  const completions = async () =>
    (await world.db.pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM events WHERE type = 'step.completed'`))
      .rows[0]!.n;

  it('loses nothing: after FLUSHALL with 1,000 runs in flight all finish, each step completed once (F-10)', async () => {
    const workflow = await world.define({
      steps: [tool('a', 'noop'), tool('b', 'pure'), tool('c', 'noop')],
      edges: edges('a b c'),
    });
    await startMany(workflow, 1_000);
    await eventually(async () => (await world.jobs()).length > 900);
    await client.flushall();
    await world.work();
    await world.work();
    for (const mark of [500, 1_500, 2_500]) {
      await eventually(async () => (await completions()) > mark, { withinMs: 20_000 });
      await client.flushall();
      await client.script('FLUSH');
    }
    await world.untilAll('completed', 20_000);
    expect(await completions()).to.equal(4_000);
  });

  it('loses nothing when it is killed without persistence, and comes back empty (F-11, F-17)', async () => {
    const workflow = await world.define({
      steps: [tool('a', 'noop'), tool('b', 'effect', { url: receiver.url }), tool('c', 'pure')],
      edges: edges('a b c'),
    });
    await world.work();
    await startMany(workflow, 100);
    await eventually(async () => (await completions()) > 20);
    await redis.kill();
    await startMany(workflow, 100);
    await redis.restart();
    await world.untilAll('completed', 20_000);
    expect(await completions()).to.equal(800);
  });

  it('is rebuilt with retries that were waiting for their time', async () => {
    const retry = { attempts: 2, delayMs: 1_000, jitter: 0 };
    const workflow = await world.define({ steps: [tool('a', 'fail', { times: 1 }, { retry })] });
    await world.work();
    await startMany(workflow, 20);
    await eventually(async () => (await world.jobs()).length === 20 && (await world.queues.steps.countLive()) === 0, {
      what: 'twenty delayed jobs',
    });
    await client.flushall();
    await world.untilAll('completed');
  });

  it('hands out a step twice without harm: jobs that are added again with the next numbers are dropped (F-21)', async () => {
    const workflow = await world.define({
      steps: [tool('a', 'effect', { url: receiver.url }), tool('b', 'pure')],
      edges: edges('a b'),
    });
    await startMany(workflow, 50);
    await eventually(async () => (await world.jobs()).length === 50);
    for (const dispatch of [2, 3, 4])
      await world.queues.steps.addAll(
        (await world.jobs()).filter((job) => job.dispatch === 1).map((job) => ({ ...job, dispatch })),
      );
    await world.work();
    await world.work();
    await world.untilAll('completed');
    expect(await completions()).to.equal(150);
    const effects = [...receiver.effects()].filter(([key]) => started.some((runId) => key.includes(runId)));
    expect(effects.map(([, count]) => count)).to.deep.equal(Array.from({ length: 50 }, () => 1));
  });

  it('holds nothing of a paused run, however long it pauses, and nothing is lost with it', async () => {
    const workflow = await world.define({
      steps: [tool('a', 'noop'), ask(), tool('b', 'noop')],
      edges: edges('a ask b'),
    });
    await world.work();
    await startMany(workflow, 50);
    await world.untilAll('waiting');
    await eventually(async () => (await world.jobs()).length === 0, { what: 'a queue without jobs' });
    await client.flushall();
    await Promise.all(started.map((runId) => answerRun(world.engine, { actor: world.actor, runId, answer: APPROVE })));
    await world.untilAll('completed');
  });

  it('goes on after a storm of cut connections (F-18)', async () => {
    const workflow = await world.define({
      steps: [tool('a', 'noop'), tool('b', 'pure'), tool('c', 'noop')],
      edges: edges('a b c'),
    });
    await world.work();
    const begun = startMany(workflow, 200);
    for (let mark = 0; mark < 800; mark += 100) {
      await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await eventually(async () => (await completions()) > mark, { withinMs: 20_000 });
    }
    await begun;
    await world.untilAll('completed');
  });
});
