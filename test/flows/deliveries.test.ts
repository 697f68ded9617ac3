// Deliveries whose worker is killed, whose queue forgets everything, whose target turns out to be inside, and the bounds of
// their log. Each is a row, so none is lost; a receiver may get one twice, under the same id.

import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import dns from 'dns2';
import { Redis } from 'ioredis';
import type { EventName } from '../../src/core/event-names.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { sendDelivery } from '../../src/engine/send-delivery.ts';
import { createWebhook, endWebhook } from '../../src/engine/webhooks.ts';
import { trimDeliveries } from '../../src/store/deliveries.ts';
import { type DeliveryView, listDeliveries } from '../../src/store/delivery-views.ts';
import { startListener } from '../egress/listener.ts';
import { eventually } from '../support/eventually.ts';
import { type HookReceiver, startHookReceiver } from '../support/hook-receiver.ts';
import { createFleet, type Fleet } from '../support/processes.ts';
import { startRedis, type TestServer } from '../support/services.ts';
import { ask } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

describe('deliveries', () => {
  let redis: TestServer;
  let world: World;
  let receiver: HookReceiver;
  let fleet: Fleet;
  let flow: string;

  before(async () => {
    [redis, receiver] = await Promise.all([startRedis(), startHookReceiver()]);
    world = await createWorld({
      redisUrl: redis.url,
      settings: {
        HOLDPOINT_SECRET_KEY: '1'.repeat(64),
        HOLDPOINT_EGRESS_ALLOW: `127.0.0.1:${receiver.port}`,
        WEBHOOK_DELAYS_MS: '10,10',
        WEBHOOK_TIMEOUT_MS: '10000',
        SWEEP_MS: '100',
      },
    });
    fleet = createFleet(world.environment);
    flow = await world.define({ steps: [ask()] });
  });
  after(async () => {
    await fleet.killAll();
    await world.close();
    await Promise.all([redis.stop(), receiver.close()]);
  });

  async function subscribe(url: string, event: EventName, engine = world.engine): Promise<string> {
    return (await createWebhook(engine, { actor: world.actor, request: { url, events: [event] } })).row.id;
  }
  const list = async (webhookId: string): Promise<DeliveryView[]> =>
    (await listDeliveries(world.db, { workspaceId: world.actor.workspaceId, webhookId, limit: 2_000 })).rows;
  const whenDelivered = (webhookId: string, count: number) =>
    eventually(
      async () => {
        const found = await list(webhookId);
        return found.length === count && found.every(({ status }) => status === 'delivered') ? found : null;
      },
      { withinMs: 15_000, what: async () => `${count} delivered in ${JSON.stringify(await list(webhookId))}` },
    );

  for (const [failpoint, copies] of [
    ['delivery.before_send', 1],
    ['delivery.before_record', 2],
  ] as const) {
    it(`outlive the worker that is killed at ${failpoint}, and arrive under one id`, async () => {
      const path = `/${failpoint}`;
      const webhookId = await subscribe(receiver.url(path), 'run_created');
      const [victim] = await fleet.add(1, { FP: `${failpoint}:kill` });
      await world.start(flow);
      expect(await victim!.ended()).to.equal('SIGKILL');
      // As if the time of its lease were over.
      await world.db.pool.query(`UPDATE deliveries SET next_at = now() WHERE status = 'sending'`);
      await fleet.add(1);
      const [delivery] = await whenDelivered(webhookId, 1);
      await fleet.killAll();
      const ids = receiver.received(path).map(({ headers }) => headers['webhook-id']);
      expect(ids).to.deep.equal(Array.from({ length: copies }, () => delivery!.id));
      expect(delivery!.attempts).to.equal(2);
      await endWebhook(world.engine, { actor: world.actor, id: webhookId });
    });
  }

  it('have one sender at a time, however many are handed the job', async () => {
    const webhookId = await subscribe(receiver.url('/single'), 'run_created');
    await world.start(flow);
    const [delivery] = await list(webhookId);
    const hooks = world.engine.hooks!;
    await Promise.all(Array.from({ length: 8 }, () => sendDelivery(world.engine, hooks, delivery!.id)));
    expect(receiver.received('/single')).to.have.length(1);
    expect((await list(webhookId))[0]).to.include({ status: 'delivered', attempts: 1 });
    await endWebhook(world.engine, { actor: world.actor, id: webhookId });
  });

  it('outlive a queue that forgets everything: each arrives once the sweep has made its job again', async () => {
    const webhookId = await subscribe(receiver.url('/forgotten'), 'run_created');
    await Promise.all(Array.from({ length: 20 }, () => world.start(flow)));
    expect(await list(webhookId)).to.have.length(20);
    const client = new Redis(redis.url);
    await client.flushall();
    client.disconnect();
    const worker = await world.work();
    const found = await whenDelivered(webhookId, 20);
    await worker.stop();
    const ids = receiver.received('/forgotten').map(({ headers }) => headers['webhook-id']);
    expect(ids).to.have.members(found.map(({ id }) => id));
  });

  it('go to no address inside, whatever a name turns out to mean; what is refused is refused alike (S-58, S-66, S-67)', async () => {
    const inner = await startListener();
    const { Packet } = dns;
    const nameServer = dns.createServer({
      udp: true,
      handle(request, send) {
        const response = Packet.createResponseFromRequest(request);
        const [question] = request.questions;
        const address = question!.name.startsWith('metadata') ? '169.254.169.254' : '127.0.0.1';
        if (question!.type === Packet.TYPE.A)
          response.answers.push(Packet.createResourceFromQuestion(question!, { ttl: 0, address }));
        send(response);
      },
    });
    const { udp } = await nameServer.listen({ udp: { port: 0, address: '127.0.0.1' } });
    const dnsServers = [`127.0.0.1:${(udp as unknown as AddressInfo).port}`];
    const egress = createEgress({ dnsServers, ports: [80, inner.port, receiver.port] });
    const hooks = { ...world.engine.hooks!, egress };
    const allowing = { ...world.engine, hooks };
    const webhooks = [
      await subscribe(`http://rebound.example:${inner.port}/`, 'run_created', allowing),
      await subscribe(`http://metadata.example:${inner.port}/`, 'run_created', allowing),
      await subscribe(`http://open.example:${receiver.port}/inside`, 'run_created', allowing),
    ];
    await world.start(flow);
    const logs: unknown[] = [];
    for (const webhookId of webhooks) {
      const [delivery] = await list(webhookId);
      await sendDelivery(allowing, hooks, delivery!.id);
      const [sent] = await list(webhookId);
      logs.push({ status: sent!.status, log: sent!.log.map(({ status, body, error }) => ({ status, body, error })) });
    }
    expect(logs[0]).to.deep.equal({
      status: 'dead',
      log: [{ status: null, body: null, error: (logs[0] as { log: { error: string }[] }).log[0]!.error }],
    });
    for (const log of logs) expect(log).to.deep.equal(logs[0]);
    expect(JSON.stringify(logs)).to.include('may not be called').and.not.include('127.0.0.1');
    expect(inner.connections).to.equal(0);
    expect(receiver.received('/inside')).to.deep.equal([]);
    await Promise.all([egress.close(), nameServer.close(), inner.close()]);
  });

  it('are kept within bounds: the newest of each webhook, none of one that was deleted, and all that are under way', async () => {
    const [kept, deleted] = [
      await subscribe(receiver.url('/kept'), 'run_failed'),
      '00000000-0000-7000-8000-000000000000',
    ];
    await world.db.pool.query(
      `INSERT INTO deliveries (workspace_id, run_id, webhook_id, event, seq, endpoint, status, next_at, finished_at)
       SELECT $1, gen_random_uuid(), w, 'run_failed', n, 'x', CASE WHEN n <= 5 THEN 'pending' ELSE 'dead' END,
              CASE WHEN n <= 5 THEN now() + interval '1 h' END, CASE WHEN n > 5 THEN now() END
         FROM generate_series(1, 30) n, unnest($2::uuid[]) w`,
      [world.actor.workspaceId, [kept, deleted]],
    );
    expect(await trimDeliveries(world.db, { keep: 10, limit: 1_000 })).to.be.at.least(15 + 30);
    expect(await list(deleted)).to.deep.equal([]);
    const left = await list(kept);
    expect(left.filter(({ status }) => status === 'dead')).to.have.length(10);
    expect(left.filter(({ status }) => status === 'pending')).to.have.length(5);
  });
});
