import { randomBytes } from 'node:crypto';
import { Queue } from 'bullmq';
import { expect } from 'chai';
import { createBoard } from '../../dashboards/bull-board.ts';
import { createApp } from '../../src/http/app.ts';
import { createAuthenticator } from '../../src/http/auth.ts';
import { listen, type RunningServer } from '../../src/http/server.ts';
import { presentError } from '../../src/http/workflow/present.ts';
import { createLog } from '../../src/log.ts';
import type { Database } from '../../src/store/db.ts';
import { createMetrics } from '../../src/telemetry.ts';
import { call, createWorkspace, openTestDatabase, type TestWorkspace } from '../support/api.ts';
import { getServices } from '../support/services.ts';

describe('the queue board', () => {
  const log = createLog({ level: 'silent', name: 'test' });
  let db: Database;
  let drop: () => Promise<void>;
  let workspace: TestWorkspace;
  let queue: Queue;
  let server: RunningServer;
  let board: string;
  before(async () => {
    ({ db, drop } = await openTestDatabase());
    workspace = await createWorkspace(db);
    const prefix = `board-${randomBytes(4).toString('hex')}`;
    queue = new Queue('{steps-0}', { connection: { url: getServices().redisUrl }, prefix });
    await queue.add('step', { runId: 'r' }, { jobId: 'job.1' });
    const face = { name: 'test', prefixes: ['/'], routes: [], presentError };
    const app = createApp({
      faces: [face],
      systemRoutes: [],
      authenticate: createAuthenticator({ db, log, clock: { now: () => Date.now() } }),
      log,
      metrics: createMetrics(),
      stopping: new AbortController().signal,
      board: createBoard({ queues: [queue], basePath: '/admin/queues' }),
    });
    server = await listen(app, { port: 0, host: '127.0.0.1' });
    board = `${server.address}/admin/queues`;
  });
  after(async () => {
    await server.close(1_000);
    await queue.obliterate({ force: true });
    await queue.close();
    await drop();
  });

  const basic = (key: string) => ({ authorization: `Basic ${Buffer.from(`ops:${key}`).toString('base64')}` });

  it('asks a browser for a password, and lets admins in only', async () => {
    const nobody = await call(board);
    expect(nobody.status).to.equal(401);
    expect(nobody.headers.get('www-authenticate')).to.match(/^Basic /);
    expect((await call(board, { headers: basic(workspace.keys.editor) })).status).to.equal(403);
    expect((await call(`${board}/api/queues`, { headers: basic(workspace.keys.viewer) })).status).to.equal(403);
    expect((await call(board, { key: workspace.keys.admin })).status).to.equal(200);
    expect((await call(board, { headers: basic(workspace.keys.owner) })).status).to.equal(200);
  });

  it('renders its page with every script and style it names', async () => {
    const headers = basic(workspace.keys.admin);
    const page = await call(board, { headers });
    expect(page.headers.get('content-type')).to.match(/^text\/html/);
    expect(page.body).to.include('<base href="/admin/queues/"').and.include('Holdpoint queues');
    const assets = [...page.body.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map((match) => match[1]);
    expect(assets.length).to.be.greaterThan(2);
    for (const asset of assets) expect((await call(`${board}/${asset}`, { headers })).status, asset).to.equal(200);
  });

  it('cannot be framed, cached or made to load from elsewhere', async () => {
    const { headers } = await call(board, { headers: basic(workspace.keys.admin) });
    expect(headers.get('x-frame-options')).to.equal('DENY');
    expect(headers.get('cache-control')).to.equal('no-store');
    expect(headers.get('content-security-policy'))
      .to.include("script-src 'self'")
      .and.include("frame-ancestors 'none'");
  });

  it('shows the queue and its jobs, which hold ids only', async () => {
    const { status, body } = await call(
      `${board}/api/queues?activeQueue=${encodeURIComponent('{steps-0}')}&status=waiting&page=1&jobsPerPage=10`,
      {
        headers: basic(workspace.keys.admin),
      },
    );
    expect(status).to.equal(200);
    const [shown] = body.queues;
    expect(shown).to.deep.include({ name: '{steps-0}', readOnlyMode: true });
    expect(shown.jobs.map((job: { id: string }) => job.id)).to.deep.equal(['job.1']);
    const page = await call(`${board}/queue/${encodeURIComponent('{steps-0}')}`, {
      headers: basic(workspace.keys.admin),
    });
    expect(page.status).to.equal(200);
  });

  it('changes nothing, whatever is sent to it', async () => {
    const name = encodeURIComponent('{steps-0}');
    const attempts = [
      ['POST', `api/queues/${name}/add`],
      ['PUT', `api/queues/${name}/pause`],
      ['PUT', `api/queues/${name}/empty`],
      ['PUT', `api/queues/${name}/obliterate`],
      ['PUT', `api/queues/${name}/clean/waiting`],
      ['PUT', `api/queues/${name}/job.1/clean`],
      ['PATCH', `api/queues/${name}/job.1/update-data`],
      ['PUT', 'api/queues/pause'],
      ['DELETE', `api/queues/${name}/job.1`],
    ] as const;
    for (const [method, path] of attempts) {
      const headers = { ...basic(workspace.keys.owner), origin: 'https://evil.example' };
      const { status } = await call(`${board}/${path}`, {
        method,
        headers,
        body: { name: 'x', data: {}, jobData: {} },
      });
      expect(status, `${method} ${path}`).to.equal(405);
    }
    expect(await queue.isPaused()).to.equal(false);
    expect(await queue.getJobCountByTypes('waiting')).to.equal(1);
  });
});
