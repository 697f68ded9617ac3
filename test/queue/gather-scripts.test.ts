// Calls of scripts that go to Redis as one (queue/gather-scripts.ts): with scripts of the test's own under BullMQ's names, and with
// BullMQ's.

import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Redis } from 'ioredis';
import { v7 as newId } from 'uuid';
import { createLog } from '../../src/log.ts';
import { openQueues } from '../../src/queue/connection.ts';
import { GatheringRedis } from '../../src/queue/gather-scripts.ts';
import { eventually } from '../support/eventually.ts';
import { startRedis, type TestServer } from '../support/services.ts';

type Call = (args: unknown[]) => Promise<unknown>;

/** Answers what it was given; fails where that says so. */
const ECHO = `
  if ARGV[1] == 'fail' then return redis.call('no-such-command') end
  if ARGV[1] == 'refuse' then return redis.error_reply('REFUSED by the script') end
  if ARGV[1] == 'nothing' then return nil end
  if ARGV[1] == 'number' then return -5 end
  redis.call('RPUSH', KEYS[2], ARGV[1])
  return {KEYS[1], KEYS[2], {ARGV[1], ARGV[2]}, #ARGV}`;

describe('scripts called many at a time', () => {
  let server: TestServer;
  let redis: GatheringRedis;
  let add: Call;
  let finish: Call;

  before(async () => {
    server = await startRedis();
  });
  beforeEach(async () => {
    redis = new GatheringRedis(server.url, {});
    const define = (name: string): Call => {
      redis.defineCommand(name, { numberOfKeys: 2, lua: ECHO });
      return (args) => (redis as unknown as Record<string, Call>)[name]!(args);
    };
    add = define('addStandardJob:test');
    finish = define('moveToFinished:test');
    await redis.flushall();
    await redis.config('RESETSTAT');
  });
  afterEach(() => redis.disconnect());
  after(() => server.stop());

  /** Calls of scripts that Redis has been sent. */
  async function countCalls(from: Redis): Promise<number> {
    const stats = await from.info('commandstats');
    return ['eval', 'evalsha'].reduce(
      (sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0),
      0,
    );
  }

  it('go as one from the same turn, in their order, each with its own reply', async () => {
    const calls = Array.from({ length: 50 }, (_, n) => (n % 3 === 0 ? finish : add)([`q`, 'list', `${n}`, 'x']));
    expect(await Promise.all(calls)).to.deep.equal(calls.map((_, n) => ['q', 'list', [`${n}`, 'x'], 2]));
    expect(await redis.lrange('list', 0, -1)).to.deep.equal(calls.map((_, n) => `${n}`));
    // The first goes at once, because nothing is on its way; once more of each where the script was not known yet.
    expect(await countCalls(redis)).to.be.at.most(4);
  });

  it('fail one by one, and answer nothing and numbers as they are', async () => {
    const words = ['first', 'fail', 'refuse', 'nothing', 'number', 'last'];
    const settled = await Promise.allSettled(words.map((word) => add(['q', 'list', word, ''])));
    expect(settled.map(({ status }) => status)).to.deep.equal([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ]);
    expect(String((settled[2] as PromiseRejectedResult).reason)).to.include('REFUSED by the script');
    expect(settled.slice(3, 5).map((one) => (one as PromiseFulfilledResult<unknown>).value)).to.deep.equal([null, -5]);
    expect(await redis.lrange('list', 0, -1)).to.deep.equal(['first', 'last']);
  });

  it('are given together what they would be given alone: any text, any bytes, and nothing', async () => {
    const value = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 80 }),
      fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(
        '',
        undefined,
        null,
        7,
        -1.5,
        'x'.repeat(31),
        'x'.repeat(32),
        'ü'.repeat(30_000),
        'x'.repeat(70_000),
      ),
    );
    const argument = value.map((one) => (typeof one === 'string' ? `v${one}` : one));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(argument, value), { maxLength: 20 }), async (given) => {
        await redis.del('list');
        const args = given.map(([first, second]) => ['q', 'list', first, second]);
        await Promise.all([add(['q', 'list', 'x', '']), ...args.map((one) => finish(one))]);
        const together = await redis.lrangeBuffer('list', 1, -1);
        await redis.del('list');
        for (const one of args) await finish(one);
        expect(together).to.deep.equal(await redis.lrangeBuffer('list', 0, -1));
      }),
      { numRuns: 60 },
    );
  });

  it('stay with the pipeline that they are made on', async () => {
    const pipeline = redis.pipeline();
    for (const word of ['a', 'b'])
      void (pipeline as unknown as Record<string, Call>)['addStandardJob:test']!(['q', 'list', word, '']);
    expect(await redis.llen('list')).to.equal(0);
    expect((await pipeline.exec())?.map(([error]) => error)).to.deep.equal([null, null]);
    expect(await redis.llen('list')).to.equal(2);
  });

  it('are BullMQ’s own: jobs offered in one turn are all there, over several queues', async () => {
    const queues = await openQueues(
      {
        databaseUrl: '',
        redisUrl: server.url,
        stepQueues: 3,
        leaseMs: 7_000,
        queuePrefix: randomBytes(6).toString('hex'),
      },
      { log: createLog({ level: 'silent', name: 'test' }), onAddFailed: (error) => expect.fail(error.message) },
    );
    await eventually(async () => (await queues.probe()).ok);
    const job = () => ({ runId: newId(), workspaceId: newId(), step: 'a', visit: 1, dispatch: 1 });
    queues.steps.offer([job()]);
    await eventually(async () => (await queues.steps.countLive()) === 1);
    await redis.config('RESETSTAT');
    queues.steps.offer(Array.from({ length: 200 }, job));
    await eventually(async () => (await queues.steps.countLive()) === 201);
    // Three queues, and at most 128 calls at a time; BullMQ's counts are no scripts.
    expect(await countCalls(redis)).to.be.at.most(20);
    await queues.close();
  });
});
