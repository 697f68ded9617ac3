import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { labelOf } from '../../../src/engine/secrets.ts';
import { createLog } from '../../../src/log.ts';
import { createSealer } from '../../../src/store/sealing.ts';
import { putSecret } from '../../../src/store/secrets.ts';
import { type Listener, startServer } from '../../egress/listener.ts';
import { createWorkspace } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../../support/holdpoint.ts';
import { getServices } from '../../support/services.ts';

const LEAKY_TOOLS = fileURLToPath(new URL('../../support/leaky-tools.ts', import.meta.url));
const CANARY = 'canary/+7 f3a9-d0e1';

describe('secrets of a workspace', () => {
  const queuePrefix = `t-${randomBytes(6).toString('hex')}`;
  const keys = [randomBytes(32), randomBytes(32)];
  let holdpoint: Holdpoint;
  let server: Listener;
  let logs = '';
  /** What reached the outside: headers, path and body in one text each. */
  const seen: string[] = [];
  let status: number;
  let headers: Record<string, string>;

  before(async () => {
    server = await startServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const echo = { path: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() };
        seen.push(JSON.stringify(echo));
        response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(echo));
      });
    });
    const destination = {
      write: (line: string) => {
        logs += line;
      },
    };
    holdpoint = await startHoldpoint({
      withWorker: true,
      log: createLog({ level: 'trace', name: 'test', destination }),
      settings: { secretKeys: keys, egressAllow: ['127.0.0.1'], toolModules: [LEAKY_TOOLS], queuePrefix, sweepMs: 200 },
    });
  });
  beforeEach(() => {
    seen.length = 0;
    status = 200;
    headers = {};
  });
  after(async () => {
    await holdpoint.stop();
    await server.close();
  });

  const base = () => `/workspaces/${holdpoint.workspace.slug}/secrets`;
  const admin = (path: string, options: object = {}) =>
    holdpoint.ask(`${base()}${path}`, { key: holdpoint.workspace.keys.admin, ...options });
  const put = (name: string, value: unknown) => admin(`/${name}`, { method: 'PUT', body: { value } });
  const url = (path = '/') => `http://127.0.0.1:${server.port}${path}`;

  /** Runs one step to its end and answers what its run looks like. */
  async function run(step: object, data: object = {}) {
    const workflow = await holdpoint.define({
      name: 'calls',
      initialStep: 's',
      steps: [
        { id: 's', ...step },
        { id: 'end', type: 'end-flow' },
      ],
      edges: [{ from: 's', to: 'end' }],
    });
    const { body } = await holdpoint.ask(`/api/workflow/start/${workflow}`, { body: { data } });
    return (await holdpoint.ask(`/api/workflow/status/${body.runId}`)).body;
  }

  describe('are kept', () => {
    it('by admins only, and nobody is told a value', async () => {
      for (const role of ['viewer', 'editor'] as const)
        for (const call of [
          {},
          { method: 'PUT', path: '/A', body: { value: 'long enough' } },
          { method: 'DELETE', path: '/A' },
        ]) {
          const { path = '', ...options } = call as { path?: string };
          expect((await admin(path, { ...options, key: holdpoint.workspace.keys[role] })).status).to.equal(403);
        }
      const made = await put('API_KEY', 'the first value');
      expect(made.status).to.equal(201);
      expect(made.body).to.have.all.keys('name', 'updatedBy', 'createdAt', 'updatedAt');
      expect(made.body).to.include({ name: 'API_KEY', updatedBy: 'user-admin' });
      expect((await put('API_KEY', 'the second value')).status).to.equal(200);
      await put('ANOTHER', 'something else');
      const { body } = await admin('');
      expect(body.map(({ name }: { name: string }) => name)).to.include.members(['ANOTHER', 'API_KEY']);
      expect(JSON.stringify(body)).not.to.match(/value|something/);
    });

    it('until they are deleted', async () => {
      await put('GONE', 'soon to go');
      expect((await admin('/GONE', { method: 'DELETE' })).status).to.equal(204);
      expect((await admin('/GONE', { method: 'DELETE' })).status).to.equal(404);
    });

    it('for their own workspace: another’s are not there', async () => {
      const stranger = await createWorkspace(holdpoint.db);
      for (const options of [
        {},
        { method: 'PUT', path: '/A', body: { value: 'long enough' } },
        { method: 'DELETE', path: '/API_KEY' },
      ]) {
        const { path = '', ...rest } = options as { path?: string };
        expect((await admin(path, { ...rest, key: stranger.keys.owner })).status).to.equal(404);
      }
    });

    it('under a name that expressions can use, if they are long enough to be blanked', async () => {
      for (const name of ['a-b', '1A', 'a'.repeat(65), 'a%20b', '%00'])
        expect((await put(name, 'long enough')).status, name).to.equal(400);
      for (const value of ['short', '', 5, null, 'a'.repeat(32_769), 'nul \u0000 inside', 'lone \ud800 half'])
        expect((await put('NAME', value)).status, JSON.stringify(value).slice(0, 20)).to.equal(400);
      expect((await admin('/NAME', { method: 'PUT', body: { value: 'long enough', more: 1 } })).status).to.equal(400);
    });

    it('sealed: no row has the value, and no row opens in another place', async () => {
      await put('CANARY', CANARY);
      const { rows } = await holdpoint.db.pool.query<{ sealed: Buffer }>(
        "SELECT sealed FROM secrets WHERE name = 'CANARY'",
      );
      const [{ sealed } = { sealed: Buffer.alloc(0) }] = rows;
      expect(sealed.includes(CANARY)).to.equal(false);
      const place = { workspaceId: holdpoint.workspace.id, name: 'CANARY' };
      const sealer = createSealer(keys)!;
      expect(sealer.open(sealed, labelOf(place))).to.equal(CANARY);
      expect(() => sealer.open(sealed, labelOf({ ...place, name: 'OTHER' }))).to.throw();
    });

    it('not at all by a server without a key, which says so', async () => {
      const keyless = await startHoldpoint();
      const { status: refused, body } = await keyless.ask(`/workspaces/${keyless.workspace.slug}/secrets/A`, {
        method: 'PUT',
        key: keyless.workspace.keys.admin,
        body: { value: 'long enough' },
      });
      expect(refused).to.equal(409);
      expect(body.message).to.include('HOLDPOINT_SECRET_KEY');
      await keyless.stop();
    });
  });

  describe('are given to steps that reach out', () => {
    before(() => put('CANARY', CANARY));

    it('where the step calls, and stand as placeholders in its history', async () => {
      const step = {
        type: 'call-api',
        method: 'POST',
        url: `${url('/x/')}\${secrets.CANARY}?k=\${secrets.CANARY}`,
        headers: { authorization: 'Bearer ${secrets.CANARY}' },
        query: { q: '${secrets.CANARY}' },
        body: { deep: ['${secrets.CANARY}', '${data.text}'] },
      };
      const { status: outcome, stepExecutionHistory } = await run(step, { text: 'from ${secrets.CANARY}' });
      expect(outcome).to.equal('completed');
      const { path, headers: sent, body } = JSON.parse(seen[0]!);
      expect(path).to.equal('/x/canary%2F%2B7%20f3a9-d0e1?k=canary%2F%2B7%20f3a9-d0e1&q=canary%2F%2B7+f3a9-d0e1');
      expect(sent.authorization).to.equal(`Bearer ${CANARY}`);
      expect(JSON.parse(body)).to.deep.equal({ deep: [CANARY, 'from ${secrets.CANARY}'] });
      const [{ inputData, outputData }] = stepExecutionHistory;
      expect(inputData.headers).to.deep.equal({ authorization: 'Bearer ${secrets.CANARY}' });
      expect(inputData.body).to.deep.equal({ deep: ['${secrets.CANARY}', 'from ${secrets.CANARY}'] });
      expect(outputData.data.headers.authorization).to.equal('Bearer [secret CANARY]');
    });

    it('again at the next attempt, under the same effect key and as late as the server asked', async () => {
      status = 503;
      headers = { 'retry-after': '0' };
      const workflow = await holdpoint.define({
        name: 'retries',
        initialStep: 's',
        steps: [
          {
            id: 's',
            type: 'http',
            url: url(),
            headers: { 'x-key': '${secrets.CANARY}' },
            retry: { attempts: 3, delayMs: 600_000 },
          },
          { id: 'end', type: 'end-flow' },
        ],
        edges: [{ from: 's', to: 'end' }],
      });
      const runId = await holdpoint.start(workflow);
      await eventually(() => seen.length === 3, { what: 'three attempts' });
      const calls = seen.map((text) => JSON.parse(text).headers);
      expect(new Set(calls.map((sent) => sent['idempotency-key'])).size).to.equal(1);
      expect(calls.map((sent) => sent['x-key'])).to.deep.equal([CANARY, CANARY, CANARY]);
      const failed = await eventually(async () => {
        const { body } = await holdpoint.ask(`/api/workflow/status/${runId}`);
        return body.status === 'failed' ? body : null;
      });
      expect(JSON.stringify(failed)).to.include('http_503').and.to.include('The external service answered 503');
    });

    it('also when an older key sealed them', async () => {
      const place = { workspaceId: holdpoint.workspace.id, name: 'OLD' };
      const sealed = createSealer([keys[1]!])!.seal('sealed long ago', labelOf(place));
      await putSecret(holdpoint.db, { ...place, sealed, updatedBy: 'test' });
      expect((await run({ type: 'call-api', url: url(), headers: { 'x-key': '${secrets.OLD}' } })).status).to.equal(
        'completed',
      );
      expect(JSON.parse(seen[0]!).headers['x-key']).to.equal('sealed long ago');
    });

    it('or the step fails before it calls, when there is no such secret or no key opens it', async () => {
      const place = { workspaceId: holdpoint.workspace.id, name: 'LOST' };
      const sealed = createSealer([randomBytes(32)])!.seal('sealed elsewhere', labelOf(place));
      await putSecret(holdpoint.db, { ...place, sealed, updatedBy: 'test' });
      const missing = await run({ type: 'call-api', url: url(), headers: { a: '${secrets.MISSING}' } });
      expect(JSON.stringify(missing))
        .to.include('secret_not_found')
        .and.to.include('The workspace has no secret \\"MISSING\\"');
      const lost = await run({
        type: 'call-api',
        url: url(),
        headers: { a: '${secrets.LOST}' },
        retry: { attempts: 1 },
      });
      expect(JSON.stringify(lost)).to.include('secret_unreadable');
      expect(seen).to.deep.equal([]);
    });

    it('and to no other place of a definition (S-71)', async () => {
      const secret = '${secrets.CANARY}';
      const places: [string, object][] = [
        ['/steps/0/output', { steps: [{ id: 's', type: 'transform', output: { a: secret } }] }],
        ['/steps/0/condition', { steps: [{ id: 's', type: 'condition', condition: secret }] }],
        ['/steps/0/message', { steps: [{ id: 's', type: 'request-user-action', message: secret }] }],
        ['/steps/0/args', { steps: [{ id: 's', type: 'call-tool', tool: 'echo', args: { a: secret } }] }],
        ['/steps/1/result', { end: { result: secret } }],
        [
          '/steps/0/headers/a',
          { steps: [{ id: 's', type: 'call-api', url: 'https://a.com', headers: { a: '${secrets.' } }] },
        ],
        [
          '/steps/0/args/a',
          {
            steps: [{ id: 's', type: 'call-tool', tool: 'http', args: { url: 'https://a.com', a: '${secrets + 1}' } }],
          },
        ],
        ['/steps/0/url', { steps: [{ id: 's', type: 'call-api', url: '${secrets.}' }] }],
        ['/output', { output: secret }],
        ['/edges/0/condition', { condition: secret }],
        ['/edges/0/condition', { condition: 'secrets.CANARY == data.guess' }],
      ];
      for (const [pointer, { steps, end, output, condition }] of places as [string, Record<string, unknown>][]) {
        const definition = {
          name: 'x',
          initialStep: 's',
          steps: [
            ...((steps as object[]) ?? [{ id: 's', type: 'call-tool', tool: 'echo' }]),
            { id: 'end', type: 'end-flow', ...(end as object) },
          ],
          edges: [{ from: 's', to: 'end', ...(condition ? { condition } : {}) }],
          ...(output ? { output } : {}),
        };
        const { status: refused, body } = await holdpoint.ask('/api/workflows', { body: definition });
        expect(refused, pointer).to.equal(400);
        expect(JSON.stringify(body), pointer).to.include(pointer).and.to.include('secret');
      }
    });
  });

  it('leave no trace anywhere but where they were sent to (S-71)', async () => {
    await put('CANARY', CANARY);
    const leak = { type: 'call-tool', tool: 'leak', retry: { attempts: 2, delayMs: 1 } };
    const returned = await run({ ...leak, args: { secret: '${secrets.CANARY}', how: 'return' } });
    expect(returned.stepExecutionHistory[0].outputData).to.deep.equal({
      secret: '[secret CANARY]',
      '[secret CANARY]': returned.stepExecutionHistory[0].outputData['[secret CANARY]'],
      url: '[secret CANARY]',
      placeholder: '${secrets.CANARY}',
    });
    const thrown = await run({ ...leak, args: { secret: '${secrets.CANARY}', how: 'throw' } });
    expect(JSON.stringify(thrown)).to.include('it broke with [secret CANARY]');
    const failed = await run({ ...leak, args: { secret: '${secrets.CANARY}', how: 'fail' } });
    expect(JSON.stringify(failed)).to.include('it failed with [secret CANARY]');
    const http = { type: 'call-tool', tool: 'http', args: { url: url(), headers: { a: '${secrets.CANARY}' } } };
    expect((await run(http)).status).to.equal('completed');
    expect(seen.at(-1)).to.include(CANARY);
    status = 422;
    expect((await run(http)).status).to.equal('failed');

    const places = {
      logs,
      rows: await dumpRows(),
      redis: await dumpRedis(),
      answers: JSON.stringify([returned, thrown, failed, (await holdpoint.ask('/api/workflows')).body]),
      metrics: (await holdpoint.ask('/metrics', { key: holdpoint.workspace.keys.admin })).body,
      board: JSON.stringify(
        (await holdpoint.ask('/admin/queues/api/queues', { key: holdpoint.workspace.keys.admin })).body,
      ),
    };
    const forms = [
      CANARY,
      encodeURIComponent(CANARY),
      Buffer.from(CANARY).toString('base64').slice(0, -2),
      Buffer.from(CANARY).toString('hex'),
      'f3a9-d0e1',
    ];
    for (const [place, text] of Object.entries(places)) {
      expect(text.length, place).to.be.above(100);
      for (const form of forms) expect(text.includes(form), `${form} in ${place}`).to.equal(false);
    }
    // The search itself would find something.
    expect(places.rows).to.include('[secret CANARY]');
    expect(places.logs).to.include('[secret CANARY]');
    expect(places.redis).to.include('[secret CANARY]');
  });

  /** Every row of every table, as text. */
  async function dumpRows(): Promise<string> {
    const { pool } = holdpoint.db;
    const { rows } = await pool.query<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
    );
    const texts = await Promise.all(
      rows.map(
        async ({ name }) => (await pool.query<{ text: string }>(`SELECT t::text AS text FROM "${name}" t`)).rows,
      ),
    );
    return texts
      .flat()
      .map(({ text }) => text)
      .join('\n');
  }

  async function dumpRedis(): Promise<string> {
    const redis = new Redis(getServices().redisUrl);
    const texts: string[] = [];
    for (const key of await redis.keys(`${queuePrefix}*`)) {
      const type = await redis.type(key);
      if (type === 'hash') texts.push(JSON.stringify(await redis.hgetall(key)));
      if (type === 'stream') texts.push(JSON.stringify(await redis.xrange(key, '-', '+')));
    }
    redis.disconnect();
    return texts.join('\n');
  }
});
