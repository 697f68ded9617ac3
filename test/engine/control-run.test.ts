// Cancelling and terminating runs whose steps run on another engine, on both kinds of queue.

import { expect } from 'chai';
import { cancelRun, terminateRun } from '../../src/engine/control-run.ts';
import { eventually } from '../support/eventually.ts';
import { checkInvariants } from '../support/invariants.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

for (const queue of ['redis', 'postgres'] as const) {
  describe(`stopping a run, with its queue in ${queue}`, () => {
    let world: World;
    let receiver: Receiver;
    before(async () => {
      [world, receiver] = await Promise.all([createWorld({ queue }), startReceiver()]);
      await world.work();
    });
    afterEach(() => checkInvariants(world));
    after(() => Promise.all([world.close(), receiver.close()]));

    const told = (runId: string, what: string) =>
      receiver.calls.filter((call) => call.runId === runId && call.what === what);

    it('cancels: a running step gets its signal within 2 s on another engine, then onCancel runs alone', async () => {
      const workflow = await world.define({
        onCancel: 'tidy',
        steps: [tool('a', 'effect', { url: receiver.url }), tool('b', 'noop'), tool('tidy', 'give', { tidied: true })],
        edges: edges('a b'),
      });
      receiver.hold();
      const runId = await world.start(workflow);
      await eventually(() => told(runId, 'effect').length === 1);
      await cancelRun(world.engine, { actor: world.actor, runId, reason: 'enough' });
      await eventually(() => told(runId, 'aborted').length === 1, { withinMs: 2_000, what: 'an abort' });
      receiver.release();
      const { data } = await world.until(runId, 'cancelled');
      expect(data).to.deep.equal({ tidied: true });
      expect(await world.history(runId)).to.deep.equal([
        'run.created',
        'step.started a',
        'run.cancel_requested',
        'attempt.failed a',
        'step.failed a',
        'run.cleanup_started',
        'step.started tidy',
        'step.completed tidy',
        'run.cancelled',
      ]);
    });

    it('lets a step finish that is deaf to the cancellation, and starts none after it', async () => {
      const workflow = await world.define({
        steps: [tool('a', 'effect', { url: receiver.url, deaf: true }), tool('b', 'noop')],
        edges: edges('a b'),
      });
      receiver.hold();
      const runId = await world.start(workflow);
      await eventually(() => told(runId, 'effect').length === 1);
      expect((await cancelRun(world.engine, { actor: world.actor, runId })).status).to.equal('running');
      receiver.release();
      await world.until(runId, 'cancelled');
      expect(await world.history(runId)).to.deep.equal([
        'run.created',
        'step.started a',
        'run.cancel_requested',
        'step.completed a',
        'run.cancelled',
      ]);
    });

    it('gives a cancelled step 30 s; then its claim is taken away and the run ends without it', async () => {
      const workflow = await world.define({
        onCancel: 'tidy',
        steps: [tool('a', 'hang', { url: receiver.url }), tool('tidy', 'noop')],
      });
      const runId = await world.start(workflow);
      await eventually(() => told(runId, 'effect').length === 1);
      await cancelRun(world.engine, { actor: world.actor, runId });
      await letCancellationRunOut(world, runId);
      await world.until(runId, 'cancelled');
      expect(await world.history(runId)).to.deep.equal([
        'run.created',
        'step.started a',
        'run.cancel_requested',
        'run.cancel_expired',
        'run.cleanup_started',
        'step.started tidy',
        'step.completed tidy',
        'run.cancelled',
      ]);
    });

    it('terminates at once, aborts the handler within 2 s on another engine, and refuses its late result', async () => {
      const workflow = await world.define({
        steps: [
          tool('a', 'effect', { url: receiver.url, deaf: true }),
          tool('b', 'hang', { url: receiver.url }),
          tool('c', 'noop'),
        ],
        initialStep: 'c',
        edges: edges('c a', 'c b'),
      });
      receiver.hold();
      const runId = await world.start(workflow);
      await eventually(() => told(runId, 'effect').length === 2);
      expect((await terminateRun(world.engine, { actor: world.actor, runId, reason: 'now' })).status).to.equal(
        'cancelled',
      );
      await eventually(() => told(runId, 'aborted').length === 1, { withinMs: 2_000, what: 'an abort' });
      receiver.release();
      await eventually(async () => (await world.jobs()).length === 0, { what: 'a queue without jobs' });
      expect((await world.history(runId)).at(-1)).to.equal('run.cancelled');
    });
  });
}

/** Moves the end of a cancellation's 30 s to now: in the row that the sweep finds, and in the run that is decided on. */
async function letCancellationRunOut({ db }: World, runId: string): Promise<void> {
  await db.pool.query(
    `UPDATE runs SET due_at = now(), cancellation = jsonb_set(cancellation, '{dueAt}', to_jsonb(extract(epoch FROM now()) * 1000 - 1)) WHERE id = $1`,
    [runId],
  );
}
