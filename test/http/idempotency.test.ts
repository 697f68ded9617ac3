// Idempotency keys (API.md §0, GUARANTEES M10 and S-75) against a real server; two processes and a killed one are in
// test/flows/idempotency.test.ts.

import { createHash, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { call, createWorkspace } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { tool } from '../support/steps.ts';
import { TOOLS } from '../support/world.ts';

const WAITING = {
  name: 'Waiting',
  initialStep: 'ask',
  steps: [
    { id: 'ask', type: 'request-user-action' },
    { id: 'end', type: 'end-flow' },
  ],
  edges: [{ from: 'ask', to: 'end' }],
};
/** Takes until the test lets go, so that a synchronous start of it is still running when it is asked for again. */
const slow = (url: string) => ({
  name: 'Slow',
  initialStep: 'work',
  steps: [tool('work', 'effect', { url }), { id: 'end', type: 'end-flow' }],
  edges: [{ from: 'work', to: 'end' }],
});
const APPROVE = { type: 'request_user_action', actionId: 'approve' };

describe('an Idempotency-Key', () => {
  let holdpoint: Holdpoint;
  let receiver: Receiver;
  before(async () => {
    receiver = await startReceiver();
    const settings = { secretKeys: [Buffer.alloc(32, 1)], toolModules: [TOOLS] };
    holdpoint = await startHoldpoint({ withWorker: true, settings });
    await holdpoint.define(WAITING);
    await holdpoint.define(slow(receiver.url));
  });
  afterEach(() => receiver.release());
  after(() => Promise.all([holdpoint.stop(), receiver.close()]));

  const send = (key: string, path = 'waiting', body: unknown = {}, headers: Record<string, string> = {}) =>
    holdpoint.ask(path.startsWith('/') ? path : `/api/workflow/start-async/${path}`, {
      body,
      headers: { 'idempotency-key': key, ...headers },
    });
  const countRuns = async () =>
    (await holdpoint.db.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM runs')).rows[0]!.n;
  const countKeys = async (key: string) =>
    (
      await holdpoint.db.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM idempotency_keys WHERE key = $1', [
        key,
      ])
    ).rows[0]!.n;

  it('gives the first answer again, and does the work once', async () => {
    const key = randomUUID();
    const runs = await countRuns();
    const first = await send(key, 'waiting', { data: { amount: 5 } });
    const again = await send(key, 'waiting', { data: { amount: 5 } });
    expect([first.status, again.status]).to.deep.equal([200, 200]);
    expect(again.body).to.deep.equal(first.body);
    expect(first.headers.get('idempotent-replayed')).to.equal(null);
    expect(again.headers.get('idempotent-replayed')).to.equal('true');
    expect(await countRuns()).to.equal(runs + 1);
  });

  it('gives status, headers and body of a waiting start again, to the letter', async () => {
    const key = randomUUID();
    const ask = () =>
      fetch(`${holdpoint.address}/api/workflow/start/waiting`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${holdpoint.workspace.keys.editor}`,
          'content-type': 'application/json',
          'idempotency-key': key,
          prefer: 'wait=5',
        },
        body: '{"data":{"z":1,"a":[true,null,"ü"]}}',
      });
    const [first, again] = [await ask(), await ask()];
    expect(await again.text()).to.equal(await first.text());
    for (const name of ['preference-applied', 'content-type', 'content-length'])
      expect(again.headers.get(name), name).to.equal(first.headers.get(name));
  });

  it('is also read from X-Idempotency-Key, and both must agree', async () => {
    const key = randomUUID();
    const first = await send(key);
    const alias = await holdpoint.ask('/api/workflow/start-async/waiting', {
      body: {},
      headers: { 'x-idempotency-key': key },
    });
    expect(alias.body).to.deep.equal(first.body);
    const both = await send(key, 'waiting', {}, { 'x-idempotency-key': 'another' });
    expect([both.status, both.body.error.code]).to.deep.equal([400, 'INVALID_REQUEST']);
  });

  it('answers 422 to another body, another path and another route', async () => {
    const key = randomUUID();
    await send(key, 'waiting', { data: { a: 1 } });
    const others: [string, unknown][] = [
      ['waiting', { data: { a: 2 } }],
      ['slow', { data: { a: 1 } }],
      ['/api/workflow/start/waiting', { data: { a: 1 } }],
      ['/api/workflows/waiting/publish', {}],
    ];
    for (const [path, body] of others) {
      const answer = await send(key, path, body);
      expect([answer.status, answer.body.error.code], path).to.deep.equal([422, 'IDEMPOTENCY_MISMATCH']);
      expect(answer.headers.get('idempotent-replayed')).to.equal(null);
    }
  });

  it('knows a form by its fields and its file: the same again, or 422', async () => {
    const key = randomUUID();
    const upload = async (file: string, amount = '5') => {
      const form = new FormData();
      form.set('amount', amount);
      form.set('attachment', new File([file], 'note.txt', { type: 'text/plain' }));
      const response = await fetch(`${holdpoint.address}/api/workflow/start-async/waiting`, {
        method: 'POST',
        headers: { authorization: `Bearer ${holdpoint.workspace.keys.editor}`, 'idempotency-key': key },
        body: form,
      });
      return { status: response.status, body: (await response.json()) as { runId?: string } };
    };
    const first = await upload('one');
    expect(first.status).to.equal(200);
    // Another boundary between the parts, and the same form.
    expect(await upload('one')).to.deep.equal(first);
    expect((await upload('two')).status).to.equal(422);
    expect((await upload('one', '6')).status).to.equal(422);
  });

  it('means nothing to another workspace, and to another user of this one only that it is taken', async () => {
    const key = randomUUID();
    const other = await createWorkspace(holdpoint.db);
    const mine = await holdpoint.ask('/api/workflows', { body: WAITING, headers: { 'idempotency-key': key } });
    const theirs = await holdpoint.ask('/api/workflows', {
      body: WAITING,
      headers: { 'idempotency-key': key },
      key: other.keys.editor,
    });
    expect([mine.status, theirs.status]).to.deep.equal([201, 201]);
    expect(theirs.body.uuid).not.to.equal(mine.body.uuid);
    const colleague = await holdpoint.ask('/api/workflows', {
      body: WAITING,
      headers: { 'idempotency-key': key },
      key: holdpoint.workspace.keys.admin,
    });
    expect(colleague.status).to.equal(422);
    expect(JSON.stringify(colleague.body)).not.to.include(mine.body.uuid);
  });

  it('answers 400 when it is empty or over 255 characters, and takes 255', async () => {
    for (const [key, expected] of [
      ['', 400],
      [' ', 400],
      ['k'.repeat(256), 400],
      ['k'.repeat(255), 200],
    ] as const) {
      const { status, body } = await send(key);
      expect(status, `${key.length} characters`).to.equal(expected);
      if (expected === 400) expect(body.error.message).to.match(/1 to 255 characters/);
    }
  });

  it('answers 409 while the first request is still running, and its answer afterwards', async () => {
    const key = randomUUID();
    receiver.hold();
    const first = send(key, '/api/workflow/start/slow');
    await eventually(async () => (await countKeys(key)) === 1);
    const early = await send(key, '/api/workflow/start/slow');
    expect([early.status, early.body.error.code]).to.deep.equal([409, 'IDEMPOTENCY_PENDING']);
    expect(Number(early.headers.get('retry-after'))).to.be.greaterThan(0);
    const other = await send(key, '/api/workflow/start/waiting');
    expect(other.status).to.equal(422);
    await holdpoint.db.pool.query(`UPDATE idempotency_keys SET lease_until = now() + interval '2 s' WHERE key = $1`, [
      key,
    ]);
    const isRenewed = `SELECT FROM idempotency_keys WHERE key = $1 AND lease_until > now() + interval '5 s'`;
    await eventually(async () => (await holdpoint.db.pool.query(isRenewed, [key])).rowCount === 1);
    receiver.release();
    const answer = await first;
    expect([answer.status, answer.body.status]).to.deep.equal([200, 'completed']);
    expect((await send(key, '/api/workflow/start/slow')).body).to.deep.equal(answer.body);
  });

  it('waits on for a run whose client hung up: asked again, it answers how that run ended', async () => {
    const key = randomUUID();
    const runs = await countRuns();
    receiver.hold();
    const hangUp = new AbortController();
    const lost = fetch(`${holdpoint.address}/api/workflow/start/slow`, {
      method: 'POST',
      headers: { authorization: `Bearer ${holdpoint.workspace.keys.editor}`, 'idempotency-key': key },
      signal: hangUp.signal,
    });
    await eventually(async () => (await countRuns()) === runs + 1);
    hangUp.abort();
    expect(await lost.catch(() => 'hung up')).to.equal('hung up');
    // Once the server has noticed that nobody listens, the key is free for whoever asks again.
    const isFree = 'SELECT FROM idempotency_keys WHERE key = $1 AND lease_until <= now()';
    await eventually(async () => (await holdpoint.db.pool.query(isFree, [key])).rowCount === 1);
    receiver.release();
    const answer = await holdpoint.ask('/api/workflow/start/slow', {
      method: 'POST',
      headers: { 'idempotency-key': key },
    });
    expect([answer.status, answer.body.status]).to.deep.equal([200, 'completed']);
    expect(answer.headers.get('idempotent-replayed')).to.equal(null);
    expect(await countRuns()).to.equal(runs + 1);
  });

  it('lets one of many requests at once through', async () => {
    const key = randomUUID();
    const runs = await countRuns();
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(key)));
    const ids = new Set(answers.filter(({ status }) => status === 200).map(({ body }) => body.runId));
    expect(answers.every(({ status }) => status === 200 || status === 409)).to.equal(true);
    expect(ids.size).to.equal(1);
    expect(await countRuns()).to.equal(runs + 1);
  });

  it('makes an answered pause answerable again: 200 to the same, 409 to another request', async () => {
    const key = randomUUID();
    const path = `/api/workflow/resume/${await holdpoint.start('waiting')}`;
    const first = await send(key, path, APPROVE);
    const again = await send(key, path, APPROVE);
    expect([first.status, again.status]).to.deep.equal([200, 200]);
    expect(again.body).to.deep.equal(first.body);
    expect((await send(randomUUID(), path, APPROVE)).status).to.equal(409);
  });

  it('keeps a definite refusal: the 409 of a finished run and the 404 of an unknown workflow come again', async () => {
    const runId = await holdpoint.start('waiting');
    await holdpoint.ask('/api/workflow/management/terminate', { body: { runId } });
    for (const [path, status] of [
      [`/api/workflow/resume/${runId}`, 409],
      ['/api/workflow/resume/0197f0d0-0000-7000-8000-000000000000', 404],
    ] as const) {
      const key = randomUUID();
      const [first, again] = [await send(key, path, APPROVE), await send(key, path, APPROVE)];
      expect([first.status, again.status]).to.deep.equal([status, status]);
      expect(again.headers.get('idempotent-replayed')).to.equal('true');
      const { requestId, ...error } = again.body.error;
      expect({ ...error, requestId: first.body.error.requestId }).to.deep.equal(first.body.error);
      expect(requestId).to.equal(again.headers.get('x-request-id'));
    }
  });

  it('keeps no refusal of the request itself: 400, 401, 403, 415 leave the key free for a better one', async () => {
    const key = randomUUID();
    const runId = await holdpoint.start('waiting');
    const path = `/api/workflow/resume/${runId}`;
    const wrong: [number, object][] = [
      [400, { body: { type: 'request_user_action' } }],
      [400, { body: { ...APPROVE, actionId: 'no-such-action' } }],
      [401, { body: APPROVE, key: 'sk_wrong_wrong_wrong' }],
      [403, { body: APPROVE, key: holdpoint.workspace.keys.viewer }],
      [415, { body: 'x=1', headers: { 'idempotency-key': key, 'content-type': 'text/plain' } }],
    ];
    for (const [status, call] of wrong) {
      const answer = await holdpoint.ask(path, { headers: { 'idempotency-key': key }, ...call });
      expect(answer.status).to.equal(status);
      expect(await countKeys(key), `after ${status}`).to.equal(0);
    }
    expect((await send(key, path, APPROVE)).status).to.equal(200);
  });

  it('is ignored by what only reads', async () => {
    for (let time = 0; time < 2; time += 1) {
      const { status, headers } = await holdpoint.ask('/api/workflows', { headers: { 'idempotency-key': '' } });
      expect([status, headers.get('idempotent-replayed')]).to.deep.equal([200, null]);
    }
  });

  it('is forgotten after 24 hours, and expired rows go away as new ones come', async () => {
    const key = randomUUID();
    const first = await send(key);
    for (let extra = 0; extra < 4; extra += 1) await send(`old-${extra}`);
    await holdpoint.db.pool.query(`UPDATE idempotency_keys SET created_at = now() - interval '25 hours'`);
    const again = await send(key);
    expect(again.status).to.equal(200);
    expect(again.body.runId).not.to.equal(first.body.runId);
    expect(again.headers.get('idempotent-replayed')).to.equal(null);
    const old = async () =>
      (await holdpoint.db.pool.query(`SELECT key FROM idempotency_keys WHERE created_at < now() - interval '24 hours'`))
        .rowCount!;
    for (let left = await old(); left > 0; ) {
      await send(randomUUID());
      const now = await old();
      expect(now, 'rows left').to.be.lessThan(left);
      left = now;
    }
  });

  it('is kept again by a takeover: a lapsed lease is done again by the same request, and by no other', async () => {
    const key = randomUUID();
    const first = await send(key, '/api/workflows', { ...WAITING, name: 'Made once' });
    // As a process leaves it that dies between its work and its answer.
    await holdpoint.db.pool.query(`UPDATE idempotency_keys SET answer = NULL, lease_until = now() WHERE key = $1`, [
      key,
    ]);
    expect((await send(key, '/api/workflows', { ...WAITING, name: 'Another' })).status).to.equal(422);
    const again = await send(key, '/api/workflows', { ...WAITING, name: 'Made once' });
    expect([again.status, again.body]).to.deep.equal([201, first.body]);
    const { body } = await holdpoint.ask('/api/workflows?search=Made%20once');
    expect(body).to.have.length(1);
  });

  it('makes one key, also where the process died before it could show it: then nobody has its text', async () => {
    const workspace = `/workspaces/${holdpoint.workspace.slug}`;
    const routes: [string, object, string][] = [
      ['api-keys', { name: 'ci', role: 'viewer' }, 'key'],
      ['signing-keys', { name: 'shop', role: 'viewer', algorithm: 'HS256' }, 'secret'],
    ];
    for (const [name, body, shown] of routes) {
      const path = `${workspace}/${name}`;
      const headers = { 'idempotency-key': randomUUID() };
      const make = () => holdpoint.ask(path, { body, headers, key: holdpoint.workspace.keys.admin });
      const first = await make();
      expect(first.body[shown], name).to.be.a('string');
      await holdpoint.db.pool.query(`UPDATE idempotency_keys SET answer = NULL, lease_until = now() WHERE key = $1`, [
        headers['idempotency-key'],
      ]);
      const again = await make();
      expect([again.status, again.body], name).to.deep.equal([201, { ...first.body, [shown]: null }]);
      const { body: all } = await holdpoint.ask(path, { key: holdpoint.workspace.keys.admin });
      const { [shown]: _, ...rest } = first.body;
      expect(all.filter((one: { id: string }) => one.id === first.body.id)).to.deep.equal([rest]);
      expect(
        all.filter((one: { name: string }) => one.name === rest.name),
        name,
      ).to.have.length(1);
    }
  });

  const putSecret = async ({ address, workspace }: Holdpoint, key: string, value: string) => {
    const url = `/workspaces/${workspace.slug}/secrets/CRM_TOKEN`;
    const asked = { method: 'PUT', body: { value }, headers: { 'idempotency-key': key }, key: workspace.keys.admin };
    const { status } = await call(`${address}${url}`, asked);
    return { status, guess: JSON.stringify(['user-admin', 'PUT', url, { value }]) };
  };

  it('of a secret leaves nothing that a guess could be tried on, and tells another value from the first', async () => {
    const key = randomUUID();
    const { status, guess } = await putSecret(holdpoint, key, 'password1');
    expect(status).to.equal(201);
    const { rows } = await holdpoint.db.pool.query('SELECT digest, answer FROM idempotency_keys WHERE key = $1', [key]);
    expect(rows[0].digest.equals(createHash('sha256').update(guess).digest())).to.equal(false);
    expect(rows[0].answer).not.to.contain('password1');
    expect((await putSecret(holdpoint, key, 'password2')).status).to.equal(422);
    expect((await putSecret(holdpoint, key, 'password1')).status).to.equal(201);
  });

  it('of a secret is the same with any value where there is no key to seal with, which refuses them all', async () => {
    const keyless = await startHoldpoint();
    const key = randomUUID();
    expect((await putSecret(keyless, key, 'password1')).status).to.equal(409);
    expect((await putSecret(keyless, key, 'password2')).status).to.equal(409);
    await keyless.stop();
  });
});
