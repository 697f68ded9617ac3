// Holding, releasing and retrying runs whose steps run on another engine, on both kinds of queue.

import { expect } from 'chai';
import { AppError } from '../../src/core/errors.ts';
import { answerRun } from '../../src/engine/answer-run.ts';
import { cancelRun, holdRun, releaseRun, retryRun, terminateRun } from '../../src/engine/control-run.ts';
import { eventually } from '../support/eventually.ts';
import { checkInvariants } from '../support/invariants.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

const REJECT = { ...APPROVE, actionId: 'reject' } as const;

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'taken',
    (error) => (error instanceof AppError ? error.code : String(error)),
  );

for (const queue of ['redis', 'postgres'] as const) {
  describe(`holding a run, with its queue in ${queue}`, () => {
    let world: World;
    let receiver: Receiver;
    before(async () => {
      [world, receiver] = await Promise.all([createWorld({ queue }), startReceiver()]);
    });
    afterEach(() => checkInvariants(world));
    after(() => Promise.all([world.close(), receiver.close()]));

    const of = (runId: string) => ({ actor: world.actor, runId });
    const callsOf = (runId: string) => receiver.calls.filter((call) => call.runId === runId);
    const dispatches = async () => (await world.jobs()).map(({ step, dispatch }) => `${step}.${dispatch}`);

    it('takes the jobs of what waits for a worker away, and makes new ones when it is released, without a sweep', async () => {
      const workflow = await world.define({
        steps: [tool('fork', 'noop'), tool('a', 'noop'), tool('b', 'noop')],
        initialStep: 'fork',
        edges: edges('fork a', 'fork b'),
      });
      const runId = await world.start(workflow);
      await eventually(async () => (await dispatches()).join() === 'fork.1');
      expect((await holdRun(world.engine, of(runId))).status).to.equal('held');
      await eventually(async () => (await world.jobs()).length === 0, { what: 'a queue without jobs' });
      expect((await releaseRun(world.engine, of(runId))).status).to.equal('queued');
      await eventually(async () => (await dispatches()).join() === 'fork.2', { what: 'a job with the next dispatch' });
      // The only worker there will be, and it sweeps just once: whatever goes on below does so without.
      await world.work({ SWEEP_MS: '600000' });
      await world.until(runId, 'completed');
    });

    it('lets the step in flight finish, keeps its output, and begins nothing until the release', async () => {
      const workflow = await world.define({
        steps: [tool('a', 'effect', { url: receiver.url, deaf: true }), tool('b', 'give', { b: 1 })],
        edges: edges('a b'),
      });
      receiver.hold();
      const runId = await world.start(workflow);
      await eventually(() => callsOf(runId).length === 1);
      await holdRun(world.engine, { ...of(runId), reason: 'quarter end' });
      receiver.release();
      await eventually(async () => (await world.history(runId)).at(-1) === 'step.completed a');
      await eventually(async () => (await world.jobs()).length === 0, { what: 'a queue without jobs' });
      expect((await world.see(runId)).status).to.equal('held');
      await releaseRun(world.engine, of(runId));
      const { data } = await world.until(runId, 'completed');
      expect(data).to.deep.equal({ b: 1 });
      expect(await world.history(runId)).to.deep.equal([
        'run.created',
        'step.started a',
        'run.held',
        'step.completed a',
        'run.released',
        'step.started b',
        'step.completed b',
        'step.completed end',
        'run.completed',
      ]);
    });

    it('records an answer to a held run, and goes on with it at the release', async () => {
      const workflow = await world.define({ steps: [ask(), tool('b', 'noop')], edges: edges('ask b') });
      const runId = await world.start(workflow);
      await holdRun(world.engine, of(runId));
      expect((await answerRun(world.engine, { ...of(runId), answer: APPROVE })).status).to.equal('held');
      expect((await world.history(runId)).at(-1)).to.equal('step.completed ask');
      expect((await world.jobs()).filter((job) => job.runId === runId)).to.deep.equal([]);
      expect((await releaseRun(world.engine, of(runId))).status).to.equal('running');
      await world.until(runId, 'completed');
    });

    it('goes on with a run that failed, from the step that failed, with a job at once', async () => {
      const workflow = await world.define({
        steps: [tool('a', 'give', { a: 1 }), tool('b', 'balk', { url: receiver.url, times: 1 })],
        edges: edges('a b'),
      });
      const runId = await world.start(workflow);
      await world.until(runId, 'failed');
      expect((await retryRun(world.engine, of(runId))).status).to.equal('running');
      expect((await world.until(runId, 'completed')).data).to.deep.equal({ a: 1 });
      const completions = (await world.history(runId)).filter((event) => event === 'step.completed a');
      expect(completions).to.have.length(1);
    });

    it('refuses the late result of a run that was terminated and retried meanwhile (F-52)', async () => {
      const workflow = await world.define({ steps: [tool('a', 'effect', { url: receiver.url, deaf: true })] });
      receiver.hold();
      const runId = await world.start(workflow);
      await eventually(() => callsOf(runId).length === 1);
      await terminateRun(world.engine, of(runId));
      await retryRun(world.engine, of(runId));
      await eventually(() => callsOf(runId).length === 2, { what: 'a second execution' });
      receiver.release();
      await world.until(runId, 'completed');
      const history = await world.history(runId);
      expect(history.filter((event) => event === 'step.completed a')).to.have.length(1);
      expect(new Set(callsOf(runId).map(({ key }) => key)).size, 'the effect keeps its key').to.equal(1);
    });

    it('asks anew, under another id, what was rejected, and takes the other decision then', async () => {
      const workflow = await world.define({ steps: [ask()] });
      const runId = await world.start(workflow);
      await answerRun(world.engine, { ...of(runId), answer: REJECT });
      expect(await world.see(runId)).to.deep.include({ status: 'failed' });
      expect((await retryRun(world.engine, of(runId))).status).to.equal('waiting');
      const { rows } = await world.db.pool.query<{ status: string }>(
        'SELECT status FROM pauses WHERE run_id = $1 ORDER BY opened_at',
        [runId],
      );
      expect(rows.map(({ status }) => status)).to.deep.equal(['answered', 'open']);
      expect((await answerRun(world.engine, { ...of(runId), answer: APPROVE })).status).to.equal('completed');
    });

    it('refuses what does not fit how the run stands, and another user’s run as one that does not exist', async () => {
      const runId = await world.start(await world.define({ steps: [ask()] }));
      expect(await codeOf(releaseRun(world.engine, of(runId)))).to.equal('conflict');
      expect(await codeOf(retryRun(world.engine, of(runId)))).to.equal('conflict');
      expect(await codeOf(holdRun(world.engine, { ...of(runId), owner: 'somebody' }))).to.equal('run_not_found');
      expect(await codeOf(holdRun(world.engine, { ...of(runId), owner: 'tester' }))).to.equal('taken');
      expect(await codeOf(holdRun(world.engine, of(runId)))).to.equal('taken');
      await cancelRun(world.engine, of(runId));
      expect(await codeOf(holdRun(world.engine, of(runId)))).to.equal('run_finished');
      await retryRun(world.engine, of(runId));
      await answerRun(world.engine, { ...of(runId), answer: APPROVE });
      expect(await codeOf(retryRun(world.engine, of(runId)))).to.equal('run_finished');
    });
  });
}
