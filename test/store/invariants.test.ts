import { expect } from 'chai';
import { answerRun } from '../../src/engine/answer-run.ts';
import { terminateRun } from '../../src/engine/control-run.ts';
import { findJobViolations, findMissingRuns, findViolations, INVARIANTS } from '../../src/store/invariants.ts';
import { checkInvariants } from '../support/invariants.ts';
import { createWorld, type World } from '../support/world.ts';

describe('the invariant checker (GUARANTEES §5)', () => {
  let world: World;
  let done: string;
  let paused: string;
  let queued: string;
  let cancelled: string;

  before(async () => {
    world = await createWorld();
    const { actor, engine } = world;
    const asking = await world.define({ steps: [{ id: 'ask', type: 'request-user-action' }] });
    const working = await world.define({ steps: [{ id: 'work', type: 'call-tool', tool: 'noop' }] });
    [done, paused, cancelled] = [await world.start(asking), await world.start(asking), await world.start(asking)];
    queued = await world.start(working);
    await answerRun(engine, { actor, runId: done, answer: { type: 'request_user_action', actionId: 'approve' } });
    await terminateRun(engine, { actor, runId: cancelled });
  });
  after(() => world.close());

  /** What the checker finds once `sql` has corrupted the database, which is put back afterwards. */
  async function corrupt(sql: string): Promise<string[]> {
    const client = await world.db.pool.connect();
    try {
      await client.query('BEGIN');
      // Triggers and checks protect what no statement of ours may do; corruption comes from elsewhere.
      await client.query("SET LOCAL session_replication_role = 'replica'");
      await client.query(sql);
      const pool = client as unknown as World['db']['pool'];
      return [...new Set((await findViolations({ pool })).map(({ invariant }) => invariant))];
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  }

  it('finds nothing wrong with runs that are completed, paused, queued and cancelled', () =>
    checkInvariants(world, [done, paused, queued, cancelled]));

  const cases: [string, string, () => string][] = [
    [
      'I1',
      'a run that goes on with pending steps alone',
      () => `UPDATE step_runs SET status = 'pending' WHERE run_id = '${queued}'`,
    ],
    [
      'I1',
      'a waiting run without an open pause',
      () => `UPDATE pauses SET status = 'cancelled', closed_at = now() WHERE run_id = '${paused}'`,
    ],
    [
      'I3',
      'a step run that completed twice',
      () =>
        `INSERT INTO events SELECT run_id, seq + 100, type, step_id, visit, at, actor, data, NULL FROM events WHERE run_id = '${done}' AND type = 'step.completed'`,
    ],
    [
      'I4',
      'events after the end of a run',
      () => `UPDATE events SET type = 'run.completed' WHERE run_id = '${done}' AND seq = 2`,
    ],
    ['I5', 'a gap in a history', () => `DELETE FROM events WHERE run_id = '${done}' AND seq = 2`],
    ['I5', 'a run whose number is not its last event’s', () => `UPDATE runs SET seq = seq + 1 WHERE id = '${paused}'`],
    ['I6', 'a marking that is not the fold of the events', () => `UPDATE runs SET open = '[]' WHERE id = '${queued}'`],
    ['I6', 'a step row that is not as marked', () => `UPDATE step_runs SET fence = 1 WHERE run_id = '${queued}'`],
    ['I6', 'a due time that is not as marked', () => `UPDATE step_runs SET due_at = now() WHERE run_id = '${queued}'`],
    [
      'I6',
      'a step row that ended in another way',
      () => `UPDATE step_runs SET status = 'failed' WHERE run_id = '${done}' AND step_id = 'ask'`,
    ],
    [
      'I6',
      'a status that does not follow from the steps',
      () => `UPDATE runs SET status = 'running', finished_at = NULL WHERE id = '${done}'`,
    ],
    [
      'I7',
      'an event that closes what is not open',
      () =>
        `UPDATE events SET data = jsonb_set(data, '{closed}', '[{"step": "end", "visit": 1, "status": "completed"}]') WHERE run_id = '${queued}'`,
    ],
    [
      'I8',
      'a pause that stayed open',
      () => `UPDATE pauses SET status = 'open', closed_at = NULL WHERE run_id = '${done}'`,
    ],
    ['I8', 'an answer by nobody', () => `UPDATE pauses SET command_id = gen_random_uuid() WHERE run_id = '${done}'`],
    [
      'I10',
      'an open step of a cancelled run',
      () => `UPDATE step_runs SET status = 'waiting', finished_at = NULL WHERE run_id = '${cancelled}'`,
    ],
    [
      'I13',
      'a lease that nobody took away',
      () => `UPDATE step_runs SET status = 'running', lease_until = now() - interval '6 s' WHERE run_id = '${queued}'`,
    ],
    ['I15', 'a run in another pod than its workflow', () => `UPDATE runs SET pod_id = id WHERE id = '${done}'`],
    [
      'I15',
      'a step run in another workspace',
      () => `UPDATE step_runs SET workspace_id = gen_random_uuid() WHERE run_id = '${queued}'`,
    ],
    ['C1', 'a status that is no word', () => `UPDATE runs SET status = 'paused' WHERE id = '${paused}'`],
    ['C1', 'a run that ended at no time', () => `UPDATE runs SET finished_at = NULL WHERE id = '${done}'`],
    [
      'C1',
      'a lease of a step run that waits',
      () => `UPDATE step_runs SET lease_until = now() WHERE run_id = '${paused}'`,
    ],
  ];
  for (const [id, what, sql] of cases)
    it(`${id} notices ${what}`, async () => expect(await corrupt(sql())).to.include(id));

  it('has a case for each of its statements', () => {
    expect(new Set(cases.map(([id]) => id))).to.deep.equal(new Set(INVARIANTS.map(({ id }) => id)));
  });

  it('I2 notices an acknowledged run that does not exist', async () => {
    const lost = '00000000-0000-7000-8000-000000000000';
    expect(await findMissingRuns(world.db, [done, lost])).to.deep.equal([
      { invariant: 'I2', runId: lost, detail: 'it was acknowledged and does not exist' },
    ]);
  });

  it('I9 notices a job of a run that waits', async () => {
    const found = await findJobViolations(world.db, [{ runId: paused, step: 'ask', visit: 1 }]);
    expect(found.map(({ invariant }) => invariant)).to.deep.equal(['I9']);
  });

  it('I14 notices more than three jobs for each due step run', async () => {
    const found = await findJobViolations(
      world.db,
      Array.from({ length: 4 }, () => ({ runId: queued, step: 'work', visit: 1 })),
    );
    expect(found.map(({ invariant }) => invariant)).to.deep.equal(['I14']);
  });
});
