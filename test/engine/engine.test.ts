// The engine's behaviours, on both kinds of queue and both ways of waking: an engine that starts and answers, and two
// others that work, all over one database.

import { expect } from 'chai';
import { Redis } from 'ioredis';
import { answerRun } from '../../src/engine/answer-run.ts';
import { startRun } from '../../src/engine/start-run.ts';
import { eventually } from '../support/eventually.ts';
import { checkInvariants } from '../support/invariants.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startRedis, type TestServer } from '../support/services.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
import { createWorld, openEngine, type World } from '../support/world.ts';

const DATA_X = '${data.x}';

for (const queue of ['redis', 'postgres'] as const) {
  describe(`the engine, with its queue in ${queue}`, () => {
    let redis: TestServer | null;
    let world: World;
    let receiver: Receiver;
    before(async () => {
      // Its own, since it is told to cut every connection that listens for hints.
      redis = queue === 'redis' ? await startRedis() : null;
      [world, receiver] = await Promise.all([
        createWorld({ queue, ...(redis === null ? {} : { redisUrl: redis.url }) }),
        startReceiver(),
      ]);
      await world.work();
      await world.work();
    });
    afterEach(() => checkInvariants(world));
    after(async () => {
      await Promise.all([world.close(), receiver.close()]);
      await redis?.stop();
    });

    const told = (runId: string, what: string) =>
      receiver.calls.filter((call) => call.runId === runId && call.what === what);

    it('runs a chain of steps, each once, and leaves a history without a gap', async () => {
      const workflow = await world.define({
        steps: [tool('a', 'give', { x: 1 }), tool('b', 'pure'), tool('c', 'give', { y: DATA_X })],
        edges: edges('a b', 'b c'),
      });
      const runId = await world.start(workflow, { given: true });
      const { data } = await world.until(runId, 'completed');
      expect(data).to.deep.equal({ given: true, x: 1, y: 1 });
      expect(await world.history(runId)).to.deep.equal([
        'run.created',
        'step.started a',
        'step.completed a',
        'step.completed b',
        'step.started c',
        'step.completed c',
        'step.completed end',
        'run.completed',
      ]);
    });

    it('joins branches of unequal length once, when the last has arrived', async () => {
      const edges = [
        ['a', 'b'],
        ['a', 'c'],
        ['a', 'e'],
        ['c', 'd'],
        ['b', 'j'],
        ['d', 'j'],
        ['e', 'j'],
      ].map(([from = '', to = '']) => ({ from, to }));
      const workflow = await world.define({
        steps: ['a', 'b', 'c', 'd', 'e', 'j'].map((id) => tool(id, id === 'b' ? 'pure' : 'noop')),
        edges,
      });
      const runs = await Promise.all(Array.from({ length: 5 }, () => world.start(workflow)));
      for (const runId of runs) {
        await world.until(runId, 'completed');
        const history = await world.history(runId);
        expect(history.filter((event) => event === 'step.completed j')).to.have.length(1);
        expect(history.indexOf('step.started j')).to.be.greaterThan(history.indexOf('step.completed d'));
      }
    });

    it('tries a failed step again after its delay, under the same effect key until an attempt failed for certain', async () => {
      const retry = { attempts: 4, delayMs: 150, factor: 1, jitter: 0 };
      const workflow = await world.define({
        steps: [
          tool('vague', 'fail', { times: 2, url: receiver.url }, { retry }),
          tool('sure', 'fail', { times: 2, definite: true, url: receiver.url }, { retry }),
        ],
        edges: edges('vague sure'),
      });
      const runId = await world.start(workflow);
      await world.until(runId, 'completed');
      expect((await world.history(runId)).filter((event) => event === 'attempt.failed vague')).to.have.length(2);
      const keys = (step: string) =>
        told(runId, 'effect')
          .filter((call) => call.step === step)
          .map(({ key, attempt }) => `${key.at(-1)}/${attempt}`);
      expect(keys('vague')).to.deep.equal(['0/1', '0/2', '0/3']);
      expect(keys('sure')).to.deep.equal(['0/1', '1/2', '2/3']);
    });

    it('fails the run with the step’s error when its attempts are used up, and follows an error edge where there is one', async () => {
      const retry = { attempts: 2, delayMs: 10 };
      const failing = await world.define({
        steps: [tool('a', 'fail', { times: 9 }, { retry }), tool('b', 'noop')],
        edges: edges('a b'),
      });
      const mended = await world.define({
        steps: [tool('a', 'fail', { times: 9, retryable: false }), tool('b', 'noop')],
        edges: [
          { from: 'a', to: 'b', on: 'error' },
          { from: 'a', to: 'end' },
          { from: 'b', to: 'end' },
        ],
      });
      const [failed, done] = [await world.start(failing), await world.start(mended)];
      expect((await world.until(failed, 'failed')).error).to.deep.equal({
        code: 'flaky',
        message: 'not this time',
        step: 'a',
      });
      await world.until(done, 'completed');
      expect(await world.history(done)).to.include.members(['step.failed a', 'step.completed b']);
    });

    it('fails only the guilty step when its output cannot be stored', async () => {
      const workflow = await world.define({ steps: [tool('a', 'nul')] });
      const [guilty, innocent] = [
        await world.start(workflow),
        await world.start(await world.define({ steps: [tool('a', 'noop')] })),
      ];
      expect((await world.until(guilty, 'failed')).error).to.deep.include({ code: 'invalid_output', step: 'a' });
      await world.until(innocent, 'completed');
    });

    it('lets time pass without holding a job', async () => {
      const workflow = await world.define({
        steps: [{ id: 'rest', type: 'wait', durationMs: 400 }, tool('b', 'noop')],
        edges: edges('rest b'),
      });
      const startedAt = Date.now();
      const runId = await world.start(workflow);
      expect((await world.jobs()).filter((job) => job.runId === runId)).to.deep.equal([]);
      await world.until(runId, 'completed');
      expect(Date.now() - startedAt).to.be.at.least(400);
    });

    it('pauses with no job, and goes on after its answer', async () => {
      const workflow = await world.define({
        steps: [tool('a', 'noop'), ask(), tool('b', 'noop')],
        edges: edges('a ask', 'ask b'),
      });
      const runId = await world.start(workflow);
      await world.until(runId, 'waiting');
      await eventually(async () => (await world.jobs()).length === 0, { what: 'a queue without jobs' });
      await answerRun(world.engine, { actor: world.actor, runId, answer: APPROVE });
      await world.until(runId, 'completed');
      const again = await answerRun(world.engine, { actor: world.actor, runId, answer: APPROVE }).catch(
        (error) => error.code,
      );
      expect(again).to.equal('run_finished');
    });

    it('ends a step that takes longer than its timeout, and follows its timeout edge', async () => {
      const more = { timeoutMs: 300, retry: { attempts: 1 } };
      const failing = await world.define({ steps: [tool('a', 'hang', { url: receiver.url }, more)] });
      const mended = await world.define({
        steps: [tool('a', 'hang', { url: receiver.url }, more), tool('b', 'noop')],
        edges: [
          { from: 'a', to: 'b', on: 'timeout' },
          { from: 'a', to: 'end' },
          { from: 'b', to: 'end' },
        ],
      });
      const [failed, done] = [await world.start(failing), await world.start(mended)];
      expect((await world.until(failed, 'failed')).error).to.deep.include({ code: 'timeout', step: 'a' });
      await eventually(() => told(failed, 'aborted').length === 1, { what: 'an abort' });
      await world.until(done, 'completed');
      expect(await world.history(done)).to.include('step.completed b');
    });

    it('settles more steps than one decision may', async () => {
      const ids = Array.from({ length: 250 }, (_, index) => `s${index}`);
      const steps = ids.map((id) => ({ id, type: 'transform', output: { last: id } }));
      const runId = await world.start(
        await world.define({ steps, edges: ids.slice(1).map((to, index) => ({ from: ids[index]!, to })) }),
      );
      expect((await world.until(runId, 'completed')).data).to.deep.equal({ last: 's249' });
    });

    it('wakes whoever waits on another engine, also after its connection for hints was cut', async () => {
      const heard = new Set<string>();
      const stop = world.engine.wakeups.subscribe(({ runId }) => heard.add(runId));
      const workflow = await world.define({ steps: [tool('a', 'noop')] });
      await cutHints(world);
      const started: string[] = [];
      await eventually(
        async () => {
          const worker = await openEngine(world.environment);
          started.push(
            await startRun(worker.engine, { actor: world.actor, workflow, input: {}, trigger: 'api' }).then(
              (run) => run.runId,
            ),
          );
          await worker.close();
          return started.some((runId) => heard.has(runId));
        },
        { what: 'a hint' },
      );
      stop();
      for (const runId of started) await world.until(runId, 'completed');
    });
  });
}

