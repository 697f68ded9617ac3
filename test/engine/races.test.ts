// Commands that race for one run from several engines: exactly one wins, the others are told the truth, and the history
// agrees with what everybody was told.

import { expect } from 'chai';
import { AppError } from '../../src/core/errors.ts';
import { answerRun } from '../../src/engine/answer-run.ts';
import { cancelRun, terminateRun } from '../../src/engine/control-run.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createSweeper } from '../../src/engine/sweep.ts';
import { checkInvariants } from '../support/invariants.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
import { createWorld, openEngine, type World } from '../support/world.ts';

const REJECT = { ...APPROVE, actionId: 'reject' } as const;

describe('commands that race for a run', () => {
  const closing: (() => Promise<void>)[] = [];
  let world: World;
  let engines: Engine[];

  before(async () => {
    world = await createWorld();
    const opened = await Promise.all([0, 1, 2].map(() => openEngine(world.environment)));
    engines = [world.engine, ...opened.map(({ engine }) => engine)];
    closing.push(...opened.map(({ close }) => close));
  });
  after(async () => {
    await checkInvariants(world);
    await Promise.all(closing.map((close) => close()));
    await world.close();
  });

  const outcome = (work: Promise<unknown>) =>
    work.then(
      () => 'won',
      (error) => (error instanceof AppError ? error.code : String(error)),
    );
  const engineOf = (index: number) => engines[index % engines.length]!;

  it('takes one of 32 answers, 20 times over, and queues one successor (F-50)', async () => {
    const workflow = await world.define({ steps: [ask(), tool('b', 'noop')], edges: edges('ask b') });
    for (let round = 0; round < 20; round++) {
      const runId = await world.start(workflow);
      const outcomes = await Promise.all(
        Array.from({ length: 32 }, (_, index) =>
          outcome(answerRun(engineOf(index), { actor: world.actor, runId, answer: APPROVE })),
        ),
      );
      expect(outcomes.filter((one) => one === 'won')).to.have.length(1);
      expect(new Set(outcomes)).to.deep.equal(new Set(['won', 'run_not_paused']));
      expect((await world.jobs()).filter((job) => job.runId === runId)).to.have.length(1);
    }
    await world.work();
    await world.untilAll('completed');
  });

  it('lets one of approve, reject, cancel, terminate and expiry decide, and tells each what became of it (F-51, F-52)', async () => {
    const workflow = await world.define({ steps: [ask('ask', { dueInMs: 1, onTimeout: 'approve' })] });
    const ends = new Set<string>();
    for (let round = 0; round < 20; round++) {
      const runId = await world.start(workflow);
      const request = { actor: world.actor, runId };
      const [sweeper] = [createSweeper(engineOf(round))];
      const contests: [string, (engine: Engine) => Promise<unknown>][] = [
        ['approve', (engine) => answerRun(engine, { ...request, answer: APPROVE })],
        ['reject', (engine) => answerRun(engine, { ...request, answer: REJECT })],
        ['cancel', (engine) => cancelRun(engine, request)],
        ['terminate', (engine) => terminateRun(engine, request)],
      ];
      const racers = Array.from({ length: 16 }, (_, index) => contests[(index + round) % contests.length]!);
      const results = await Promise.all([
        ...racers.map(([name, race], index) =>
          outcome(race(engineOf(index))).then((result) => [name, result] as const),
        ),
        sweeper.fireDue().then(() => ['expire', ''] as const),
      ]);
      const winners = new Set(results.filter(([, result]) => result === 'won').map(([name]) => name));
      const { status } = await world.see(runId);
      const { rows } = await world.db.pool.query<{ status: string; action: string | null }>(
        `SELECT status, answer ->> 'actionId' AS action FROM pauses WHERE run_id = $1`,
        [runId],
      );
      const pause = rows[0]!;
      // A cancelled run answers "already" to whoever else cancels or terminates it.
      if (status === 'cancelled')
        expect([...winners].every((name) => name === 'cancel' || name === 'terminate')).to.equal(true);
      if (status === 'completed') expect([...winners, pause.action]).to.include('approve');
      if (status === 'failed') expect([...winners]).to.deep.equal(['reject']);
      expect(pause.status).to.equal(status === 'cancelled' ? 'cancelled' : winners.size === 0 ? 'expired' : 'answered');
      ends.add(status);
    }
    expect(ends.size).to.be.greaterThan(1);
  });
});
