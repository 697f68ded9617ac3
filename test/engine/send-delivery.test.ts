// A callback and the step run that waits for it: its sender looks whether it is still awaited before it sends, and what it
// learns too late changes nothing.

import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import { answerRun } from '../../src/engine/answer-run.ts';
import { cancelRun, holdRun, terminateRun } from '../../src/engine/control-run.ts';
import { fireDue } from '../../src/engine/fire-due.ts';
import { listRunSnapshots, rollbackRun } from '../../src/engine/rollback-run.ts';
import { setSecret } from '../../src/engine/secrets.ts';
import { sendDelivery } from '../../src/engine/send-delivery.ts';
import { eventually } from '../support/eventually.ts';
import { type HookReceiver, inTurn, startHookReceiver } from '../support/hook-receiver.ts';
import { checkInvariants } from '../support/invariants.ts';
import { APPROVE, ask, edges } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

const SECRET = 'the-secret-that-callbacks-are-signed-with';

describe('a callback on its way', () => {
  let world: World;
  let receiver: HookReceiver;
  before(async () => {
    receiver = await startHookReceiver();
    world = await createWorld({
      settings: {
        HOLDPOINT_SECRET_KEY: '1'.repeat(64),
        HOLDPOINT_EGRESS_ALLOW: `127.0.0.1:${receiver.port}`,
      },
    });
    await setSecret(world.engine, { actor: world.actor, name: 'CALLBACK_SECRET', value: SECRET });
  });
  afterEach(() => checkInvariants(world));
  after(() => Promise.all([world.close(), receiver.close()]));

  /** A run with a callback that nobody has sent yet, beside a person who is asked. */
  async function start(path: string, more: object = {}): Promise<string> {
    const a = { id: 'a', type: 'transform', output: { n: 1 } };
    const call = { id: 'call', type: 'callback', url: receiver.url(path), ...more };
    const end = { id: 'end', type: 'end-flow', result: '${steps.call.output}' };
    const flow = { steps: [a, call, ask('beside'), end], edges: edges('a call end', 'a beside end') };
    return world.start(await world.define(flow));
  }
  const of = (runId: string) => ({ actor: world.actor, runId });
  const listDeliveries = async (runId: string) => {
    const { rows } = await world.db.pool.query<{ id: string; status: string }>(
      'SELECT id, status FROM deliveries WHERE run_id = $1 ORDER BY id',
      [runId],
    );
    return rows;
  };
  const statusesOf = async (runId: string) => (await listDeliveries(runId)).map(({ status }) => status);
  const send = (id: string) => sendDelivery(world.engine, world.engine.hooks!, id);

  async function rollBack(runId: string): Promise<void> {
    await holdRun(world.engine, of(runId));
    const asked = { workspaceId: world.actor.workspaceId, runId, limit: 1 };
    const [snapshot] = (await listRunSnapshots(world.engine, world.db, asked)).rows;
    await rollbackRun(world.engine, { ...of(runId), to: snapshot!.seq });
  }

  const ends: Record<string, { stop(runId: string): Promise<unknown>; step?: object }> = {
    'is cancelled': { stop: (runId) => cancelRun(world.engine, of(runId)) },
    'is terminated': { stop: (runId) => terminateRun(world.engine, of(runId)) },
    'is rolled back': { stop: rollBack },
    'has failed in another branch': {
      stop: (runId) => answerRun(world.engine, { ...of(runId), answer: { ...APPROVE, actionId: 'reject' } }),
    },
    'has given up waiting': {
      step: { dueInMs: 1 },
      stop: (runId) =>
        eventually(async () => {
          await fireDue(world.engine);
          return (await world.see(runId)).status === 'failed';
        }),
    },
  };
  for (const [what, { stop, step = {} }] of Object.entries(ends))
    it(`is not sent when its run ${what} before`, async () => {
      const path = `/${what.replaceAll(' ', '-')}`;
      const runId = await start(path, step);
      const [{ id } = { id: '' }] = await listDeliveries(runId);
      await stop(runId);
      const { seq } = await world.see(runId);
      await send(id);
      expect(receiver.received(path)).to.deep.equal([]);
      expect((await statusesOf(runId))[0]).to.equal('cancelled');
      expect((await world.see(runId)).seq, 'nothing was told of it').to.equal(seq);
    });

  for (const status of [200, 500])
    it(`that is answered ${status} too late changes nothing: after a rollback another one is sent and counts`, async () => {
      const path = `/late-${status}`;
      let answer = () => {};
      receiver.answer(path, (response) => {
        answer = () => response.writeHead(status).end('"the first"');
      });
      const runId = await start(path, { retry: { attempts: 1 } });
      const [first] = await listDeliveries(runId);
      const sending = send(first!.id);
      await eventually(() => receiver.received(path).length === 1);
      await rollBack(runId);
      const { seq } = await world.see(runId);
      answer();
      await sending;
      expect((await world.see(runId)).seq).to.equal(seq);
      expect(await statusesOf(runId)).to.deep.equal([status === 200 ? 'delivered' : 'dead', 'pending']);

      receiver.answer(path, (response) => response.writeHead(200).end('"the second"'));
      const [, second] = await listDeliveries(runId);
      await send(second!.id);
      await answerRun(world.engine, { ...of(runId), answer: APPROVE });
      await world.until(runId, 'completed');
      const { rows } = await world.db.pool.query('SELECT result FROM runs WHERE id = $1', [runId]);
      expect(rows[0].result).to.equal('the second');
      const ids = receiver.received(path).map(({ headers }) => headers['webhook-id']);
      expect(ids).to.deep.equal([`hp_${runId}_call_1_0`, `hp_${runId}_call_2_0`]);
    });

  it('is signed anew with every try: the same id, and the time of the try', async () => {
    receiver.answer('/again', inTurn(500, 200));
    const runId = await start('/again');
    const [{ id } = { id: '' }] = await listDeliveries(runId);
    await send(id);
    await world.db.pool.query('UPDATE deliveries SET due_at = now() WHERE id = $1', [id]);
    const clock = { ...world.engine.clock, now: () => world.engine.clock.now() + 60_000 };
    await sendDelivery({ ...world.engine, clock }, world.engine.hooks!, id);
    expect(await statusesOf(runId)).to.deep.equal(['delivered']);
    const [first, second] = receiver.received('/again');
    expect(second!.headers['webhook-id']).to.equal(first!.headers['webhook-id']);
    const between = Number(second!.headers['webhook-timestamp']) - Number(first!.headers['webhook-timestamp']);
    expect(between).to.be.within(60, 90);
    for (const { body, headers } of [first!, second!])
      expect(() =>
        new Webhook(SECRET, { format: 'raw' }).verify(body, headers as Record<string, string>),
      ).not.to.throw();
  });
});
