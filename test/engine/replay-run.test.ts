// Replays: new runs that begin where others were, told from what is stored of those.

import { expect } from 'chai';
import { AppError } from '../../src/core/errors.ts';
import { answerRun } from '../../src/engine/answer-run.ts';
import { archiveDefinition } from '../../src/engine/archive-definition.ts';
import { cancelRun } from '../../src/engine/control-run.ts';
import { replayRun } from '../../src/engine/replay-run.ts';
import { updateDefinition } from '../../src/engine/update-definition.ts';
import { checkInvariants } from '../support/invariants.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

describe('replaying a run', () => {
  let world: World;
  let receiver: Receiver;
  before(async () => {
    [world, receiver] = await Promise.all([createWorld(), startReceiver()]);
    await world.work();
  });
  afterEach(() => checkInvariants(world));
  after(() => Promise.all([world.close(), receiver.close()]));

  const replay = async (runId: string, fromStep?: string, more = {}) => {
    const from = fromStep === undefined ? {} : { fromStep };
    return (await replayRun(world.engine, { actor: world.actor, runId, ...from, ...more })).runId;
  };
  const answer = (runId: string) => answerRun(world.engine, { actor: world.actor, runId, answer: APPROVE });
  const refusal = async (work: Promise<unknown>): Promise<AppError> => {
    try {
      await work;
    } catch (error) {
      if (error instanceof AppError) return error;
      throw error;
    }
    throw new Error('it was not refused');
  };

  interface Row {
    [column: string]: unknown;
  }
  async function rowOf(runId: string): Promise<Row> {
    const { rows } = await world.db.pool.query<Row>(
      'SELECT version, input, data, context, trigger, owner, pod_id, replay_of FROM runs WHERE id = $1',
      [runId],
    );
    return rows[0]!;
  }
  async function stepsOf(runId: string): Promise<string[]> {
    const { rows } = await world.db.pool.query<{ row: string }>(
      `SELECT concat_ws(' ', step_id, visit, status, attempt) AS row FROM step_runs WHERE run_id = $1 ORDER BY seq, step_id`,
      [runId],
    );
    return rows.map(({ row }) => row);
  }

  /** A run of `a`, an effect, an approval and `c`, that has completed. */
  async function finish(): Promise<{ runId: string; workflow: string }> {
    const workflow = await world.define({
      steps: [
        tool('a', 'give', { a: '${data.n}' }),
        tool('b', 'effect', { url: receiver.url }),
        ask(),
        tool('c', 'give', { c: '${data.a + 1}' }),
      ],
      edges: edges('a b ask c'),
    });
    const runId = await world.start(workflow, { n: 1 });
    await world.until(runId, 'waiting');
    await answer(runId);
    await world.until(runId, 'completed');
    return { runId, workflow };
  }
  const effectsOf = (runId: string) => receiver.calls.filter((call) => call.runId === runId).length;

  it('is a new run of the same version and input, whatever the workflow has become; the other one stays as it is', async () => {
    const { runId, workflow } = await finish();
    const before = await world.see(runId);
    await updateDefinition(world.engine, { actor: world.actor, workflow, changes: { description: 'newer' } });
    const again = await replay(runId);
    await world.until(again, 'waiting');
    await answer(again);
    expect((await world.until(again, 'completed')).data).to.deep.equal({ n: 1, a: 1, c: 2 });
    expect(await rowOf(again)).to.deep.equal({
      ...(await rowOf(runId)),
      trigger: 'replay',
      replay_of: runId,
      version: 1,
    });
    expect([effectsOf(runId), effectsOf(again)]).to.deep.equal([1, 1]);
    expect(await world.see(runId)).to.deep.equal(before);
  });

  it('from a step: what came before it is copied with its outputs, marked, and not done again', async () => {
    const { runId } = await finish();
    const again = await replay(runId, 'ask');
    await world.until(again, 'waiting');
    expect(await stepsOf(again)).to.have.members(['a 1 completed 0', 'b 1 completed 0', 'ask 1 waiting 1']);
    expect((await world.see(again)).data).to.deep.equal({ n: 1, a: 1 });
    await answer(again);
    expect((await world.until(again, 'completed')).data).to.deep.equal({ n: 1, a: 1, c: 2 });
    expect([effectsOf(runId), effectsOf(again)]).to.deep.equal([1, 0]);
  });

  it('is done for runs that failed or were cancelled, and for replays', async () => {
    const workflow = await world.define({
      steps: [tool('a', 'give', { a: 1 }), ask(), tool('fail', 'fail', { times: 9 }, { retry: { attempts: 1 } })],
      edges: edges('a ask fail'),
    });
    const cancelled = await world.start(workflow);
    await world.until(cancelled, 'waiting');
    await cancelRun(world.engine, { actor: world.actor, runId: cancelled });
    const second = await replay(cancelled, 'ask');
    await world.until(second, 'waiting');
    await answer(second);
    await world.until(second, 'failed');
    const third = await replay(second, 'fail');
    expect((await world.until(third, 'failed')).data).to.deep.equal({ a: 1 });
    expect((await rowOf(third))['replay_of']).to.equal(second);
    // What a run only copied it never reached itself.
    expect((await refusal(replay(third, 'a'))).code).to.equal('invalid_request');
  });

  it('from a step in a loop begins with its last visit', async () => {
    const workflow = await world.define({
      steps: [ask('gate', { actions: [{ id: 'again' }, { id: 'on' }] }), tool('n', 'give', { n: '${data.n + 1}' })],
      edges: [
        { from: 'gate', to: 'n', on: 'again' },
        { from: 'n', to: 'gate' },
        { from: 'gate', to: 'end', on: 'on' },
      ],
    });
    const runId = await world.start(workflow, { n: 0 });
    const choose = async (actionId: string) => {
      await world.until(runId, 'waiting');
      const chosen = { type: 'request_user_action', actionId } as const;
      await answerRun(world.engine, { actor: world.actor, runId, answer: chosen });
    };
    for (const actionId of ['again', 'again', 'on']) await choose(actionId);
    await world.until(runId, 'completed');
    const again = await replay(runId, 'n');
    expect((await world.until(again, 'waiting')).data).to.deep.equal({ n: 2 });
    const copied = (await stepsOf(again)).filter((row) => row.endsWith(' 0'));
    expect(copied).to.deep.equal(['gate 1 completed 0', 'n 1 completed 0', 'gate 2 completed 0']);
    await cancelRun(world.engine, { actor: world.actor, runId: again });
  });

  it('is refused for a run that is not over, an unknown step, one never reached, another workspace’s run', async () => {
    const workflow = await world.define({ steps: [ask(), tool('b', 'noop')], edges: edges('ask b') });
    const runId = await world.start(workflow);
    await world.until(runId, 'waiting');
    expect((await refusal(replay(runId))).code).to.equal('conflict');
    await cancelRun(world.engine, { actor: world.actor, runId });
    for (const step of ['b', 'nowhere', '__proto__']) {
      const { code, details } = await refusal(replay(runId, step));
      expect(code, step).to.equal('invalid_request');
      expect(details[0]?.pointer, step).to.equal('/fromStep');
    }
    const stranger = { workspaceId: '0193b6ee-0a12-7b44-9f3e-8d2c5b7a6e01', userId: 'tester' };
    expect((await refusal(replay(runId, undefined, { actor: stranger }))).code).to.equal('run_not_found');
    await archiveDefinition(world.engine, { actor: world.actor, workflow });
    expect((await refusal(replay(runId))).code).to.equal('workflow_archived');
  });

  it('is one run however often it is asked for, also at the same moment', async () => {
    const { runId } = await finish();
    const ids = await Promise.all(Array.from({ length: 8 }, () => replay(runId, 'c', { origin: 'once' })));
    expect(new Set(ids)).to.have.length(1);
    expect(await replay(runId, 'c', { origin: 'once' })).to.equal(ids[0]);
    const { rows } = await world.db.pool.query('SELECT id FROM runs WHERE replay_of = $1', [runId]);
    expect(rows).to.have.length(1);
    await world.until(ids[0]!, 'completed');
  });

  it('copies up to 16 MB, and is refused from where that is not enough', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `s${index}`);
    const workflow = await world.define({
      steps: ids.map((id) => ({ id, type: 'transform', output: '${data.blob}', outputKey: 'blob' })),
      edges: edges(ids.join(' ')),
    });
    const runId = await world.start(workflow, { blob: 'x'.repeat(900_000) });
    await world.until(runId, 'completed');
    const { code, message } = await refusal(replay(runId, 's19'));
    expect([code, message]).to.deep.equal(['invalid_request', 'too much came before step "s19" to be copied']);
    expect(await world.until(await replay(runId, 's15'), 'completed')).to.include({ error: null });
  });
});
