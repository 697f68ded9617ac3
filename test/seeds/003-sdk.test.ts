// Seed 003's sentences about the SDK, each quoted, against a real server.

import { expect } from 'chai';
import { loadConfig } from '../../src/config.ts';
import { HoldpointClient } from '../../src/sdk/client.ts';
import type { StreamedEvent } from '../../src/sdk/event-stream.ts';
import { eventually } from '../support/eventually.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';

describe('seed 003, the SDK', () => {
  let holdpoint: Holdpoint;
  let gateway: Gateway;
  let client: HoldpointClient;
  before(async () => {
    // What takes ten minutes elsewhere.
    const streams = { ...loadConfig({}).streams, lifetimeMs: 200 };
    holdpoint = await startHoldpoint({ withWorker: true, settings: { streams } });
    gateway = await startGateway(holdpoint.address);
    const { slug: workspace, keys } = holdpoint.workspace;
    client = new HoldpointClient({ baseUrl: gateway.url, apiKey: keys.editor, workspace });
    await client.workflows.create({
      name: 'Gate',
      initialStep: 'gate',
      steps: [
        { id: 'gate', type: 'approval-gate' },
        { id: 'end', type: 'end-flow', result: { amount: '${data.amount}' } },
      ],
      edges: [{ from: 'gate', to: 'end' }],
    });
  });
  after(async () => {
    await gateway.close();
    await holdpoint.stop();
  });

  it('"Triggering an Execution … Via the SDK"', async () => {
    const { status, triggeredBy, input } = await client.trigger('gate', { input: { amount: 1 } });
    expect({ status, triggeredBy, input }).to.deep.equal({
      status: 'queued',
      triggeredBy: 'sdk',
      input: { amount: 1 },
    });
  });

  it('"The stream closes automatically after 10 minutes. Use the SDK\'s streamEvents() to handle reconnection automatically."', async () => {
    const { id } = await client.trigger('gate', { input: { amount: 1 } });
    const connections = () => gateway.requests.filter(({ path }) => path.endsWith(`${id}/events`));
    const told: StreamedEvent[] = [];
    const reading = client.streamEvents(id, { onEvent: (event) => void told.push(event) });
    await eventually(() => connections().length > 2);
    await client.approve(id);
    await reading;
    expect(told.map(({ type }) => type)).to.deep.equal([
      'execution_suspended',
      'node_update',
      'node_update',
      'execution_complete',
    ]);
    expect(new Set(told.map(({ sequence }) => sequence)).size).to.equal(told.length);
    const [first, second] = connections();
    expect([first?.headers['last-event-id'], second?.headers['last-event-id']]).to.deep.equal([
      undefined,
      String(told[0]?.sequence),
    ]);
  });

  it('"When an execution is suspended at an approval gate or ask-human node, resume it … Or reject it"', async () => {
    const [approved, rejected] = await Promise.all([client.trigger('gate'), client.trigger('gate')]);
    await client.approve(approved.id);
    await client.reject(rejected.id);
    expect((await client.waitForCompletion(approved.id)).status).to.equal('completed');
    await eventually(async () => (await client.getExecution(rejected.id)).status === 'failed');
  });

  it('"Re-run a completed, failed, or cancelled execution … Omit fromNodeId to replay from the beginning with the original input"', async () => {
    const { id } = await client.trigger('gate', { input: { amount: 9 } });
    await client.cancel(id);
    await eventually(async () => (await client.getExecution(id)).status === 'cancelled');
    const replay = await client.replay(id);
    expect([replay.replayOf, replay.input]).to.deep.equal([id, { amount: 9 }]);
    await client.approve(replay.id);
    expect((await client.waitForCompletion(replay.id)).output).to.deep.equal({ amount: 9 });
  });
});
