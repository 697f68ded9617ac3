// Steps that send something outside and wait for what comes of it, over real processes' parts: web, worker, receiver.

import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import type { Step } from '../../src/core/definition.ts';
import { type Answer, call } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { type HookReceiver, inTurn, startHookReceiver } from '../support/hook-receiver.ts';

const SECRET = 'the-secret-that-callbacks-are-signed-with';

describe('a callback step', () => {
  let holdpoint: Holdpoint;
  let receiver: HookReceiver;
  /** Its time runs out while the others are looked at. */
  let late: string;

  before(async () => {
    receiver = await startHookReceiver();
    holdpoint = await startHoldpoint({
      withWorker: true,
      settings: {
        secretKeys: [Buffer.alloc(32, 1)],
        egressAllow: [`127.0.0.1:${receiver.port}`],
        sweepMs: 100,
        webhooks: {
          delaysMs: [10, 10],
          timeoutMs: 10_000,
          concurrency: 10,
          perEndpoint: 5,
          publicUrl: 'http://public.example',
        },
      },
    });
    const { workspace } = holdpoint;
    await holdpoint.ask(`/workspaces/${workspace.slug}/secrets/CALLBACK_SECRET`, {
      method: 'PUT',
      key: workspace.keys.admin,
      body: { value: SECRET },
    });
    late = await start('/late', { waitForAnswer: true, dueInMs: 2_000 });
  });
  after(async () => {
    await holdpoint.stop();
    await receiver.close();
  });

  function start(path: string, step: Partial<Step> = {}, more: { onError?: boolean } = {}): Promise<string> {
    const steps = [
      { id: 'call', type: 'callback', url: receiver.url(path), ...step },
      { id: 'end', type: 'end-flow', result: '${steps.call.output}' },
      ...(more.onError ? [{ id: 'mend', type: 'end-flow', result: 'mended' }] : []),
    ];
    const edges = [{ from: 'call', to: 'end' }, ...(more.onError ? [{ from: 'call', to: 'mend', on: 'error' }] : [])];
    return holdpoint
      .define({ name: `callback ${randomBytes(4).toString('hex')}`, initialStep: 'call', steps, edges })
      .then((workflow) => holdpoint.start(workflow, { n: 7 }));
  }
  const until = (runId: string, status: string): Promise<Answer['body']> =>
    eventually(
      async () => {
        const { body } = await holdpoint.ask(`/api/workflow/status/${runId}`);
        return body.status === status ? body : null;
      },
      {
        what: async () => `${status} in ${JSON.stringify((await holdpoint.ask(`/api/workflow/status/${runId}`)).body)}`,
      },
    );
  const received = (path: string) => eventually(() => receiver.received(path)[0], { what: `a message at ${path}` });
  /** The path of the address that came along. */
  async function addressOf(path: string): Promise<string> {
    const address = String((await received(path)).headers['x-callback-url']);
    expect(address).to.match(/^http:\/\/public\.example\/api\/v1\/callbacks\/[\w-]{64}$/);
    return new URL(address).pathname;
  }
  const send = (path: string, body: unknown) => call(`${holdpoint.address}${path}`, { body });

  it('posts its payload, signed, and is done when it is delivered: the response is its output', async () => {
    receiver.answer('/done', (response) => response.writeHead(200).end('{"ok": [1]}'));
    const runId = await start('/done', { payload: { n: '${data.n}' } });
    expect((await until(runId, 'completed')).result).to.deep.equal({ ok: [1] });
    const [message] = receiver.received('/done');
    expect(message!.body).to.equal('{"n":7}');
    expect(message!.headers).to.include({ 'webhook-id': `hp_${runId}_call_1_0`, 'x-webhook-event': 'callback' });
    expect(message!.headers).to.not.have.property('x-callback-url');
    const headers = message!.headers as Record<string, string>;
    expect(new Webhook(SECRET, { format: 'raw' }).verify(message!.body, headers)).to.deep.equal({ n: 7 });
  });

  it('is tried again under the same id, and fails after the last try: the error edge takes it', async () => {
    receiver.answer('/broken', inTurn(500));
    const runId = await start('/broken', {}, { onError: true });
    expect((await until(runId, 'completed')).result).to.equal('mended');
    const sent = receiver.received('/broken');
    expect(sent).to.have.length(3);
    expect(new Set(sent.map(({ headers }) => headers['webhook-id'])).size).to.equal(1);
  });

  it('fails the run with what the receiver said, and is tried no more often than its step says', async () => {
    receiver.answer('/once', inTurn(404));
    const runId = await start('/once', { retry: { attempts: 1 } });
    const { error } = await until(runId, 'failed');
    expect(error).to.deep.include({ code: 'http_404' });
    expect(receiver.received('/once')).to.have.length(1);
  });

  it('waits for the answer at the address that came along, which may be used once', async () => {
    const runId = await start('/ask', { waitForAnswer: true });
    const address = await addressOf('/ask');
    expect((await holdpoint.ask(`/api/workflow/status/${runId}`)).body.status).to.equal('running');
    const wrong = `${address.slice(0, -1)}${address.endsWith('A') ? 'B' : 'A'}`;
    expect((await send(wrong, { no: 1 })).status).to.equal(404);
    expect((await send(address, '{"broken')).status).to.equal(400);
    expect((await send(address, { text: 'a\u0000b' })).status).to.equal(422);
    const { status, body } = await send(address, { approved: true });
    expect({ status, body }).to.deep.equal({ status: 200, body: { status: 'accepted' } });
    expect((await until(runId, 'completed')).result).to.deep.equal({ approved: true });
    const again = await send(address, { approved: false });
    expect(again.status).to.equal(409);
    expect(again.body.errors[0].message).to.include('was answered');
  });

  it('may be written out with a run of its own, and asks and answers like any other', async () => {
    const tell = { url: receiver.url('/inline'), payload: { amount: '${data.amount}' }, waitForAnswer: true };
    const steps = [
      { name: 'Tell billing', type: 'callback', config: tell },
      { name: 'Sign', type: 'approval', config: { message: 'Billing says ${steps.tell_billing.output.text}' } },
    ];
    const { status, body } = await holdpoint.ask('/api/v1/workflows', {
      body: { name: 'Once', steps, input: { amount: 12 } },
    });
    expect([status, body.status]).to.deep.equal([201, 'pending']);
    const path = `/api/v1/workflows/${body.id}`;
    const read = async () => (await holdpoint.ask(path)).body;
    const address = await addressOf('/inline');
    const [message] = receiver.received('/inline');
    const headers = message!.headers as Record<string, string>;
    expect(new Webhook(SECRET, { format: 'raw' }).verify(message!.body, headers)).to.deep.equal({ amount: 12 });
    expect((await read()).steps[0]).to.include({ id: 'tell_billing', type: 'callback', status: 'waiting' });
    expect((await send(address, { text: 'fine' })).status).to.equal(200);
    const waiting = await eventually(async () => {
      const run = await read();
      return run.status === 'waiting_approval' && run;
    });
    const [approval] = waiting.approvals;
    expect(approval.message).to.equal('Billing says fine');
    expect((await holdpoint.ask(`${path}/approvals/${approval.id}/approve`, { body: {} })).status).to.equal(200);
    expect(await read()).to.include({ status: 'completed', progress_percent: 100 });
  });

  it('takes exactly one of many answers that come at once', async () => {
    const runId = await start('/race', { waitForAnswer: true });
    const address = await addressOf('/race');
    const answers = await Promise.all(Array.from({ length: 16 }, (_, n) => send(address, { n })));
    const won = answers.findIndex(({ status }) => status === 200);
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, ...Array.from({ length: 15 }, () => 409)]);
    expect((await until(runId, 'completed')).result).to.deep.equal({ n: won });
  });

  it('takes an answer that comes before the sender has heard that it was delivered', async () => {
    receiver.answer('/quick', (response, { headers }) => {
      const { pathname } = new URL(String(headers['x-callback-url']));
      void send(pathname, { quick: true }).then(() => response.writeHead(200).end());
    });
    const runId = await start('/quick', { waitForAnswer: true });
    expect((await until(runId, 'completed')).result).to.deep.equal({ quick: true });
  });

  it('runs out of time, and its address with it', async () => {
    const address = await addressOf('/late');
    expect((await until(late, 'failed')).error).to.deep.include({ code: 'timeout' });
    expect((await send(address, {})).status).to.equal(409);
  });

  it('keeps no token: only its hash is stored', async () => {
    await start('/hashed', { waitForAnswer: true });
    const token = (await addressOf('/hashed')).split('/').at(-1)!;
    const { rows } = await holdpoint.db.pool.query('SELECT d::text AS row FROM deliveries d');
    for (const { row } of rows) expect(row).to.not.include(token);
  });

  it('is not tried again once its run is stopped', async () => {
    let fail = () => {};
    receiver.answer('/stopped', (response) => {
      fail = () => response.writeHead(500).end();
    });
    const runId = await start('/stopped');
    await received('/stopped');
    expect((await holdpoint.ask('/api/workflow/management/terminate', { body: { runId } })).status).to.equal(200);
    fail();
    await eventually(async () => {
      const { rows } = await holdpoint.db.pool.query('SELECT status FROM deliveries WHERE run_id = $1', [runId]);
      return rows[0].status === 'cancelled';
    });
    expect(receiver.received('/stopped')).to.have.length(1);
  });

  it('fails at once without the secret that it is to be signed with, and says which', async () => {
    const runId = await start('/unsigned', { secret: 'NOT_THERE' });
    const { error } = await until(runId, 'failed');
    expect(error.code).to.equal('secret_not_found');
    expect(error.message).to.include('NOT_THERE');
    expect(receiver.received('/unsigned')).to.deep.equal([]);
  });
});
