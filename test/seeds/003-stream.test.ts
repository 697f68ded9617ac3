// Seed 003, what it says of live streams and logs; the rest of it is 003-executions.test.ts. Each test quotes the sentence that
// it checks. The streams' times are shortened here, and their default is held against the seed.

import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { loadConfig } from '../../src/config.ts';
import { openStream, type SseStream } from '../support/event-source.ts';
import { eventually } from '../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { createSeedClient, type SeedClient } from '../support/seed-client.ts';
import { edges, tool } from '../support/steps.ts';

const MODULE = fileURLToPath(new URL('../support/logging-tools.ts', import.meta.url));
const STREAMS = { ...loadConfig({}).streams, lifetimeMs: 700, pingMs: 200 };

describe('seed 003, Live Event Streaming', () => {
  let holdpoint: Holdpoint;
  let client: SeedClient;
  let base: string;
  let workflow: string;
  before(async () => {
    holdpoint = await startHoldpoint({ withWorker: true, settings: { toolModules: [MODULE], streams: STREAMS } });
    client = await createSeedClient(holdpoint.db, () => holdpoint.address);
    base = `/workspaces/${client.workspace.slug}/pods/default/executions`;
    workflow = await client.define({
      name: 'Pay',
      initialStep: 'pay',
      steps: [
        tool('pay', 'log-each'),
        { id: 'gate', type: 'approval-gate', message: 'Ship it?' },
        { id: 'end', type: 'end-flow', result: { shipped: true } },
      ],
      edges: edges('pay gate end'),
    });
  });
  after(() => holdpoint.stop());

  const trigger = async (): Promise<string> => (await client.post(base, { workflowId: workflow })).body.id;
  const suspended = (id: string) =>
    eventually(async () => (await client.get(`${base}/${id}`)).body.status === 'suspended');
  const follow = (id: string, headers: Record<string, string> = {}): Promise<SseStream> =>
    openStream(`${holdpoint.address}${base}/${id}/events`, {
      headers: { 'x-api-key': client.workspace.keys.viewer, 'x-tenant-id': client.workspace.slug, ...headers },
    });

  it('“Live SSE stream”; “Connect to the SSE stream to receive real-time node updates”', async () => {
    const id = await trigger();
    await suspended(id);
    const stream = await follow(id);
    expect(stream.headers.get('content-type')).to.include('text/event-stream');
    await eventually(() => stream.frames.some(({ data }) => data.type === 'execution_suspended'));
    await fetch(`${holdpoint.address}${base}/${id}/respond`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${client.workspace.keys.editor}`, 'content-type': 'application/json' },
      body: JSON.stringify({ approved: true }),
    });
    expect(await stream.over).to.equal('end');
    const told = stream.frames.map(({ data }) => `${data.type} ${data.nodeId ?? ''} ${data.status ?? ''}`.trim());
    expect(told).to.deep.equal([
      'node_update pay running',
      'node_update pay completed',
      'execution_suspended',
      'node_update gate completed',
      'node_update end completed',
      'execution_complete  completed',
    ]);
  });

  it('“The stream closes automatically after 10 minutes.”', async () => {
    expect(loadConfig({}).streams.lifetimeMs).to.equal(10 * 60_000);
    const id = await trigger();
    await suspended(id);
    const stream = await follow(id);
    expect(await stream.over).to.equal('end');
    expect(stream.frames.at(-1)!.data.type).to.equal('execution_suspended');
    const again = await follow(id, { 'last-event-id': String(stream.frames.at(-1)!.id) });
    expect(again.status).to.equal(200);
    await again.over;
    expect(again.frames).to.deep.equal([]);
  });

  it('“Get structured node logs”', async () => {
    const id = await trigger();
    await suspended(id);
    const lines = await eventually(async () => {
      const { status, body } = await client.get(`${base}/${id}/logs`, 'viewer');
      expect(status).to.equal(200);
      return body.length === 5 && body;
    });
    for (const line of lines)
      expect(line).to.include.all.keys(
        'id',
        'nodeId',
        'level',
        'message',
        'data',
        'durationMs',
        'attempt',
        'timestamp',
      );
    expect(lines.map(({ nodeId, level }: { nodeId: string; level: string }) => `${nodeId} ${level}`)).to.have.members([
      'pay debug',
      'pay info',
      'pay warn',
      'pay error',
      'pay info',
    ]);
  });
});
