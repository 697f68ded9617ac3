// Schedules over a real database: due times that several engines race for, what they do after outages and while runs are not
// over, and what is recorded when a run cannot be started.

import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import {
  archiveDefinition,
  deleteArchivedDefinition,
  unarchiveDefinition,
} from '../../src/engine/archive-definition.ts';
import { retryRun, terminateRun } from '../../src/engine/control-run.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { fireSchedules } from '../../src/engine/fire-schedules.ts';
import { purgeWorkflows } from '../../src/engine/purge-workflows.ts';
import {
  changeSchedule,
  createSchedule,
  endSchedule,
  type NewScheduleRequest,
  runSchedule,
} from '../../src/engine/schedules.ts';
import { updateDefinition } from '../../src/engine/update-definition.ts';
import { armFailpoints } from '../../src/failpoints.ts';
import { findSchedule, type ScheduleRow } from '../../src/store/schedules.ts';
import { ask } from '../support/steps.ts';
import { createWorld, openEngine, type World } from '../support/world.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;

describe('schedules', () => {
  let world: World;
  let engine: Engine;
  /** Ends at once, without a worker. */
  let quick: string;
  let asking: string;
  before(async () => {
    world = await createWorld();
    engine = world.engine;
    quick = await world.define({ steps: [{ id: 'end', type: 'end-flow' }] });
    asking = await world.define({ name: 'Asks', steps: [ask()] });
  });
  after(() => world.close());
  afterEach(() => armFailpoints([]));

  interface Run {
    id: string;
    origin: string;
    trigger: string;
    owner: string;
    input: object;
    context: { schedule: { time: string } };
    status: string;
  }
  const runsOf = async ({ id }: { id: string }): Promise<Run[]> =>
    (
      await world.db.pool.query<Run>(
        `SELECT id, origin, trigger, owner, input, context, status FROM runs
          WHERE starts_with(origin, 'schedule:' || $1 || ':') ORDER BY origin`,
        [id],
      )
    ).rows;

  const refOf = ({ id }: { id: string }) => ({ actor: world.actor, podId: world.actor.workspaceId, id });
  const see = async ({ id }: { id: string }): Promise<ScheduleRow> =>
    (await findSchedule(world.db, { workspaceId: world.actor.workspaceId, podId: world.actor.workspaceId, id }))!;

  /** Fires in the first ten minutes of the hour before last, and not again for a year. */
  const past = new Date(Math.floor(Date.now() / HOUR) * HOUR - 2 * HOUR);
  const TEN_TIMES = `0-9 ${past.getUTCHours()} ${past.getUTCDate()} ${past.getUTCMonth() + 1} *`;
  /** Fires half a year from now, and at the one time that a test announces. */
  const ONE_TIME = `0 0 1 ${((past.getUTCMonth() + 6) % 12) + 1} *`;
  const timeOf = (minute: number) => past.getTime() + minute * MINUTE;
  const originOf = ({ id }: { id: string }, minute: number) =>
    `schedule:${id}:${new Date(timeOf(minute)).toISOString()}`;

  /** A schedule that has not been looked at since `minute` of those ten. */
  async function make(more: Partial<NewScheduleRequest> = {}, minute = 0): Promise<ScheduleRow> {
    const request = { workflowId: quick, name: 'test', cronExpression: TEN_TIMES, ...more };
    const made = await createSchedule(engine, { actor: world.actor, podId: world.actor.workspaceId, request });
    if (!made.enabled) return made;
    await rewind(made, minute);
    return see(made);
  }
  const rewind = ({ id }: { id: string }, minute: number) =>
    world.db.pool.query(
      'UPDATE schedules SET next_at = to_timestamp($2::float8 / 1000), look_at = now() WHERE id = $1',
      [id, timeOf(minute)],
    );
  /** As if the time had come to look at it again. */
  const lookAgain = ({ id }: { id: string }) =>
    world.db.pool.query('UPDATE schedules SET look_at = now() WHERE id = $1', [id]);
  async function answer(runId: string): Promise<void> {
    await world.db.pool.query(`UPDATE runs SET status = 'completed', finished_at = now() WHERE id = $1`, [runId]);
  }

  it('starts the run of a time with its input, in the name of who made it, and tells it which time it is', async () => {
    const schedule = await make({ input: { amount: 7 } }, 9);
    await fireSchedules(engine);
    const [run, ...others] = await runsOf(schedule);
    expect(others).to.deep.equal([]);
    expect(run).to.deep.include({
      origin: originOf(schedule, 9),
      trigger: 'schedule',
      owner: 'tester',
      input: { amount: 7 },
    });
    const time = new Date(timeOf(9)).toISOString();
    expect(run!.context).to.deep.equal({ schedule: { id: schedule.id, name: 'test', time } });
    const seen = await see(schedule);
    expect(seen.last).to.deep.equal({ at: timeOf(9), outcome: 'started', error: null });
    expect(seen.lastRunId).to.equal(run!.id);
    expect(seen.nextAt).to.be.greaterThan(Date.now());
    await fireSchedules(engine);
    expect(await runsOf(schedule)).to.have.length(1);
  });

  it('gives 1,000 times exactly 1,000 runs when three schedulers race for them and take them from one another (F-47)', async () => {
    const first = await make({ overlap: 'allow', catchUp: 'all' });
    await world.db.pool.query(
      `INSERT INTO schedules SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid()))).*
         FROM schedules s, generate_series(1, 99) WHERE s.id = $1`,
      [first.id],
    );
    const others = await Promise.all([openEngine(world.environment), openEngine(world.environment)]);
    const racers = [engine, ...others.map((other) => other.engine)];
    const isAnyDue = async () =>
      (await world.db.pool.query('SELECT FROM schedules WHERE next_at < now() LIMIT 1')).rows.length > 0;
    const race = async (racer: Engine) => {
      while (await isAnyDue()) await fireSchedules(racer, { leaseMs: 100 });
    };
    await Promise.all(racers.map(race));
    const { rows } = await world.db.pool.query<{ runs: number; times: number; schedules: number }>(
      `SELECT count(*)::int AS runs, count(DISTINCT origin)::int AS times, count(DISTINCT split_part(origin, ':', 2))::int AS schedules
         FROM runs WHERE origin LIKE 'schedule:%' AND created_at >= $1`,
      [new Date(first.createdAt)],
    );
    expect(rows[0]).to.deep.equal({ runs: 1_000, times: 1_000, schedules: 100 });
    await Promise.all(others.map((other) => other.close()));
    await world.db.pool.query(`DELETE FROM schedules WHERE id <> $1`, [first.id]);
  });

  it('starts the same run when its process stopped between start and record, however much later it goes on', async () => {
    // Its own run, which is not over then, is none that it would have to wait for.
    const schedule = await make({ workflowId: asking, catchUp: 'one', overlap: 'skip' }, 3);
    armFailpoints([{ name: 'schedule.after_fire', action: 'throw', ms: 0, nth: 1 }]);
    await fireSchedules(engine, { leaseMs: 0 });
    const started = await runsOf(schedule);
    expect(started.map(({ origin }) => origin)).to.deep.equal([originOf(schedule, 9)]);
    expect((await see(schedule)).last).to.equal(null);
    await fireSchedules(engine);
    expect(await runsOf(schedule)).to.deep.equal(started);
    expect(await see(schedule)).to.deep.include({
      last: { at: timeOf(9), outcome: 'started', error: null },
      lastRunId: started[0]!.id,
    });
  });

  it('has one run, none or all after an outage, as its catch-up policy says', async () => {
    const [one, none, all] = [
      await make({ catchUp: 'one' }),
      await make({ catchUp: 'none' }),
      await make({ catchUp: 'all', overlap: 'allow' }),
    ] as const;
    await fireSchedules(engine);
    expect((await runsOf(one)).map(({ origin }) => origin)).to.deep.equal([originOf(one, 9)]);
    expect(await runsOf(none)).to.deep.equal([]);
    expect((await see(none)).last).to.deep.equal({ at: timeOf(9), outcome: 'missed', error: null });
    expect((await runsOf(all)).map(({ origin }) => origin)).to.deep.equal(
      Array.from({ length: 10 }, (_, minute) => originOf(all, minute)),
    );
  });

  /** Its time of this minute has come, and no other. */
  async function fireAt(schedule: ScheduleRow, minute: number): Promise<ScheduleRow> {
    await rewind(schedule, minute);
    await fireSchedules(engine);
    return see(schedule);
  }

  it('skips a time while the run before is not over, and goes on after it', async () => {
    const schedule = await make({ workflowId: asking, overlap: 'skip', cronExpression: ONE_TIME }, 1);
    await fireSchedules(engine);
    const skipped = await fireAt(schedule, 2);
    const [run, ...others] = await runsOf(schedule);
    expect([run!.status, others]).to.deep.equal(['waiting', []]);
    expect(skipped.last).to.deep.equal({ at: timeOf(2), outcome: 'skipped', error: null });
    await answer(run!.id);
    expect((await fireAt(schedule, 3)).last?.outcome).to.equal('started');
  });

  it('looks at all its runs that are not over, not only at the last, whoever looks (F-47)', async () => {
    const schedule = await make({ workflowId: asking, overlap: 'allow', cronExpression: ONE_TIME }, 1);
    await fireSchedules(engine);
    for (const minute of [2, 3]) await fireAt(schedule, minute);
    const [first, second, third] = await runsOf(schedule);
    await answer(second!.id);
    await answer(third!.id);
    await changeSchedule(engine, refOf(schedule), { overlap: 'skip' });
    const { close, engine: another } = await openEngine(world.environment);
    await rewind(schedule, 4);
    await Promise.all([engine, another].map((one) => fireSchedules(one, { leaseMs: 0 })));
    expect((await see(schedule)).last).to.deep.equal({ at: timeOf(4), outcome: 'skipped', error: null });
    await close();
    await answer(first!.id);
    expect((await fireAt(schedule, 5)).last?.outcome).to.equal('started');
    expect(await runsOf(schedule)).to.have.length(4);
  });

  it('sees a run again that was over and is retried', async () => {
    const schedule = await make({ workflowId: asking, overlap: 'skip', cronExpression: ONE_TIME }, 1);
    await fireSchedules(engine);
    const [old] = await runsOf(schedule);
    const named = { actor: world.actor, runId: old!.id };
    await terminateRun(engine, named);
    const { lastRunId } = await fireAt(schedule, 2);
    await answer(lastRunId!);
    await retryRun(engine, named);
    expect((await fireAt(schedule, 3)).last?.outcome).to.equal('skipped');
    await terminateRun(engine, named);
    expect((await fireAt(schedule, 4)).last?.outcome).to.equal('started');
  });

  it('lets times wait for the run before them, and starts them one after the other', async () => {
    const schedule = await make({ workflowId: asking, overlap: 'queue', catchUp: 'all' }, 7);
    await fireSchedules(engine);
    expect(await see(schedule)).to.deep.include({
      waiting: [timeOf(8), timeOf(9)],
      last: { at: timeOf(9), outcome: 'waiting', error: null },
    });
    for (const minute of [7, 8, 9]) {
      await lookAgain(schedule);
      await fireSchedules(engine);
      const runs = await runsOf(schedule);
      expect(runs.map(({ origin }) => origin).at(-1)).to.equal(originOf(schedule, minute));
      await answer(runs.at(-1)!.id);
    }
    expect(await see(schedule)).to.deep.include({
      waiting: [],
      last: { at: timeOf(9), outcome: 'started', error: null },
    });
  });

  it('starts beside a run that is not over where it may', async () => {
    const schedule = await make({ workflowId: asking, overlap: 'allow', catchUp: 'all' }, 7);
    await fireSchedules(engine);
    expect((await runsOf(schedule)).map(({ status }) => status)).to.deep.equal(['waiting', 'waiting', 'waiting']);
  });

  it('records why a run could not be started, and goes on with the next time', async () => {
    const workflow = await world.define({ name: 'Archived', steps: [{ id: 'end', type: 'end-flow' }] });
    const schedule = await make({ workflowId: workflow }, 8);
    await archiveDefinition(engine, { actor: world.actor, workflow });
    await fireSchedules(engine);
    const { last, nextAt, enabled } = await see(schedule);
    expect(last).to.deep.include({ at: timeOf(9), outcome: 'failed' });
    expect(last!.error!.code).to.equal('workflow_archived');
    expect([enabled, nextAt! > Date.now()]).to.deep.equal([true, true]);
    await unarchiveDefinition(engine, { actor: world.actor, workflow });
    await rewind(schedule, 9);
    await fireSchedules(engine);
    expect((await see(schedule)).last).to.deep.equal({ at: timeOf(9), outcome: 'started', error: null });
  });

  it('says what of its input the workflow does not take any more', async () => {
    const workflow = await world.define({ name: 'Strict', steps: [{ id: 'end', type: 'end-flow' }] });
    const schedule = await make({ workflowId: workflow, input: { days: 'seven' } }, 9);
    const changes = { payload: { days: { type: 'integer' } } };
    await updateDefinition(engine, { actor: world.actor, workflow, changes });
    await fireSchedules(engine);
    const { last, nextAt } = await see(schedule);
    expect([last!.error!.code, nextAt! > Date.now()]).to.deep.equal(['invalid_input', true]);
    expect(last!.error!.message).to.match(/^The input does not fit the workflow: \/days /);
  });

  it('says that its workflow is deleted, until it goes with it', async () => {
    const workflow = await world.define({ name: 'Gone', steps: [{ id: 'end', type: 'end-flow' }] });
    const schedule = await make({ workflowId: workflow }, 9);
    await archiveDefinition(engine, { actor: world.actor, workflow });
    await deleteArchivedDefinition(engine, { actor: world.actor, workflow });
    await fireSchedules(engine);
    const { last, nextAt } = await see(schedule);
    expect([last!.error!.code, nextAt! > Date.now()]).to.deep.equal(['workflow_not_found', true]);
    await world.db.pool.query(`UPDATE definitions SET deleted_at = deleted_at - interval '2 hours' WHERE id = $1`, [
      workflow,
    ]);
    await purgeWorkflows(engine);
    expect(await see(schedule)).to.equal(null);
  });

  it('starts nothing while it is paused, and counts from now on when it is enabled again', async () => {
    const schedule = await make({ workflowId: asking, overlap: 'queue', catchUp: 'all' }, 8);
    await fireSchedules(engine);
    expect((await see(schedule)).waiting).to.have.length(1);
    const paused = await changeSchedule(engine, refOf(schedule), { enabled: false });
    expect(paused).to.deep.include({ enabled: false, nextAt: null, waiting: [] });
    await fireSchedules(engine);
    const resumed = await changeSchedule(engine, refOf(schedule), { enabled: true });
    expect(resumed.nextAt).to.be.greaterThan(Date.now());
    await fireSchedules(engine);
    expect(await runsOf(schedule)).to.have.length(1);
  });

  it('forgets what an outage has left due when its pattern is changed, and decides about it by a policy that is', async () => {
    const [moved, other] = [await make({ catchUp: 'all' }), await make({ catchUp: 'all', overlap: 'allow' })];
    const { nextAt } = await changeSchedule(engine, refOf(moved), { cronExpression: ONE_TIME });
    await changeSchedule(engine, refOf(other), { catchUp: 'one' });
    await fireSchedules(engine);
    expect(await see(moved)).to.deep.include({ nextAt, last: null });
    expect(await runsOf(moved)).to.deep.equal([]);
    expect((await runsOf(other)).map(({ origin }) => origin)).to.deep.equal([originOf(other, 9)]);
  });

  it('keeps its time through a change of its name or input, and takes a new one with another pattern', async () => {
    const schedule = await make({}, 9);
    const renamed = await changeSchedule(engine, refOf(schedule), { name: 'better', input: { b: 2 } });
    expect(renamed).to.deep.include({ name: 'better', nextAt: timeOf(9), timezone: 'UTC' });
    const moved = await changeSchedule(engine, refOf(schedule), { timezone: 'Asia/Tokyo' });
    expect(moved.nextAt).to.be.greaterThan(Date.now());
  });

  it('records nothing of a time that was fired while somebody changed the schedule', async () => {
    const schedule = await make({}, 9);
    armFailpoints([{ name: 'schedule.after_fire', action: 'throw', ms: 0, nth: 1 }]);
    await fireSchedules(engine);
    await changeSchedule(engine, refOf(schedule), { enabled: false });
    await fireSchedules(engine);
    expect(await see(schedule)).to.deep.include({ enabled: false, nextAt: null, last: null });
    expect(await runsOf(schedule)).to.have.length(1);
  });

  it('runs now as often as it is asked, beside its times', async () => {
    const schedule = await make({ workflowId: asking, input: { n: 1 }, enabled: false });
    const request = { ...refOf(schedule), idempotencyId: randomUUID() };
    const [one, again] = [await runSchedule(engine, request), await runSchedule(engine, request)];
    expect(again).to.deep.equal(one);
    const { rows } = await world.db.pool.query('SELECT trigger, input FROM runs WHERE id = $1', [one.runId]);
    expect(rows).to.deep.equal([{ trigger: 'manual', input: { n: 1 } }]);
    expect((await see(schedule)).lastRunId).to.equal(null);
  });

  it('is gone when it is deleted, and its runs are not', async () => {
    const schedule = await make({ workflowId: asking }, 9);
    await fireSchedules(engine);
    await endSchedule(engine, refOf(schedule));
    expect(await see(schedule)).to.equal(null);
    expect(await runsOf(schedule)).to.have.length(1);
  });
});
