import { expect } from 'chai';
import { v7 as newId } from 'uuid';
import type { Command } from '../../src/core/commands.ts';
import type { Decision } from '../../src/core/decision.ts';
import { mergeDecisions } from '../../src/core/merging.ts';
import type { Plan } from '../../src/core/plan.ts';
import type { RunState } from '../../src/core/run.ts';
import { decide, decideStart } from '../../src/core/transition.ts';
import { answerRun } from '../../src/engine/answer-run.ts';
import { changeRun, systemActor } from '../../src/engine/change-run.ts';
import { type Committer, createCommitter } from '../../src/store/commit.ts';
import type { Change } from '../../src/store/commit-rows.ts';
import { isPoison, isTransient } from '../../src/store/db.ts';
import { checkInvariants } from '../support/invariants.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { edges, tool } from '../support/steps.ts';
import { createWorld, openEngine, type World } from '../support/world.ts';

/** The statements that write, for batches and for lone decisions, by the name that a Bind message carries. */
const COMMIT = /\0commit(-[a-z0-9-]+)?\0/;
const PATIENCE_MS = 20_000;

describe('the group commit', () => {
  const committers: Committer[] = [];
  let world: World;
  let proxy: TestProxy;
  let plan: Plan;
  let definitionId: string;

  before(async () => {
    world = await createWorld();
    proxy = await startProxy(world.environment['DATABASE_URL']!);
    definitionId = await world.define({ steps: [{ id: 'a', type: 'call-tool', tool: 'noop' }] });
    plan = await world.engine.plans.get(definitionId, 1);
  });
  afterEach(async () => {
    await proxy.set('pass');
    await Promise.all(committers.splice(0).map((committer) => committer.close()));
    await checkInvariants(world);
  });
  after(async () => {
    await world.close();
    await proxy.close();
  });

  function open({ url = world.environment['DATABASE_URL']!, onBatch = (_size: number) => {} } = {}): Committer {
    const committer = createCommitter({ url, leaseMs: 60_000, name: 'test', onBatch, onError: () => {} });
    committers.push(committer);
    return committer;
  }

  const context = () => ({ now: Date.now(), actor: world.actor, commandId: newId(), newId });
  const soon = () => Date.now() + PATIENCE_MS;

  function startOf(origin: string | null = null): Change {
    const run = { id: newId(), workspaceId: world.actor.workspaceId, definitionId, version: 1, input: {}, context: {} };
    return {
      decision: decideStart(plan, run, context()),
      expectedSeq: 0,
      start: { trigger: 'api', owner: 'tester', podId: world.actor.workspaceId, origin, revision: null },
    };
  }

  function changeOf(state: RunState, command: Command): Change {
    const verdict = decide(plan, state, command, context());
    if (verdict.kind !== 'accepted') throw new Error(`${command.type} was not accepted`);
    return { decision: verdict.decision, expectedSeq: state.seq };
  }

  async function startMany(committer: Committer, count: number): Promise<RunState[]> {
    const changes = Array.from({ length: count }, () => startOf());
    expect(await Promise.all(changes.map((change) => committer.commit(change, soon())))).to.deep.equal(
      changes.map(() => 'committed'),
    );
    return changes.map((change) => change.decision.state);
  }

  const claim: Command = { type: 'claim', step: 'a', visit: 1, input: null };

  it('sends a lone decision at once, and together those that wait meanwhile', async () => {
    const sizes: number[] = [];
    await startMany(open({ onBatch: (size) => sizes.push(size) }), 100);
    expect(sizes).to.deep.equal([1, 64, 35]);
  });

  it('writes the same rows for a decision that goes alone as for one of a batch', async () => {
    const committer = open();
    const alone = (change: Change) => committer.commit(change, soon());
    // The first goes at once; those that come while it is under way go together.
    const inBatch = async (change: Change) =>
      (await Promise.all([startOf(), change, startOf()].map((one) => committer.commit(one, soon()))))[1];
    const error = { code: 'x', message: 'tried', retryable: true, definite: true };
    const story: (Command | ((state: RunState) => Command))[] = [
      claim,
      { type: 'fail-attempt', step: 'a', visit: 1, fence: 1, error, random: 0 },
      { type: 'hold', reason: 'look' },
      { type: 'release' },
      claim,
      ({ open }) => ({ type: 'complete', step: 'a', visit: 1, fence: open[0]!.fence, output: { x: 1 }, ranMs: 3 }),
    ];
    const told: unknown[] = [];
    for (const commit of [alone, inBatch]) {
      const start = startOf();
      let { state } = start.decision;
      expect(await commit(start)).to.equal('committed');
      for (const [minutes, next] of story.entries()) {
        const command = typeof next === 'function' ? next(state) : next;
        const later = { ...context(), now: Date.now() + 60_000 * minutes };
        const verdict = decide(plan, state, command, later);
        if (verdict.kind !== 'accepted') throw new Error(`${command.type} was not accepted`);
        expect(await commit({ decision: verdict.decision, expectedSeq: state.seq })).to.equal('committed');
        state = verdict.decision.state;
      }
      told.push(await readRows(state.id));
    }
    expect(told[0]).to.deep.equal(told[1]);
    const [moved] = await startMany(committer, 1);
    expect(await alone({ ...changeOf(moved!, claim), expectedSeq: 7 })).to.equal('stale');
  });

  it('writes the same rows for several steps of one commit, alone and in a batch', async () => {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const chainId = await world.define({ steps: ids.map((id) => tool(id, 'pure')), edges: edges(ids.join(' ')) });
    const chain = await world.engine.plans.get(chainId, 1);
    const committer = open();
    const told: unknown[] = [];
    for (const inBatch of [false, true]) {
      const run = { id: newId(), workspaceId: world.actor.workspaceId, definitionId: chainId, version: 1 };
      const decision = decideStart(chain, { ...run, input: {}, context: {} }, context());
      const { start } = startOf();
      expect(await committer.commit({ decision, expectedSeq: 0, start: start! }, soon())).to.equal('committed');
      let merged: Decision | null = null;
      for (const step of ids) {
        const { state } = merged ?? decision;
        const output = { [step]: 1 };
        const command: Command = { type: 'complete', step, visit: 1, fence: null, attempt: 1, output, ranMs: 2 };
        const verdict = decide(chain, state, command, context());
        if (verdict.kind !== 'accepted') throw new Error(`${step} was not accepted`);
        merged = merged ? mergeDecisions(merged, verdict.decision) : verdict.decision;
      }
      const change = { decision: merged!, expectedSeq: decision.state.seq };
      const others = inBatch ? [startOf(), startOf()] : [];
      const [first, ...rest] = [...others.slice(0, 1), change, ...others.slice(1)];
      await Promise.all([first!, ...rest].map((one) => committer.commit(one, soon())));
      told.push(await readRows(run.id));
      expect(await readStepTimes(run.id), 'none was made after it began, or began after it ended').to.deep.equal([]);
    }
    expect(told[0]).to.deep.equal(told[1]);
  });

  /** Step runs whose moments are in no order. */
  async function readStepTimes(runId: string): Promise<unknown[]> {
    const { rows } = await world.db.pool.query(
      'SELECT step_id FROM step_runs WHERE run_id = $1 AND NOT (created_at <= started_at AND started_at <= finished_at)',
      [runId],
    );
    return rows;
  }

  /** Every column of a run's rows; ids and moments as whether they are there. */
  async function readRows(runId: string): Promise<unknown> {
    const read = (table: string, key: string, order: string) =>
      world.db.pool.query<Record<string, unknown>>(`SELECT * FROM ${table} WHERE ${key} = $1 ORDER BY ${order}`, [
        runId,
      ]);
    const found = await Promise.all([
      read('runs', 'id', 'id'),
      read('step_runs', 'run_id', 'seq'),
      read('events', 'run_id', 'seq'),
    ]);
    const varies = /(^|_)(id|at|until)$/;
    return found.map(({ rows }) =>
      rows.map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([column, value]) => [
            column,
            varies.test(column) && column !== 'step_id' ? value !== null : withoutMoments(value),
          ]),
        ),
      ),
    );
  }

  function withoutMoments(value: unknown): unknown {
    return JSON.parse(JSON.stringify(value ?? null).replace(/\d{13}(\.\d+)?/g, '0'));
  }

  it('lets exactly one of two committers win each run, without a deadlock, when their batches overlap in opposite order', async () => {
    const [one, two] = [open(), open()];
    for (let round = 0; round < 10; round++) {
      const states = await startMany(one, 64);
      const ofOne = Promise.all(states.map((state) => one.commit(changeOf(state, claim), soon())));
      const ofTwo = Promise.all(
        states.toReversed().map((state) => two.commit(changeOf(state, { type: 'terminate' }), soon())),
      );
      const [wonByOne, wonByTwo] = [await ofOne, (await ofTwo).toReversed()];
      // One skips a row only while the other holds it, and who holds it commits: never both are stale.
      for (const [index] of states.entries()) {
        expect([wonByOne[index], wonByTwo[index]].sort()).to.deep.equal(['committed', 'stale']);
      }
    }
  });

  it('rejects only the guilty one of 64 decisions when Postgres refuses what it carries', async () => {
    const committer = open();
    const states = await startMany(committer, 64);
    const changes = states.map((state) => changeOf(state, claim));
    const poisoned: Decision = { ...changes[31]!.decision, dataPatch: { text: 'a\u0000b' } };
    changes[31] = { ...changes[31]!, decision: poisoned };
    const results = await Promise.all(
      changes.map((change) =>
        committer.commit(change, soon()).catch((error) => (isPoison(error) ? 'poison' : String(error))),
      ),
    );
    expect(results.map((result, index) => (index === 31 ? result : result === 'committed'))).to.deep.equal(
      states.map((_, index) => (index === 31 ? 'poison' : true)),
    );
    expect((await world.see(states[31]!.id)).seq).to.equal(1);
  });

  it('answers stale for a run that somebody else has locked, and commits its neighbours at once', async () => {
    const committer = open();
    const states = await startMany(committer, 64);
    const client = await world.db.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT 1 FROM runs WHERE id = $1 FOR UPDATE', [states[0]!.id]);
      const results = await Promise.all(states.map((state) => committer.commit(changeOf(state, claim), soon())));
      expect(results).to.deep.equal(states.map((_, index) => (index === 0 ? 'stale' : 'committed')));
      const waited = changeRun(world.engine, states[0]!.id, { type: 'terminate' }, { actor: systemActor() });
      await client.query(`SELECT pg_sleep(0.2)`);
      await client.query('COMMIT');
      expect((await waited).kind).to.equal('accepted');
    } finally {
      client.release();
    }
  });

  it('answers stale to a second start with the same origin', async () => {
    const committer = open();
    const results = await Promise.all(
      [startOf('order-1'), startOf('order-1'), startOf('order-1')].map((change) => committer.commit(change, soon())),
    );
    expect(results.sort()).to.deep.equal(['committed', 'stale', 'stale']);
  });

  it('reads back what a lost reply hides: 40 cut commits, none doubled, none reported as failed (F-08)', async () => {
    const committer = open({ url: proxy.url });
    const before = proxy.cuts;
    proxy.cutReplies(COMMIT, 40);
    const states: RunState[] = [];
    while (proxy.cuts - before < 40) {
      const [state] = await startMany(committer, 1);
      const change = changeOf(state!, claim);
      expect(await committer.commit(change, soon())).to.equal('committed');
      states.push(change.decision.state);
    }
    for (const state of states) expect((await world.see(state.id)).seq).to.equal(state.seq);
  });

  it('keeps its word when the reply to a COMMIT of a locked run is lost', async () => {
    const [state] = await startMany(open(), 1);
    const committer = open({ url: proxy.url });
    const before = proxy.cuts;
    proxy.cutReplies(/^Q....COMMIT\0/s, 1);
    expect(await committer.locked(state!.id, (commit) => commit(changeOf(state!, claim)))).to.equal('committed');
    expect(proxy.cuts - before).to.equal(1);
    expect((await world.see(state!.id)).seq).to.equal(2);
  });

  it('keeps a decision while Postgres is away, and commits it when it is back (F-25)', async () => {
    const committer = open({ url: proxy.url });
    await startMany(committer, 1);
    await proxy.set('refuse');
    const change = startOf();
    const waited = committer.commit(change, soon());
    await committer.commit(startOf(), Date.now() + 100).then(
      () => expect.fail('committed without a database'),
      (error) => expect(isTransient(error)).to.equal(true),
    );
    await proxy.set('pass');
    expect(await waited).to.equal('committed');
  });

  it('gives each of two answers that race over a proxy that cuts replies its own truth: one wins, the other is told', async () => {
    const asking = await world.define({ steps: [{ id: 'ask', type: 'request-user-action' }] });
    const engines = await Promise.all([0, 1].map(() => openEngine({ ...world.environment, DATABASE_URL: proxy.url })));
    try {
      for (let round = 0; round < 10; round++) {
        const runId = await world.start(asking);
        proxy.cutReplies(COMMIT, 1);
        const answer = { type: 'request_user_action' as const, actionId: 'approve' };
        const results = await Promise.all(
          engines.map(({ engine }) =>
            answerRun(engine, { actor: world.actor, runId, answer }).then(
              () => 'won',
              (error) => error.code,
            ),
          ),
        );
        expect(results.sort()).to.deep.equal(['run_finished', 'won']);
      }
    } finally {
      await Promise.all(engines.map((engine) => engine.close()));
    }
  });
});
