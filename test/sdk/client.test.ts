// The client against a real server, through a gateway that refuses requests and cuts streams as networks do.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { API_TYPES } from '../../scripts/api-types.ts';
import { HoldpointClient } from '../../src/sdk/client.ts';
import { chain, defineWorkflow } from '../../src/sdk/define.ts';
import { ApiError, ExecutionError, TimeoutError } from '../../src/sdk/errors.ts';
import type { StreamedEvent } from '../../src/sdk/event-stream.ts';
import { eventually } from '../support/eventually.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';

const TOOLS = [fileURLToPath(new URL('../support/tools.ts', import.meta.url))];
const END = { id: 'end', type: 'end-flow', result: { sum: '${data.amount * 2}' } } as const;

const EXPENSE = defineWorkflow({
  name: 'Expense',
  initialStep: 'check',
  steps: [
    { id: 'check', type: 'call-tool', tool: 'give', args: { checked: true } },
    { id: 'gate', type: 'approval-gate', message: 'Pay ${data.amount}?' },
    END,
  ],
  edges: chain('check', 'gate', 'end'),
  payload: { amount: { type: 'number' } },
});

describe('HoldpointClient', () => {
  let holdpoint: Holdpoint;
  let gateway: Gateway;
  let client: HoldpointClient;
  before(async () => {
    holdpoint = await startHoldpoint({
      withWorker: true,
      settings: { toolModules: TOOLS, secretKeys: [randomBytes(32)] },
    });
    gateway = await startGateway(holdpoint.address);
    client = connect();
    await client.workflows.create(EXPENSE);
    await client.workflows.create({
      name: 'Double',
      initialStep: 'end',
      steps: [END],
      edges: [],
      payload: { amount: { type: 'number' } },
    });
  });
  after(async () => {
    await gateway.close();
    await holdpoint.stop();
  });

  const connect = (more: Partial<ConstructorParameters<typeof HoldpointClient>[0]> = {}) =>
    new HoldpointClient({
      baseUrl: gateway.url,
      apiKey: holdpoint.workspace.keys.admin,
      workspace: holdpoint.workspace.slug,
      ...more,
    });
  const suspended = async (input = { amount: 12 }) => {
    const { id } = await client.trigger('expense', { input });
    await eventually(async () => (await client.getExecution(id)).interrupt?.nodeId === 'gate');
    return id;
  };
  /** The promise's rejection. */
  const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      (value) => expect.fail(`it was fulfilled with ${JSON.stringify(value)}`),
      (error: unknown) => error,
    );

  describe('executions', () => {
    it('are triggered, shown as triggered by the SDK, and run to their output', async () => {
      const created = await client.trigger('double', { input: { amount: 4 } });
      expect([created.status, created.triggeredBy]).to.deep.equal(['queued', 'sdk']);
      const done = await client.waitForCompletion(created.id);
      expect([done.status, done.output]).to.deep.equal(['completed', { sum: 8 }]);
      expect((await client.run('double', { input: { amount: 5 }, version: '1' })).output).to.deep.equal({ sum: 10 });
      const { items, nextCursor } = await client.listExecutions({ status: 'completed', limit: 1 });
      expect([items.length, typeof nextCursor]).to.deep.equal([1, 'string']);
    });

    it('are approved, and wait through the approval', async () => {
      const id = await suspended();
      const waiting = client.waitForCompletion(id);
      const { reason, nodes } = await client.explain(id);
      expect([reason, nodes.map(({ nodeId }) => nodeId)]).to.deep.equal(['waiting', ['gate']]);
      const answered = await client.approve(id, { reason: 'fine' });
      expect(answered.id).to.equal(id);
      const { output, nodeResults } = await waiting;
      expect(output).to.deep.equal({ sum: 24 });
      expect(nodeResults['gate']?.output).to.include({ outcome: 'approved', comment: 'fine' });
    });

    it('that fail are thrown as an ExecutionError with all that is known of them', async () => {
      const id = await suspended();
      await client.reject(id, { reason: 'too much' });
      const error = await errorOf(client.waitForCompletion(id));
      expect(error).to.be.instanceOf(ExecutionError);
      expect((error as ExecutionError).message).to.equal(`execution ${id} failed: Step "gate" was rejected: too much`);
      expect((error as ExecutionError).execution).to.include({ id, status: 'failed' });
    });

    it('that are not done in time are a TimeoutError, and go on', async () => {
      const id = await suspended();
      const error = await errorOf(client.waitForCompletion(id, { timeoutMs: 50 }));
      expect(error).to.be.instanceOf(TimeoutError).and.to.include({ executionId: id, timeoutMs: 50 });
      expect((await client.getExecution(id)).status).to.equal('suspended');
    });

    it('are not waited for any longer when the signal aborts, and its reason is thrown', async () => {
      const id = await suspended();
      const reason = new Error('enough');
      const stop = new AbortController();
      const waiting = errorOf(client.waitForCompletion(id, { signal: stop.signal, onEvent: () => stop.abort(reason) }));
      expect(await waiting).to.equal(reason);
    });

    it('are cancelled, and replayed from a node', async () => {
      const id = await suspended();
      await client.cancel(id);
      await client.cancel(id);
      expect((await client.getExecution(id)).status).to.equal('cancelled');
      const replay = await client.replay(id, { fromNodeId: 'gate' });
      expect(replay.replayOf).to.equal(id);
      await eventually(async () => (await client.getExecution(replay.id)).interrupt?.nodeId === 'gate');
      await client.respond(replay.id, { approved: true });
      expect((await client.waitForCompletion(replay.id)).nodeResults['check']?.replayed).to.equal(true);
    });

    it('have logs', async () => {
      const { id } = await client.run('expense', { input: { amount: 1 }, onEvent: ({ type }) => approveOnce(type) });
      async function approveOnce(type: StreamedEvent['type']) {
        if (type !== 'execution_suspended') return;
        const { items } = await client.listExecutions({ status: 'suspended', limit: 1 });
        await client.approve(items[0]!.id);
      }
      const lines = await client.logs(id, { nodeId: 'check' });
      expect(lines).to.have.length.above(0);
      expect(lines.map(({ nodeId, executionId }) => [nodeId, executionId])).to.deep.include(['check', id]);
    });
  });

  describe('workflows and keys', () => {
    it('are created, changed, deployed and listed', async () => {
      const created = await client.workflows.create({ ...EXPENSE, name: 'Travel' });
      expect([created.key, created.version, created.status]).to.deep.equal(['travel', 1, 'draft']);
      const changed = await client.workflows.update('travel', { description: 'by train' }, { ifVersion: 1 });
      expect([changed.version, changed.description]).to.deep.equal([2, 'by train']);
      const late = await errorOf(client.workflows.update('travel', { description: 'by car' }, { ifVersion: 1 }));
      expect((late as ApiError).status).to.equal(412);
      expect((await client.workflows.deploy('travel', { version: 1 })).deployedVersion).to.equal(1);
      expect((await client.workflows.get('travel', { version: 1 })).description).to.equal(null);
      expect((await client.workflows.list({ search: 'Travel' })).items.map(({ key }) => key)).to.deep.equal(['travel']);
      const { items } = await client.workflows.versions('travel');
      expect(items.map(({ version }) => version)).to.deep.equal([2, 1]);
    });

    it('are made, listed and revoked', async () => {
      const { id, key } = await client.apiKeys.create({ name: 'ci', role: 'viewer' });
      expect(key).to.match(/^sk_/);
      expect((await client.apiKeys.list({ limit: 1 })).items[0]?.id).to.equal(id);
      await client.apiKeys.revoke(id);
      expect((await client.apiKeys.list({ limit: 1 })).items[0]?.revokedAt).to.be.a('string');
    });
  });

  describe('the workspace', () => {
    it('has pods, to work in and to be done with', async () => {
      const { slug } = await client.pods.create({ name: 'Second Pod' });
      expect((await client.pods.update(slug, { name: 'Second' })).name).to.equal('Second');
      expect((await client.pods.list()).items.map((pod) => pod.slug)).to.have.members(['default', slug]);
      await connect({ pod: slug }).workflows.create({ ...EXPENSE, name: 'Elsewhere' });
      expect(await errorOf(client.workflows.get('elsewhere'))).to.include({ status: 404 });
      expect(await errorOf(client.pods.delete(slug))).to.include({ status: 409 });
      const empty = await client.pods.create({ name: 'Empty' });
      await client.pods.delete(empty.id);
      expect(await errorOf(client.pods.get(empty.id))).to.include({ status: 404 });
    });

    it('has members with roles, and signing keys for tokens of their own', async () => {
      expect((await client.members.add('ada', 'viewer')).role).to.equal('viewer');
      expect((await client.members.change('ada', 'editor')).role).to.equal('editor');
      expect((await client.members.list()).items.map(({ userId }) => userId)).to.include('ada');
      const { id, secret } = await client.signingKeys.create({ name: 'shop', algorithm: 'HS256', role: 'editor' });
      expect(secret).to.be.a('string');
      await client.signingKeys.revoke(id);
      expect((await client.signingKeys.list()).items[0]).to.include({ id, name: 'shop' });
      await client.members.remove('ada');
      expect((await client.members.list()).items.map(({ userId }) => userId)).not.to.include('ada');
    });

    it('has secrets that nobody reads, and an audit log of all that', async () => {
      expect(await client.secrets.set('TOKEN', 'canary-9173')).to.include({ name: 'TOKEN' });
      expect(JSON.stringify(await client.secrets.list()))
        .to.include('TOKEN')
        .and.not.to.include('canary');
      await client.secrets.delete('TOKEN');
      const { items, nextCursor } = await client.workspace.audit({ limit: 1 });
      expect([items[0]?.action, typeof nextCursor]).to.deep.equal(['secret.deleted', 'string']);
    });

    it('knows its name, which owners change', async () => {
      const { id, slug } = await client.workspace.get();
      expect(slug).to.equal(holdpoint.workspace.slug);
      const owner = connect({ apiKey: holdpoint.workspace.keys.owner, workspace: id });
      expect(await owner.workspace.update({ name: 'Renamed' })).to.include({ slug, name: 'Renamed' });
    });
  });

  describe('schedules and webhooks', () => {
    it('are made, looked at, changed, run and deleted', async () => {
      const request = { workflowId: 'double', name: 'nightly', cronExpression: '0 3 * * *', input: { amount: 3 } };
      const { id, enabled } = await client.schedules.create({ ...request, enabled: false });
      expect(enabled).to.equal(false);
      const started = await client.schedules.run(id);
      expect((await client.waitForCompletion(started.id)).triggeredBy).to.equal('manual');
      expect((await client.schedules.update(id, { name: 'daily' })).name).to.equal('daily');
      expect((await client.schedules.list()).items.map(({ name }) => name)).to.deep.equal(['daily']);
      await client.schedules.delete(id);
      expect(await errorOf(client.schedules.get(id))).to.include({ status: 404 });
    });

    it('are made with a secret that is shown once, and deleted', async () => {
      const { id, secret } = await client.webhooks.create({ workflowId: 'double', name: 'orders' });
      expect(secret).to.match(/^whsec_/);
      expect((await client.webhooks.rotate(id)).secret)
        .to.match(/^whsec_/)
        .and.not.to.equal(secret);
      expect((await client.webhooks.update(id, { enabled: false })).enabled).to.equal(false);
      expect(await client.webhooks.get(id)).not.to.have.property('secret');
      expect((await client.webhooks.list()).items).to.have.length(1);
      await client.webhooks.delete(id);
      expect((await client.webhooks.list()).items).to.deep.equal([]);
    });
  });

  describe('errors', () => {
    it('say what is wrong, with every problem, and are not tried again', async () => {
      const before = gateway.requests.length;
      const error = (await errorOf(client.trigger('double', { input: { amount: 'much' } }))) as ApiError;
      expect(error).to.be.instanceOf(ApiError).and.to.include({ status: 400, code: 'bad_request' });
      expect(error.details.map(({ pointer }) => pointer)).to.deep.equal(['/input/amount']);
      expect(error.requestId).to.be.a('string');
      expect(gateway.requests.length - before).to.equal(1);
    });

    it('tell who was refused, and what is not there', async () => {
      const stranger = connect({ apiKey: 'sk_nobody' });
      expect(await errorOf(stranger.listExecutions())).to.include({ status: 401, code: 'unauthorized' });
      const viewer = connect({ apiKey: () => Promise.resolve(holdpoint.workspace.keys.viewer) });
      expect(await errorOf(viewer.trigger('double'))).to.include({ status: 403, code: 'forbidden' });
      expect(await errorOf(client.getExecution('no-such-id'))).to.include({ status: 404, code: 'not_found' });
      expect(await errorOf(client.getExecution('..'))).to.be.instanceOf(TypeError);
    });

    it('tell that nobody answers', async () => {
      const error = (await errorOf(
        connect({ baseUrl: 'http://127.0.0.1:1', maxRetries: 0 }).listExecutions(),
      )) as ApiError;
      expect(error).to.include({ status: 0, code: 'unreachable' });
      expect(error.message).to.match(/^http:\/\/127\.0\.0\.1:1 gave no answer: .*(ECONNREFUSED|bad port)/);
    });

    it('tell how the server is', async () => {
      expect((await client.getHealth()).parts['postgres']).to.deep.equal({ status: 'ok' });
      expect(await errorOf(connect({ baseUrl: `${gateway.url}/elsewhere` }).getHealth())).to.include({
        code: 'not_holdpoint',
      });
    });
  });

  describe('requests that got no answer', () => {
    it('are sent again under the same key, so that what they do happens once', async () => {
      const input = { amount: 77 };
      const before = gateway.requests.length;
      gateway.refuseNext({ status: 502 }, { status: 429, headers: { 'retry-after': '0' } });
      const { id } = await client.trigger('double', { input });
      const seen = gateway.requests.slice(before);
      expect(seen.map(({ method }) => method)).to.deep.equal(['POST', 'POST', 'POST']);
      expect(new Set(seen.map(({ headers }) => headers['idempotency-key'])).size).to.equal(1);
      expect(seen[0]?.headers['idempotency-key']).to.match(/^[0-9a-f]{32}$/);
      // The third was carried out; a fourth, as after a lost answer, is the same execution.
      const again = await client.trigger('double', {
        input,
        idempotencyKey: String(seen[0]?.headers['idempotency-key']),
      });
      expect(again.id).to.equal(id);
      const other = await client.trigger('double', { input });
      expect(other.id).not.to.equal(id);
    });

    it('are given up after the retries that were asked for', async () => {
      const before = gateway.requests.length;
      gateway.refuseNext({ status: 503, body: 'away' }, { status: 503, body: 'away' });
      const error = await errorOf(connect({ maxRetries: 1 }).trigger('double', { input: { amount: 1 } }));
      expect(error).to.include({ status: 503, code: 'http_503' });
      expect(gateway.requests.length - before).to.equal(2);
    });

    it('are not waited for where the server asks for more patience than a minute', async () => {
      gateway.refuseNext({ status: 429, headers: { 'retry-after': '3600' } });
      expect(await errorOf(client.listExecutions())).to.include({ status: 429 });
    });
  });

  describe('streamEvents', () => {
    const readAll = async (id: string) => {
      const events: StreamedEvent[] = [];
      for await (const event of client.streamEvents(id)) events.push(event);
      return events;
    };
    const streams = () => gateway.requests.filter(({ path }) => path.endsWith('/events'));

    it('tells what happens, from the start to the end, in order', async () => {
      const id = await suspended();
      const told: StreamedEvent[] = [];
      const ended = client.streamEvents(id, { onEvent: (event) => void told.push(event) });
      await eventually(() => told.some(({ type }) => type === 'execution_suspended'));
      await client.approve(id);
      await ended;
      expect(told.map((event) => (event.type === 'node_update' ? `${event.nodeId} ${event.status}` : event.type)))
        .to.include.members(['check running', 'check completed', 'gate completed'])
        .and.to.include('execution_suspended');
      expect(told.at(-1)).to.deep.include({ type: 'execution_complete', output: { sum: 24 } });
      const numbers = told.map(({ sequence }) => sequence);
      expect(numbers).to.deep.equal([...new Set(numbers)].sort((one, other) => one - other));
    });

    it('tells each event once, however often the connection is cut', async () => {
      const names = Array.from({ length: 6 }, (_, index) => `gate-${index}`);
      await client.workflows.create({
        name: 'Gates',
        initialStep: names[0]!,
        steps: [...names.map((id) => ({ id, type: 'approval-gate' })), { id: 'end', type: 'end-flow' }],
        edges: chain(names[0]!, names[1]!, ...names.slice(2), 'end'),
      });
      const { id } = await client.trigger('gates');
      // Past the gateway, so that all it cuts is the stream.
      const direct = connect({ baseUrl: holdpoint.address });
      const before = streams().length;
      const told: StreamedEvent[] = [];
      const reading = client.streamEvents(id, { onEvent: (event) => void told.push(event) });
      for (const nodeId of names) {
        const asks = (event: StreamedEvent) =>
          event.type === 'execution_suspended' && event.interrupt.nodeId === nodeId;
        await eventually(() => told.some(asks));
        await eventually(() => gateway.cut() > 0);
        await direct.approve(id, { nodeId });
      }
      await reading;
      const connections = streams().slice(before);
      expect(connections.length).to.be.greaterThan(names.length);
      expect(connections[0]?.headers['last-event-id']).to.equal(undefined);
      expect(connections.at(-1)?.headers['last-event-id']).to.match(/^\d+$/);
      expect(told).to.deep.equal(await readAll(id));
      expect(told.filter(({ type }) => type === 'execution_suspended')).to.have.length(names.length);
    });

    it('notices by its silence that a connection has died', async () => {
      const id = await suspended();
      const before = streams().length;
      const told: StreamedEvent[] = [];
      const reading = connect({ streamSilenceMs: 200 }).streamEvents(id, { onEvent: (event) => void told.push(event) });
      await eventually(() => told.some(({ type }) => type === 'execution_suspended'));
      gateway.mute();
      await client.approve(id);
      await reading;
      expect(streams().length - before).to.be.greaterThan(1);
      expect(told).to.deep.equal(await readAll(id));
    });

    it('goes on after an event, and ends where nothing is left', async () => {
      const { id } = await client.run('double', { input: { amount: 1 } });
      const all = await readAll(id);
      const rest: StreamedEvent[] = [];
      for await (const event of client.streamEvents(id, { after: all[0]!.sequence })) rest.push(event);
      expect(rest).to.deep.equal(all.slice(1));
      for await (const event of client.streamEvents(id, { after: all.at(-1)!.sequence }))
        expect.fail(JSON.stringify(event));
    });

    it('comes again while the server is away, and gives up where it is refused', async () => {
      const id = await suspended();
      gateway.refuseNext({ status: 503 }, { status: 500 }, { status: 429 });
      for await (const event of client.streamEvents(id)) if (event.type === 'execution_suspended') break;
      for (const status of [401, 403, 404]) {
        gateway.refuseNext({ status });
        expect(await errorOf(client.streamEvents(id, { onEvent: () => {} })), `${status}`).to.include({ status });
      }
      const nobody = errorOf(client.streamEvents('0193b6f1-2a40-7b16-9d07-5e8f3c7a1b42', { onEvent: () => {} }));
      expect(await nobody)
        .to.be.instanceOf(ApiError)
        .and.to.include({ status: 404 });
    });

    it('lets go of its connection when nobody wants more, and when the signal aborts', async () => {
      const id = await suspended();
      for await (const _ of client.streamEvents(id)) break;
      const stop = new AbortController();
      const reading = errorOf(client.streamEvents(id, { onEvent: () => stop.abort(), signal: stop.signal }));
      expect(await reading).to.equal(stop.signal.reason);
      await eventually(() => gateway.cut() === 0);
    });

    it('needs a credential, in whose place a ticket lets a page follow one execution, once', async () => {
      const id = await suspended();
      const { url } = await client.createStreamTicket(id);
      const [stream, again] = [await fetch(url), await fetch(url)];
      expect([stream.status, stream.headers.get('content-type'), again.status]).to.deep.equal([
        200,
        'text/event-stream; charset=utf-8',
        401,
      ]);
      await stream.body?.cancel();
    });

    it('passes on what its listener throws', async () => {
      const { id } = await client.trigger('double', { input: { amount: 1 } });
      const mine = new Error('mine');
      const reading = client.streamEvents(id, {
        onEvent() {
          throw mine;
        },
      });
      expect(await errorOf(reading)).to.equal(mine);
    });
  });

  describe('operations of the API', () => {
    it('were called by their methods, all that there are below a workspace', async () => {
      const declared = [...(await readFile(API_TYPES, 'utf8')).matchAll(/^ {2}'([A-Z]+) (\S+)': \{$/gm)];
      expect(declared.length).to.be.above(40);
      const isCalled = (method: string, template: string) => {
        const path = new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/?]+')}(\\?|$)`);
        return gateway.requests.some((seen) => seen.method === method && path.test(seen.path));
      };
      const missing = declared.filter(([, method = '', template = '']) => !isCalled(method, template));
      expect(missing.map(([, method, path]) => `${method} ${path}`)).to.deep.equal([]);
    });
  });
});
