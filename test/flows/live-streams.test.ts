// Live streams over several web processes that come and go, and over connections that are cut: whoever reads on from the last
// id has every event of the run once.

import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { findFreePort } from '../../src/store/free-port.ts';
import { startWeb, type WebConfig, type WebProcess } from '../../src/web.ts';
import { startWorker } from '../../src/worker.ts';
import { type Answer, call, createWorkspace, openTestDatabase, type TestWorkspace } from '../support/api.ts';
import { readThrough } from '../support/event-source.ts';
import { eventually } from '../support/eventually.ts';
import { startProxy } from '../support/proxy.ts';
import { getServices } from '../support/services.ts';

/** Says little often: 80 rounds of four events each, over some seconds. */
const ROUNDS = 80;
const TICKING = {
  name: 'Ticking',
  initialStep: 'rest',
  steps: [
    { id: 'rest', type: 'wait', durationMs: 20 },
    { id: 'count', type: 'transform', output: { n: '${data.n + 1}' } },
    { id: 'more', type: 'condition', condition: `data.n < ${ROUNDS}` },
    { id: 'end', type: 'end-flow' },
  ],
  edges: [
    { from: 'rest', to: 'count' },
    { from: 'count', to: 'more' },
    { from: 'more', to: 'rest', on: 'true' },
    { from: 'more', to: 'end', on: 'false' },
  ],
};
const CUT_EVERY_MS = 200;

describe('live streams', () => {
  let store: Awaited<ReturnType<typeof openTestDatabase>>;
  let workspace: TestWorkspace;
  let config: WebConfig;
  const log = createLog({ level: 'silent', name: 'test' });
  const stops: (() => Promise<unknown>)[] = [];

  before(async () => {
    store = await openTestDatabase();
    workspace = await createWorkspace(store.db);
    config = {
      ...loadConfig({}),
      port: 0,
      host: '127.0.0.1',
      databaseUrl: store.db.url,
      redisUrl: getServices().redisUrl,
      queuePrefix: `t-${randomBytes(6).toString('hex')}`,
      databasePool: 4,
      sweepMs: 300,
    };
  });
  after(async () => {
    await Promise.all(stops.map((stop) => stop()));
    await store.drop();
  });

  const serve = async (port: number): Promise<WebProcess> => {
    const web = await startWeb({ ...config, port }, { log });
    stops.push(() => web.stop());
    return web;
  };
  const ask = (address: string, path: string, body: object): Promise<Answer> =>
    call(`${address}${path}`, { key: workspace.keys.editor, body });

  it('tell each event once through a network that cuts, two servers, and a server that is replaced', async () => {
    const [one, other, worker] = await Promise.all([serve(await findFreePort()), serve(0), startWorker(config, log)]);
    stops.push(() => worker.stop());
    const workflow = (await ask(one.address, '/api/workflows', TICKING)).body.id;
    const id = (await ask(one.address, `/api/workflow/start-async/${workflow}`, { data: { n: 0 } })).body.runId;
    const path = `/workspaces/${workspace.slug}/pods/default/executions/${id}/events`;
    const key = workspace.keys.viewer;

    const proxies = await Promise.all([startProxy(one.address), startProxy(other.address)]);
    const cutting = setInterval(() => {
      for (const proxy of proxies) void proxy.set('reset');
    }, CUT_EVERY_MS);
    let turn = 0;
    const byTurns = readThrough(() => new URL(path, proxies[turn++ % 2]!.url).href, { key });
    const direct = readThrough(() => `${one.address}${path}`, { key });

    await eventually(async () => (await lastEvent(id)) > 60, { withinMs: 20_000 });
    await one.stop();
    await serve(Number(new URL(one.address).port));

    const read = await Promise.all([byTurns, direct]);
    clearInterval(cutting);
    await Promise.all(proxies.map((proxy) => proxy.close()));
    const told = await listTold(id);
    expect(told.length).to.be.above(3 * ROUNDS);
    for (const { frames } of read) expect(frames.map((frame) => frame.id)).to.deep.equal(told);
    expect(read[0].connections).to.be.above(5);
    expect(read[1].connections).to.be.above(1);
  });

  async function lastEvent(id: string): Promise<number> {
    const { rows } = await store.db.pool.query<{ seq: number }>('SELECT seq FROM runs WHERE id = $1', [id]);
    return rows[0]!.seq;
  }

  /** All but the first, which says nothing. */
  async function listTold(id: string): Promise<number[]> {
    const { rows } = await store.db.pool.query<{ seq: number }>(
      `SELECT seq FROM events WHERE run_id = $1 AND type <> 'run.created' ORDER BY seq`,
      [id],
    );
    return rows.map(({ seq }) => seq);
  }
});
