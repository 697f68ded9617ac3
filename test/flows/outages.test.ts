// Redis or Postgres away, slow, or gone silent: what is acknowledged stays, what cannot be done says so, and nobody needs a
// restart. Everything goes through proxies; the tests themselves look past them.

import { expect } from 'chai';
import { loadConfig } from '../../src/config.ts';
import { AppError } from '../../src/core/errors.ts';
import { answerRun } from '../../src/engine/answer-run.ts';
import { startWeb } from '../../src/web.ts';
import { call, createWorkspace } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { checkEffects, checkInvariants } from '../support/invariants.ts';
import { startProcess } from '../support/processes.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { getServices, startPostgres, type TestServer } from '../support/services.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

describe('outages', () => {
  let postgres: TestProxy;
  let redis: TestProxy;
  let receiver: Receiver;
  let world: World;
  let acknowledged: string[];
  let left: ReturnType<typeof leaveInSilence>;

  before(async () => {
    const { postgresAdminUrl, redisUrl } = getServices();
    left = leaveInSilence();
    left.catch(() => {});
    [postgres, redis, receiver] = await Promise.all([
      startProxy(postgresAdminUrl),
      startProxy(redisUrl),
      startReceiver(),
    ]);
  });
  beforeEach(async () => {
    acknowledged = [];
    world = await createWorld({ databaseUrl: postgres.url, redisUrl: redis.url });
  });
  afterEach(async () => {
    receiver.release();
    await Promise.all([postgres.set('pass'), redis.set('pass')]);
    await checkInvariants(world, acknowledged);
    await checkEffects(world, receiver);
    await world.close();
  });
  after(() => Promise.all([postgres.close(), redis.close(), receiver.close()]));

  const chain = () =>
    world.define({
      steps: [tool('a', 'noop'), tool('b', 'effect', { url: receiver.url }), tool('c', 'pure')],
      edges: edges('a b c'),
    });

  /** Starts runs one after the other; answers how long it took, in ms. */
  async function startMany(workflow: string, count: number): Promise<number> {
    const startedAt = performance.now();
    for (let index = 0; index < count; index++) acknowledged.push(await world.start(workflow));
    return performance.now() - startedAt;
  }

  const codeOf = (error: unknown) => (error instanceof AppError ? error.code : String(error));

  for (const mode of ['refuse', 'blackhole', { latencyMs: 300 }] as const) {
    it(`takes starts and answers while Redis is ${JSON.stringify(mode)}, and works them off after (F-16, F-17, F-19)`, async () => {
      await redis.set(mode);
      await world.work();
      const [working, asking] = [
        await chain(),
        await world.define({ steps: [ask(), tool('a', 'noop')], edges: edges('ask a') }),
      ];
      // Less than they would take if each waited for the slowest of these once.
      expect(await startMany(working, 20)).to.be.lessThan(20 * 300);
      const runId = await world.start(asking);
      await answerRun(world.engine, { actor: world.actor, runId, answer: APPROVE });
      await redis.set('pass');
      await world.untilAll('completed', 15_000);
    });
  }

  it('tells callers within 2.5 s that Postgres is away, and serves them again without a restart (F-25)', async () => {
    await world.work();
    const workflow = await chain();
    const waiting = await world.start(await world.define({ steps: [ask()] }));
    await startMany(workflow, 5);
    await postgres.set('refuse');
    const startedAt = performance.now();
    const refusals = await Promise.all([
      world.start(workflow).then(() => 'started', codeOf),
      answerRun(world.engine, { actor: world.actor, runId: waiting, answer: APPROVE }).then(() => 'answered', codeOf),
    ]);
    expect(performance.now() - startedAt).to.be.lessThan(2_500 + 2_500);
    expect(refusals).to.deep.equal(['unavailable', 'unavailable']);
    await postgres.set('pass');
    await startMany(workflow, 5);
    await answerRun(world.engine, { actor: world.actor, runId: waiting, answer: APPROVE });
    await world.untilAll('completed');
  });

  it('keeps what a handler returned while Postgres was away for longer than its lease, and offers it until it is taken (F-26)', async () => {
    receiver.hold();
    await world.work();
    acknowledged.push(
      await world.start(await world.define({ steps: [tool('a', 'effect', { url: receiver.url, deaf: true })] })),
    );
    const [runId] = acknowledged;
    await eventually(() => receiver.calls.some((call) => call.runId === runId));
    await postgres.set('refuse');
    receiver.release();
    await eventually(
      async () =>
        (await world.db.pool.query(`SELECT 1 FROM step_runs WHERE lease_until < now() - interval '500 ms'`))
          .rowCount === 1,
      { what: 'the end of the lease' },
    );
    await postgres.set('pass');
    await world.until(runId!, 'completed');
    expect(receiver.calls.filter((call) => call.runId === runId && call.what === 'effect')).to.have.length(1);
    expect(await world.history(runId!)).to.deep.equal([
      'run.created',
      'step.started a',
      'step.completed a',
      'step.completed end',
      'run.completed',
    ]);
  });

  it('starts a worker while Redis and Postgres are away, says so once each, and works when they are back (F-16)', async () => {
    const workflow = await chain();
    await Promise.all([redis.set('refuse'), postgres.set('refuse')]);
    const worker = startProcess('worker', { ...world.environment, LOG_LEVEL: 'info' });
    await worker.logged(/taking no jobs/);
    await worker.logged(/a sweep was cut short: Postgres is away/);
    await Promise.all([redis.set('pass'), postgres.set('pass')]);
    await startMany(workflow, 3);
    await world.untilAll('completed');
    const warnings = worker.lines
      .filter((line) => line.includes('"level":"warn"'))
      .map((line) => (JSON.parse(line) as { msg: string }).msg);
    expect(warnings).to.deep.equal([...new Set(warnings)]);
    expect(worker.lines.join('\n')).to.include('Redis does not answer: connect ECONNREFUSED 127.0.0.1:');
    expect(await worker.stop()).to.equal(0);
  });

  it('lets a worker leave while Redis and Postgres are silent (F-42)', async () => {
    expect(await left).to.equal(0);
  });

  for (const mode of ['blackhole', 'reset', { bytesPerSecond: 50_000 }] as const) {
    it(`finishes what it began when Postgres was ${JSON.stringify(mode)} for a while`, async () => {
      await world.work();
      const workflow = await chain();
      await startMany(workflow, 20);
      await postgres.set(mode);
      const during = world.start(workflow).then((runId) => acknowledged.push(runId), codeOf);
      expect(await during).to.be.oneOf([21, 'unavailable']);
      await postgres.set('pass');
      await world.untilAll('completed', 15_000);
    });
  }

  it('tells who reads that Postgres has gone silent, long before a statement would run out of time', async () => {
    const { environment, db } = world;
    const config = { ...loadConfig(environment), port: 0, databaseUrl: environment['DATABASE_URL']! };
    const web = await startWeb(config);
    const { keys } = await createWorkspace(db);
    const read = (key: string) => call(`${web.address}/api/workflows`, { key });
    expect((await read(keys.editor)).status).to.equal(200);
    await postgres.set('blackhole');
    const startedAt = performance.now();
    // One whose key is known, and one whose key has to be looked up.
    const answers = await Promise.all([read(keys.editor), read(keys.viewer)]);
    expect(performance.now() - startedAt).to.be.lessThan(8_000);
    for (const { status, headers, body } of answers) {
      expect([status, headers.get('retry-after')]).to.deep.equal([503, '2']);
      expect(body.error.code).to.equal('UNAVAILABLE');
    }
    await postgres.set('pass');
    await eventually(async () => (await read(keys.viewer)).status === 200);
    await web.stop();
  });

  it('hurts nobody for long when a table is locked (F-30)', async () => {
    await world.work();
    const workflow = await chain();
    const client = await world.db.pool.connect();
    await client.query('BEGIN; LOCK TABLE runs IN ACCESS EXCLUSIVE MODE');
    const outcome = await world.start(workflow).then((runId) => acknowledged.push(runId), codeOf);
    expect(outcome).to.equal('unavailable');
    await client.query('COMMIT');
    client.release();
    await startMany(workflow, 5);
    await world.untilAll('completed');
  });
});

