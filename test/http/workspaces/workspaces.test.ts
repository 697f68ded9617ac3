import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import { loadConfig } from '../../../src/config.ts';
import type { Role } from '../../../src/core/roles.ts';
import { createLog } from '../../../src/log.ts';
import { startWeb } from '../../../src/web.ts';
import { type Answer, call, createKey, createWorkspace, type TestWorkspace } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../../support/holdpoint.ts';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('the workspaces face', () => {
  let holdpoint: Holdpoint;
  before(async () => {
    holdpoint = await startHoldpoint();
  });
  after(() => holdpoint.stop());

  interface Options {
    workspace?: TestWorkspace;
    as?: Role;
    key?: string;
    method?: string;
    body?: unknown;
  }
  function ask(path: string, { workspace = holdpoint.workspace, as = 'owner', key, ...more }: Options = {}) {
    return holdpoint.ask(`/workspaces/${workspace.slug}${path}`, { key: key ?? workspace.keys[as], ...more });
  }

  describe('workspaces', () => {
    it('are listed, shown by id and by slug, and renamed by their owner', async () => {
      const workspace = await createWorkspace(holdpoint.db);
      const shown = await ask('', { workspace, as: 'viewer' });
      const { createdAt, ...rest } = shown.body;
      expect(rest).to.deep.equal({ id: workspace.id, slug: workspace.slug, name: workspace.slug });
      expect(createdAt).to.match(ISO);
      const key = workspace.keys.viewer;
      for (const prefix of ['', '/v1']) {
        expect((await holdpoint.ask(`${prefix}/workspaces/${workspace.id}`, { key })).body).to.deep.equal(shown.body);
        expect((await holdpoint.ask(`${prefix}/workspaces`, { key })).body).to.deep.equal([shown.body]);
      }
      const patch = (body: object, as: Role = 'owner') => ask('', { workspace, as, method: 'PATCH', body });
      expect((await patch({ name: 'Acme' }, 'admin')).status).to.equal(403);
      expect((await patch({ name: 'Acme' })).body).to.deep.equal({ ...shown.body, name: 'Acme' });
      expect((await patch({})).status).to.equal(400);
      expect((await patch({ slug: 'Not A Slug' })).body.details[0].pointer).to.equal('/slug');
      expect((await patch({ slug: holdpoint.workspace.slug })).status).to.equal(409);
    });

    it('are made by owners, who enter with the key that is shown once; asked again, there is one more key', async () => {
      const { keys } = holdpoint.workspace;
      const make = (body: object, headers = {}, key = keys.owner) =>
        holdpoint.ask('/workspaces', { key, body, headers });
      for (const role of ['viewer', 'editor', 'admin'] as const)
        expect((await make({ name: 'Mine' }, {}, keys[role])).status, role).to.equal(403);
      const named = { 'idempotency-key': 'a-new-workspace' };
      const { status, body } = await make({ name: 'Acme Labs', slug: 'acme-labs' }, named);
      const { key, keyId, createdAt, ...rest } = body;
      expect({ status, rest }).to.deep.equal({
        status: 201,
        rest: { id: body.id, slug: 'acme-labs', name: 'Acme Labs' },
      });
      expect(createdAt).to.match(ISO);
      const again = await make({ name: 'Acme Labs', slug: 'acme-labs' }, named);
      const second = { key: again.body.key, keyId: again.body.keyId };
      expect([again.status, again.body]).to.deep.equal([201, { ...body, ...second }]);
      expect((await make({ name: 'Acme Labs' }, named)).status).to.equal(422);

      const inNew = (path: string, as = key) => holdpoint.ask(`/workspaces/acme-labs${path}`, { key: as });
      expect((await inNew('')).body).to.deep.equal({ ...rest, createdAt });
      const members = (await inNew('/members')).body;
      expect(members).to.deep.equal([
        { userId: 'user-owner', role: 'owner', addedBy: 'user-owner', addedAt: members[0].addedAt },
      ]);
      const listed = (await inNew('/api-keys')).body;
      expect(listed.map(({ id, role, userId }: Record<string, string>) => ({ id, role, userId }))).to.deep.equal([
        { id: second.keyId, role: 'owner', userId: 'user-owner' },
        { id: keyId, role: 'owner', userId: 'user-owner' },
      ]);
      expect((await inNew('', second.key)).body).to.deep.equal({ ...rest, createdAt });
      expect(await holdpoint.ask('/api/workflows', { key }).then((answer) => answer.body)).to.deep.equal([]);
      expect((await inNew('', keys.owner)).status).to.equal(404);
      expect((await ask('', { key })).status).to.equal(404);
    });

    it('are made with the slug that was asked for or not at all, else with one that is free', async () => {
      const key = holdpoint.workspace.keys.owner;
      const make = async (body: object) => holdpoint.ask('/v1/workspaces', { key, body });
      const slugs = [];
      for (const _ of [1, 2]) slugs.push((await make({ name: 'Überall & nirgends' })).body.slug);
      expect(slugs[0]).to.equal('uberall-nirgends');
      expect(slugs[1]).to.match(/^uberall-nirgends-[0-9a-f]{6}$/);
      expect((await make({ name: 'Other', slug: slugs[0] })).status).to.equal(409);
      expect((await make({ slug: 'x' })).body.details).to.deep.equal([{ pointer: '/name', message: 'is required' }]);
      expect((await make({ name: '漢字' })).body.slug).to.equal('workspace');
    });

    it('say what is wrong in the shape of this face', async () => {
      const { status, body, headers } = await ask('/api-keys', { method: 'POST', body: { role: 'king' } });
      expect(status).to.equal(400);
      expect(body).to.deep.equal({
        statusCode: 400,
        message: '/name is required, and 1 more in details',
        error: 'Bad Request',
        requestId: headers.get('x-request-id'),
        details: [
          { pointer: '/name', message: 'is required' },
          { pointer: '/role', message: 'must be one of: viewer, editor, admin, owner' },
        ],
      });
      for (const path of ['/workspaces/none', '/v1/workspaces/none', '/workspaces/a/b/c']) {
        const { body } = await holdpoint.ask(path);
        expect({ path, statusCode: body.statusCode }).to.deep.equal({ path, statusCode: 404 });
      }
    });
  });

  describe('API keys', () => {
    const make = (body: object, more: Options = {}) => ask('/api-keys', { method: 'POST', body, ...more });

    it('are shown once, work, and are listed without what is secret', async () => {
      const workspace = await createWorkspace(holdpoint.db);
      const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
      const { status, body } = await make({ name: 'CI', role: 'editor', userId: 'ci', expiresAt }, { workspace });
      expect(status).to.equal(201);
      const { key, ...row } = body;
      expect(key).to.match(/^sk_[A-Za-z0-9_-]{43}$/);
      const { id, createdAt, ...known } = row;
      expect([id, createdAt]).to.satisfy(([one, at]: string[]) => /^[0-9a-f-]{36}$/.test(one!) && ISO.test(at!));
      expect(known).to.deep.equal({
        name: 'CI',
        prefix: key.slice(0, 8),
        role: 'editor',
        podId: null,
        userId: 'ci',
        createdBy: 'user-owner',
        expiresAt,
        lastUsedAt: null,
        revokedAt: null,
        revokedBy: null,
      });
      expect((await holdpoint.ask('/api/workflows', { key })).status).to.equal(200);
      const { body: list } = await ask('/api-keys', { workspace, as: 'admin' });
      expect(list[0].id).to.equal(id);
      expect(list).to.have.length(5);
      expect(JSON.stringify(list)).not.to.include(key);
      expect(Object.keys(list[0])).to.have.members(Object.keys(row));
    });

    it('are nowhere in the database, also when their making is asked for again (S-10)', async () => {
      const headers = { 'idempotency-key': uuidv7() };
      const again = () =>
        holdpoint.ask(`/workspaces/${holdpoint.workspace.id}/api-keys`, {
          key: holdpoint.workspace.keys.admin,
          headers,
          body: { name: 'k', role: 'viewer' },
        });
      const { key, ...rest } = (await again()).body;
      const replayed = await again();
      expect(replayed.headers.get('idempotent-replayed')).to.equal('true');
      expect(replayed.body).to.deep.equal({ ...rest, key: null });
      const dump = await dumpDatabase(holdpoint);
      expect(dump).to.include(rest.id);
      for (const secret of [key, ...Object.values(holdpoint.workspace.keys)])
        for (const form of [secret, secret.slice(8), Buffer.from(secret).toString('hex')])
          expect(dump).not.to.include(form);
    });

    it('act for whoever makes them, unless another user is named', async () => {
      const { body } = await make({ name: 'mine', role: 'viewer' }, { as: 'admin' });
      expect(body.userId).to.equal('user-admin');
    });

    it('are never made or revoked above the own role', async () => {
      expect((await make({ name: 'k', role: 'owner' }, { as: 'admin' })).status).to.equal(403);
      const owners = await make({ name: 'k', role: 'owner' });
      const revoke = (as: Role) => ask(`/api-keys/${owners.body.id}`, { as, method: 'DELETE' });
      expect((await revoke('admin')).status).to.equal(403);
      expect((await revoke('owner')).status).to.equal(204);
    });

    it('expire in the future only', async () => {
      for (const expiresAt of ['2020-01-01T00:00:00Z', 'tomorrow', '2999-02-30T00:00:00Z', '', 5]) {
        const { status, body } = await make({ name: 'k', role: 'viewer', expiresAt });
        expect({ status, pointer: body.details[0].pointer }, `${expiresAt}`).to.deep.equal({
          status: 400,
          pointer: '/expiresAt',
        });
      }
    });

    it('are refused once they are revoked, on every process within five seconds; again is fine (S-08)', async () => {
      const { key, id } = (await make({ name: 'k', role: 'viewer' })).body;
      const config = { ...loadConfig({}), port: 0, host: '127.0.0.1', databaseUrl: holdpoint.db.url, databasePool: 2 };
      const second = await startWeb(config, { log: createLog({ level: 'silent', name: 'test' }) });
      try {
        const addresses = [holdpoint.address, second.address];
        const statuses = () =>
          Promise.all(addresses.map(async (address) => (await call(`${address}/api/workflows`, { key })).status));
        expect(await statuses()).to.deep.equal([200, 200]);
        expect((await ask(`/api-keys/${id}`, { as: 'admin', method: 'DELETE' })).status).to.equal(204);
        // Five seconds, and as much again for a machine that is busy.
        await eventually(async () => (await statuses()).every((status) => status === 401), { withinMs: 10_000 });
        expect((await ask(`/api-keys/${id}`, { as: 'admin', method: 'DELETE' })).status).to.equal(204);
        const row = (await ask('/api-keys')).body.find((row: { id: string }) => row.id === id);
        expect(row.revokedAt).to.match(ISO);
        expect(row.revokedBy).to.equal('user-admin');
      } finally {
        await second.stop();
      }
    });

    it('come in pages, each naming the next', async () => {
      const workspace = await createWorkspace(holdpoint.db);
      const seen: string[] = [];
      let cursor: string | null = '';
      for (let pages = 0; cursor !== null && pages < 5; pages++) {
        const answer: Answer = await ask(`/api-keys?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`, { workspace });
        seen.push(...answer.body.map((row: { id: string }) => row.id));
        cursor = answer.headers.get('x-next-cursor');
      }
      expect(new Set(seen).size).to.equal(4);
      expect(seen).to.have.length(4);
      expect((await ask('/api-keys?cursor=nonsense')).status).to.equal(400);
      expect((await ask('/api-keys?limit=201')).status).to.equal(400);
    });
  });

  describe('members', () => {
    const add = (workspace: TestWorkspace, userId: string, role: string, as: Role = 'owner') =>
      ask('/members', { workspace, as, method: 'POST', body: { userId, role } });
    const change = (workspace: TestWorkspace, userId: string, role: string, as: Role = 'owner') =>
      ask(`/members/${encodeURIComponent(userId)}`, { workspace, as, method: 'PATCH', body: { role } });
    const remove = (workspace: TestWorkspace, userId: string, as: Role = 'owner') =>
      ask(`/members/${encodeURIComponent(userId)}`, { workspace, as, method: 'DELETE' });

    it('are added, listed, changed and removed', async () => {
      const workspace = await createWorkspace(holdpoint.db);
      const { status, body } = await add(workspace, 'ada@example.com', 'editor', 'admin');
      expect(status).to.equal(201);
      const { addedAt, ...rest } = body;
      expect(rest).to.deep.equal({ userId: 'ada@example.com', role: 'editor', addedBy: 'user-admin' });
      expect(addedAt).to.match(ISO);
      expect((await add(workspace, 'ada@example.com', 'viewer')).status).to.equal(409);
      expect((await change(workspace, 'ada@example.com', 'viewer')).body.role).to.equal('viewer');
      expect((await ask('/members', { workspace })).body).to.deep.equal([{ ...body, role: 'viewer' }]);
      expect((await remove(workspace, 'ada@example.com')).status).to.equal(204);
      expect((await ask('/members', { workspace })).body).to.deep.equal([]);
      expect((await remove(workspace, 'ada@example.com')).status).to.equal(404);
      expect((await change(workspace, 'nobody', 'viewer')).status).to.equal(404);
      expect((await add(workspace, 'ada@example.com', 'viewer')).status).to.equal(201);
    });

    it('cannot be promoted above the role of who does it, themselves included (S-32)', async () => {
      const workspace = await createWorkspace(holdpoint.db);
      await add(workspace, 'user-admin', 'admin');
      await add(workspace, 'user-owner', 'owner');
      expect((await change(workspace, 'user-admin', 'owner', 'admin')).status).to.equal(403);
      expect((await add(workspace, 'friend', 'owner', 'admin')).status).to.equal(403);
      expect((await change(workspace, 'user-owner', 'viewer', 'admin')).status).to.equal(403);
      expect((await remove(workspace, 'user-owner', 'admin')).status).to.equal(403);
    });

    it('always have an owner among them, also when two leave at the same moment (S-32)', async () => {
      const workspace = await createWorkspace(holdpoint.db);
      await add(workspace, 'user-owner', 'owner');
      expect((await change(workspace, 'user-owner', 'admin')).status).to.equal(409);
      expect((await remove(workspace, 'user-owner')).status).to.equal(409);
      expect((await change(workspace, 'user-owner', 'owner')).status).to.equal(200);
      await add(workspace, 'second', 'owner');
      const both = await Promise.all([change(workspace, 'user-owner', 'admin'), change(workspace, 'second', 'admin')]);
      expect(both.map(({ status }) => status).sort()).to.deep.equal([200, 409]);
    });

    it('take their API keys with them, and lower what their keys may do', async () => {
      const workspace = await createWorkspace(holdpoint.db);
      const make = () => createKey(holdpoint.db, { workspaceId: workspace.id, role: 'editor' });
      const define = async (key: string) => (await holdpoint.ask('/api/workflows', { key, body: {} })).status;
      await add(workspace, 'user-editor', 'viewer');
      expect(await define(await make())).to.equal(403);
      await change(workspace, 'user-editor', 'admin');
      expect(await define(await make())).to.equal(400);
      const old = await make();
      await remove(workspace, 'user-editor');
      expect(await define(old)).to.equal(401);
      await add(workspace, 'user-editor', 'editor');
      expect(await define(await make())).to.equal(400);
      expect(
        (await ask('/api-keys', { workspace })).body.filter(
          (row: { revokedBy: string }) => row.revokedBy === 'user-owner',
        ),
      ).to.have.length(5 - 1);
    });

    it('come in pages by user id, whatever it holds', async () => {
      const workspace = await createWorkspace(holdpoint.db);
      const users = ['a b', 'a&b=c', 'Z', 'ü/ö', '%41'];
      for (const userId of users) expect((await add(workspace, userId, 'viewer')).status, userId).to.equal(201);
      const seen: string[] = [];
      for (let cursor: string | null = ''; cursor !== null && seen.length < 9; ) {
        const answer: Answer = await ask(`/members?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`, { workspace });
        seen.push(...answer.body.map((row: { userId: string }) => row.userId));
        cursor = answer.headers.get('x-next-cursor');
      }
      expect(seen).to.have.members(users);
      expect(seen).to.have.length(users.length);
      for (const userId of users) expect((await remove(workspace, userId)).status, userId).to.equal(204);
      expect((await add(workspace, 'a\u0000b', 'viewer')).status).to.equal(400);
      expect((await remove(workspace, `x${uuidv7()}`)).status).to.equal(404);
    });
  });
});

/** Every row of every table as text, bytes in hex. */
async function dumpDatabase({ db }: Holdpoint): Promise<string> {
  const { rows: tables } = await db.pool.query<{ name: string }>(
    "SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public'",
  );
  const dumps = await Promise.all(
    tables.map(({ name }) =>
      db.pool.query<{ dump: string | null }>(`SELECT string_agg(t::text, ' ') AS dump FROM ${name} t`),
    ),
  );
  return dumps.map(({ rows }) => rows[0]?.dump ?? '').join('\n');
}
