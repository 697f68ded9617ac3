import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { answerRun } from '../../src/engine/answer-run.ts';
import { retryRun } from '../../src/engine/control-run.ts';
import { RunStreams } from '../../src/engine/run-streams.ts';
import { startRun } from '../../src/engine/start-run.ts';
import type { FollowedEvent } from '../../src/store/followed-events.ts';
import { eventually } from '../support/eventually.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { getServices } from '../support/services.ts';
import { APPROVE, ask, edges } from '../support/steps.ts';
import { createWorld, openEngine, type World } from '../support/world.ts';

const SETTINGS = { max: 10, perWorkspace: 10, lifetimeMs: 60_000, pingMs: 30_000, stallMs: 30_000 };

describe('a reader of a run’s events', () => {
  let world: World;
  let elsewhere: Awaited<ReturnType<typeof openEngine>>;
  let proxy: TestProxy;
  let streams: RunStreams;
  let gate: string;
  let loop: string;
  const gone = new AbortController();

  before(async () => {
    proxy = await startProxy(getServices().postgresAdminUrl);
    world = await createWorld({ databaseUrl: proxy.url });
    // Its hints go to nobody who follows here.
    const other = { HOLDPOINT_QUEUE_PREFIX: `t${randomBytes(6).toString('hex')}`, DATABASE_URL: world.db.url };
    elsewhere = await openEngine({ ...world.environment, ...other });
    await world.work(other);
    streams = new RunStreams(world.engine, SETTINGS);
    gate = await world.define({ steps: [ask()] });
    loop = await world.define({
      steps: [
        { id: 'count', type: 'transform', output: { n: '${data.n + 1}', text: '${data.text}' } },
        { id: 'more', type: 'condition', condition: 'data.n < data.to' },
      ],
      edges: [
        ...edges('count more'),
        { from: 'more', to: 'count', on: 'true' },
        { from: 'more', to: 'end', on: 'false' },
      ],
    });
  });
  after(async () => {
    gone.abort();
    await proxy.set('pass');
    await elsewhere.close();
    await world.close();
    await proxy.close();
  });

  const follow = (runId: string, after = 0) => streams.open({ runId, actor: world.actor, after, signal: gone.signal });
  const collect = (reader: AsyncIterable<readonly FollowedEvent[]>) => {
    const events: FollowedEvent[] = [];
    const pages: number[] = [];
    const done = (async () => {
      for await (const page of reader) {
        pages.push(page.length);
        events.push(...page);
      }
    })();
    return { events, pages, done };
  };
  const start = async (workflow: string, input = {}) =>
    (await startRun(elsewhere.engine, { actor: world.actor, workflow, input, trigger: 'api' })).runId;
  const answer = (runId: string) => answerRun(elsewhere.engine, { actor: world.actor, runId, answer: APPROVE });
  const seqs = (events: FollowedEvent[]) => events.map(({ seq }) => seq);
  const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

  it('hears of what no hint has told it', async () => {
    const runId = await start(gate);
    const { events, done } = collect(follow(runId));
    await eventually(() => events.length === 2);
    await answer(runId);
    await done;
    expect(events.map(({ type }) => type)).to.deep.equal([
      'run.created',
      'step.paused',
      'step.completed',
      'step.completed',
      'run.completed',
    ]);
    expect(seqs(events)).to.deep.equal(upTo(5));
  });

  it('outlasts a database that is away', async () => {
    const runId = await start(gate);
    const { events, done } = collect(follow(runId));
    await eventually(() => events.length === 2);
    await proxy.set('refuse');
    await answer(runId);
    await proxy.set('pass');
    await done;
    expect(seqs(events)).to.deep.equal(upTo(5));
  });

  it('is given long histories in pages, bounded by their size too', async () => {
    const [many, large] = [
      await start(loop, { n: 0, to: 300, text: '' }),
      await start(loop, {
        n: 0,
        to: 20,
        text: randomBytes(20_000).toString('hex'),
      }),
    ];
    const read = [collect(follow(many)), collect(follow(large))] as const;
    await Promise.all(read.map(({ done }) => done));
    for (const [index, runId] of [many, large].entries()) {
      const { seq } = await world.see(runId);
      expect(seqs(read[index]!.events)).to.deep.equal(upTo(seq));
    }
    expect(Math.max(...read[0].pages)).to.be.within(20, 100);
    const heavy = read[1].events.filter(({ step }) => step === 'count');
    expect(heavy).to.have.length(20);
    // Each of the large ones alone with what little there is beside it.
    expect(Math.max(...read[1].pages)).to.be.below(5);
  });

  it('is given nothing that it has not asked for', async () => {
    const runId = await start(loop, { n: 0, to: 300, text: '' });
    const reader = follow(runId);
    const first = await reader.next();
    expect(first.value).to.have.length.within(20, 100);
    await eventually(async () => (await world.see(runId)).status === 'completed');
    const after = seqs([...(first.value ?? [])]).at(-1)!;
    expect(reader.after).to.equal(after);
    const { events, done } = collect(reader);
    await done;
    expect(events[0]!.seq).to.equal(after + 1);
  });

  it('goes on after the end of a run that was retried since', async () => {
    const runId = await world.start(gate);
    await answerRun(world.engine, {
      actor: world.actor,
      runId,
      answer: { type: 'request_user_action', actionId: 'reject' },
    });
    const { seq } = await world.see(runId);
    await retryRun(world.engine, { actor: world.actor, runId });
    const { events, done } = collect(follow(runId));
    await eventually(() => events.some((event) => event.seq > seq && event.type === 'step.paused'));
    expect(events.some(({ type }) => type === 'run.failed')).to.equal(true);
    await answerRun(world.engine, { actor: world.actor, runId, answer: APPROVE });
    await done;
    expect(events.at(-1)!.type).to.equal('run.completed');
    expect(seqs(events)).to.deep.equal(upTo(events.length));
  });

  it('is one of a thousand in a process, and each of them has every event once', async () => {
    const runs = await Promise.all(Array.from({ length: 20 }, () => start(gate)));
    const crowd = new RunStreams(world.engine, { ...SETTINGS, max: 1_000, perWorkspace: 1_000 });
    const read = Array.from({ length: 1_000 }, (_, index) =>
      collect(crowd.open({ runId: runs[index % runs.length]!, actor: world.actor, after: 0, signal: gone.signal })),
    );
    await eventually(() => read.every(({ events }) => events.length === 2));
    await Promise.all(runs.map((runId) => answerRun(world.engine, { actor: world.actor, runId, answer: APPROVE })));
    await Promise.all(read.map(({ done }) => done));
    for (const { events } of read) expect(seqs(events)).to.deep.equal(upTo(5));
  });

  it('is over when the run is purged', async () => {
    const runId = await start(gate);
    const { events, done } = collect(follow(runId));
    await eventually(() => events.length === 2);
    await world.db.pool.query('DELETE FROM runs WHERE id = $1', [runId]);
    await done;
  });

  it('is cut off when all together hold too much, the one that has held a page longest first', async () => {
    const runId = await start(gate);
    const readers = [follow(runId), follow(runId), follow(runId)];
    const cut: number[] = [];
    for (const [index, reader] of readers.entries()) {
      reader.onCut = () => cut.push(index);
      await reader.next();
      reader.hold(30 * 1_048_576);
    }
    expect(cut).to.deep.equal([0]);
    const asked = readers[1]!.next();
    readers[2]!.hold(60 * 1_048_576);
    expect(cut).to.deep.equal([0]);
    for (const reader of readers) reader.end();
    expect(await asked).to.deep.equal({ done: true, value: undefined });
  });

  it('leaves nothing behind', async () => {
    const { values } = await world.engine.metrics.openWaiters.get();
    expect(values[0]!.value).to.equal(0);
  });
});
