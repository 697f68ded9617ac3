// Taking a run back to one of its snapshots, and seeing them: everything told from what is stored.

import { expect } from 'chai';
import { AppError } from '../../src/core/errors.ts';
import { answerRun } from '../../src/engine/answer-run.ts';
import { holdRun } from '../../src/engine/control-run.ts';
import { listSnapshots } from '../../src/engine/fold-history.ts';
import { listRunSnapshots, rollbackRun } from '../../src/engine/rollback-run.ts';
import { Turns } from '../../src/engine/turns.ts';
import { eventually } from '../support/eventually.ts';
import { checkInvariants } from '../support/invariants.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
import { createWorld, openEngine, type World } from '../support/world.ts';

describe('rolling a run back', () => {
  let world: World;
  let receiver: Receiver;
  before(async () => {
    [world, receiver] = await Promise.all([createWorld(), startReceiver()]);
    await world.work();
  });
  afterEach(() => checkInvariants(world));
  after(() => Promise.all([world.close(), receiver.close()]));

  const of = (runId: string) => ({ actor: world.actor, runId });
  const ours = () => ({ workspaceId: world.actor.workspaceId });
  const snapshots = async (runId: string, page = {}) =>
    (await listRunSnapshots(world.engine, world.db, { ...ours(), runId, limit: 20, ...page })).rows;
  const seqOf = async (runId: string, step: string) =>
    (await snapshots(runId)).find((snapshot) => snapshot.step === step)!.seq;
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'taken',
      (error) => (error instanceof AppError ? error.code : String(error)),
    );

  async function rowsOf(runId: string): Promise<string[]> {
    const { rows } = await world.db.pool.query<{ row: string }>(
      `SELECT concat_ws(' ', step_id, visit, status) AS row FROM step_runs WHERE run_id = $1 ORDER BY created_at, seq, visit`,
      [runId],
    );
    return rows.map(({ row }) => row);
  }

  async function startReviewed(): Promise<string> {
    const workflow = await world.define({
      steps: [
        tool('a', 'give', { a: 1 }),
        ask(),
        tool('b', 'effect', { url: receiver.url }),
        tool('c', 'give', { c: 1 }),
      ],
      edges: edges('a ask b c'),
    });
    const runId = await world.start(workflow);
    await world.until(runId, 'waiting');
    return runId;
  }

  it('goes on from there: asks anew, does the work anew under another effect key, and keeps what was', async () => {
    const runId = await startReviewed();
    await answerRun(world.engine, { ...of(runId), answer: APPROVE });
    expect((await world.until(runId, 'completed')).data).to.deep.equal({ a: 1, c: 1 });
    await rollbackRun(world.engine, { ...of(runId), to: await seqOf(runId, 'a'), reason: 'wrong customer' });
    expect(await world.see(runId)).to.deep.include({ status: 'waiting', data: { a: 1 } });
    expect(await rowsOf(runId)).to.have.members([
      'a 1 completed',
      'ask 1 undone',
      'b 1 undone',
      'c 1 undone',
      'end 1 undone',
      'ask 2 waiting',
    ]);
    await answerRun(world.engine, { ...of(runId), answer: APPROVE });
    expect((await world.until(runId, 'completed')).data).to.deep.equal({ a: 1, c: 1 });
    const keys = receiver.calls.filter((call) => call.runId === runId).map(({ key }) => key);
    expect(keys).to.deep.equal([`hp_${runId}_b_1_0`, `hp_${runId}_b_2_0`]);
    expect(await world.history(runId)).to.include('run.rolled_back');
  });

  it('shows the snapshots that one may go back to, with what was open and the data', async () => {
    const runId = await startReviewed();
    await answerRun(world.engine, { ...of(runId), answer: APPROVE });
    await world.until(runId, 'completed');
    const told = (await snapshots(runId)).map(({ step, open, data }) => [step, open.map((one) => one.step), data]);
    expect(told).to.deep.equal([
      ['c', ['end'], { a: 1, c: 1 }],
      ['b', ['c'], { a: 1 }],
      ['ask', ['b'], { a: 1 }],
      ['a', ['ask'], { a: 1 }],
    ]);
    const [, second] = await snapshots(runId);
    expect((await snapshots(runId, { before: second!.seq, limit: 1 })).map(({ step }) => step)).to.deep.equal(['ask']);
    const undone = await seqOf(runId, 'c');
    await rollbackRun(world.engine, { ...of(runId), to: await seqOf(runId, 'ask') });
    await world.until(runId, 'completed');
    expect((await snapshots(runId)).map(({ step, visit }) => `${step} ${visit}`)).to.deep.equal([
      'c 2',
      'b 2',
      'ask 1',
      'a 1',
    ]);
    expect(await codeOf(rollbackRun(world.engine, { ...of(runId), to: undone }))).to.equal('not_found');
  });

  it('takes a step in flight of a held run away from its worker', async () => {
    const workflow = await world.define({
      steps: [tool('a', 'give', { a: 1 }), tool('b', 'effect', { url: receiver.url })],
      edges: edges('a b'),
    });
    receiver.hold();
    const runId = await world.start(workflow);
    const calls = () => receiver.calls.filter((call) => call.runId === runId && call.what === 'effect');
    await eventually(() => calls().length === 1);
    const to = await seqOf(runId, 'a');
    expect(await codeOf(rollbackRun(world.engine, { ...of(runId), to }))).to.equal('conflict');
    await holdRun(world.engine, of(runId));
    expect((await rollbackRun(world.engine, { ...of(runId), to })).status).to.equal('running');
    await eventually(() => calls().length === 2);
    receiver.release();
    await world.until(runId, 'completed');
    expect(await rowsOf(runId))
      .to.include('b 1 undone')
      .and.to.include('b 2 completed');
  });

  it('what is undone is not seen by expressions, and counts for no limit, in any process', async () => {
    const workflow = await world.define({
      steps: [
        tool('a', 'give'),
        ask('ask', { maxVisits: 1 }),
        tool('b', 'give', { seen: `\${steps.b.output.n ? 'itself' : 'nothing'}`, n: 1 }),
        { id: 'end', type: 'end-flow' },
      ],
      edges: [...edges('a ask b end'), { from: 'b', to: 'ask', on: 'error' }],
    });
    const runId = await world.start(workflow);
    await world.until(runId, 'waiting');
    for (let times = 0; times < 2; times++) {
      const other = await openEngine(world.environment);
      await answerRun(other.engine, { ...of(runId), answer: APPROVE });
      expect((await world.until(runId, 'completed')).data).to.deep.equal({ seen: 'nothing', n: 1 });
      await rollbackRun(other.engine, { ...of(runId), to: await seqOf(runId, 'a') });
      await other.close();
      await world.until(runId, 'waiting');
    }
  });

  it("another workspace's run is not found, nor is a snapshot that there never was", async () => {
    const runId = await startReviewed();
    const stranger = { ...world.actor, workspaceId: '00000000-0000-7000-8000-000000000000' };
    expect(await codeOf(rollbackRun(world.engine, { actor: stranger, runId, to: 3 }))).to.equal('run_not_found');
    const asked = { workspaceId: stranger.workspaceId, runId, limit: 1 };
    expect(await codeOf(listRunSnapshots(world.engine, world.db, asked))).to.equal('run_not_found');
    expect(await codeOf(rollbackRun(world.engine, { ...of(runId), to: 1 }))).to.equal('not_found');
  });

  it('reads long histories one at a time, and refuses to let many wait; short ones do not wait for them', async () => {
    const runId = await startReviewed();
    const { state } = (await world.engine.loadRun(runId))!;
    const run = { ...state, plan: await world.engine.plans.get(state.definitionId, state.version) };
    const past = { db: world.db, longReads: new Turns(1) };
    const read = (seq: number) => codeOf(listSnapshots(past, { ...run, seq }, { limit: 1 }));
    const seen = await Promise.all([read(3_000), read(3_000), read(3_000), read(run.seq)]);
    expect(seen).to.deep.equal(['taken', 'taken', 'rate_limit_exceeded', 'taken']);
    expect(await read(3_000)).to.equal('taken');
  });
});
