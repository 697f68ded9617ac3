// Inbound webhooks over HTTP: who may start a run with a message, and who may not (GUARANTEES §7, S-79 to S-84).

import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import { v7 as uuidv7 } from 'uuid';
import { type Answer, call, createWorkspace } from '../support/api.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';

const BODY = '{"order": 7, "note": "ä"}';
const TEXT_SECRET = 'a-secret-that-the-shop-has-made-up';
const README = fileURLToPath(new URL('../../README.md', import.meta.url));
const NOW_S = () => Math.floor(Date.now() / 1_000);

interface Hook {
  id: string;
  secret: string;
}

describe('an inbound webhook', () => {
  let holdpoint: Holdpoint;
  let workflow: string;

  const path = () => `/workspaces/${holdpoint.workspace.slug}/pods/default/webhooks`;
  const ask = (more: string, options: { method?: string; body?: object; key?: string } = {}) =>
    holdpoint.ask(`${path()}${more}`, { key: holdpoint.workspace.keys.admin, ...options });
  async function make(more: object = {}): Promise<Hook> {
    const { status, body } = await ask('', { body: { workflowId: workflow, name: 'Shop', ...more } });
    expect(status, JSON.stringify(body)).to.equal(201);
    return body;
  }
  const send = (id: string, headers: Record<string, string> = {}, body = BODY, address = holdpoint.address) =>
    call(`${address}/v1/webhooks/${id}/trigger`, { method: 'POST', headers, body });
  const countRuns = async () =>
    (await holdpoint.db.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM runs')).rows[0]!.n;

  /** The headers of the specification. */
  function standard(secret: string, { id = uuidv7(), at = NOW_S(), body = BODY, timestamp = String(at) } = {}) {
    const signer = secret.startsWith('whsec_') ? new Webhook(secret) : new Webhook(secret, { format: 'raw' });
    const signature = signer.sign(id, new Date(at * 1_000), body);
    return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
  }
  const plain = (secret: string, body = BODY) => ({
    'x-webhook-signature': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  });

  /** Refused, in the face's shape, and nothing was started. */
  async function expectRefused(answer: Promise<Answer>, why: string, status = 401): Promise<void> {
    const before = await countRuns();
    const { body, ...answered } = await answer;
    expect(answered.status, `${why}: ${JSON.stringify(body)}`).to.equal(status);
    expect(body, why).to.have.keys('statusCode', 'message', 'error', 'requestId', 'details');
    expect(await countRuns(), why).to.equal(before);
  }

  before(async () => {
    holdpoint = await startHoldpoint({ settings: { secretKeys: [Buffer.alloc(32, 1)] } });
    workflow = await holdpoint.define({
      name: 'Order',
      initialStep: 'end',
      steps: [{ id: 'end', type: 'end-flow', result: '${data.order}' }],
      edges: [],
      payload: { order: { type: 'integer' }, note: { type: 'string', required: false } },
    });
  });
  after(() => holdpoint.stop());

  it('starts a run with the body of a message that is signed by the specification', async () => {
    const { id, secret } = await make();
    expect(secret).to.match(/^whsec_/);
    const { status, body } = await send(id, standard(secret));
    expect([status, body]).to.deep.equal([201, { id: body.id, status: 'queued' }]);
    const run = await holdpoint.ask(`/workspaces/${holdpoint.workspace.slug}/pods/default/executions/${body.id}`);
    expect(run.body).to.deep.include({
      triggeredBy: 'webhook',
      status: 'completed',
      input: { order: 7, note: 'ä' },
      output: 7,
    });
  });

  it('takes what the lines of the README send, signed by openssl', async () => {
    const { slug, keys } = holdpoint.workspace;
    const [lines = ''] =
      /(?<=## Inbound webhooks[\s\S]*?```sh\n)[\s\S]*?(?=```)/.exec(readFileSync(README, 'utf8')) ?? [];
    await holdpoint.define({
      name: 'Customer Onboarding',
      initialStep: 'end',
      steps: [{ id: 'end', type: 'end-flow', result: '${data.email}' }],
      edges: [],
    });
    const { stdout } = await promisify(execFile)(
      'sh',
      ['-c', lines.replace('/workspaces/default/', `/workspaces/${slug}/`)],
      {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], H: holdpoint.address, KEY: keys.admin },
      },
    );
    const { id, status } = JSON.parse(stdout);
    expect(status).to.equal('queued');
    const { body } = await holdpoint.ask(`/workspaces/${slug}/pods/default/executions/${id}`);
    expect(body).to.deep.include({ output: 'ada@example.com', triggeredBy: 'webhook' });
  });

  it('takes the HMAC of the body alone, in either case', async () => {
    const { id } = await make({ secret: TEXT_SECRET });
    expect((await send(id, plain(TEXT_SECRET))).status).to.equal(201);
    const upper = plain(TEXT_SECRET)['x-webhook-signature'].slice(7).toUpperCase();
    expect((await send(id, { 'x-webhook-signature': `sha256=${upper}` })).status).to.equal(201);
    const own = await make();
    expect((await send(own.id, plain(own.secret))).status).to.equal(201);
  });

  it('refuses what is not signed with its own secret, to the byte (S-79)', async () => {
    const hook = await make();
    const other = await make();
    const good = standard(hook.secret);
    const hmac = plain(hook.secret)['x-webhook-signature'];
    const many = `${'v1,AAAA '.repeat(1_000)}`.trim();
    for (const [why, headers, body] of [
      ['no signature', {}],
      ['empty signatures', { ...good, 'webhook-signature': '', 'x-webhook-signature': '' }],
      ['a wrong signature', { ...good, 'webhook-signature': `v1,${'A'.repeat(43)}=` }],
      ['a truncated signature', { ...good, 'webhook-signature': good['webhook-signature'].slice(0, -2) }],
      [
        'a signature of another version',
        { ...good, 'webhook-signature': good['webhook-signature'].replace('v1', 'v2') },
      ],
      ['another webhook’s secret', standard(other.secret)],
      ['a body that was changed by a space', good, `${BODY} `],
      ['a body that was written anew', good, JSON.stringify(JSON.parse(BODY))],
      ['another id than was signed', { ...good, 'webhook-id': uuidv7() }],
      ['another time than was signed', { ...good, 'webhook-timestamp': String(NOW_S() - 1) }],
      ['a thousand wrong signatures', { ...good, 'webhook-signature': many }],
      ['no id', { ...good, 'webhook-id': '' }],
      ['a truncated HMAC', { 'x-webhook-signature': hmac.slice(0, -2) }],
      ['an HMAC without its algorithm', { 'x-webhook-signature': hmac.slice(7) }],
      ['an HMAC by another algorithm', { 'x-webhook-signature': hmac.replace('sha256', 'sha1') }],
      ['another webhook’s HMAC', plain(other.secret)],
      ['the HMAC of another body', plain(hook.secret, '{}')],
      [
        'a wrong signature beside a good HMAC',
        { ...good, 'webhook-signature': 'v1,AAAA', 'x-webhook-signature': hmac },
      ],
      ['an API key instead', { authorization: `Bearer ${holdpoint.workspace.keys.owner}` }],
    ] as [string, Record<string, string>, string?][])
      await expectRefused(send(hook.id, headers, body), why);
    const listed = { ...good, 'webhook-signature': `v1,AAAA v1a,BBBB ${good['webhook-signature']}` };
    expect((await send(hook.id, listed)).status).to.equal(201);
  });

  it('refuses messages that are old, from the future, or of no time (S-80)', async () => {
    const { id, secret } = await make();
    for (const [why, headers] of [
      ['six minutes old', standard(secret, { at: NOW_S() - 360 })],
      ['from in six minutes', standard(secret, { at: NOW_S() + 360 })],
      ['no number', standard(secret, { timestamp: 'NaN' })],
      ['another spelling of a number', standard(secret, { at: 1e9, timestamp: '1e9' })],
      ['a number and more', standard(secret, { timestamp: `${NOW_S()}abc` })],
      ['missing', standard(secret, { timestamp: '' })],
      ['milliseconds', standard(secret, { timestamp: String(Date.now()) })],
      [
        'six minutes old by its own words, beside an HMAC',
        { ...plain(secret), 'webhook-timestamp': String(NOW_S() - 360) },
      ],
    ] as [string, Record<string, string>][])
      await expectRefused(send(id, headers), why);
    expect((await send(id, standard(secret, { at: NOW_S() - 200 }))).status).to.equal(201);
  });

  it('starts one run for a message, however often and at once it comes, and answers it the same (S-80)', async () => {
    const { id, secret } = await make();
    const before = await countRuns();
    const headers = standard(secret);
    const answers = await Promise.all(Array.from({ length: 12 }, () => send(id, headers)));
    answers.push(await send(id, standard(secret, { id: headers['webhook-id'] })));
    for (const { status, body } of answers) expect([status, body]).to.deep.equal([201, answers[0]!.body]);
    expect(await countRuns()).to.equal(before + 1);
    await send(id, standard(secret));
    expect(await countRuns()).to.equal(before + 2);
    const other = await make();
    expect((await send(other.id, standard(other.secret, { id: headers['webhook-id'] }))).body.id).to.not.equal(
      answers[0]!.body.id,
    );
    const twice = { ...plain(secret), 'webhook-id': 'order-7' };
    expect((await send(id, twice)).body).to.deep.equal((await send(id, twice)).body);
  });

  it('starts one run for a body, whatever it is called and whenever it comes, where its owners say so (S-80)', async () => {
    const { id, secret } = await make({ dedupe: 'body' });
    const first = await send(id, plain(secret));
    for (const headers of [
      plain(secret),
      { ...plain(secret), 'webhook-id': 'a-copy' },
      { ...plain(secret), 'webhook-id': 'another-copy' },
      standard(secret),
    ])
      expect((await send(id, headers)).body).to.deep.equal(first.body);
    const other = '{"order": 8}';
    expect((await send(id, plain(secret, other), other)).body.id).to.not.equal(first.body.id);
    const changed = await ask(`/${id}`, { method: 'PATCH', body: { dedupe: 'id' } });
    expect(changed.body.dedupe).to.equal('id');
    const copy = await send(id, { ...plain(secret), 'webhook-id': 'a-copy' });
    expect(copy.body.id).to.not.equal(first.body.id);
  });

  it('takes what GitHub sends, a redelivery as the same message', async () => {
    const { id } = await make({ secret: TEXT_SECRET });
    const signature = plain(TEXT_SECRET)['x-webhook-signature'];
    const headers = (delivery: string) => ({ 'x-hub-signature-256': signature, 'x-github-delivery': delivery });
    const first = await send(id, headers('72d3162e-cc78-11e3-81ab-4c9367dc0958'));
    expect(first.status).to.equal(201);
    expect((await send(id, headers('72d3162e-cc78-11e3-81ab-4c9367dc0958'))).body).to.deep.equal(first.body);
    expect((await send(id, headers('another'))).body.id).to.not.equal(first.body.id);
    await expectRefused(send(id, { 'x-hub-signature': signature }), 'the header of the older algorithm');
    await expectRefused(send(id, headers('changed'), `${BODY} `), 'another body');
  });

  it('changes its secret: both count for a while, then the old one does not (S-82)', async () => {
    const { id, secret } = await make();
    const rotated = await ask(`/${id}/rotate`, { body: {} });
    expect(rotated.status).to.equal(200);
    expect(rotated.body.secret)
      .to.match(/^whsec_/)
      .and.not.equal(secret);
    for (const one of [secret, rotated.body.secret]) expect((await send(id, standard(one))).status).to.equal(201);
    const { rows } = await holdpoint.db.pool.query<{ hours: number }>(
      `SELECT round(extract(epoch FROM valid_until - now()) / 3600)::int AS hours FROM inbound_webhook_secrets
        WHERE webhook_id = $1 AND valid_until IS NOT NULL`,
      [id],
    );
    expect(rows).to.deep.equal([{ hours: 24 }]);
    await holdpoint.db.pool.query(
      'UPDATE inbound_webhook_secrets SET valid_until = now() WHERE webhook_id = $1 AND valid_until IS NOT NULL',
      [id],
    );
    await expectRefused(send(id, standard(secret)), 'the old secret after its time');
    expect((await send(id, standard(rotated.body.secret))).status).to.equal(201);
    const given = await ask(`/${id}/rotate`, { body: { secret: TEXT_SECRET, graceMs: 0 } });
    expect(given.body.secret).to.equal(null);
    await expectRefused(send(id, standard(rotated.body.secret)), 'a secret that was ended at once');
    expect((await send(id, standard(TEXT_SECRET))).status).to.equal(201);
  });

  it('keeps the secrets that count through rotations in a row, and no more than five', async () => {
    const { id, secret } = await make();
    const secrets = [secret];
    for (let n = 0; n < 5; n++) secrets.push((await ask(`/${id}/rotate`, { body: {} })).body.secret);
    await expectRefused(send(id, standard(secrets[0]!)), 'the sixth last secret');
    for (const one of secrets.slice(1)) expect((await send(id, standard(one))).status).to.equal(201);
  });

  it('takes what nobody has signed only where it was made public, and then has no secret (S-79)', async () => {
    const open = await make({ public: true });
    expect(open.secret).to.equal(null);
    expect((await send(open.id)).status).to.equal(201);
    const both = await ask('', { body: { workflowId: workflow, name: 'Both', public: true, secret: TEXT_SECRET } });
    expect([both.status, both.body.details[0].pointer]).to.deep.equal([400, '/secret']);
    expect((await ask(`/${open.id}/rotate`, { body: {} })).status).to.equal(409);
    expect((await ask(`/${open.id}`, { method: 'PATCH', body: { public: false } })).status).to.equal(400);
    const closed = await make();
    await holdpoint.db.pool.query('DELETE FROM inbound_webhook_secrets WHERE webhook_id = $1', [closed.id]);
    await expectRefused(send(closed.id), 'one that has lost its secrets');
    expect((await ask('', { body: { workflowId: workflow, name: 'Short', secret: 'short' } })).status).to.equal(400);
  });

  it('shows a secret once, keeps it sealed, and lets nobody read it again', async () => {
    const headers = { 'idempotency-key': 'once' };
    const request = { key: holdpoint.workspace.keys.admin, headers, body: { workflowId: workflow, name: 'Once' } };
    const made = (await holdpoint.ask(path(), request)).body;
    expect((await holdpoint.ask(path(), request)).body).to.deep.equal({ ...made, secret: null });
    const shown = JSON.stringify([(await ask('')).body, (await ask(`/${made.id}`)).body]);
    expect(shown).to.include(made.id).and.not.include('whsec_');
    const { rows } = await holdpoint.db.pool.query('SELECT sealed FROM inbound_webhook_secrets WHERE webhook_id = $1', [
      made.id,
    ]);
    expect(rows).to.have.length(1);
    expect(rows[0].sealed.includes(Buffer.from(made.secret.slice(6), 'base64'))).to.equal(false);
    expect(rows[0].sealed.includes(made.secret)).to.equal(false);
  });

  it('says what is wrong with its input, and takes the same message when that is mended', async () => {
    const { id, secret } = await make();
    const wrong = '{"order": "seven"}';
    const headers = standard(secret, { id: 'order-8', body: wrong });
    const refused = await send(id, headers, wrong);
    expect([refused.status, refused.body.details[0].pointer]).to.deep.equal([400, '/order']);
    expect((await send(id, standard(secret, { id: 'order-8' }))).status).to.equal(201);
    for (const body of ['[1]', '"text"', '{"a": ', '{"order": 1e400}', '{"a": "\u0000"}'])
      await expectRefused(send(id, standard(secret, { body }), body), body, 400);
    await expectRefused(send(id, { ...standard(secret), 'content-type': 'text/plain' }), 'text', 415);
    const large = JSON.stringify({ order: 7, note: 'x'.repeat(1_100_000) });
    await expectRefused(send(id, standard(secret, { body: large }), large), 'more than a megabyte', 413);
    const longId = { ...plain(secret), 'webhook-id': 'x'.repeat(256) };
    await expectRefused(send(id, longId), 'an id that is too long', 400);
  });

  it('stops while it is disabled or its workflow archived, and is not there once it is deleted', async () => {
    const { id, secret } = await make();
    const disabled = await ask(`/${id}`, { method: 'PATCH', body: { enabled: false, name: 'Closed' } });
    expect(disabled.body).to.deep.include({ enabled: false, name: 'Closed' });
    await expectRefused(send(id, standard(secret)), 'disabled', 409);
    await expectRefused(send(id), 'disabled, and not signed');
    await ask(`/${id}`, { method: 'PATCH', body: { enabled: true } });
    const archive = (method: string, more = '') =>
      holdpoint.ask(`/api/workflows/${workflow}${more}`, { method, ...(method === 'POST' ? { body: {} } : {}) });
    await archive('DELETE');
    await expectRefused(send(id, standard(secret)), 'archived', 409);
    await archive('POST', '/unarchive');
    expect((await send(id, standard(secret))).status).to.equal(201);
    expect((await ask(`/${id}`, { method: 'DELETE' })).status).to.equal(204);
    await expectRefused(send(id, standard(secret)), 'deleted', 404);
  });

  it('is its workspace’s and its pod’s: others find nothing, and an address that is none says so (S-12, S-84)', async () => {
    const { id } = await make();
    const other = await createWorkspace(holdpoint.db);
    for (const [method, more, body] of [
      ['GET', '', undefined],
      ['PATCH', '', { name: 'Mine' }],
      ['POST', '/rotate', {}],
      ['DELETE', '', undefined],
    ] as const) {
      const options = { method, key: other.keys.owner, ...(body === undefined ? {} : { body }) };
      const theirs = await holdpoint.ask(`/workspaces/${other.slug}/pods/default/webhooks/${id}${more}`, options);
      expect(theirs.status, `${method} ${more}`).to.equal(404);
      const elsewhere = await holdpoint.ask(
        `/workspaces/${other.slug}/pods/default/webhooks/${uuidv7()}${more}`,
        options,
      );
      expect({ ...theirs.body, requestId: '' }).to.deep.equal({ ...elsewhere.body, requestId: '' });
    }
    const foreign = { workflowId: workflow, name: 'Theirs' };
    const made = await holdpoint.ask(`/workspaces/${other.slug}/pods/default/webhooks`, {
      key: other.keys.owner,
      body: foreign,
    });
    expect(made.status).to.equal(404);
    for (const unknown of [uuidv7(), 'nothing', '%00', `${id}x`]) await expectRefused(send(unknown), unknown, 404);
    expect((await holdpoint.ask(`${path()}/${id}`)).status).to.equal(200);
  });

  it('is lost without the operator’s key, and takes nothing then', async () => {
    const { id, secret } = await make();
    await holdpoint.db.pool.query(
      `UPDATE inbound_webhook_secrets SET sealed = '\\x${'00'.repeat(64)}'::bytea WHERE webhook_id = $1`,
      [id],
    );
    await expectRefused(send(id, standard(secret)), 'sealed under another key');
  });
});

