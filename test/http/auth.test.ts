import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { AppError } from '../../src/core/errors.ts';
import { ROLES, type Role } from '../../src/core/roles.ts';
import { type Authenticate, createAuthenticator, requireRole } from '../../src/http/auth.ts';
import { createLog } from '../../src/log.ts';
import { findApiKey, hashApiKey } from '../../src/store/access.ts';
import type { Database } from '../../src/store/db.ts';
import { createKey, createWorkspace, openTestDatabase, type TestWorkspace } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';

describe('authentication', () => {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', name: 'test', destination: { write: (line) => lines.push(line) } });
  let now = Date.now();
  let db: Database;
  let drop: () => Promise<void>;
  let mine: TestWorkspace;
  let other: TestWorkspace;
  let authenticate: Authenticate;
  before(async () => {
    ({ db, drop } = await openTestDatabase());
    [mine, other] = [await createWorkspace(db), await createWorkspace(db)];
    authenticate = createAuthenticator({ db, log, clock: { now: () => now } });
  });
  after(() => drop());

  const codeOf = (headers: Record<string, string>, options?: { allowBasic: boolean }) =>
    authenticate(headers, options).then(
      (actor) => actor.role,
      (error: unknown) => (error instanceof AppError ? error.code : error),
    );
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  const basic = (key: string) => ({ authorization: `Basic ${Buffer.from(`ops:${key}`).toString('base64')}` });

  it('takes a key with its workspace, by id or slug, and as Bearer without one', async () => {
    const actor = { workspaceId: mine.id, userId: 'user-editor', role: 'editor' };
    for (const tenant of [mine.id, mine.id.toUpperCase(), mine.slug]) {
      expect(await authenticate({ 'x-api-key': mine.keys.editor, 'x-tenant-id': tenant })).to.deep.include(actor);
    }
    expect(await authenticate(bearer(mine.keys.editor))).to.deep.include(actor);
    expect(await authenticate({ authorization: `bearer  ${mine.keys.editor}` })).to.deep.include(actor);
    expect(await authenticate({ ...bearer(mine.keys.editor), 'x-tenant-id': mine.slug })).to.deep.include(actor);
  });

  it('compares digests in constant time, and nothing else of a key (S-09)', async () => {
    const [real, swapped] = [await createKey(db, { workspaceId: mine.id, role: 'viewer' }), `sk_${'B'.repeat(32)}`];
    await db.pool.query(`UPDATE api_keys SET prefix = 'another' WHERE hash = $1`, [hashApiKey(real)]);
    expect(await codeOf(bearer(real))).to.equal('viewer');
    // The row of a key is found by the digest of what was sent, whose bytes tell nothing of how much of it is right.
    await db.pool.query('UPDATE api_keys SET hash = $2 WHERE hash = $1', [hashApiKey(real), hashApiKey(swapped)]);
    now += 5_000;
    const fresh = createAuthenticator({ db, log, clock: { now: () => now } });
    expect((await fresh(bearer(swapped))).role).to.equal('viewer');
    const check = readFileSync(new URL('../../src/http/api-key-auth.ts', import.meta.url), 'utf8');
    expect(check)
      .to.include('!timingSafeEqual(row.hash, hash)')
      .and.not.match(/\bkey\b\s*(===|!==|\.startsWith)|prefix/);
  });

  it('asks for the workspace beside x-api-key, and falls back to none (S-04)', async () => {
    expect(await codeOf({ 'x-api-key': mine.keys.owner })).to.equal('unauthenticated');
    expect(await codeOf({ 'x-api-key': mine.keys.owner, 'x-tenant-id': ' ' })).to.equal('unauthenticated');
  });

  it('refuses another workspace, known or not, alike, and logs it (S-05)', async () => {
    lines.length = 0;
    for (const tenant of [other.id, other.slug, 'no-such-workspace']) {
      expect(await codeOf({ 'x-api-key': mine.keys.owner, 'x-tenant-id': tenant })).to.equal('forbidden');
      expect(await codeOf({ ...bearer(mine.keys.owner), 'x-tenant-id': tenant })).to.equal('forbidden');
    }
    expect(lines.filter((line) => line.includes('tenant_mismatch'))).to.have.length(6);
  });

  it('refuses what is missing, malformed, unknown or not a key', async () => {
    const broken = [
      {},
      { 'x-api-key': '', 'x-tenant-id': mine.id },
      { 'x-api-key': `${mine.keys.owner}x`, 'x-tenant-id': mine.id },
      { 'x-api-key': `${mine.keys.owner.slice(0, 8)}${'a'.repeat(24)}`, 'x-tenant-id': mine.id },
      { 'x-api-key': `sk_${'a'.repeat(5_000)}`, 'x-tenant-id': mine.id },
      { 'x-api-key': `${mine.keys.owner}, ${mine.keys.owner}`, 'x-tenant-id': mine.id },
      { 'x-tenant-id': mine.id },
      { authorization: mine.keys.owner },
      { authorization: `Token ${mine.keys.owner}` },
      { authorization: 'Bearer' },
      bearer('eyJhbGciOiJub25lIn0.e30.'),
      bearer(`sk_${'b'.repeat(32)}`),
    ];
    for (const headers of broken) expect(await codeOf(headers), JSON.stringify(headers)).to.equal('unauthenticated');
  });

  it('refuses two credentials that disagree, and takes two that agree', async () => {
    const tenant = { 'x-tenant-id': mine.id };
    expect(await codeOf({ ...tenant, 'x-api-key': mine.keys.editor, ...bearer(mine.keys.owner) })).to.equal(
      'invalid_request',
    );
    expect(await codeOf({ ...tenant, 'x-api-key': mine.keys.editor, ...bearer(mine.keys.editor) })).to.equal('editor');
  });

  it('finds a key by the hash of all of it: a good beginning is no nearer than none (S-09)', async () => {
    const good = mine.keys.owner;
    const filler = good.endsWith('0') ? '1' : '0';
    const guesses = [8, 16, good.length - 1].map((known) => good.slice(0, known).padEnd(good.length, filler));
    guesses.push(`sk_${'0'.repeat(good.length - 3)}`, `${good}0`);
    const refusals = await Promise.all(
      guesses.map((guess) => authenticate(bearer(guess)).catch(({ code, message }: AppError) => ({ code, message }))),
    );
    for (const refusal of refusals) expect(refusal).to.deep.equal(refusals[0]);
    expect(refusals[0]).to.include({ code: 'unauthenticated' });
    // Equal texts only: no index or comparison of ours ever sees a part of a key.
    const { rows } = await db.pool.query("SELECT indexdef AS index FROM pg_indexes WHERE tablename = 'api_keys'");
    expect(rows.filter(({ index }) => index.includes('(hash)'))).to.have.length(1);
    expect(rows.filter(({ index }) => index.includes('prefix'))).to.deep.equal([]);
  });

  it('takes HTTP Basic only where it is allowed', async () => {
    expect(await codeOf(basic(mine.keys.admin))).to.equal('unauthenticated');
    expect(await codeOf(basic(mine.keys.admin), { allowBasic: true })).to.equal('admin');
    expect(await codeOf(basic('sk_wrong_0000000000'), { allowBasic: true })).to.equal('unauthenticated');
    expect(await codeOf({ authorization: 'Basic !!!' }, { allowBasic: true })).to.equal('unauthenticated');
  });

  it('refuses a key from the moment it expires (S-08)', async () => {
    const key = await createKey(db, { workspaceId: mine.id, role: 'editor', expiresAt: now + 1_000 });
    expect(await codeOf(bearer(key))).to.equal('editor');
    now += 1_000;
    expect(await codeOf(bearer(key))).to.equal('unauthenticated');
  });

  it('refuses a revoked key within five seconds, also where it was just used (S-08)', async () => {
    const key = await createKey(db, { workspaceId: mine.id, role: 'editor' });
    expect(await codeOf(bearer(key))).to.equal('editor');
    await db.pool.query('UPDATE api_keys SET revoked_at = now() WHERE hash = $1', [hashApiKey(key)]);
    const fresh = createAuthenticator({ db, log, clock: { now: () => now } });
    expect(await fresh(bearer(key)).catch((error: AppError) => error.code)).to.equal('unauthenticated');
    await eventually(async () => (await codeOf(bearer(key))) === 'unauthenticated', { withinMs: 10_000 });
  });

  it('notes that a key was used', async () => {
    const key = await createKey(db, { workspaceId: mine.id, role: 'viewer' });
    await authenticate(bearer(key));
    const { id } = (await findApiKey(db, hashApiKey(key)))!;
    const lastUse = async () =>
      (await db.pool.query('SELECT last_used_at AS at FROM api_keys WHERE id = $1', [id])).rows[0].at;
    while ((await lastUse()) === null) await new Promise((resolve) => setImmediate(resolve));
  });

  it('ranks roles viewer < editor < admin < owner, and refuses unknown ones', () => {
    const allows = (role: string | undefined, least: Role) => {
      try {
        requireRole({ workspaceId: mine.id, userId: 'u', ...(role === undefined ? {} : { role }) }, least);
        return true;
      } catch {
        return false;
      }
    };
    for (const [rank, role] of ROLES.entries()) {
      for (const [least, name] of ROLES.entries())
        expect(allows(role, name), `${role} as ${name}`).to.equal(rank >= least);
    }
    for (const role of [undefined, 'root', 'OWNER', '__proto__']) expect(allows(role, 'viewer')).to.equal(false);
  });
});
