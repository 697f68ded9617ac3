import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { CompactEncrypt, SignJWT } from 'jose';
import { v7 as uuidv7 } from 'uuid';
import { type Answer, type Call, createWorkspace, type TestWorkspace } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';

const NOW = Math.floor(Date.now() / 1_000);
const CLAIMS = { sub: 'ada', exp: NOW + 600 };
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const pem = (key: { publicKey: typeof rsa.publicKey }) => String(key.publicKey.export({ type: 'spki', format: 'pem' }));
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('tokens', () => {
  let holdpoint: Holdpoint;
  let mine: TestWorkspace;
  let other: TestWorkspace;
  /** An HS256 key that gives at most `editor`, and one of the other workspace. */
  let hs: { id: string; secret: string };
  let foreign: { id: string; secret: string };
  before(async () => {
    holdpoint = await startHoldpoint({ settings: { secretKeys: [randomBytes(32)] } });
    mine = holdpoint.workspace;
    other = await createWorkspace(holdpoint.db);
    hs = (await addKey({ algorithm: 'HS256' })).body;
    foreign = (await addKey({ algorithm: 'HS256' }, other)).body;
  });
  after(() => holdpoint.stop());

  const addKey = (more: object, workspace = mine) =>
    holdpoint.ask(`/workspaces/${workspace.slug}/signing-keys`, {
      key: workspace.keys.owner,
      body: { name: 'product', role: 'editor', ...more },
    });
  const ask = (
    token: string,
    { path = '/api/workflows', headers = {}, ...more }: Call & { path?: string } = {},
  ): Promise<Answer> => holdpoint.ask(path, { key: token, headers, ...more });
  const statusOf = async (token: string, headers: Record<string, string> = {}) =>
    (await ask(token, { headers })).status;
  const sign = (claims: object, header: object = {}, secret = hs.secret) =>
    new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'HS256', kid: hs.id, ...header })
      .sign(new TextEncoder().encode(secret));
  /** Signs whatever it is given, as a careless or hostile signer does. */
  const forge = (header: object, claims: unknown, secret = hs.secret) => {
    const input = `${encode(header)}.${encode(claims)}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };

  it('let their bearer in as the user they name, in the workspace of their signing key', async () => {
    const token = await sign(CLAIMS);
    expect(await statusOf(token)).to.equal(200);
    for (const tenant of [mine.id, mine.slug]) expect(await statusOf(token, { 'x-tenant-id': tenant })).to.equal(200);
    const workflow = await holdpoint.define(ECHO);
    const run = await ask(token, { path: `/api/workflow/start/${workflow}`, method: 'POST' });
    const { rows } = await holdpoint.db.pool.query('SELECT owner FROM runs WHERE id = $1', [run.body.runId]);
    expect(rows).to.deep.equal([{ owner: 'ada' }]);
  });

  it('are taken in the algorithm of their key record: RS256, ES256, EdDSA', async () => {
    const keys = { RS256: rsa, ES256: ec, EdDSA: ed } as const;
    for (const [algorithm, pair] of Object.entries(keys)) {
      const { status, body } = await addKey({ algorithm, publicKey: pem(pair) });
      expect(status, JSON.stringify(body)).to.equal(201);
      const signed = new SignJWT(CLAIMS).setProtectedHeader({ alg: algorithm, kid: body.id });
      expect(await statusOf(await signed.sign(pair.privateKey)), algorithm).to.equal(200);
    }
  });

  it('offer their claim `context` to expressions of the runs that they start', async () => {
    const token = await sign({ ...CLAIMS, context: { plan: 'gold', org: { id: 7 } } });
    const workflow = await holdpoint.define(ECHO);
    const { status, body } = await ask(token, { path: `/api/workflow/start/${workflow}`, method: 'POST' });
    expect({ status, result: body.result }).to.deep.equal({ status: 200, result: { plan: 'gold', org: 7 } });
  });

  it('find their key by the claim `secretId` where the header has no kid', async () => {
    expect(await statusOf(forge({ alg: 'HS256' }, { ...CLAIMS, secretId: hs.id }))).to.equal(200);
    expect(await statusOf(forge({ alg: 'HS256', kid: foreign.id }, { ...CLAIMS, secretId: hs.id }))).to.equal(401);
  });

  it('are refused for another workspace: 403 by x-tenant-id, 404 by path', async () => {
    const token = await sign(CLAIMS);
    expect(await statusOf(token, { 'x-tenant-id': other.id })).to.equal(403);
    expect((await ask(token, { path: `/workspaces/${other.slug}` })).status).to.equal(404);
  });

  it('are refused without an algorithm, or with `none` in any case (S-17)', async () => {
    for (const alg of ['none', 'None', 'nOnE', 'NONE', '', undefined]) {
      const input = `${encode({ alg, kid: hs.id })}.${encode(CLAIMS)}`;
      expect(await statusOf(`${input}.`), `${alg}`).to.equal(401);
      expect(await statusOf(forge({ alg, kid: hs.id }, CLAIMS)), `${alg}, signed`).to.equal(401);
    }
  });

  it('are refused when they are signed with a public key as if it were a secret (S-18)', async () => {
    const { body } = await addKey({ algorithm: 'RS256', publicKey: pem(rsa) });
    for (const secret of [pem(rsa), pem(rsa).trim(), body.publicKey]) {
      expect(await statusOf(forge({ alg: 'HS256', kid: body.id }, CLAIMS, secret))).to.equal(401);
    }
    const other256 = new SignJWT(CLAIMS).setProtectedHeader({ alg: 'RS512', kid: body.id });
    expect(await statusOf(await other256.sign(rsa.privateKey))).to.equal(401);
  });

  it('are refused when their kid is missing, malformed, unknown, another workspace’s or revoked (S-19)', async () => {
    const kids = [
      undefined,
      '',
      '../../dev/null',
      "' OR 1=1 --",
      'x'.repeat(9_000),
      7,
      null,
      ['a'],
      uuidv7(),
      foreign.id,
    ];
    for (const kid of kids)
      expect(await statusOf(forge({ alg: 'HS256', kid }, CLAIMS)), `${kid}`.slice(0, 40)).to.equal(401);
    const token = forge({ alg: 'HS256', kid: foreign.id }, CLAIMS, foreign.secret);
    expect(await statusOf(token, { 'x-tenant-id': mine.id })).to.equal(403);
    const { body } = await addKey({ algorithm: 'HS256' });
    const signed = forge({ alg: 'HS256', kid: body.id }, CLAIMS, body.secret);
    const path = `/workspaces/${mine.slug}/signing-keys/${body.id}`;
    expect((await holdpoint.ask(path, { method: 'DELETE', key: mine.keys.admin })).status).to.equal(204);
    expect(await statusOf(signed)).to.equal(401);
  });

  it('bring no key along, and send us nowhere to fetch one (S-20)', async () => {
    const { server, url, asked } = await startListener();
    try {
      const jwk = rsa.publicKey.export({ format: 'jwk' });
      for (const more of [{ jwk }, { jku: url }, { x5u: url }, { x5c: ['MIIB'] }, { jwk, jku: url, x5u: url }]) {
        const own = new SignJWT(CLAIMS).setProtectedHeader({ alg: 'RS256', kid: hs.id, ...more });
        expect(await statusOf(await own.sign(rsa.privateKey)), Object.keys(more).join()).to.equal(401);
        const anonymous = new SignJWT(CLAIMS).setProtectedHeader({ alg: 'RS256', ...more });
        expect(await statusOf(await anonymous.sign(rsa.privateKey)), Object.keys(more).join()).to.equal(401);
      }
      expect(asked()).to.equal(0);
    } finally {
      server.close();
    }
  });

  it('are refused outside their time, or without one (S-21)', async () => {
    const times = [
      { exp: undefined },
      { exp: String(CLAIMS.exp) },
      { exp: null },
      { exp: NOW - 1 },
      { exp: NOW + 10 * 365 * 86_400 },
      { exp: 1e300 },
      { nbf: NOW + 300 },
      { nbf: 'soon' },
      { iat: NOW + 300 },
      { iat: NOW - 25 * 3_600 },
      { iat: 'now' },
      { sub: undefined },
      { sub: '' },
      { sub: 7 },
      { sub: 'a\u0000b' },
      { sub: 'x'.repeat(201) },
    ];
    for (const time of times) {
      const { status, body } = await ask(forge({ alg: 'HS256', kid: hs.id }, { ...CLAIMS, ...time }));
      expect(status, JSON.stringify(time)).to.equal(401);
      expect(body.error.message).to.match(/token/);
    }
  });

  it('must be for whom, and from whom, their key says (S-22)', async () => {
    const { body } = await addKey({ algorithm: 'HS256', audience: 'holdpoint', issuer: 'https://acme.example' });
    const of = (claims: object) =>
      statusOf(forge({ alg: 'HS256', kid: body.id }, { ...CLAIMS, ...claims }, body.secret));
    const right = { aud: 'holdpoint', iss: 'https://acme.example' };
    expect(await of(right)).to.equal(200);
    expect(await of({ ...right, aud: ['other', 'holdpoint'] })).to.equal(200);
    for (const wrong of [{ aud: 'other' }, { aud: undefined }, { iss: 'https://evil.example' }, { iss: undefined }])
      expect(await of({ ...right, ...wrong }), JSON.stringify(wrong)).to.equal(401);
  });

  it('can ask for less than their key may give, never for more (S-23)', async () => {
    const startAs = async (role: unknown) => {
      const token = forge({ alg: 'HS256', kid: hs.id }, { ...CLAIMS, role });
      return (await ask(token, { path: '/api/workflow/start/none', method: 'POST' })).status;
    };
    expect(await startAs(undefined)).to.equal(404);
    expect(await startAs('viewer')).to.equal(403);
    const owner = forge({ alg: 'HS256', kid: hs.id }, { ...CLAIMS, role: 'owner' });
    expect((await ask(owner, { path: `/workspaces/${mine.slug}/api-keys` })).status).to.equal(403);
    for (const role of ['root', '', 7, null, ['owner'], '__proto__']) expect(await startAs(role)).to.equal(401);
  });

  it('are refused in every shape but that of a signed token (S-24)', async () => {
    const good = await sign(CLAIMS);
    const [header = '', claims = '', signature = ''] = good.split('.');
    const secret = new TextEncoder().encode(hs.secret);
    const jwe = await new CompactEncrypt(Buffer.from(JSON.stringify(CLAIMS)))
      .setProtectedHeader({ alg: 'dir', enc: 'A128CBC-HS256', kid: hs.id })
      .encrypt(secret.slice(0, 32));
    const edited = encode({ ...CLAIMS, role: 'owner' });
    const header256 = { alg: 'HS256', kid: hs.id };
    const broken = [
      `${header}.${claims}.`,
      `${header}.${claims}`,
      '..',
      `.${claims}.${signature}`,
      `${header}..${signature}`,
      `${header}.${edited}.${signature}`,
      `${header}.${claims}.${signature.slice(0, -2)}`,
      `${good}.extra`,
      jwe,
      forge(header256, []),
      forge(header256, 'text'),
      forge(header256, null),
      forge({ ...header256, crit: ['exp'] }, CLAIMS),
      forge({ ...header256, crit: ['b64'], b64: false }, CLAIMS),
      forge({ ...header256, crit: ['x'], x: 1 }, CLAIMS),
    ];
    for (const token of broken) expect(await statusOf(token), token.slice(0, 60)).to.equal(401);
    const contexts = ['text', 7, [], { a: '\u0000' }, JSON.parse(`${'{"a":'.repeat(70)}1${'}'.repeat(70)}`)];
    for (const context of contexts) expect(await statusOf(forge(header256, { ...CLAIMS, context }))).to.equal(401);
  });

  it('are not taken in x-api-key, nor beside a key that says something else', async () => {
    const token = await sign(CLAIMS);
    expect(
      (await ask('', { headers: { authorization: '', 'x-api-key': token, 'x-tenant-id': mine.id } })).status,
    ).to.equal(401);
    expect(await statusOf(token, { 'x-api-key': mine.keys.owner, 'x-tenant-id': mine.id })).to.equal(400);
  });

  it('have keys that are strong enough, and nothing but public ones (S-26)', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 });
    const refused: [object, string][] = [
      [{ algorithm: 'HS256', secret: 'x'.repeat(31) }, '/secret'],
      [{ algorithm: 'HS256', secret: '' }, '/secret'],
      [{ algorithm: 'HS256', publicKey: pem(rsa) }, '/publicKey'],
      [{ algorithm: 'RS256' }, '/publicKey'],
      [{ algorithm: 'RS256', publicKey: pem(rsa), secret: 'x'.repeat(32) }, '/secret'],
      [{ algorithm: 'RS256', publicKey: pem(weak) }, '/publicKey'],
      [{ algorithm: 'RS256', publicKey: pem(ec) }, '/publicKey'],
      [{ algorithm: 'ES256', publicKey: pem(ed) }, '/publicKey'],
      [{ algorithm: 'EdDSA', publicKey: pem(rsa) }, '/publicKey'],
      [{ algorithm: 'RS256', publicKey: 'not a key' }, '/publicKey'],
      [{ algorithm: 'RS256', publicKey: rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) }, '/publicKey'],
      [{ algorithm: 'none', publicKey: pem(rsa) }, '/algorithm'],
    ];
    for (const [body, pointer] of refused) {
      const answer = await addKey(body);
      expect(answer.status, JSON.stringify(body)).to.equal(400);
      expect(answer.body.details[0].pointer).to.equal(pointer);
    }
    const sent = await addKey({ algorithm: 'HS256', secret: 'ü'.repeat(16) });
    expect({ status: sent.status, secret: sent.body.secret }).to.deep.equal({ status: 201, secret: null });
    expect(await statusOf(forge({ alg: 'HS256', kid: sent.body.id }, CLAIMS, 'ü'.repeat(16)))).to.equal(200);
  });

  it('leave no secret behind: not in a row, not in a list', async () => {
    const { body } = await addKey({ algorithm: 'HS256' });
    const { rows } = await holdpoint.db.pool.query(
      "SELECT signing_keys::text || encode(sealed_secret, 'escape') AS line FROM signing_keys WHERE sealed_secret IS NOT NULL",
    );
    expect(rows.map((row) => row.line).join()).not.to.include(body.secret);
    const list = await holdpoint.ask(`/workspaces/${mine.id}/signing-keys`, { key: mine.keys.admin });
    expect(JSON.stringify(list.body)).not.to.match(/secret|seal/i);
  });

  it('do no more than the member they name, and nothing once that one is removed', async () => {
    const path = `/workspaces/${mine.slug}/members`;
    const owner = { key: mine.keys.owner };
    const startAs = async (sub: string) =>
      (await ask(await sign({ ...CLAIMS, sub }), { path: '/api/workflow/start/none', method: 'POST' })).status;
    for (const userId of ['carol', 'dave']) await holdpoint.ask(path, { ...owner, body: { userId, role: 'viewer' } });
    await holdpoint.ask(`${path}/dave`, { ...owner, method: 'DELETE' });
    expect(await startAs('carol')).to.equal(403);
    expect(await startAs('dave')).to.equal(401);
    await holdpoint.ask(`${path}/carol`, { ...owner, method: 'PATCH', body: { role: 'editor' } });
    await becomes(() => startAs('carol'), 404);
  });
});

const ECHO = {
  name: 'Echo',
  initialStep: 'end',
  steps: [{ id: 'end', type: 'end-flow', result: { plan: '${context.plan}', org: '${context.org.id}' } }],
  edges: [],
};

/** Within the five seconds that other processes may remember what they read, and as much again for a machine that is busy. */
async function becomes(look: () => Promise<number>, wanted: number): Promise<void> {
  await eventually(async () => (await look()) === wanted, { withinMs: 10_000, what: () => `${wanted}` });
}

async function startListener(): Promise<{ server: Server; url: string; asked(): number }> {
  let connections = 0;
  const server = createServer((_, response) => response.end('{}')).on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`, asked: () => connections };
}
