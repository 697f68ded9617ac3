// The wall between workspaces (GUARANTEES S-16), asked of Postgres itself.

import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import pg from 'pg';
import { v7 as newId } from 'uuid';
import { createDefinition } from '../../src/engine/create-definition.ts';
import { startRun } from '../../src/engine/start-run.ts';
import { type Database, openDatabase } from '../../src/store/db.ts';
import { migrate } from '../../src/store/migrate.ts';
import { openReaders, type Readers } from '../../src/store/readers.ts';
import { createWorkspace, type TestWorkspace } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { getServices } from '../support/services.ts';
import { createWorld, type World } from '../support/world.ts';

const ROLE = 'holdpoint_reader';
/** They hold nothing of a workspace's. */
const OURS = ['knex_migrations', 'knex_migrations_lock'];

const WORKFLOW = {
  name: 'Ask',
  initialStep: 'ask',
  steps: [
    { id: 'ask', type: 'collect-inputs', output: { name: { type: 'string' } } },
    { id: 'end', type: 'end-flow' },
  ],
  edges: [{ from: 'ask', to: 'end' }],
};

describe('the wall between workspaces', () => {
  let world: World;
  let readers: Readers;
  let workspaces: [TestWorkspace, TestWorkspace];
  let runs: string[];
  const gaps: string[] = [];

  before(async () => {
    world = await createWorld();
    workspaces = [await createWorkspace(world.db), await createWorkspace(world.db)];
    runs = await Promise.all(
      workspaces.map(async ({ id: workspaceId }) => {
        const actor = { workspaceId, userId: 'tester', role: 'owner' };
        const workflow = (await createDefinition(world.engine, { actor, definition: WORKFLOW })).id;
        return (await startRun(world.engine, { actor, workflow, input: {}, trigger: 'api' })).runId;
      }),
    );
    readers = open(world.db, gaps);
  });
  after(async () => {
    await readers.close();
    await world.close();
  });

  const read = async (workspaceId: string, text: string) => (await readers.of(workspaceId).pool.query(text)).rows;

  it('is around every table: one that is added and fits none of its rules ends here', async () => {
    const { rows } = await world.db.pool.query(
      `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
          AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY 1`,
    );
    expect(rows.map(({ name }) => name)).to.deep.equal(OURS);
    expect(await readers.findGap()).to.equal(null);
  });

  it('holds a role that owns nothing, bypasses nothing, cannot log in and may only read', async () => {
    const { rows } = await world.db.pool.query(
      `SELECT rolsuper, rolbypassrls, rolcanlogin, rolcreaterole,
              (SELECT count(*) FROM pg_class WHERE relowner = r.oid) AS owned,
              (SELECT array_agg(DISTINCT privilege_type::text) FROM information_schema.role_table_grants
                WHERE grantee = rolname) AS may
         FROM pg_roles r WHERE rolname = '${ROLE}'`,
    );
    const none = { rolsuper: false, rolbypassrls: false, rolcanlogin: false, rolcreaterole: false, owned: 0 };
    expect(rows).to.deep.equal([{ ...none, may: ['SELECT'] }]);
  });

  it('shows the rows of the workspace that a transaction names, and no others, in direct SQL', async () => {
    const [a, b] = workspaces;
    const seen = await asRole(world.db, `SET LOCAL app.tenant_id = '${b.id}'`, async (query) => ({
      workspaces: await query('SELECT id FROM workspaces'),
      runs: await query('SELECT id FROM runs'),
      others: await query(`SELECT id FROM runs WHERE workspace_id = '${a.id}'`),
      events: await query('SELECT DISTINCT run_id AS id FROM events'),
      steps: await query('SELECT DISTINCT run_id AS id FROM step_runs'),
      pauses: await query('SELECT run_id AS id FROM pauses'),
      keys: await query('SELECT DISTINCT workspace_id AS id FROM api_keys'),
      definitions: await query('SELECT workspace_id AS id FROM definitions'),
      versions: await query('SELECT workspace_id AS id FROM definition_versions'),
    }));
    const [own, run] = [[b.id], [runs[1]]];
    expect(seen).to.deep.equal({
      ...{ workspaces: own, runs: run, others: [], events: run, steps: run, pauses: run },
      ...{ keys: own, definitions: own, versions: own },
    });
  });

  it('shows nothing at all where no workspace is named', async () => {
    const { rows } = await world.db.pool.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.role_table_grants WHERE grantee = '${ROLE}' ORDER BY 1`,
    );
    expect(rows.map(({ name }) => name)).to.include.members(['runs', 'events', 'workspaces', 'api_keys', 'secrets']);
    for (const unset of ['SELECT', `SET LOCAL app.tenant_id = ''`]) {
      const seen = await asRole(world.db, unset, (query) =>
        query(rows.map(({ name }) => `SELECT '${name}' AS id FROM ${name}`).join(' UNION ALL ')),
      );
      expect(seen).to.deep.equal([]);
    }
    for (const { name } of rows) expect(await read('', `SELECT FROM ${name}`), name).to.deep.equal([]);
  });

  it('stands for a reader whose statement forgot its workspace', async () => {
    for (const [index, { id }] of workspaces.entries())
      expect(await read(id, 'SELECT id FROM runs')).to.deep.equal([{ id: runs[index] }]);
  });

  it('keeps readers of several workspaces apart on the same connections', async () => {
    const asked = Array.from({ length: 60 }, (_, index) => index % 2);
    const seen = await Promise.all(asked.map((index) => read(workspaces[index]!.id, 'SELECT id FROM runs')));
    expect(seen).to.deep.equal(asked.map((index) => [{ id: runs[index] }]));
  });

  it('shows nothing to whoever comes after a request that was aborted', async () => {
    const [a] = workspaces;
    const reader = readers.of(a.id).pool;
    const sleeping = `SELECT id, pg_sleep(20) FROM runs`;
    const failed = await Promise.allSettled([
      reader.query('SELECT 1 / 0'),
      reader.query('SELECT no_such_column FROM runs'),
      reader.query({ name: 'bad', text: 'SELECT $1::int FROM runs', values: ['x'] }),
      Promise.all([reader.query(sleeping), endSession(world.db, sleeping)]),
    ]);
    expect(failed.map(({ status }) => status)).to.deep.equal(Array(4).fill('rejected'));
    for (let nth = 0; nth < 6; nth += 1) expect(await read('', 'SELECT id FROM runs')).to.deep.equal([]);
    expect(await read(a.id, 'SELECT id FROM runs')).to.deep.equal([{ id: runs[0] }]);
  });

  it('lets nobody write, whatever they name', async () => {
    const [a] = workspaces;
    for (const text of [
      `UPDATE runs SET owner = 'me'`,
      `DELETE FROM pauses`,
      `INSERT INTO workspaces (id, slug, name) VALUES ('${newId()}', 'x', 'x')`,
      'SELECT id FROM runs FOR UPDATE',
      'CREATE TABLE mine ()',
    ])
      expect(await read(a.id, text).catch((error: { code: string }) => error.code), text).to.be.oneOf([
        '42501',
        '25006',
      ]);
    expect(await read(a.id, 'SELECT FROM idempotency_keys').catch(({ code }) => code)).to.equal('42501');
  });

  describe('for a database user that is no superuser', () => {
    const name = `hp_user_${randomBytes(6).toString('hex')}`;
    let owned: Database;
    const admin = () => getServices().postgresAdminUrl;

    before(async () => {
      await execute(admin(), `CREATE ROLE ${name} LOGIN PASSWORD 'secret'`);
      await execute(admin(), `CREATE DATABASE ${name} OWNER ${name}`);
      const url = new URL(admin());
      Object.assign(url, { pathname: name, username: name, password: 'secret' });
      await migrate(url.href);
      owned = openDatabase({ url: url.href, max: 2, name: 'test', onError: () => {} });
    });
    after(async () => {
      await owned.close();
      await execute(admin(), `DROP DATABASE ${name} WITH (FORCE)`);
      await execute(admin(), `DROP ROLE ${name}`);
    });

    it('is missing while nobody let it use the role: said once, and everything is read all the same', async () => {
      const told: string[] = [];
      const unwalled = open(owned, told);
      try {
        const { id } = await createWorkspace(owned);
        const { rows } = await unwalled.of(id).pool.query('SELECT id FROM workspaces WHERE id = $1', [id]);
        expect(rows).to.deep.equal([{ id }]);
        await unwalled.of(id).pool.query('SELECT 1');
        expect(told).to.deep.equal([`permission denied to set role "${ROLE}"`]);
        expect(await unwalled.findGap()).to.equal(told[0]);
      } finally {
        await unwalled.close();
      }
    });

    it('stands once an administrator has let it; the user itself, whom FORCE binds, goes on seeing and writing all', async () => {
      await execute(admin(), `GRANT ${ROLE} TO ${name}`);
      await migrate(owned);
      const told: string[] = [];
      const walled = open(owned, told);
      try {
        const [a, b] = [await createWorkspace(owned), await createWorkspace(owned)];
        const { rows } = await walled.of(b.id).pool.query('SELECT id FROM workspaces');
        expect([rows, told]).to.deep.equal([[{ id: b.id }], []]);
        const all = (await owned.pool.query('SELECT id FROM workspaces')).rows.map(({ id }) => id);
        expect(all).to.include.members([a.id, b.id]);
        expect((await owned.pool.query(`SELECT row_security_active('runs') AS bound`)).rows).to.deep.equal([
          { bound: true },
        ]);
      } finally {
        await walled.close();
      }
    });
  });
});

function open(db: Database, gaps: string[]): Readers {
  return openReaders({ db, max: 2, name: 'test reads', onError: () => {}, onGap: (gap) => gaps.push(gap) });
}

/** Ends the session that runs this statement, as soon as one does. */
function endSession(db: Database, statement: string): Promise<unknown> {
  const end = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = $1';
  return eventually(async () => (await db.pool.query(end, [statement])).rowCount || null, { what: 'that statement' });
}

type Ask = (text: string) => Promise<unknown[]>;

/** Answers the `id` of each row that the role sees in a transaction of its own. */
async function asRole<Result>(db: Database, setUp: string, work: (ask: Ask) => Promise<Result>): Promise<Result> {
  const client = await db.pool.connect();
  try {
    await client.query(`BEGIN; SET LOCAL ROLE ${ROLE}; ${setUp}`);
    return await work(async (text) => (await client.query(text)).rows.map(({ id }) => id));
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