/** A world of its own, which has come and gone while others are looked at: giving up on servers takes some seconds. */
async function leaveInSilence(): Promise<number | string | null> {
  const { postgresAdminUrl, redisUrl } = getServices();
  const proxies = await Promise.all([startProxy(postgresAdminUrl), startProxy(redisUrl)]);
  const world = await createWorld({ databaseUrl: proxies[0].url, redisUrl: proxies[1].url });
  const worker = startProcess('worker', { ...world.environment, LOG_LEVEL: 'info', DRAIN_MS: '500' });
  try {
    await worker.logged(/worker started/);
    await Promise.all(proxies.map((proxy) => proxy.set('blackhole')));
    return await worker.stop();
  } finally {
    await worker.kill();
    await Promise.all(proxies.map((proxy) => proxy.set('pass')));
    await world.close();
    await Promise.all(proxies.map((proxy) => proxy.close()));
  }
}

describe('a Postgres that is killed', () => {
  let server: TestServer;
  let world: World;
  before(async () => {
    server = await startPostgres();
    world = await createWorld({ database: server });
  });
  after(async () => {
    await world.close();
    await server.stop();
  });

  it('comes back with every acknowledged run, which all finish; no process ends (F-25)', async () => {
    await world.work();
    await world.work();
    const workflow = await world.define({
      steps: [tool('a', 'noop'), tool('b', 'pure'), tool('c', 'noop')],
      edges: edges('a b c'),
    });
    const acknowledged: string[] = [];
    const refused: unknown[] = [];
    const load = Array.from({ length: 300 }, () =>
      world.start(workflow).then(
        (runId) => acknowledged.push(runId),
        (error) => refused.push(error),
      ),
    );
    await eventually(() => acknowledged.length > 100);
    await server.kill();
    await server.restart();
    await Promise.all(load);
    for (const error of refused) expect(error instanceof AppError && error.code).to.equal('unavailable');
    await world.untilAll('completed', 15_000);
    await checkInvariants(world, acknowledged);
  });

  it('is written to again once it is no longer read-only (F-27)', async () => {
    const workflow = await world.define({ steps: [tool('a', 'noop')] });
    const setReadOnly = (value: 'on' | 'off') =>
      world.db.pool
        .query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`)
        .then(() => world.db.pool.query('SELECT pg_reload_conf()'));
    await setReadOnly('on');
    const refusal = await eventually(() =>
      world.start(workflow).then(
        () => null,
        (error) => error,
      ),
    );
    expect(refusal.code).to.equal('unavailable');
    await setReadOnly('off');
    const runId = await eventually(() => world.start(workflow).catch(() => null));
    await world.until(runId, 'completed');
    await world.untilAll('completed');
    await checkInvariants(world, [runId]);
  });
});
