import { expect } from 'chai';
import { createApp } from '../../src/http/app.ts';
import { createAuthenticator } from '../../src/http/auth.ts';
import { createSystemRoutes, type Probe } from '../../src/http/health.ts';
import { listen, type RunningServer } from '../../src/http/server.ts';
import { presentError } from '../../src/http/workflow/present.ts';
import { createLog } from '../../src/log.ts';
import type { Database } from '../../src/store/db.ts';
import { createMetrics } from '../../src/telemetry.ts';
import { call, createWorkspace, openTestDatabase, type TestWorkspace } from '../support/api.ts';
import { listenTo, open } from '../support/raw-http.ts';

describe('health and metrics', () => {
  const fine: Probe = async () => ({ ok: true });
  const log = createLog({ level: 'silent', name: 'test' });
  const servers: RunningServer[] = [];
  let db: Database;
  let drop: () => Promise<void>;
  let workspace: TestWorkspace;
  before(async () => {
    ({ db, drop } = await openTestDatabase());
    workspace = await createWorkspace(db);
  });
  after(() => drop());
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close(1_000))));

  async function serve(probes: Record<string, Probe>, stopping = new AbortController().signal): Promise<string> {
    const metrics = createMetrics();
    const systemRoutes = createSystemRoutes({ probes, vital: ['postgres'], metrics, stopping });
    const authenticate = createAuthenticator({ db, log, clock: { now: () => Date.now() } });
    const face = { name: 'test', prefixes: ['/'], routes: [], presentError };
    const app = createApp({ faces: [face], systemRoutes, authenticate, log, metrics, stopping });
    servers.push(await listen(app, { port: 0, host: '127.0.0.1' }));
    return servers.at(-1)!.address;
  }

  it('lives without asking anybody', async () => {
    const { status, body } = await call(`${await serve({})}/health/live`);
    expect({ status, body }).to.deep.equal({ status: 200, body: { status: 'ok' } });
  });

  it('is ready when every part is', async () => {
    const { status, body } = await call(`${await serve({ postgres: fine, redis: fine })}/health/ready`);
    expect({ status, body }).to.deep.equal({
      status: 200,
      body: { status: 'ready', parts: { postgres: { status: 'ok' }, redis: { status: 'ok' } } },
    });
  });

  it('is degraded, and serves, when a part that requests do without is wrong', async () => {
    const redis: Probe = async () => ({ ok: false, message: 'maxmemory-policy is allkeys-lru: set it to noeviction' });
    const { status, body } = await call(`${await serve({ postgres: fine, redis })}/health/ready`);
    expect({ status, body }).to.deep.equal({
      status: 200,
      body: {
        status: 'degraded',
        parts: {
          postgres: { status: 'ok' },
          redis: { status: 'error', message: 'maxmemory-policy is allkeys-lru: set it to noeviction' },
        },
      },
    });
  });

  it('is not ready when a vital part is away, and does not tell strangers where that is', async () => {
    const postgres: Probe = async () => {
      throw new Error('connect ECONNREFUSED db.internal:5432');
    };
    const { status, body, headers } = await call(`${await serve({ postgres, redis: fine })}/health/ready`);
    expect({ status, retry: headers.get('retry-after'), body }).to.deep.equal({
      status: 503,
      retry: '2',
      body: {
        status: 'unavailable',
        parts: { postgres: { status: 'error', message: 'cannot be reached' }, redis: { status: 'ok' } },
      },
    });
  });

  it('does not wait for ever for a part that hangs', async () => {
    const postgres: Probe = () => new Promise(() => {});
    const { status } = await call(`${await serve({ postgres })}/health/ready`);
    expect(status).to.equal(503);
  });

  it('asks the parts once for many askers', async () => {
    let asked = 0;
    const postgres: Probe = async () => {
      asked += 1;
      return { ok: true };
    };
    const url = await serve({ postgres });
    await Promise.all(Array.from({ length: 20 }, () => call(`${url}/health/ready`)));
    expect(asked).to.equal(1);
  });

  it('is not ready while it stops, and closes connections', async () => {
    const controller = new AbortController();
    const url = await serve({ postgres: fine }, controller.signal);
    controller.abort();
    const { status, body, headers } = await call(`${url}/health/ready`);
    expect({ status, overall: body.status }).to.deep.equal({ status: 503, overall: 'stopping' });
    expect(headers.get('connection')).to.equal('close');
    expect((await call(`${url}/health/live`)).status).to.equal(200);
  });

  it('stops although somebody has opened a connection and never asked for anything', async () => {
    const url = await serve({});
    const closed = listenTo(open(url));
    // Connections are taken in the order in which they came.
    expect((await call(`${url}/health/live`)).status).to.equal(200);
    await servers.pop()!.close(600_000);
    expect((await closed).text).to.equal('');
  });

  it('shows metrics to admins only, with a label per route and not per path', async () => {
    const url = await serve({ postgres: fine });
    expect((await call(`${url}/metrics`)).status).to.equal(401);
    expect((await call(`${url}/metrics`, { key: workspace.keys.editor })).status).to.equal(403);
    await call(`${url}/some/random/path`);
    const { status, body, headers } = await call(`${url}/metrics`, { key: workspace.keys.admin });
    expect(status).to.equal(200);
    expect(headers.get('content-type')).to.match(/^text\/plain/);
    expect(body).to.include('holdpoint_http_request_duration_seconds_count{method="GET",route="none",status="404"} 1');
    expect(body).to.include('holdpoint_commit_batch_size');
    expect(body).not.to.include('random');
  });
});
