import { expect } from 'chai';
import { v7 as newId } from 'uuid';
import { answerRun } from '../../src/engine/answer-run.ts';
import { holdRun, releaseRun, retryRun, terminateRun } from '../../src/engine/control-run.ts';
import { listRunSnapshots, rollbackRun } from '../../src/engine/rollback-run.ts';
import { checkStored } from '../support/invariants.ts';
import { APPROVE, ask, edges } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

describe('a change that is asked for again by the same request', () => {
  let world: World;
  let runId: string;
  before(async () => {
    world = await createWorld();
  });
  beforeEach(async () => {
    const steps = [ask('first'), ask('second'), ask('third')];
    runId = await world.start(await world.define({ steps, edges: edges('first second third') }));
  });
  after(async () => {
    await checkStored(world);
    await world.close();
  });

  const request = (idempotencyId?: string) => ({ actor: world.actor, runId, idempotencyId });
  const answer = (idempotencyId?: string) => answerRun(world.engine, { ...request(idempotencyId), answer: APPROVE });
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'done',
      ({ code }: { code: string }) => code,
    );
  const listAnswered = async () =>
    (
      await world.db.pool.query(`SELECT step_id FROM pauses WHERE run_id = $1 AND status = 'answered' ORDER BY id`, [
        runId,
      ])
    ).rows.map(({ step_id }) => step_id);

  it('answers one pause, however often and however many at once ask', async () => {
    const [one, other] = [newId(), newId()];
    expect(await answer(one)).to.deep.equal({ runId, status: 'waiting' });
    expect(await answer(one)).to.deep.equal({ runId, status: 'waiting' });
    expect(await listAnswered()).to.deep.equal(['first']);
    const all = await Promise.all(Array.from({ length: 20 }, () => answer(other)));
    expect(new Set(all.map(({ status }) => status))).to.deep.equal(new Set(['waiting']));
    expect(await listAnswered()).to.deep.equal(['first', 'second']);
    expect((await answer(newId())).status).to.equal('completed');
    expect((await answer(one)).status).to.equal('completed');
    expect(await codeOf(answer(newId()))).to.equal('run_finished');
    expect(await codeOf(answer())).to.equal('run_finished');
  });

  it('keeps the id of each answer, also of those that come at the same moment', async () => {
    const fan = {
      steps: [{ id: 'go', type: 'transform', output: {} }, ask('a'), ask('b')],
      edges: edges('go a', 'go b'),
    };
    runId = await world.start(await world.define(fan));
    const [a, b] = [newId(), newId()];
    const answerOf = (stepId: string, idempotencyId: string) =>
      answerRun(world.engine, { ...request(idempotencyId), stepId, answer: APPROVE });
    await Promise.all([answerOf('a', a), answerOf('b', b)]);
    expect([(await answerOf('a', a)).status, (await answerOf('b', b)).status]).to.deep.equal([
      'completed',
      'completed',
    ]);
    expect(await codeOf(answerOf('a', newId()))).to.equal('run_finished');
  });

  it('does nothing to what others have done since: a hold, a release, a retry', async () => {
    const [held, released, retried] = [newId(), newId(), newId()];
    await holdRun(world.engine, request(held));
    await releaseRun(world.engine, request(released));
    expect((await holdRun(world.engine, request(held))).status).to.equal('waiting');
    await holdRun(world.engine, request());
    expect((await releaseRun(world.engine, request(released))).status).to.equal('held');
    await terminateRun(world.engine, request());
    await retryRun(world.engine, request(retried));
    await terminateRun(world.engine, request());
    expect((await retryRun(world.engine, request(retried))).status).to.equal('cancelled');
    expect(await codeOf(releaseRun(world.engine, request(newId())))).to.equal('run_finished');
  });

  it('does not take back again what was rolled back, also where its snapshot is gone since', async () => {
    for (const _step of ['first', 'second', 'third']) await answer();
    const rollBack = (to: number, idempotencyId?: string) =>
      rollbackRun(world.engine, { ...request(idempotencyId), to });
    const asked = { workspaceId: world.actor.workspaceId, runId, limit: 20 };
    const snapshots = (await listRunSnapshots(world.engine, world.db, asked)).rows;
    const [second, first] = ['second', 'first'].map((step) => snapshots.find((one) => one.step === step)!.seq);
    const id = newId();
    expect((await rollBack(second!, id)).open.map(({ step }) => step)).to.deep.equal(['third']);
    expect((await rollBack(second!, id)).open.map(({ visit }) => visit)).to.deep.equal([2]);
    await holdRun(world.engine, request());
    await rollBack(first!);
    expect((await rollBack(second!, id)).open.map(({ step }) => step)).to.deep.equal(['second']);
    expect(await codeOf(rollBack(second!, newId()))).to.equal('not_found');
  });
});
