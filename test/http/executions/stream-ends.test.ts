// How live streams end that nobody has ended, with times short enough to wait for.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect } from 'chai';
import { openStream, readThrough } from '../../support/event-source.ts';
import { eventually } from '../../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../../support/holdpoint.ts';
import { ask as approval, edges } from '../../support/steps.ts';

const STREAMS = { max: 20, perWorkspace: 20, lifetimeMs: 600, pingMs: 100, stallMs: 400 };
const END = { id: 'end', type: 'end-flow' };
/** More than the buffers of both ends of a connection hold. */
const ROUNDS = 40;

describe('a live stream', () => {
  let holdpoint: Holdpoint;
  let gate: string;
  before(async () => {
    holdpoint = await startHoldpoint({ withWorker: true, settings: { streams: STREAMS } });
    const steps = [approval('gate'), END];
    gate = await holdpoint.define({ name: 'Gate', initialStep: 'gate', steps, edges: edges('gate end') });
  });
  after(() => holdpoint.stop());

  const pathOf = (id: string) => `/workspaces/${holdpoint.workspace.slug}/pods/default/executions/${id}`;
  const urlOf = (id: string) => `${holdpoint.address}${pathOf(id)}/events`;
  const asViewer = () => ({ key: holdpoint.workspace.keys.viewer });
  const respond = (id: string) => holdpoint.ask(`${pathOf(id)}/respond`, { method: 'PATCH', body: { approved: true } });
  const countWaiters = async () => {
    const { body } = await holdpoint.ask('/metrics', { key: holdpoint.workspace.keys.admin });
    return Number(/^holdpoint_open_waiters (\d+)$/m.exec(body)![1]);
  };

  it('says now and then that it is there, ends after its time, and goes on where it was', async () => {
    const id = await holdpoint.start(gate);
    const stream = await openStream(urlOf(id), asViewer());
    expect(await stream.over).to.equal('end');
    expect(stream.frames).to.have.length(1);
    expect(stream.notes[0]).to.equal('retry: 1000');
    expect(stream.notes.slice(1).length).to.be.within(1, 7);
    expect(new Set(stream.notes.slice(1))).to.deep.equal(new Set([': ping']));
    const headers = { 'last-event-id': String(stream.frames[0]!.id) };
    const second = await openStream(urlOf(id), { ...asViewer(), headers });
    expect(await second.over).to.equal('end');
    expect(second.frames).to.deep.equal([]);
    await respond(id);
    const third = await openStream(urlOf(id), { ...asViewer(), headers });
    expect(await third.over).to.equal('end');
    const types = third.frames.map((frame) => frame.data.type);
    expect(types).to.deep.equal(['node_update', 'node_update', 'execution_complete']);
  });

  it('cuts off who does not read, which costs them nothing', async () => {
    const heavy = await holdpoint.define({
      name: 'Heavy',
      initialStep: 'copy',
      steps: [
        { id: 'copy', type: 'transform', output: { blob: '${data.blob}', n: '${data.n + 1}' } },
        { id: 'more', type: 'condition', condition: `data.n < ${ROUNDS}` },
        END,
      ],
      edges: [
        { from: 'copy', to: 'more' },
        { from: 'more', to: 'copy', on: 'true' },
        { from: 'more', to: 'end', on: 'false' },
      ],
    });
    const id = await holdpoint.start(heavy, { n: 0, blob: randomBytes(300_000).toString('base64') });
    const socket = await askAndNotRead(id);
    await eventually(async () => (await countWaiters()) === 1);
    await eventually(async () => (await countWaiters()) === 0);
    const { frames } = await readThrough(() => urlOf(id), asViewer());
    expect(frames.filter(({ data }) => data.nodeId === 'copy')).to.have.length(ROUNDS);
    expect(frames.at(-1)!.data.type).to.equal('execution_complete');
    socket.destroy();
  });

  it('ends at once when the server stops, for a reader to go to another', async () => {
    const own = await startHoldpoint({ settings: { streams: { ...STREAMS, lifetimeMs: 60_000 } } });
    const steps = [approval('gate'), END];
    const workflow = await own.define({ name: 'Gate', initialStep: 'gate', steps, edges: edges('gate end') });
    const id = await own.start(workflow);
    const url = `${own.address}/workspaces/${own.workspace.slug}/pods/default/executions/${id}/events`;
    const stream = await openStream(url, { key: own.workspace.keys.viewer });
    await eventually(() => stream.frames.length === 1);
    await own.stop();
    expect(await stream.over).to.equal('end');
  });

  /** Sends the request and takes nothing of the answer. */
  async function askAndNotRead(id: string): Promise<Socket> {
    const { hostname, port } = new URL(holdpoint.address);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.pause();
    const { key } = asViewer();
    socket.write(`GET ${pathOf(id)}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`);
    return socket;
  }
});
