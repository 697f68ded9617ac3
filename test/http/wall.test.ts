// The wall between workspaces as requests meet it (GUARANTEES S-16); what it is made of is test/store/readers.test.ts.

import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import pg from 'pg';
import { loadConfig } from '../../src/config.ts';
import { createApp } from '../../src/http/app.ts';
import { createAuthenticator } from '../../src/http/auth.ts';
import { defineRoute, type Face, type RouteRequest } from '../../src/http/route.ts';
import { listen, type RunningServer } from '../../src/http/server.ts';
import { createLog } from '../../src/log.ts';
import { type Database, openDatabase } from '../../src/store/db.ts';
import { migrate } from '../../src/store/migrate.ts';
import { openReaders, type Readers } from '../../src/store/readers.ts';
import { createMetrics } from '../../src/telemetry.ts';
import { startWeb } from '../../src/web.ts';
import { call, createWorkspace, openTestDatabase, type TestWorkspace } from '../support/api.ts';
import { getServices } from '../support/services.ts';

/** Reads as a route would that forgot whose rows it may show. */
async function readEverything({ reader }: Pick<RouteRequest, 'reader'>) {
  const { rows } = await reader.pool.query('SELECT id FROM workspaces');
  return { body: rows.map(({ id }) => id) };
}
const careless: Face = {
  name: 'careless',
  prefixes: ['/'],
  presentError: ({ code }) => ({ code }),
  routes: [
    defineRoute({ method: 'GET', path: '/all', role: 'viewer', handler: readEverything }),
    defineRoute({ method: 'GET', path: '/public', role: 'public', handler: readEverything }),
  ],
};

describe('the wall between workspaces, over HTTP', () => {
  let db: Database;
  let drop: () => Promise<void>;
  let readers: Readers;
  let server: RunningServer;
  let workspaces: TestWorkspace[];
  before(async () => {
    ({ db, drop } = await openTestDatabase());
    workspaces = [await createWorkspace(db), await createWorkspace(db)];
    const log = createLog({ level: 'silent', name: 'test' });
    const authenticate = createAuthenticator({ db, log, clock: { now: () => Date.now() } });
    readers = openReaders({ db, max: 2, name: 'test', onError: () => {}, onGap: () => {} });
    const stopping = new AbortController().signal;
    const options = { faces: [careless], systemRoutes: [], authenticate, readers, log, stopping };
    server = await listen(createApp({ ...options, metrics: createMetrics() }), { port: 0, host: '127.0.0.1' });
  });
  after(async () => {
    await server.close(1_000);
    await readers.close();
    await drop();
  });

  it('shows a route that forgot its workspace that of the credential, and to nobody nothing', async () => {
    for (const { id, keys } of workspaces)
      expect((await call(`${server.address}/all`, { key: keys.viewer })).body).to.deep.equal([id]);
    expect((await call(`${server.address}/public`)).body).to.deep.equal([]);
  });

  it('is not there for a database user who may not use the role: said in the log and by readiness, and the API works', async () => {
    const name = `hp_user_${randomBytes(6).toString('hex')}`;
    const admin = new pg.Client({ connectionString: getServices().postgresAdminUrl });
    await admin.connect();
    await admin.query(`CREATE ROLE ${name} LOGIN PASSWORD 'secret'`);
    await admin.query(`CREATE DATABASE ${name} OWNER ${name}`);
    const url = Object.assign(new URL(getServices().postgresAdminUrl), {
      pathname: name,
      username: name,
      password: 'secret',
    });
    await migrate(url.href);
    const owned = openDatabase({ url: url.href, max: 1, name: 'test', onError: () => {} });
    const lines: string[] = [];
    const log = createLog({ level: 'warn', name: 'test', destination: { write: (line) => lines.push(line) } });
    const settings = { ...loadConfig({}), port: 0, host: '127.0.0.1', databaseUrl: url.href, databasePool: 2 };
    const queuePrefix = name;
    const web = await startWeb({ ...settings, queuePrefix, redisUrl: getServices().redisUrl }, { log });
    try {
      const { keys } = await createWorkspace(owned);
      for (let nth = 0; nth < 3; nth += 1)
        expect((await call(`${web.address}/api/workflows`, { key: keys.viewer })).body).to.deep.equal([]);
      const { status, body } = await call(`${web.address}/health/ready`);
      const message = 'reads of the API are not confined by row-level security; the log says why';
      expect([status, body.parts.postgres]).to.deep.equal([200, { status: 'ok', message }]);
      const warnings = lines.filter((line) => line.includes('row-level security'));
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.include('GRANT holdpoint_reader TO').and.include('permission denied to set role');
    } finally {
      await web.stop();
      await owned.close();
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.query(`DROP ROLE ${name}`);
      await admin.end();
    }
  });
});
