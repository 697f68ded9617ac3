import { expect } from 'chai';
import { createWorkspace } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { type HookReceiver, inTurn, startHookReceiver } from '../support/hook-receiver.ts';

const PATH = '/api/v1/webhooks';
const UNKNOWN = '0193b6f2-51c8-7e07-b5a4-2f9d8c6e1a70';

describe('/api/v1/webhooks', () => {
  let holdpoint: Holdpoint;
  let receiver: HookReceiver;
  let admin: string;
  let workflow: string;

  before(async () => {
    receiver = await startHookReceiver();
    const webhooks = { delaysMs: [], timeoutMs: 10_000, concurrency: 5, perEndpoint: 5, publicUrl: 'http://localhost' };
    holdpoint = await startHoldpoint({
      withWorker: true,
      settings: {
        secretKeys: [Buffer.alloc(32, 1)],
        egressAllow: [`127.0.0.1:${receiver.port}`],
        sweepMs: 100,
        webhooks,
      },
    });
    admin = holdpoint.workspace.keys.admin;
    workflow = await holdpoint.define({
      name: 'Asks',
      initialStep: 'ask',
      steps: [
        { id: 'ask', type: 'request-user-action' },
        { id: 'end', type: 'end-flow' },
      ],
      edges: [{ from: 'ask', to: 'end' }],
    });
  });
  after(async () => {
    await holdpoint.stop();
    await receiver.close();
  });

  const ask = (path: string, body?: object, headers: Record<string, string> = {}) =>
    holdpoint.ask(`${PATH}${path}`, { key: admin, headers, ...(body === undefined ? {} : { body }) });
  const make = (path: string, more: object = {}) =>
    ask('', { url: receiver.url(path), events: ['run_created'], ...more });
  const remove = (id: string) => holdpoint.ask(`${PATH}/${id}`, { method: 'DELETE', key: admin });

  it('shows a secret that it made this once, and stores it sealed', async () => {
    const headers = { 'idempotency-key': 'made-once' };
    const request = { url: receiver.url('/made'), events: ['run_created', 'run_created'] };
    const { status, body } = await ask('', request, headers);
    expect(status).to.equal(201);
    expect(body).to.deep.include({ events: ['run_created'], status: 'enabled', disabled_reason: null });
    expect(body.secret).to.match(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const replayed = await ask('', request, headers);
    expect(replayed.body).to.deep.equal({ ...body, secret: null });
    const listed = await ask('');
    expect(listed.body.meta.pagination.total_count).to.equal(1);
    expect(JSON.stringify(listed.body)).to.not.include('whsec_');
    const { rows } = await holdpoint.db.pool.query('SELECT w::text AS row, sealed_secret FROM webhooks w');
    expect(rows[0].row).to.not.include(body.secret);
    expect(rows[0].sealed_secret.includes(Buffer.from(body.secret.slice(6), 'base64'))).to.equal(false);
    expect((await remove(body.id)).status).to.equal(204);
    expect((await remove(body.id)).status).to.equal(404);
  });

  it('says all at once what is wrong with a webhook, and makes none', async () => {
    const refused = await ask('', { url: 'http://10.0.0.1/', events: ['run_created'], secret: 'short' });
    expect(refused.status).to.equal(422);
    expect(Object.keys(refused.body.errors[0].details)).to.have.members(['url', 'secret']);
    const unknown = await ask('', { url: receiver.url('/'), events: ['run_exploded'] });
    expect(unknown.status).to.equal(422);
    expect(JSON.stringify(unknown.body)).to.include('run_completed');
    expect((await ask('', { url: receiver.url('/'), events: [] })).status).to.equal(422);
    expect((await ask('')).body.data).to.deep.equal([]);
  });

  it('shows what was sent, by status and page by page, and sends a dead letter again', async () => {
    receiver.answer('/log', inTurn(500, 500, 500, 200));
    const { id } = (await make('/log', { secret: 'a-secret-that-was-brought-along' })).body;
    for (let n = 0; n < 3; n++) await holdpoint.start(workflow);
    const dead = await eventually(async () => {
      const { body } = await ask(`/${id}/deliveries?status=dead_letter&limit=2`);
      // The page is read before they are counted, and the third may come in between.
      const { total_count, has_more } = body.meta.pagination;
      return total_count === 3 && has_more ? body : null;
    });
    expect(dead.data).to.have.length(2);
    const { cursor } = dead.meta.pagination;
    expect(cursor).to.equal(dead.data[1].id);
    const rest = (await ask(`/${id}/deliveries?status=dead_letter&limit=2&cursor=${cursor}`)).body;
    expect(rest.data).to.have.length(1);
    expect(rest.meta.pagination).to.deep.equal({ total_count: 3, cursor: null, has_more: false });
    const [first] = rest.data;
    expect(first.attempt_log).to.have.length(1);
    expect(first.attempt_log[0]).to.deep.include({
      response_status: 500,
      response_body: '',
      error: 'The receiver answered 500',
    });
    const again = await ask(`/${id}/deliveries/${first.id}/redeliver`, {});
    expect([again.status, again.body.id]).to.deep.equal([202, first.id]);
    await eventually(async () => (await ask(`/${id}/deliveries?status=delivered`)).body.data[0]?.id === first.id);
    expect((await ask(`/${id}/deliveries/${UNKNOWN}/redeliver`, {})).status).to.equal(404);
    await remove(id);
    expect((await ask(`/${id}/deliveries`)).status).to.equal(404);
  });

  it('is disabled by a receiver that is gone, and by hand; enabled again it hears of what happens from then on', async () => {
    receiver.answer('/gone', inTurn(410, 200));
    const { id } = (await make('/gone')).body;
    const change = (status: string) =>
      holdpoint.ask(`${PATH}/${id}`, { method: 'PATCH', key: admin, body: { status } });
    const show = async () => (await ask('')).body.data.find((row: { id: string }) => row.id === id);
    await holdpoint.start(workflow);
    await eventually(async () => (await show()).status === 'disabled');
    expect((await show()).disabled_reason).to.equal('gone');
    const missed = await holdpoint.start(workflow);
    const [dead] = (await ask(`/${id}/deliveries`)).body.data;
    expect((await ask(`/${id}/deliveries/${dead.id}/redeliver`, {})).status).to.equal(409);

    const enabled = await change('enabled');
    expect([enabled.status, enabled.body.status, enabled.body.disabled_reason]).to.deep.equal([200, 'enabled', null]);
    expect((await change('enabled')).body).to.deep.equal(enabled.body);
    const heard = await holdpoint.start(workflow);
    await eventually(() => receiver.received('/gone').length === 2);
    const told = receiver.received('/gone').map(({ body }) => body);
    expect(told[1]).to.include(heard);
    expect(told.join()).to.not.include(missed);

    expect((await change('disabled')).body).to.include({ status: 'disabled', disabled_reason: 'by_hand' });
    await holdpoint.start(workflow);
    expect((await ask(`/${id}/deliveries`)).body.meta.pagination.total_count).to.equal(2);
    expect((await change('off')).status).to.equal(422);
    const unknown = { method: 'PATCH', key: admin, body: { status: 'enabled' } };
    expect((await holdpoint.ask(`${PATH}/${UNKNOWN}`, unknown)).status).to.equal(404);
    const { body } = await holdpoint.ask(`/workspaces/${holdpoint.workspace.slug}/audit?limit=3`, { key: admin });
    const lines = body.map(({ action, actor }: { action: string; actor: string }) => `${action} by ${actor}`);
    expect(lines).to.deep.equal([
      'webhook.disabled by user-admin',
      'webhook.enabled by user-admin',
      'webhook.disabled by system',
    ]);
    await remove(id);
  });

  it('is the admins’ of its workspace: events, webhooks and deliveries of others are not there', async () => {
    const other = await createWorkspace(holdpoint.db);
    const { id } = (await make('/mine')).body;
    for (const [method, path] of [
      ['DELETE', `/${id}`],
      ['PATCH', `/${id}`],
      ['GET', `/${id}/deliveries`],
      ['POST', `/${id}/deliveries/${UNKNOWN}/redeliver`],
    ] as const) {
      const body = { DELETE: {}, GET: {}, PATCH: { body: { status: 'disabled' } }, POST: { body: {} } }[method];
      const request = { method, key: other.keys.owner, ...body };
      expect((await holdpoint.ask(`${PATH}${path}`, request)).status, path).to.equal(404);
    }
    const foreign = { url: receiver.url('/theirs'), events: ['run_created'] };
    expect((await holdpoint.ask(PATH, { key: other.keys.owner, body: foreign })).status).to.equal(201);
    await holdpoint.start(workflow);
    await eventually(() => receiver.received('/mine').length === 1);
    expect(receiver.received('/theirs')).to.deep.equal([]);
    const { rows } = await holdpoint.db.pool.query('SELECT FROM deliveries WHERE workspace_id = $1', [other.id]);
    expect(rows).to.deep.equal([]);
    await remove(id);
  });

  it('leaves a line in the audit log for what it makes, ends and sends again, without the secret', async () => {
    const secret = 'canary-secret-of-a-webhook';
    const { id } = (await make('/audited', { secret })).body;
    await remove(id);
    const { body } = await holdpoint.ask(`/workspaces/${holdpoint.workspace.slug}/audit?limit=2`, { key: admin });
    expect(body.map(({ action }: { action: string }) => action)).to.deep.equal(['webhook.deleted', 'webhook.created']);
    expect(JSON.stringify(body)).to.include(id).and.not.include(secret);
  });

  it('needs a key to seal secrets with', async () => {
    const bare = await startHoldpoint();
    const { status, body } = await bare.ask(PATH, {
      key: bare.workspace.keys.admin,
      body: { url: 'https://example.com/', events: ['run_created'] },
    });
    await bare.stop();
    expect(status).to.equal(409);
    expect(body.errors[0].message).to.include('HOLDPOINT_SECRET_KEY');
  });

  it('has its queue on the board', async () => {
    const { status, body } = await holdpoint.ask('/admin/queues/api/queues', { key: admin });
    expect(status).to.equal(200);
    expect(body.queues.map(({ name }: { name: string }) => name)).to.include('{hooks}');
  });
});
