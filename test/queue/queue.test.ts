// The queue on both of its backends: what a job is, what BullMQ makes of a verdict, and what it does without.

import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { v7 as newId } from 'uuid';
import { createLog } from '../../src/log.ts';
import { openQueues, type Queues } from '../../src/queue/connection.ts';
import { jobId, type StepJob } from '../../src/queue/steps-queue.ts';
import type { JobProcessor, JobVerdict } from '../../src/queue/steps-worker.ts';
import { eventually } from '../support/eventually.ts';
import { createDatabase, getServices, startRedis, type TestServer } from '../support/services.ts';

const log = createLog({ level: 'silent', name: 'test' });
const jobOf = (more: Partial<StepJob> = {}): StepJob => ({
  runId: newId(),
  workspaceId: newId(),
  step: 'a',
  visit: 1,
  dispatch: 1,
  ...more,
});
const DONE: JobVerdict = { kind: 'done' };

for (const backend of ['redis', 'postgres'] as const) {
  describe(`the step queue in ${backend}`, () => {
    const closing: (() => Promise<void>)[] = [];
    let databaseUrl: string;
    let failed: Error[];
    let queues: Queues;

    before(async () => {
      const database = await createDatabase();
      databaseUrl = database.url;
      closing.push(database.drop);
    });
    beforeEach(async () => {
      failed = [];
      queues = await open();
    });
    afterEach(() => queues.close());
    after(() => Promise.all(closing.map((close) => close())));

    function open(stepQueues = 1): Promise<Queues> {
      const redisUrl = backend === 'redis' ? getServices().redisUrl : null;
      return openQueues(
        { databaseUrl, redisUrl, stepQueues, leaseMs: 7_000, queuePrefix: `q${randomBytes(6).toString('hex')}` },
        { log, onAddFailed: (error) => failed.push(error) },
      );
    }

    /** Takes jobs with these verdicts, `done` after the last; answers what was handed out. */
    function work(verdicts: JobVerdict[] = [], meanwhile: () => Promise<unknown> = async () => {}) {
      const handed: { job: StepJob; started: number; at: number }[] = [];
      const process: JobProcessor = async (job, started) => {
        handed.push({ job, started, at: Date.now() });
        await meanwhile();
        return verdicts[handed.length - 1] ?? DONE;
      };
      const worker = queues.createWorker(process, 5);
      return { handed, worker };
    }

    const empty = () => eventually(async () => (await queues.steps.countLive()) === 0, { what: 'an empty queue' });

    it('makes one job of a promise however often it is added, and the job holds ids alone', async () => {
      const job = jobOf();
      queues.steps.offer([job, job]);
      await queues.steps.addAll([job]);
      await eventually(async () => (await queues.steps.inspect(job)) === 'live');
      const stored = await queues.board[0]!.getJobs(['wait']);
      expect(stored.map(({ id, data }) => ({ id, data }))).to.deep.equal([{ id: jobId(job), data: job }]);
      const { handed, worker } = work();
      worker.run();
      await eventually(() => handed.length === 1);
      await empty();
      expect(handed).to.have.length(1);
      expect(await queues.steps.inspect(job)).to.equal('missing');
      expect(failed).to.deep.equal([]);
    });

    it('ignores a job that is added again while it is worked on', async () => {
      const job = jobOf();
      let finish = () => {};
      const { handed, worker } = work([], () => new Promise<void>((resolve) => (finish = resolve)));
      worker.run();
      await queues.steps.addAll([job]);
      await eventually(() => handed.length === 1);
      await queues.steps.addAll([job]);
      finish();
      await empty();
      expect(handed).to.have.length(1);
    });

    it('drops a job without its ids, and calls nobody for it', async () => {
      const { handed, worker } = work();
      worker.run();
      for (const data of [{}, { runId: newId() }, { runId: 1, step: 'a', visit: 1, dispatch: 1 }])
        await queues.board[0]!.add('stray', data, { jobId: `stray-${newId()}` });
      await empty();
      expect(handed).to.deep.equal([]);
    });

    it('hands a job out again after the delay of a failed attempt, and not before', async () => {
      const { handed, worker } = work([{ kind: 'retry', delayMs: 300, message: 'not this time' }]);
      worker.run();
      await queues.steps.addAll([jobOf()]);
      await eventually(() => handed.length === 2);
      expect(handed[1]!.at - handed[0]!.at).to.be.at.least(295);
      expect(handed[1]!.started).to.equal(2);
    });

    it('puts a job back that comes too early, and lets it go when it is promoted', async () => {
      const job = jobOf();
      const { handed, worker } = work([{ kind: 'later', delayMs: 60_000 }]);
      worker.run();
      await queues.steps.addAll([job]);
      await eventually(async () => (await queues.steps.inspect(job)) === 'delayed');
      expect(await queues.steps.countLive()).to.equal(0);
      await queues.steps.promote(job);
      await eventually(() => handed.length === 2);
    });

    it('keeps a failed job for operators; its id is used up, and the next dispatch number is not', async () => {
      const job = jobOf();
      const { handed, worker } = work([{ kind: 'failed', message: 'for good' }]);
      worker.run();
      await queues.steps.addAll([job]);
      await eventually(async () => (await queues.steps.inspect(job)) === 'dead');
      await queues.steps.addAll([job, { ...job, dispatch: 2 }]);
      await eventually(() => handed.length === 2);
      await empty();
      expect(handed.map((one) => one.job.dispatch)).to.deep.equal([1, 2]);
    });

    it('takes nothing while it is paused, and goes on after', async () => {
      const { handed, worker } = work();
      worker.run();
      await queues.steps.addAll([jobOf()]);
      await eventually(() => handed.length === 1);
      // Finishing a job fetches the next one, and a pause does not call back a fetch that is under way.
      await empty();
      await worker.pause();
      await queues.steps.addAll([jobOf()]);
      expect(await queues.steps.countLive()).to.equal(1);
      worker.run();
      await eventually(() => handed.length === 2);
    });

    it('closes after the jobs in hand, and loses none that came meanwhile', async () => {
      let finish = () => {};
      const gate = new Promise<void>((resolve) => (finish = resolve));
      let finished = 0;
      const { handed, worker } = work([], async () => {
        await gate;
        finished += 1;
      });
      worker.run();
      await queues.steps.addAll([jobOf()]);
      await eventually(() => handed.length === 1);
      const closed = worker.close();
      await queues.steps.addAll([jobOf()]);
      finish();
      await closed;
      expect(finished, 'jobs in hand that were finished').to.equal(handed.length);
      expect(handed.length + (await queues.steps.countLive())).to.equal(2);
    });

    it('spreads runs over its queues, all jobs of a run in one', async () => {
      const many = await open(4);
      const runs = Array.from({ length: 40 }, () => newId());
      await many.steps.addAll(runs.flatMap((runId) => [jobOf({ runId }), jobOf({ runId, step: 'b' })]));
      const homes = await Promise.all(many.board.map((queue) => queue.getJobs(['wait'])));
      expect(homes.filter((jobs) => jobs.length > 0).length).to.be.greaterThan(1);
      for (const jobs of homes)
        for (const runId of new Set(jobs.map((job) => job.data.runId)))
          expect(jobs.filter((job) => job.data.runId === runId)).to.have.length(2);
      await many.close();
    });
  });
}

