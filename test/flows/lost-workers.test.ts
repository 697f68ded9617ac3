// Worker processes that die, freeze, block, or are asked to leave. Each test has the processes it kills, and one more.

import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { checkEffects, checkStored } from '../support/invariants.ts';
import { createFleet, type Fleet, type TestProcess } from '../support/processes.ts';
import { type Received, type Receiver, startReceiver } from '../support/receiver.ts';
import { edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

describe('worker processes', () => {
  let world: World;
  let receiver: Receiver;
  let fleet: Fleet;

  before(async () => {
    [world, receiver] = await Promise.all([createWorld(), startReceiver()]);
    fleet = createFleet(world.environment);
    await fleet.add(3);
  });
  afterEach(async () => {
    receiver.release();
    await checkStored(world);
    await checkEffects(world, receiver);
  });
  after(async () => {
    await fleet.killAll();
    await Promise.all([world.close(), receiver.close()]);
  });

  const calls = (runId: string) => receiver.calls.filter((call) => call.runId === runId && call.what === 'effect');
  const processOf = (call: Received): TestProcess => fleet.members.find((member) => member.pid === call.pid)!;
  const executions = (runId: string, count: number, withinMs?: number) =>
    eventually(() => (calls(runId).length === count ? calls(runId) : null), {
      ...(withinMs === undefined ? {} : { withinMs }),
      what: () => `${count} executions, not ${JSON.stringify(calls(runId))},`,
    });
  const claims = async (runId: string) =>
    (await world.history(runId)).filter((event) => event.startsWith('step.started'));

  it('gives a step whose worker was killed to another within 10 s, under the same effect key (F-34, F-06)', async () => {
    receiver.hold();
    const runId = await world.start(await world.define({ steps: [tool('a', 'effect', { url: receiver.url })] }));
    const [first] = await executions(runId, 1);
    await processOf(first!).kill();
    const replaced = fleet.add(1);
    const [, second] = await executions(runId, 2, 10_000);
    receiver.release();
    await world.until(runId, 'completed');
    expect(second!.pid).not.to.equal(first!.pid);
    expect(second!.key).to.equal(first!.key);
    expect(await world.history(runId)).to.deep.equal([
      'run.created',
      'step.started a',
      'lease.expired a',
      'step.started a',
      'step.completed a',
      'step.completed end',
      'run.completed',
    ]);
    await replaced;
  });

  it('refuses the result of a worker that was frozen past its lease, and tells it in its log (F-37)', async () => {
    receiver.hold();
    const runId = await world.start(
      await world.define({
        steps: [tool('a', 'effect', { url: receiver.url, deaf: true }), tool('b', 'noop')],
        edges: edges('a b'),
      }),
    );
    const [first] = await executions(runId, 1);
    const frozen = processOf(first!);
    frozen.signal('SIGSTOP');
    receiver.release();
    await world.until(runId, 'completed');
    const history = await world.history(runId);
    const seen = frozen.lines.length;
    frozen.signal('SIGCONT');
    await eventually(() => frozen.lines.slice(seen).some((line) => line.includes('a late result was refused')), {
      what: () => frozen.lines.join('\n'),
    });
    expect(await world.history(runId)).to.deep.equal(history);
    expect(history.filter((event) => event === 'step.completed a')).to.have.length(1);
  });

  it('takes one result of a step that blocks its worker for longer than its lease, and refuses the blocked one (F-36)', async () => {
    const runId = await world.start(
      await world.define({ steps: [tool('a', 'block', { url: receiver.url, ms: 3_000 })] }),
    );
    await world.until(runId, 'completed');
    const [first] = await executions(runId, 2);
    const blocked = processOf(first!);
    await eventually(
      () => blocked.lines.some((line) => line.includes('a late result was refused') && line.includes(runId)),
      { what: () => blocked.lines.join('\n') },
    );
    expect(await claims(runId)).to.have.length(2);
  });

  it('gives back what does not finish in time when it is asked to leave: no claim is lost, no step fails (F-42)', async () => {
    receiver.hold();
    const [leaver] = await fleet.add(1, { DRAIN_MS: '200' });
    const workflow = await world.define({ steps: [tool('a', 'effect', { url: receiver.url, deaf: true })] });
    const runs: string[] = [];
    await eventually(async () => {
      runs.push(await world.start(workflow));
      return receiver.calls.some((call) => call.pid === leaver!.pid);
    });
    const left = receiver.calls.filter((call) => call.pid === leaver!.pid).map((call) => call.runId);
    const stopped = leaver!.stop();
    for (const runId of left) await executions(runId, 2);
    receiver.release();
    expect(await stopped).to.equal(0);
    for (const runId of runs) await world.until(runId, 'completed');
    const { rows } = await world.db.pool.query('SELECT DISTINCT lost, attempt FROM step_runs WHERE run_id = ANY ($1)', [
      runs,
    ]);
    expect(rows).to.deep.equal([{ lost: 0, attempt: 1 }]);
  });

  it('fails a step that kills its worker each time after exactly 5 claims with worker_lost; the others go on (F-39)', async () => {
    fleet.supervise();
    const poison = await world.start(
      await world.define({ steps: [tool('a', 'crash', { url: receiver.url, times: 99 })] }),
    );
    const innocent = await world.define({ steps: [tool('a', 'noop'), tool('b', 'noop')], edges: edges('a b') });
    const others = await Promise.all(Array.from({ length: 20 }, () => world.start(innocent)));
    expect((await world.until(poison, 'failed', 60_000)).error).to.deep.include({ code: 'worker_lost', step: 'a' });
    expect(await claims(poison)).to.have.length(5);
    expect(new Set(calls(poison).map((call) => call.key)).size).to.equal(1);
    for (const runId of others) await world.until(runId, 'completed');
  });
});
