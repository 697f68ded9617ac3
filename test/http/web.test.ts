import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Config, loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { startWeb, type WebProcess } from '../../src/web.ts';
import { call } from '../support/api.ts';
import { PATIENCE_MS } from '../support/eventually.ts';
import { getReaper } from '../support/reaper.ts';
import { createDatabase, getServices, startPostgres, startRedis } from '../support/services.ts';

const KEY = 'sk_bootstrap_0123456789abcdefghij';
const onboarding = {
  name: 'Ask',
  initialStep: 'rest',
  steps: [
    { id: 'rest', type: 'wait', durationMs: 3_600_000 },
    { id: 'end', type: 'end-flow' },
  ],
  edges: [{ from: 'rest', to: 'end' }],
};

describe('the web process', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'info', name: 'test', destination: { write: (line) => lines.push(line) } });
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
  });

  async function start(settings: Partial<Config> & { databaseUrl: string }): Promise<WebProcess> {
    const web = await startWeb(
      {
        ...loadConfig({}),
        port: 0,
        host: '127.0.0.1',
        redisUrl: getServices().redisUrl,
        bootstrapApiKey: KEY,
        bootstrapWorkspace: 'acme',
        queuePrefix: `t-${randomBytes(6).toString('hex')}`,
        dataDir: join(getReaper().folder, 'data-web'),
        databasePool: 4,
        drainMs: 5_000,
        ...settings,
      },
      { log },
    );
    stops.push(() => web.stop());
    return web;
  }

  async function eventually<T>(look: () => Promise<T>, isDone: (seen: T) => boolean): Promise<T> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const seen = await look();
      if (isDone(seen)) return seen;
      if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(seen)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  it('lets the first request in with the key of the settings', async () => {
    const { url, drop } = await createDatabase();
    stops.push(drop);
    const web = await start({ databaseUrl: url });
    const { status, body } = await call(`${web.address}/api/workflows`, {
      headers: { 'x-api-key': KEY, 'x-tenant-id': 'acme' },
    });
    expect({ status, body }).to.deep.equal({ status: 200, body: [] });
    const ready = await call(`${web.address}/health/ready`);
    expect({ status: ready.status, body: ready.body }).to.deep.equal({
      status: 200,
      body: {
        status: 'ready',
        parts: {
          postgres: { status: 'ok' },
          migrations: { status: 'ok' },
          redis: { status: 'ok' },
          files: { status: 'ok' },
        },
      },
    });
    expect((await call(`${web.address}/admin/queues`, { key: KEY })).status).to.equal(200);
  });

  it('serves what needs no files while none can be kept, and says so', async () => {
    const { url, drop } = await createDatabase();
    stops.push(drop);
    const web = await start({ databaseUrl: url, dataDir: '/dev/null' });
    const ready = await call(`${web.address}/health/ready`);
    expect({ status: ready.status, overall: ready.body.status, files: ready.body.parts.files }).to.deep.equal({
      status: 200,
      overall: 'degraded',
      files: { status: 'error', message: 'the folder of files cannot be written to (ENOTDIR)' },
    });
    expect((await call(`${web.address}/api/workflows`, { key: KEY })).status).to.equal(200);
  });

  it('starts while Postgres is away, answers 503 meanwhile, survives its end, and recovers by itself', async () => {
    const postgres = await startPostgres();
    stops.push(() => postgres.stop());
    await postgres.kill();
    const web = await start({ databaseUrl: postgres.url });
    const list = () => call(`${web.address}/api/workflows`, { key: KEY });
    const away = await list();
    expect({ status: away.status, code: away.body.error.code, retry: away.headers.get('retry-after') }).to.deep.equal({
      status: 503,
      code: 'UNAVAILABLE',
      retry: '2',
    });
    const ready = await call(`${web.address}/health/ready`);
    expect({ status: ready.status, postgres: ready.body.parts.postgres.status }).to.deep.equal({
      status: 503,
      postgres: 'error',
    });
    expect(JSON.stringify([away.body, ready.body])).not.to.include(String(postgres.port));
    expect(lines.join('')).to.include('the database is not ready');
    await postgres.restart();
    await eventually(list, ({ status }) => status === 200);
    await postgres.kill();
    expect((await list()).status).to.equal(503);
    await postgres.restart();
    await eventually(list, ({ status }) => status === 200);
  });

  it('says which migrations are pending, and serves nothing until they are done', async () => {
    const { url, drop } = await createDatabase();
    stops.push(drop);
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query('ALTER TABLE knex_migrations RENAME TO done; ALTER TABLE api_keys RENAME TO api_keys_away');
    const web = await start({ databaseUrl: url });
    const ready = await call(`${web.address}/health/ready`);
    expect(ready.status).to.equal(503);
    expect(ready.body.parts.migrations.message).to.match(/^pending: 20261121000000-foundation/);
    expect((await call(`${web.address}/api/workflows`, { key: KEY })).status).to.equal(503);
    await client.query('ALTER TABLE done RENAME TO knex_migrations; ALTER TABLE api_keys_away RENAME TO api_keys');
    await client.end();
    await eventually(
      () => call(`${web.address}/api/workflows`, { key: KEY }),
      ({ status }) => status === 200,
    );
  });

  it('starts and takes work while Redis is away, and says so', async () => {
    const { url, drop } = await createDatabase();
    stops.push(drop);
    const redis = await startRedis();
    await redis.kill();
    const web = await start({ databaseUrl: url, redisUrl: redis.url });
    const created = await call(`${web.address}/api/workflows`, { key: KEY, body: onboarding });
    expect(created.status).to.equal(201);
    expect((await call(`${web.address}/api/workflow/start-async/ask`, { key: KEY, body: {} })).status).to.equal(200);
    const ready = await call(`${web.address}/health/ready`);
    expect({ status: ready.status, word: ready.body.status, redis: ready.body.parts.redis.status }).to.deep.equal({
      status: 200,
      word: 'degraded',
      redis: 'error',
    });
  });

  it('names a wrong maxmemory-policy', async () => {
    const { url, drop } = await createDatabase();
    stops.push(drop);
    const redis = await startRedis(['--maxmemory-policy', 'allkeys-lru']);
    stops.push(() => redis.stop());
    const web = await start({ databaseUrl: url, redisUrl: redis.url });
    const { body } = await eventually(
      () => call(`${web.address}/health/ready`),
      ({ body }) => body.parts.redis.message?.includes('maxmemory-policy'),
    );
    expect(body.status).to.equal('degraded');
  });

  it('lets go of those who wait when it stops: they are told that their run goes on', async () => {
    const { url, drop } = await createDatabase();
    stops.push(drop);
    const web = await start({ databaseUrl: url });
    await call(`${web.address}/api/workflows`, { key: KEY, body: onboarding });
    const waiting = call(`${web.address}/api/workflow/start/ask`, { key: KEY, body: {} });
    await eventually(
      () => call(`${web.address}/metrics`, { key: KEY }),
      ({ body }) => body.includes('holdpoint_open_waiters 1'),
    );
    const [answer] = await Promise.all([waiting, web.stop()]);
    expect({ status: answer.status, word: answer.body.status }).to.deep.equal({ status: 202, word: 'running' });
    expect(await call(`${web.address}/health/live`).catch(() => 'refused')).to.equal('refused');
  });

  it('rejects when its port is taken, and leaves nothing open', async () => {
    const { url, drop } = await createDatabase();
    stops.push(drop);
    const web = await start({ databaseUrl: url });
    const port = Number(new URL(web.address).port);
    const error = await start({ databaseUrl: url, port }).catch((reason: NodeJS.ErrnoException) => reason);
    expect((error as NodeJS.ErrnoException).code).to.equal('EADDRINUSE');
  });
});
