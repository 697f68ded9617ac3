import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import type { Config } from '../../src/config.ts';
import { networkOf } from '../../src/http/admission.ts';
import { type Answer, createKey, createWorkspace, type TestWorkspace } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { withKnex } from '../support/knex.ts';
import { getServices, startRedis } from '../support/services.ts';

const LIMITS = { rateLimit: 6, rateLimitStarts: 3, rateLimitFailures: 4, trustedProxies: 1 };

describe('rate limits', () => {
  let holdpoint: Holdpoint;
  let workspace: TestWorkspace;
  before(async () => {
    // Counted in its memory: Redis is given up for a request when it is slow, which no test could count on.
    holdpoint = await startHoldpoint({ settings: { ...LIMITS, redisUrl: null } });
    workspace = holdpoint.workspace;
  });
  after(() => holdpoint.stop());

  const freshKey = () => createKey(holdpoint.db, { workspaceId: workspace.id, role: 'editor' });
  const list = (key: string, headers: Record<string, string> = {}, at = holdpoint) =>
    at.ask('/api/workflows', { key, headers });
  const start = (key: string) => holdpoint.ask('/api/workflow/start-async/none', { key, method: 'POST' });
  const standing = ({ status, headers }: Answer) => [
    status,
    headers.get('x-ratelimit-limit'),
    headers.get('x-ratelimit-remaining'),
  ];
  const guess = (address: string, tenant = workspace.id) =>
    holdpoint.ask('/api/workflows', {
      headers: {
        authorization: '',
        'x-api-key': `sk_${randomBytes(24).toString('base64url')}`,
        'x-tenant-id': tenant,
        'x-forwarded-for': address,
      },
    });

  it('tell a credential where it stands, and when to come back once it is over', async () => {
    const key = await freshKey();
    const answers: Answer[] = [];
    for (let request = 0; request < 8; request++) answers.push(await list(key));
    expect(answers.map(standing)).to.deep.equal([
      ...['5', '4', '3', '2', '1', '0'].map((remaining) => [200, '6', remaining]),
      [429, '6', '0'],
      [429, '6', '0'],
    ]);
    const { headers, body } = answers[7]!;
    expect(Number(headers.get('retry-after'))).to.be.within(1, 60);
    expect(body.error.code).to.equal('RATE_LIMIT_EXCEEDED');
    expect(body.error.message).to.match(/^Too many requests: .*wait \d+ s$/);
    expect((await list(await freshKey())).status).to.equal(200);
  });

  it('count starts on their own, beside the requests that they are', async () => {
    const key = await freshKey();
    const answers: Answer[] = [];
    for (let request = 0; request < 4; request++) answers.push(await start(key));
    expect(answers.map(standing)).to.deep.equal([
      [404, '3', '2'],
      [404, '3', '1'],
      [404, '3', '0'],
      [429, '3', '0'],
    ]);
    expect(standing(await list(key))).to.deep.equal([200, '6', '1']);
  });

  it('answer guesses from one address with 429, over any number of tenants, and harm nobody else (S-11)', async () => {
    const other = await createWorkspace(holdpoint.db);
    const statuses: number[] = [];
    for (let tries = 0; tries < 10; tries++) {
      const { status, headers } = await guess('203.0.113.9', [workspace.id, other.slug, 'none'][tries % 3]);
      statuses.push(status);
      if (status === 429) expect(Number(headers.get('retry-after'))).to.be.within(1, 60);
    }
    expect(statuses).to.deep.equal([401, 401, 401, 401, 429, 429, 429, 429, 429, 429]);
    expect((await guess('203.0.113.10')).status).to.equal(401);
    expect((await list(await freshKey(), { 'x-forwarded-for': '203.0.113.10' })).status).to.equal(200);
    // Whoever shares the guesser's address, behind the same proxy perhaps, has done nothing wrong.
    expect((await list(await freshKey(), { 'x-forwarded-for': '203.0.113.9' })).status).to.equal(200);
  });

  it('take a whole IPv6 network for one address, and believe only the nearest proxy', async () => {
    const statuses: number[] = [];
    for (let tries = 0; tries < 5; tries++) statuses.push((await guess(`2001:db8:1:2::${tries}`)).status);
    expect(statuses).to.deep.equal([401, 401, 401, 401, 429]);
    expect((await guess('2001:db8:1:3::1')).status).to.equal(401);
    const spoofed: number[] = [];
    for (let tries = 0; tries < 5; tries++) spoofed.push((await guess(`198.51.100.${tries}, 192.0.2.1`)).status);
    expect(spoofed).to.deep.equal([401, 401, 401, 401, 429]);
  });

  it('name the network of an address alike, however it is written', () => {
    for (const [address, network] of [
      ['203.0.113.9', '203.0.113.9'],
      ['::ffff:203.0.113.9', '203.0.113.9'],
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
      ['2001:0DB8:0001:0002::', '2001:db8:1:2'],
      ['2001:db8::5:6:7:8', '2001:db8:0:0'],
      ['2001:db8::1:2:3:4:5', '2001:db8:0:1'],
      ['fe80::1%eth0', 'fe80:0:0:0'],
      ['::1', '0:0:0:0'],
      ['64:ff9b::192.0.2.1', '64:ff9b:0:0'],
      ['nonsense', 'unknown'],
      ['', 'unknown'],
    ] as const) {
      expect(networkOf(address), address).to.equal(network);
    }
  });

  it('do not count requests without a credential as guesses', async () => {
    for (let tries = 0; tries < 6; tries++) {
      const headers = { authorization: '', 'x-forwarded-for': '203.0.113.77' };
      expect((await holdpoint.ask('/api/workflows', { headers })).status).to.equal(401);
    }
  });

  it('are counted by all processes together while Redis is there', async () => {
    const queuePrefix = `t-${randomBytes(6).toString('hex')}`;
    const [one, two] = [await startLimited({ queuePrefix }), await startLimited({ queuePrefix })];
    try {
      await copyRows('SELECT * FROM workspaces', { table: 'workspaces', from: one, to: two });
      // A process that has not reached Redis yet, or finds it slow, counts by itself.
      await eventually(async () => {
        const key = await createKey(one.db, { workspaceId: one.workspace.id, role: 'viewer' });
        // The same key in the other's database: a credential is known by the id of its key.
        await copyRows('SELECT * FROM api_keys ORDER BY id DESC LIMIT 1', { table: 'api_keys', from: one, to: two });
        for (let request = 0; request < 3; request++) await list(key, {}, one);
        expect(standing(await list(key, {}, two))).to.deep.equal([200, '6', '2']);
        return true;
      });
    } finally {
      await Promise.all([one.stop(), two.stop()]);
    }
  });

  it('are counted by each process while Redis is away, and refuse nobody because of it', async () => {
    const redis = await startRedis();
    const limited = await startLimited({ redisUrl: redis.url });
    try {
      const key = limited.workspace.keys.editor;
      await eventually(async () => (await list(key, {}, limited)).headers.get('x-ratelimit-remaining') !== null);
      await redis.kill();
      const fresh = limited.workspace.keys.owner;
      const statuses: number[] = [];
      for (let request = 0; request < 8; request++) statuses.push((await list(fresh, {}, limited)).status);
      expect(statuses.filter((status) => status === 200)).to.have.length(6);
      expect(statuses.slice(6)).to.deep.equal([429, 429]);
    } finally {
      await limited.stop();
      await redis.stop();
    }
  });

  it('are off where nobody asked for them', async () => {
    const free = await startHoldpoint();
    try {
      const { status, headers } = await free.ask('/api/workflows');
      expect([status, headers.get('x-ratelimit-limit')]).to.deep.equal([200, null]);
    } finally {
      await free.stop();
    }
  });

  function startLimited(settings: Partial<Omit<Config, 'databaseUrl'>>): Promise<Holdpoint> {
    return startHoldpoint({ settings: { redisUrl: getServices().redisUrl, ...LIMITS, ...settings } });
  }

  async function copyRows(sql: string, { table, from, to }: { table: string; from: Holdpoint; to: Holdpoint }) {
    const { rows } = await from.db.pool.query(sql);
    await withKnex(to.db.url, (knex) => knex(table).insert(rows));
  }
});