describe('a flood of messages', () => {
  let holdpoint: Holdpoint;
  let hooks: Hook[];
  before(async () => {
    holdpoint = await startHoldpoint({
      settings: { secretKeys: [Buffer.alloc(32, 1)], rateLimitStarts: 5, rateLimitFailures: 5, redisUrl: null },
    });
    const workflow = await holdpoint.define({
      name: 'Order',
      initialStep: 'end',
      steps: [{ id: 'end', type: 'end-flow' }],
      edges: [],
    });
    const { slug, keys } = holdpoint.workspace;
    const make = async () =>
      (
        await holdpoint.ask(`/workspaces/${slug}/pods/default/webhooks`, {
          key: keys.admin,
          body: { workflowId: workflow, name: 'Shop', secret: TEXT_SECRET },
        })
      ).body as Hook;
    hooks = [await make(), await make()];
  });
  after(() => holdpoint.stop());

  const send = (id: string, body: string) => {
    const signature = createHmac('sha256', TEXT_SECRET).update('{}').digest('hex');
    return call(`${holdpoint.address}/v1/webhooks/${id}/trigger`, {
      method: 'POST',
      headers: { 'x-webhook-signature': `sha256=${signature}` },
      body,
    });
  };

  it('to one webhook is told to wait, and another webhook is not (S-84)', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < 8; n++) statuses.push((await send(hooks[0]!.id, '{}')).status);
    expect(statuses).to.deep.equal([201, 201, 201, 201, 201, 429, 429, 429]);
    const refused = await send(hooks[0]!.id, '{}');
    expect(Number(refused.headers.get('retry-after'))).to.be.within(1, 60);
    expect((await send(hooks[1]!.id, '{}')).status).to.equal(201);
  });

  it('that is wrongly signed is told to wait, and what is signed rightly still passes', async () => {
    const statuses: number[] = [];
    for (let n = 0; n < 8; n++) statuses.push((await send(hooks[1]!.id, '{"a": 1}')).status);
    expect(statuses).to.deep.equal([401, 401, 401, 401, 401, 429, 429, 429]);
    expect((await send(uuidv7(), '{}')).status).to.equal(429);
    expect((await send(hooks[1]!.id, '{}')).status).to.equal(201);
  });
});
