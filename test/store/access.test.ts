import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import { bootstrapAccess } from '../../src/engine/bootstrap-access.ts';
import { createLog } from '../../src/log.ts';
import { ensureWorkspace, findApiKey, hashApiKey, touchApiKey } from '../../src/store/access.ts';
import { findMember } from '../../src/store/access-members.ts';
import type { Database } from '../../src/store/db.ts';
import { createWorkspace, openTestDatabase } from '../support/api.ts';

const KEY = 'sk_bootstrap_0123456789abcdefghij';
const log = createLog({ level: 'silent', name: 'test' });

describe('the store of workspaces and keys', () => {
  let db: Database;
  let drop: () => Promise<void>;
  before(async () => {
    ({ db, drop } = await openTestDatabase());
  });
  after(() => drop());

  it('finds a key by its hash, with its workspace and role', async () => {
    const workspace = await createWorkspace(db);
    const row = await findApiKey(db, hashApiKey(workspace.keys.editor));
    expect(row).to.deep.include({
      workspaceId: workspace.id,
      workspaceSlug: workspace.slug,
      role: 'editor',
      userId: 'user-editor',
      expiresAt: null,
      revokedAt: null,
    });
    expect(await findApiKey(db, hashApiKey(`${workspace.keys.editor}x`))).to.equal(null);
  });

  it('stores no key, only hashes and the first characters', async () => {
    const workspace = await createWorkspace(db);
    const { rows } = await db.pool.query('SELECT api_keys::text AS line FROM api_keys');
    const dump = rows.map((row) => row.line).join('\n');
    for (const key of Object.values(workspace.keys)) expect(dump).not.to.include(key);
  });

  it('notes the last use at most once a minute', async () => {
    const workspace = await createWorkspace(db);
    const { id } = (await findApiKey(db, hashApiKey(workspace.keys.viewer)))!;
    const lastUse = async () =>
      (await db.pool.query<{ at: Date }>('SELECT last_used_at AS at FROM api_keys WHERE id = $1', [id])).rows[0]!.at;
    await touchApiKey(db, id);
    const first = await lastUse();
    await touchApiKey(db, id);
    expect(await lastUse()).to.deep.equal(first);
    await db.pool.query("UPDATE api_keys SET last_used_at = now() - interval '61 s' WHERE id = $1", [id]);
    await touchApiKey(db, id);
    expect((await lastUse()).getTime()).to.be.at.least(first.getTime());
  });

  it('answers the workspace that is there when the slug is taken', async () => {
    const slug = 'taken';
    const first = await ensureWorkspace(db, { id: uuidv7(), slug, name: 'One' });
    const second = await ensureWorkspace(db, { id: uuidv7(), slug, name: 'Two' });
    expect(first.created).to.equal(true);
    expect(second).to.deep.equal({ id: first.id, created: false });
  });

  it('bootstraps one workspace and one owner key, however many processes boot at once', async () => {
    const settings = { bootstrapApiKey: KEY, bootstrapWorkspace: 'acme' };
    await Promise.all(Array.from({ length: 8 }, () => bootstrapAccess({ db, log }, settings)));
    const row = await findApiKey(db, hashApiKey(KEY));
    expect(row).to.deep.include({ workspaceSlug: 'acme', role: 'owner' });
    const { rows } = await db.pool.query("SELECT count(*)::int AS n FROM workspaces WHERE slug = 'acme'");
    expect(rows[0].n).to.equal(1);
    expect(await findMember(db, { workspaceId: row!.workspaceId, userId: 'owner' })).to.deep.include({
      role: 'owner',
      addedBy: 'bootstrap',
      removedAt: null,
    });
  });

  it('leaves a workspace alone that was given another slug since', async () => {
    const settings = { bootstrapApiKey: `${KEY}_renamed`, bootstrapWorkspace: 'old-name' };
    await bootstrapAccess({ db, log }, settings);
    await db.pool.query("UPDATE workspaces SET slug = 'new-name' WHERE slug = 'old-name'");
    await bootstrapAccess({ db, log }, settings);
    expect((await findApiKey(db, hashApiKey(`${KEY}_renamed`)))!.workspaceSlug).to.equal('new-name');
    const { rowCount } = await db.pool.query("SELECT FROM workspaces WHERE slug = 'old-name'");
    expect(rowCount).to.equal(0);
  });

  it('does not bring a revoked bootstrap key back', async () => {
    const settings = { bootstrapApiKey: `${KEY}_revoked`, bootstrapWorkspace: 'acme' };
    await bootstrapAccess({ db, log }, settings);
    await db.pool.query('UPDATE api_keys SET revoked_at = now() WHERE hash = $1', [hashApiKey(`${KEY}_revoked`)]);
    await bootstrapAccess({ db, log }, settings);
    expect((await findApiKey(db, hashApiKey(`${KEY}_revoked`)))!.revokedAt).to.be.a('number');
  });
});