describe('the step queue without its Redis', () => {
  let redis: TestServer;
  let queues: Queues;
  let failed: Error[];
  before(async () => {
    redis = await startRedis();
  });
  beforeEach(async () => {
    failed = [];
    queues = await openQueues(
      {
        databaseUrl: '',
        redisUrl: redis.url,
        stepQueues: 1,
        leaseMs: 7_000,
        queuePrefix: `q${randomBytes(6).toString('hex')}`,
      },
      { log, onAddFailed: (error) => failed.push(error) },
    );
  });
  afterEach(() => queues.close());
  after(() => redis.stop());

  it('says why jobs cannot be taken, and that they can once it is mended (F-15, F-16)', async () => {
    await eventually(async () => (await queues.probe()).ok);
    await queues.board[0]!.getBackend().client.then((client) =>
      (client as unknown as { config(...args: string[]): Promise<unknown> }).config(
        'SET',
        'maxmemory-policy',
        'allkeys-lru',
      ),
    );
    expect(await queues.probe()).to.deep.equal({
      ok: false,
      message: 'Redis has maxmemory-policy allkeys-lru: set it to noeviction, or queued steps are evicted',
    });
    await redis.kill();
    await eventually(async () => (await queues.probe()).message?.startsWith('Redis does not answer: '));
    await redis.restart();
    await eventually(async () => (await queues.probe()).ok);
  });

  it('offers without waiting, counts what was not taken, and works again when Redis is back', async () => {
    await eventually(async () => (await queues.probe()).ok);
    await redis.kill();
    queues.steps.offer(Array.from({ length: 2_000 }, () => jobOf()));
    expect(
      failed.map(({ message }) => message),
      'what is known at once',
    ).to.deep.equal(['too many adds in flight']);
    await eventually(() => failed.length >= 1_001, { what: () => `failures, ${failed.length},` });
    await redis.restart();
    const job = jobOf();
    await eventually(async () => {
      queues.steps.offer([job]);
      return (await queues.steps.inspect(job)) === 'live';
    });
  });
});