it('the engine fires each of several timers when it is due, without a sweep', async () => {
  const world = await createWorld({ settings: { SWEEP_MS: '600000' } });
  await world.work();
  const waits = [300, 100, 200].map((durationMs) => ({ id: `w${durationMs}`, type: 'wait', durationMs }));
  const steps = [tool('a', 'noop'), ...waits];
  const workflow = await world.define({ steps, edges: waits.map(({ id }) => ({ from: 'a', to: id })) });
  const runId = await world.start(workflow);
  await world.until(runId, 'completed');
  const { rows } = await world.db.pool.query<{ step: string; early: boolean }>(
    `SELECT step_id AS step, finished_at < due_at AS early FROM step_runs WHERE run_id = $1 AND type = 'wait' ORDER BY finished_at`,
    [runId],
  );
  const fired = ['w100', 'w200', 'w300'];
  expect(rows).to.deep.equal(fired.map((step) => ({ step, early: false })));
  await checkInvariants(world);
  await world.close();
});

/** Ends every connection that listens for hints. */
async function cutHints({ db, environment }: World): Promise<void> {
  const { REDIS_URL } = environment;
  if (REDIS_URL === undefined) {
    await db.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdpoint listen' AND datname = current_database()`,
    );
    return;
  }
  const redis = new Redis(REDIS_URL);
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  redis.disconnect();
}
