// Webhooks from the commit that causes them to the receiver that answers 500, 301, 410, slowly, twice or never.

import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import type { EventName } from '../../src/core/event-names.ts';
import { answerRun } from '../../src/engine/answer-run.ts';
import { createWebhook, endWebhook, redeliver } from '../../src/engine/webhooks.ts';
import { type DeliveryView, listDeliveries } from '../../src/store/delivery-views.ts';
import { findWebhook, type WebhookRow } from '../../src/store/webhooks.ts';
import { eventually } from '../support/eventually.ts';
import { type HookReceiver, inTurn, type ReceivedMessage, startHookReceiver } from '../support/hook-receiver.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

const SECRET = 'a signing secret of the test'.replaceAll(' ', '_');

// What receivers do is the same over either queue, and time is short only where a test waits for its end.
for (const [queue, timeoutMs] of [
  ['redis', 10_000],
  ['postgres', 10_000],
  ['redis', 300],
] as const) {
  describe(`webhooks over ${queue} that may take ${timeoutMs} ms`, () => {
    let world: World;
    let receiver: HookReceiver;
    let flow: string;

    before(async () => {
      receiver = await startHookReceiver();
      world = await createWorld({
        queue,
        settings: {
          HOLDPOINT_SECRET_KEY: '1'.repeat(64),
          HOLDPOINT_EGRESS_ALLOW: `127.0.0.1:${receiver.port}`,
          WEBHOOK_DELAYS_MS: '10,10,10',
          WEBHOOK_TIMEOUT_MS: String(timeoutMs),
          WEBHOOK_PER_ENDPOINT: '3',
          SWEEP_MS: '100',
        },
      });
      await world.work();
      flow = await world.define({ steps: [tool('a', 'noop'), ask(), tool('b', 'noop')], edges: edges('a ask b') });
    });
    after(async () => {
      await world.close();
      await receiver.close();
    });

    async function subscribe(path: string, ...events: EventName[]): Promise<WebhookRow> {
      const request = { url: receiver.url(path), events, secret: SECRET };
      return (await createWebhook(world.engine, { actor: world.actor, request })).row;
    }
    const end = (webhook: WebhookRow) => endWebhook(world.engine, { actor: world.actor, id: webhook.id });
    const deliveries = async ({ id: webhookId }: WebhookRow): Promise<DeliveryView[]> =>
      (await listDeliveries(world.db, { workspaceId: world.actor.workspaceId, webhookId, limit: 200 })).rows;
    const one = (webhook: WebhookRow, status: DeliveryView['status'], attempts?: number) =>
      eventually(
        async () =>
          (await deliveries(webhook)).find(
            (found) => found.status === status && (attempts === undefined || found.attempts === attempts),
          ),
        { what: async () => `a ${status} delivery in ${JSON.stringify(await deliveries(webhook))}` },
      );
    const messages = (path: string, count: number) =>
      eventually(() => (receiver.received(path).length >= count ? receiver.received(path) : null), {
        what: () => `${count} messages at ${path}, not ${receiver.received(path).length},`,
      });
    const tell = ({ body, headers }: ReceivedMessage) => ({ ...JSON.parse(body), event: headers['x-webhook-event'] });

    if (timeoutMs === 300) {
      it('give up on a receiver that never answers, and say so in the log', async () => {
        receiver.answer('/silent', () => {});
        const webhook = await subscribe('/silent', 'run_created');
        await world.start(flow);
        const { log } = await one(webhook, 'dead', 4);
        expect(log.map(({ status, error }) => [status, error])).to.deep.equal(
          Array.from({ length: 4 }, () => [null, 'The external service did not answer in time']),
        );
        await end(webhook);
      });

      it('come again, under one id, to a receiver that is too slow for the first try', async () => {
        const late: (() => void)[] = [];
        receiver.answer('/late', (response) => {
          if (receiver.received('/late').length > 1) response.writeHead(200).end();
          else late.push(() => response.writeHead(200).end());
        });
        const webhook = await subscribe('/late', 'run_created');
        await world.start(flow);
        const { id, log } = await one(webhook, 'delivered');
        for (const answer of late) answer();
        expect([log[0]!.status, log.at(-1)!.status]).to.deep.equal([null, 200]);
        const ids = receiver.received('/late').map(({ headers }) => headers['webhook-id']);
        expect(ids.slice(0, 2)).to.deep.equal([id, id]);
        await end(webhook);
      });
      return;
    }

    it('hear of the events that they subscribe to, of their workspace, and of no others', async () => {
      const webhook = await subscribe(
        '/all',
        'run_created',
        'run_started',
        'approval_requested',
        'approval_decided',
        'run_completed',
      );
      const runId = await world.start(flow);
      await world.until(runId, 'waiting');
      await answerRun(world.engine, { actor: world.actor, runId, answer: APPROVE });
      await world.until(runId, 'completed');
      const told = (await messages('/all', 5)).map(tell).filter(({ data }) => data.run_id === runId);
      told.sort((a, b) => a.data.sequence - b.data.sequence);
      expect(told.map(({ type, event }) => [type, event])).to.deep.equal(
        ['run_created', 'run_started', 'approval_requested', 'approval_decided', 'run_completed'].map((name) => [
          name,
          name,
        ]),
      );
      for (const { body, headers } of receiver.received('/all'))
        new Webhook(SECRET, { format: 'raw' }).verify(body, headers as Record<string, string>);
      const last = told.at(-1);
      expect(last.data).to.deep.include({ template_id: flow, template_version: 1, output: { success: true } });
      expect(last.data.sequence).to.equal((await world.see(runId)).seq);
      await eventually(async () => (await deliveries(webhook)).every(({ status }) => status === 'delivered'));
      expect(await deliveries(webhook)).to.have.length(5);
      await end(webhook);
    });

    it('are tried again after 500, under the same id, until the receiver takes it', async () => {
      receiver.answer('/flaky', inTurn(500, 503, 200));
      const webhook = await subscribe('/flaky', 'run_created');
      await world.start(flow);
      const { log, attempts } = await one(webhook, 'delivered');
      const sent = receiver.received('/flaky');
      expect(attempts).to.equal(3);
      expect(log.map(({ status }) => status)).to.deep.equal([500, 503, 200]);
      expect(new Set(sent.map(({ headers }) => headers['webhook-id'])).size).to.equal(1);
      expect(new Set(sent.map(({ body }) => body)).size).to.equal(1);
      await end(webhook);
    });

    it('send no more to one endpoint at once than they may, and all of it in the end', async () => {
      const waiting: (() => void)[] = [];
      const letGo = () => {
        for (const answer of waiting.splice(0)) answer();
      };
      let atOnce = 0;
      receiver.answer('/slow', (response) => {
        waiting.push(() => response.writeHead(200).end());
        atOnce = Math.max(atOnce, waiting.length);
        setImmediate(() => waiting.length >= 3 && letGo());
      });
      const webhook = await subscribe('/slow', 'run_created');
      await Promise.all(Array.from({ length: 30 }, () => world.start(flow)));
      await eventually(
        async () => {
          if (waiting.length > 0 && receiver.received('/slow').length >= 28) letGo();
          return (await deliveries(webhook)).filter(({ status }) => status === 'delivered').length === 30;
        },
        { what: async () => `30 delivered in ${(await deliveries(webhook)).map(({ status }) => status)}` },
      );
      expect(atOnce).to.be.within(2, 3);
      await end(webhook);
    });

    if (queue === 'postgres') return;

    it('follow no redirect: a 301 is a failure like any other', async () => {
      receiver.answer('/moved', (response) =>
        response.writeHead(301, { location: receiver.url('/elsewhere') }).end('gone there'),
      );
      const webhook = await subscribe('/moved', 'run_created');
      await world.start(flow);
      const dead = await one(webhook, 'dead');
      expect(dead.log.map(({ status, body }) => [status, body])).to.deep.equal(
        Array.from({ length: 4 }, () => [301, 'gone there']),
      );
      expect(receiver.received('/elsewhere')).to.deep.equal([]);
      await end(webhook);
    });

    it('end as dead letters after the last try, and are sent anew by hand under the same id', async () => {
      receiver.answer('/broken', inTurn(500, 500, 500, 500, 200));
      const webhook = await subscribe('/broken', 'run_created');
      await world.start(flow);
      const { id } = await one(webhook, 'dead', 4);
      await redeliver(world.engine, { actor: world.actor, webhookId: webhook.id, id });
      const { log } = await one(webhook, 'delivered', 1);
      expect(log.map(({ status }) => status)).to.deep.equal([500, 500, 500, 500, 200]);
      expect(new Set(receiver.received('/broken').map(({ headers }) => headers['webhook-id']))).to.deep.equal(
        new Set([id]),
      );
      await end(webhook);
    });

    it('are disabled by 410: nothing more is written for them, and nothing is redelivered', async () => {
      receiver.answer('/gone', inTurn(410));
      const webhook = await subscribe('/gone', 'run_created');
      await world.start(flow);
      const { id } = await one(webhook, 'dead', 1);
      const { workspaceId } = world.actor;
      expect(await findWebhook(world.db, { workspaceId, id: webhook.id })).to.include({ disabledReason: 'gone' });
      await world.start(flow);
      expect(await deliveries(webhook)).to.have.length(1);
      const refused = await redeliver(world.engine, { actor: world.actor, webhookId: webhook.id, id }).catch((e) => e);
      expect(refused).to.include({ code: 'conflict' });
      expect(receiver.received('/gone')).to.have.length(1);
      await end(webhook);
    });

    it('keep the beginning of what the receiver says, whatever it is', async () => {
      receiver.answer('/talks', (response) => response.writeHead(200).end(`\u0000${'x'.repeat(5_000)}`));
      const webhook = await subscribe('/talks', 'run_created');
      await world.start(flow);
      const { log } = await one(webhook, 'delivered');
      expect(log[0]!.body).to.equal(`\ufffd${'x'.repeat(999)}`);
      await end(webhook);
    });
  });
}
