// Commands that race for one run from several engines: exactly one wins, the others are told the truth, and the history
// agrees with what everybody was told.

import { expect } from 'chai';
import { AppError } from '../../src/core/errors.ts';
import type { Actor } from '../../src/core/run.ts';
import { answerRun } from '../../src/engine/answer-run.ts';
import { cancelRun, holdRun, releaseRun, retryRun, terminateRun } from '../../src/engine/control-run.ts';
import { decideApproval } from '../../src/engine/decide-approval.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { fireDue } from '../../src/engine/fire-due.ts';
import { rollbackRun } from '../../src/engine/rollback-run.ts';
import { checkInvariants } from '../support/invariants.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
import { createWorld, openEngine, type World } from '../support/world.ts';

const REJECT = { ...APPROVE, actionId: 'reject' } as const;
/** Of each contest; `RACE_ROUNDS=200` is half a minute's work. */
const ROUNDS = Number(process.env['RACE_ROUNDS'] ?? 15);
const RACERS = 32;

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

  it(`takes one of ${RACERS} answers and queues one successor (F-50)`, async () => {
    const workflow = await world.define({ steps: [ask(), tool('b', 'noop')], edges: edges('ask b') });
    for (let round = 0; round < ROUNDS; round++) {
      const runId = await world.start(workflow);
      const outcomes = await Promise.all(
        Array.from({ length: RACERS }, (_, index) =>
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
    for (let round = 0; round < ROUNDS; round++) {
      const runId = await world.start(workflow);
      const request = { actor: world.actor, runId };
      const firing = engineOf(round);
      const contests: [string, (engine: Engine) => Promise<unknown>][] = [
        ['approve', (engine) => answerRun(engine, { ...request, answer: APPROVE })],
        ['reject', (engine) => answerRun(engine, { ...request, answer: REJECT })],
        ['cancel', (engine) => cancelRun(engine, request)],
        ['terminate', (engine) => terminateRun(engine, request)],
      ];
      const racers = Array.from({ length: RACERS }, (_, index) => contests[(index + round) % contests.length]!);
      const results = await Promise.all([
        ...racers.map(([name, race], index) =>
          outcome(race(engineOf(index))).then((result) => [name, result] as const),
        ),
        fireDue(firing).then(() => ['expire', ''] as const),
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

  describe('by operators and approvers', () => {
    /** Everybody at once, each on another engine and as another user; answers what became of each. */
    const race = (contest: (engine: Engine, actor: Actor, index: number) => Promise<unknown>) =>
      Promise.all(
        Array.from({ length: RACERS }, (_, index) =>
          outcome(contest(engineOf(index), { ...world.actor, userId: `user-${index}` }, index)),
        ),
      );
    const countEvents = async (runId: string, type: string) =>
      (await world.history(runId)).filter((event) => event === type).length;
    const listPauses = async (runId: string) => {
      const { rows } = await world.db.pool.query<{
        id: string;
        status: string;
        answeredBy: string | null;
        action: string;
      }>(
        `SELECT id, status, answered_by AS "answeredBy", answer ->> 'actionId' AS action FROM pauses WHERE run_id = $1 ORDER BY opened_at, id`,
        [runId],
      );
      return rows;
    };

    it(`lets one of ${RACERS} decide an approval, and tells the others that it is decided (F-50)`, async () => {
      const workflow = await world.define({ steps: [ask()] });
      for (let round = 0; round < ROUNDS; round++) {
        const runId = await world.start(workflow);
        const [{ id: approvalId } = { id: '' }] = await listPauses(runId);
        const outcomeOf = (index: number) => ((index + round) % 2 === 0 ? 'approved' : 'rejected');
        const results = await race((engine, actor, index) =>
          decideApproval(engine, { actor, runId, approvalId, outcome: outcomeOf(index) }),
        );
        const winner = results.indexOf('won');
        expect(results.filter((result) => result !== 'already_answered')).to.deep.equal(['won']);
        const [pause] = await listPauses(runId);
        expect(pause).to.deep.include({ status: 'answered', answeredBy: `user-${winner}` });
        expect((await world.see(runId)).status).to.equal(outcomeOf(winner) === 'approved' ? 'completed' : 'failed');
      }
    });

    it(`lets one of ${RACERS} release a held run`, async () => {
      const workflow = await world.define({ steps: [ask()] });
      for (let round = 0; round < ROUNDS; round++) {
        const runId = await world.start(workflow);
        await holdRun(world.engine, { actor: world.actor, runId });
        const results = await race((engine, actor) => releaseRun(engine, { actor, runId }));
        expect(results.filter((result) => result !== 'conflict')).to.deep.equal(['won']);
        expect(await countEvents(runId, 'run.released')).to.equal(1);
      }
    });

    it(`lets one of ${RACERS} retry a run, and asks anew once`, async () => {
      const workflow = await world.define({ steps: [ask()] });
      for (let round = 0; round < ROUNDS; round++) {
        const runId = await world.start(workflow);
        await answerRun(world.engine, { actor: world.actor, runId, answer: REJECT });
        const results = await race((engine, actor) => retryRun(engine, { actor, runId }));
        expect(results.filter((result) => result !== 'conflict')).to.deep.equal(['won']);
        expect((await listPauses(runId)).map(({ status }) => status)).to.deep.equal(['answered', 'open']);
      }
    });

    it(`lets one of ${RACERS} roll a run back`, async () => {
      const workflow = await world.define({ steps: [ask('first'), ask('second')], edges: edges('first second') });
      for (let round = 0; round < ROUNDS; round++) {
        const runId = await world.start(workflow);
        for (const answer of [APPROVE, REJECT]) await answerRun(world.engine, { actor: world.actor, runId, answer });
        const results = await race((engine, actor) => rollbackRun(engine, { actor, runId, to: 3 }));
        expect(results.filter((result) => result !== 'conflict')).to.deep.equal(['won']);
        expect(await countEvents(runId, 'run.rolled_back')).to.equal(1);
      }
    });

    it('takes everything at once, and each that was told so is in the history exactly once (F-51, F-52)', async () => {
      const workflow = await world.define({ steps: [ask('ask', { dueInMs: 1, onTimeout: 'approve' })] });
      for (let round = 0; round < ROUNDS; round++) {
        const runId = await world.start(workflow);
        const [{ id: approvalId } = { id: '' }] = await listPauses(runId);
        const contests: [string, (engine: Engine, actor: Actor) => Promise<unknown>][] = [
          ['approve', (engine, actor) => decideApproval(engine, { actor, runId, approvalId, outcome: 'approved' })],
          ['reject', (engine, actor) => decideApproval(engine, { actor, runId, approvalId, outcome: 'rejected' })],
          ['cancel', (engine, actor) => cancelRun(engine, { actor, runId })],
          ['hold', (engine, actor) => holdRun(engine, { actor, runId })],
          ['release', (engine, actor) => releaseRun(engine, { actor, runId })],
          ['retry', (engine, actor) => retryRun(engine, { actor, runId })],
          ['expire', (engine) => fireDue(engine)],
        ];
        const contestOf = (index: number) => contests[(index + round) % contests.length]!;
        const results = await race((engine, actor, index) => contestOf(index)[1](engine, actor));
        const wins = (name: string) =>
          results.filter((result, index) => result === 'won' && contestOf(index)[0] === name).length;
        const [pause, ...later] = await listPauses(runId);
        expect(wins('approve') + wins('reject'), 'one decides').to.equal(pause!.status === 'answered' ? 1 : 0);
        if (pause!.status === 'answered') expect(wins(pause!.action), 'and it is the one that was told so').to.equal(1);
        expect(await countEvents(runId, 'run.retried'), 'retries').to.equal(wins('retry'));
        expect(await countEvents(runId, 'run.released'), 'releases').to.equal(wins('release'));
        expect(await countEvents(runId, 'run.held'), 'holds').to.be.at.most(wins('hold'));
        expect(later.length, 'asked anew').to.be.at.most(wins('retry'));
      }
    });
  });
});
