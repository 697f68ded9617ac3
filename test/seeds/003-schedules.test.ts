// Seed 003, schedules and webhooks: each test quotes the sentence that it checks. The page that the seed refers to is not part
// of it, so what is sent is that of API.md §3.

import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import { eventually } from '../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';

describe('seed 003, Schedules & Webhooks', () => {
  let holdpoint: Holdpoint;
  let workflowId: string;
  const pod = () => `/workspaces/${holdpoint.workspace.slug}/pods/default`;
  const post = async (path: string, body: object) =>
    (await holdpoint.ask(`${pod()}${path}`, { key: holdpoint.workspace.keys.admin, body })).body;
  const listExecutions = async () => (await holdpoint.ask(`${pod()}/executions?workflowId=${workflowId}`)).body;

  before(async () => {
    holdpoint = await startHoldpoint({
      withWorker: true,
      settings: { secretKeys: [Buffer.alloc(32, 1)], sweepMs: 100 },
    });
  });
  after(() => holdpoint.stop());
  beforeEach(async () => {
    workflowId = await holdpoint.define({
      name: 'Greet',
      initialStep: 'call',
      steps: [
        { id: 'call', type: 'call-tool', tool: 'echo', args: { name: '${data.name}' } },
        { id: 'end', type: 'end-flow', result: '${steps.call.output}' },
      ],
      edges: [{ from: 'call', to: 'end' }],
    });
  });

  it('“Via webhook or schedule. Executions can be triggered automatically”: by a schedule', async () => {
    const schedule = await post('/schedules', {
      workflowId,
      name: 'Greetings',
      cronExpression: '* * * * *',
      timezone: 'Europe/Berlin',
      input: { name: 'Ada' },
    });
    // Rather than for the next minute, the test waits for the last one.
    await holdpoint.db.pool.query(
      `UPDATE schedules SET next_at = date_trunc('minute', now()), look_at = date_trunc('minute', now()) WHERE id = $1`,
      [schedule.id],
    );
    const execution = await eventually(async () => {
      const [newest] = await listExecutions();
      return newest?.status === 'completed' ? newest : null;
    });
    expect(execution).to.deep.include({ triggeredBy: 'schedule' });
    const { body } = await holdpoint.ask(`${pod()}/executions/${execution.id}`);
    expect(body).to.deep.include({ input: { name: 'Ada' }, output: { name: 'Ada' } });
    const seen = await eventually(async () => {
      const { body: now } = await holdpoint.ask(`${pod()}/schedules/${schedule.id}`);
      return now.lastFire === null ? null : now;
    });
    expect(seen.lastFire).to.deep.include({ outcome: 'started', error: null });
    expect(seen.lastExecutionId).to.be.a('string');
    await holdpoint.ask(`${pod()}/schedules/${schedule.id}`, { method: 'DELETE', key: holdpoint.workspace.keys.admin });
  });

  it('“Via webhook or schedule. Executions can be triggered automatically”: by a webhook', async () => {
    const webhook = await post('/webhooks', { workflowId, name: 'Shop' });
    const body = JSON.stringify({ name: 'Grace' });
    const at = new Date();
    const { status, body: answer } = await holdpoint.ask(`/v1/webhooks/${webhook.id}/trigger`, {
      headers: {
        authorization: '',
        'webhook-id': 'order-1',
        'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
        'webhook-signature': new Webhook(webhook.secret).sign('order-1', at, body),
      },
      body,
    });
    expect([status, answer.status]).to.deep.equal([201, 'queued']);
    const execution = await eventually(async () => {
      const { body: seen } = await holdpoint.ask(`${pod()}/executions/${answer.id}`);
      return seen.status === 'completed' ? seen : null;
    });
    expect(execution).to.deep.include({ triggeredBy: 'webhook', output: { name: 'Grace' } });
  });
});
