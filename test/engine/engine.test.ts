// The engine's behaviours, on both kinds of queue and both ways of waking: an engine that starts and answers, and two
// others that work, all over one database.

import { expect } from 'chai';
import { Redis } from 'ioredis';
import { answerRun } from '../../src/engine/answer-run.ts';
import { changeRun, systemActor } from '../../src/engine/change-run.ts';
import { cancelRun, terminateRun } from '../../src/engine/control-run.ts';
import { startRun } from '../../src/engine/start-run.ts';
import { createSweeper } from '../../src/engine/sweep.ts';
import { takeSweepLock } from '../../src/store/sweep-lock.ts';
import { eventually } from '../support/eventually.ts';
import { checkInvariants } from '../support/invariants.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createWorld, openEngine, type World } from '../support/world.ts';

const tool = (id: string, name: string, args: object = {}, more: object = {}) => ({ id, type: 'call-tool', tool: name, args, ...more });
const approve = { type: 'request_user_action' as const, actionId: 'approve' };

for (const queue of ['redis', 'postgres'] as const) {
  describe(`the engine, with its queue in ${queue}`, () => {
    let world: World;
    let receiver: Receiver;
    before(async () => {
      [world, receiver] = await Promise.all([createWorld({ queue }), startReceiver()]);
      await world.work();
      await world.work();
    });
    afterEach(() => checkInvariants(world));
    after(() => Promise.all([world.close(), receiver.close()]));

    const told = (runId: string, what: string) => receiver.calls.filter((call) => call.runId === runId && call.what === what);

    it('runs a chain of steps, each once, and leaves a history without a gap', async () => {
      const workflow = await world.define({ steps: [tool('a', 'give', { x: 1 }), tool('b', 'pure'), tool('c', 'give', { y: '${data.x}' })], edges: [{ from: 'a', to: 'b' }, { from: 'b', to: 'c' }] });
      const runId = await world.start(workflow, { given: true });
      const { data } = await world.until(runId, 'completed');
      expect(data).to.deep.equal({ given: true, x: 1, y: 1 });
      expect(await world.history(runId)).to.deep.equal(['run.created', 'step.started a', 'step.completed a', 'step.completed b', 'step.started c', 'step.completed c', 'step.completed end', 'run.completed']);
    });

    it('joins branches of unequal length once, when the last has arrived', async () => {
      const edges = [['a', 'b'], ['a', 'c'], ['a', 'e'], ['c', 'd'], ['b', 'j'], ['d', 'j'], ['e', 'j']].map(([from = '', to = '']) => ({ from, to }));
      const workflow = await world.define({ steps: ['a', 'b', 'c', 'd', 'e', 'j'].map((id) => tool(id, id === 'b' ? 'pure' : 'noop')), edges });
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
      const workflow = await world.define({ steps: [tool('vague', 'fail', { times: 2, url: receiver.url }, { retry }), tool('sure', 'fail', { times: 2, definite: true, url: receiver.url }, { retry })], edges: [{ from: 'vague', to: 'sure' }] });
      const runId = await world.start(workflow);
      await world.until(runId, 'completed');
      expect((await world.history(runId)).filter((event) => event === 'attempt.failed vague')).to.have.length(2);
      const keys = (step: string) => told(runId, 'effect').filter((call) => call.step === step).map(({ key, attempt }) => `${key.at(-1)}/${attempt}`);
      expect(keys('vague')).to.deep.equal(['0/1', '0/2', '0/3']);
      expect(keys('sure')).to.deep.equal(['0/1', '1/2', '2/3']);
    });

    it('fails the run with the step’s error when its attempts are used up, and follows an error edge where there is one', async () => {
      const retry = { attempts: 2, delayMs: 10 };
      const failing = await world.define({ steps: [tool('a', 'fail', { times: 9 }, { retry }), tool('b', 'noop')], edges: [{ from: 'a', to: 'b' }] });
      const mended = await world.define({ steps: [tool('a', 'fail', { times: 9, retryable: false }), tool('b', 'noop')], edges: [{ from: 'a', to: 'b', on: 'error' }, { from: 'a', to: 'end' }, { from: 'b', to: 'end' }] });
      const [failed, done] = [await world.start(failing), await world.start(mended)];
      expect((await world.until(failed, 'failed')).error).to.deep.equal({ code: 'flaky', message: 'not this time', step: 'a' });
      await world.until(done, 'completed');
      expect(await world.history(done)).to.include.members(['step.failed a', 'step.completed b']);
    });

    it('fails only the guilty step when its output cannot be stored', async () => {
      const workflow = await world.define({ steps: [tool('a', 'nul')] });
      const [guilty, innocent] = [await world.start(workflow), await world.start(await world.define({ steps: [tool('a', 'noop')] }))];
      expect((await world.until(guilty, 'failed')).error).to.deep.include({ code: 'invalid_output', step: 'a' });
      await world.until(innocent, 'completed');
    });

    it('lets time pass without holding a job', async () => {
      const workflow = await world.define({ steps: [{ id: 'rest', type: 'wait', durationMs: 400 }, tool('b', 'noop')], edges: [{ from: 'rest', to: 'b' }] });
      const startedAt = Date.now();
      const runId = await world.start(workflow);
      expect(await world.jobs()).to.deep.equal([]);
      await world.until(runId, 'completed');
      expect(Date.now() - startedAt).to.be.at.least(400);
    });

    it('fires each of several timers when it is due, and not with the next sweep', async () => {
      const waits = [200, 400, 600, 800];
      const steps = [tool('a', 'noop'), ...waits.map((durationMs) => ({ id: `w${durationMs}`, type: 'wait', durationMs }))];
      const runId = await world.start(await world.define({ steps, edges: waits.map((ms) => ({ from: 'a', to: `w${ms}` })) }));
      await world.until(runId, 'completed');
      const { rows } = await world.db.pool.query<{ late: number }>(`SELECT extract(epoch FROM finished_at - due_at)::float8 AS late FROM step_runs WHERE run_id = $1 AND type = 'wait' AND due_at IS NOT NULL`, [runId]);
      for (const { late } of rows) expect(late).to.be.within(-0.01, 2);
    });

    it('pauses with no job, and goes on after its answer', async () => {
      const workflow = await world.define({ steps: [tool('a', 'noop'), { id: 'ask', type: 'request-user-action' }, tool('b', 'noop')], edges: [{ from: 'a', to: 'ask' }, { from: 'ask', to: 'b' }] });
      const runId = await world.start(workflow);
      await world.until(runId, 'waiting');
      await eventually(async () => (await world.jobs()).length === 0, { what: 'a queue without jobs' });
      await answerRun(world.engine, { actor: world.actor, runId, answer: approve });
      await world.until(runId, 'completed');
      const again = await answerRun(world.engine, { actor: world.actor, runId, answer: approve }).catch((error) => error.code);
      expect(again).to.equal('run_finished');
    });

    it('cancels: a running step gets its signal within 2 s on another engine, then onCancel runs alone', async () => {
      const workflow = await world.define({ onCancel: 'tidy', steps: [tool('a', 'effect', { url: receiver.url }), tool('b', 'noop'), tool('tidy', 'give', { tidied: true })], edges: [{ from: 'a', to: 'b' }] });
      receiver.hold();
      const runId = await world.start(workflow);
      await eventually(() => told(runId, 'effect').length === 1);
      await cancelRun(world.engine, { actor: world.actor, runId, reason: 'enough' });
      await eventually(() => told(runId, 'aborted').length === 1, { withinMs: 2_000, what: 'an abort' });
      receiver.release();
      const { data } = await world.until(runId, 'cancelled');
      expect(data).to.deep.equal({ tidied: true });
      expect(await world.history(runId)).to.deep.equal(['run.created', 'step.started a', 'run.cancel_requested', 'attempt.failed a', 'step.failed a', 'run.cleanup_started', 'step.started tidy', 'step.completed tidy', 'run.cancelled']);
    });

    it('lets a step finish that is deaf to the cancellation, and starts none after it', async () => {
      const workflow = await world.define({ steps: [tool('a', 'effect', { url: receiver.url, deaf: true }), tool('b', 'noop')], edges: [{ from: 'a', to: 'b' }] });
      receiver.hold();
      const runId = await world.start(workflow);
      await eventually(() => told(runId, 'effect').length === 1);
      expect((await cancelRun(world.engine, { actor: world.actor, runId })).status).to.equal('running');
      receiver.release();
      await world.until(runId, 'cancelled');
      expect(await world.history(runId)).to.deep.equal(['run.created', 'step.started a', 'run.cancel_requested', 'step.completed a', 'run.cancelled']);
    });

    it('gives a cancelled step 30 s; then its claim is taken away and the run ends without it', async () => {
      const workflow = await world.define({ onCancel: 'tidy', steps: [tool('a', 'hang', { url: receiver.url }), tool('tidy', 'noop')] });
      const runId = await world.start(workflow);
      await eventually(() => told(runId, 'effect').length === 1);
      await cancelRun(world.engine, { actor: world.actor, runId });
      await letCancellationRunOut(world, runId);
      await world.until(runId, 'cancelled');
      expect(await world.history(runId)).to.deep.equal(['run.created', 'step.started a', 'run.cancel_requested', 'run.cancel_expired', 'run.cleanup_started', 'step.started tidy', 'step.completed tidy', 'run.cancelled']);
    });

    it('terminates at once, aborts the handler within 2 s on another engine, and refuses its late result', async () => {
      const workflow = await world.define({ steps: [tool('a', 'effect', { url: receiver.url, deaf: true }), tool('b', 'hang', { url: receiver.url }), tool('c', 'noop')], initialStep: 'c', edges: [{ from: 'c', to: 'a' }, { from: 'c', to: 'b' }] });
      receiver.hold();
      const runId = await world.start(workflow);
      await eventually(() => told(runId, 'effect').length === 2);
      expect((await terminateRun(world.engine, { actor: world.actor, runId, reason: 'now' })).status).to.equal('cancelled');
      await eventually(() => told(runId, 'aborted').length === 1, { withinMs: 2_000, what: 'an abort' });
      receiver.release();
      await eventually(async () => (await world.jobs()).length === 0, { what: 'a queue without jobs' });
      expect((await world.history(runId)).at(-1)).to.equal('run.cancelled');
    });

    it('ends a step that takes longer than its timeout, and follows its timeout edge', async () => {
      const more = { timeoutMs: 300, retry: { attempts: 1 } };
      const failing = await world.define({ steps: [tool('a', 'hang', { url: receiver.url }, more)] });
      const mended = await world.define({ steps: [tool('a', 'hang', { url: receiver.url }, more), tool('b', 'noop')], edges: [{ from: 'a', to: 'b', on: 'timeout' }, { from: 'a', to: 'end' }, { from: 'b', to: 'end' }] });
      const [failed, done] = [await world.start(failing), await world.start(mended)];
      expect((await world.until(failed, 'failed')).error).to.deep.include({ code: 'timeout', step: 'a' });
      await eventually(() => told(failed, 'aborted').length === 1, { what: 'an abort' });
      await world.until(done, 'completed');
      expect(await world.history(done)).to.include('step.completed b');
    });

    it('settles more steps than one decision may', async () => {
      const ids = Array.from({ length: 250 }, (_, index) => `s${index}`);
      const steps = ids.map((id) => ({ id, type: 'transform', output: { last: id } }));
      const runId = await world.start(await world.define({ steps, edges: ids.slice(1).map((to, index) => ({ from: ids[index]!, to })) }));
      expect((await world.until(runId, 'completed')).data).to.deep.equal({ last: 's249' });
    });

    it('wakes whoever waits on another engine, also after its connection for hints was cut', async () => {
      const heard = new Set<string>();
      const stop = world.engine.wakeups.subscribe((runId) => heard.add(runId));
      const workflow = await world.define({ steps: [tool('a', 'noop')] });
      await cutHints(world);
      const started: string[] = [];
      await eventually(
        async () => {
          const worker = await openEngine(world.environment);
          started.push(await startRun(worker.engine, { actor: world.actor, workflow, input: {}, trigger: 'api' }).then((run) => run.runId));
          await worker.close();
          return started.some((runId) => heard.has(runId));
        },
        { what: 'a hint' },
      );
      stop();
      for (const runId of started) await world.until(runId, 'completed');
    });
  });

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
      await changeRun(world.engine, runId, { type: 'claim', step: 'a', visit: 1, input: null }, { actor: systemActor() });
      await world.db.pool.query(`UPDATE step_runs SET lease_until = now() - interval '1 ms' WHERE run_id = $1 AND status = 'running'`, [runId]);
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
      await eventually(async () => (await world.jobs()).filter((job) => runs.includes(job.runId)).length === 5 && sweeper.sweep());
      await loseLease(lost!);
      await sweeper.sweep();
      expect((await world.jobs()).filter((job) => job.runId === lost).map((job) => job.dispatch).sort()).to.deep.equal([1, 2]);
    });

    it('does nothing while another process sweeps', async () => {
      const lock = await takeSweepLock(world.db.pool, 60_000);
      expect(await createSweeper(world.engine).sweep()).to.equal(false);
      await lock!.release();
      expect(await createSweeper(world.engine).sweep()).to.equal(true);
    });

    it('takes over from a process that fell silent while it was sweeping', async () => {
      const lock = await takeSweepLock(world.db.pool, 200);
      await eventually(() => createSweeper(world.engine).sweep(), { withinMs: 2_000 });
      lock!.abandon();
    });
  });
}

/** Moves the end of a cancellation's 30 s to now: in the row that the sweep finds, and in the run that is decided on. */
async function letCancellationRunOut({ db }: World, runId: string): Promise<void> {
  await db.pool.query(`UPDATE runs SET due_at = now(), cancellation = jsonb_set(cancellation, '{dueAt}', to_jsonb(extract(epoch FROM now()) * 1000 - 1)) WHERE id = $1`, [runId]);
}

/** Ends every connection that listens for hints. */
async function cutHints({ db, environment }: World): Promise<void> {
  const { REDIS_URL } = environment;
  if (REDIS_URL === undefined) {
    await db.pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdpoint listen' AND datname = current_database()`);
    return;
  }
  const redis = new Redis(REDIS_URL);
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  redis.disconnect();
}
