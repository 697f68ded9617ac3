import { expect } from 'chai';
import { createWorkspace } from '../../support/api.ts';
import { openStream, readThrough, type SseStream } from '../../support/event-source.ts';
import { eventually } from '../../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../../support/holdpoint.ts';
import { startProxy } from '../../support/proxy.ts';
import { ask as approval, edges } from '../../support/steps.ts';

const STREAMS = { max: 20, perWorkspace: 10, lifetimeMs: 600_000, pingMs: 15_000, stallMs: 30_000 };
const END = { id: 'end', type: 'end-flow', result: { done: true } };

describe('the live stream of an execution', () => {
  let holdpoint: Holdpoint;
  let gate: string;
  const open: SseStream[] = [];

  before(async () => {
    holdpoint = await startHoldpoint({ withWorker: true, settings: { streams: STREAMS } });
    gate = await holdpoint.define({
      name: 'Gate',
      initialStep: 'note',
      steps: [{ id: 'note', type: 'transform', output: { noted: true } }, approval('gate'), END],
      edges: edges('note gate end'),
    });
  });
  afterEach(() => {
    for (const stream of open.splice(0)) stream.close();
  });
  after(() => holdpoint.stop());

  const pathOf = (id: string, workspace = holdpoint.workspace.slug) =>
    `/workspaces/${workspace}/pods/default/executions/${id}`;
  const urlOf = (id: string, address = holdpoint.address) => `${address}${pathOf(id)}/events`;
  const follow = async (url: string, asked = {}) => {
    const stream = await openStream(url, { key: holdpoint.workspace.keys.viewer, ...asked });
    open.push(stream);
    return stream;
  };
  const respond = (id: string, body: object = { approved: true }) =>
    holdpoint.ask(`${pathOf(id)}/respond`, { method: 'PATCH', body });
  const started = async (workflow = gate) => (await holdpoint.start(workflow)) as string;
  const typesOf = ({ frames }: Pick<SseStream, 'frames'>) => frames.map(({ data }) => data.type);
  /** The numbers of the events that say something, as the history has them. */
  const historyOf = async (id: string) => {
    const silent = ['run.created', 'run.released', 'run.cancel_requested'];
    const { rows } = await holdpoint.db.pool.query<{ seq: number }>(
      'SELECT seq FROM events WHERE run_id = $1 AND type <> ALL ($2) ORDER BY seq',
      [id, silent],
    );
    return rows.map(({ seq }) => seq);
  };

  it('tells what has happened, then what happens, each as one frame, and ends with the execution', async () => {
    const id = await started();
    const stream = await follow(urlOf(id));
    expect(stream.status).to.equal(200);
    expect(stream.headers.get('content-type')).to.equal('text/event-stream; charset=utf-8');
    expect(stream.headers.get('cache-control')).to.equal('no-store');
    await eventually(() => stream.frames.length === 2);
    await respond(id);
    expect(await stream.over).to.equal('end');
    expect(stream.notes).to.deep.equal(['retry: 1000']);
    const { interrupt } = stream.frames[1]!.data;
    expect(interrupt).to.include({ type: 'approval', nodeId: 'gate' });
    expect(stream.frames.map(({ data }) => data)).to.deep.equal([
      { type: 'node_update', nodeId: 'note', status: 'completed', output: { noted: true }, durationMs: 0 },
      { type: 'execution_suspended', interrupt },
      stream.frames[2]!.data,
      { type: 'node_update', nodeId: 'end', status: 'completed', output: { done: true }, durationMs: 0 },
      { type: 'execution_complete', status: 'completed', output: { done: true } },
    ]);
    expect(stream.frames[2]!.data).to.deep.include({ type: 'node_update', nodeId: 'gate', status: 'completed' });
    expect(stream.frames.map((frame) => frame.id)).to.deep.equal(await historyOf(id));
  });

  it('goes on after Last-Event-ID, which counts more than the query', async () => {
    const id = await started();
    await respond(id);
    const history = await eventually(async () => {
      const found = await historyOf(id);
      return found.length === 5 && found;
    });
    const [first = 0, second = 0] = history;
    for (const [query, headers, after] of [
      ['', { 'last-event-id': String(second) }, second],
      [`?lastEventId=${second}`, {}, second],
      [`?lastEventId=${first}`, { 'last-event-id': String(second) }, second],
      ['?lastEventId=', {}, 0],
    ] as const) {
      const stream = await follow(`${urlOf(id)}${query}`, { headers });
      expect(await stream.over).to.equal('end');
      expect(stream.frames.map((frame) => frame.id)).to.deep.equal(history.filter((seq) => seq > after));
    }
  });

  it('answers 204 when the last event of an execution that has ended was read', async () => {
    const id = await started();
    await respond(id);
    const last = await eventually(async () => {
      const history = await historyOf(id);
      return history.length === 5 && history.at(-1);
    });
    const stream = await follow(urlOf(id), { headers: { 'last-event-id': String(last) } });
    expect(stream.status).to.equal(204);
  });

  it('answers 400 to an id that no stream has given, and says what to send', async () => {
    const id = await started();
    for (const lastEventId of ['abc', '-1', '1.5', '0x1', '9'.repeat(16), '900']) {
      const stream = await follow(urlOf(id), { headers: { 'last-event-id': lastEventId } });
      expect(stream.status, lastEventId).to.equal(400);
      await stream.over;
      const { details } = JSON.parse(stream.text());
      expect(details[0]).to.include({ pointer: '/lastEventId' });
      expect(details[0].hint, lastEventId).to.match(/or none to begin|leave it out/);
    }
    const { status } = await holdpoint.ask(`${pathOf(id)}/events?lastEventId=abc`);
    expect(status).to.equal(400);
  });

  it('answers HEAD without following anything', async () => {
    const id = await started();
    const { status, headers } = await holdpoint.ask(`${pathOf(id)}/events`, { method: 'HEAD' });
    expect(status).to.equal(200);
    expect(headers.get('content-type')).to.equal('text/event-stream; charset=utf-8');
    await eventually(async () => {
      const { body } = await holdpoint.ask('/metrics', { key: holdpoint.workspace.keys.admin });
      return /^holdpoint_open_waiters 0$/m.test(body);
    });
  });

  it('is not there for another workspace, nor for another pod', async () => {
    const id = await started();
    const other = await createWorkspace(holdpoint.db);
    const foreign = await holdpoint.ask(`${pathOf(id, other.slug)}/events`, { key: other.keys.owner });
    expect(foreign.status).to.equal(404);
    const pod = await holdpoint.ask(`/workspaces/${holdpoint.workspace.slug}/pods`, {
      key: holdpoint.workspace.keys.admin,
      body: { name: 'Second' },
    });
    expect(pod.status).to.equal(201);
    const elsewhere = urlOf(id).replace('/pods/default/', `/pods/${pod.body.slug}/`);
    expect((await follow(elsewhere)).status).to.equal(404);
  });

  it('tells a hold, a failure with its reason, and a cancellation with its reason', async () => {
    const [held, refused] = [await started(), await started()];
    const streams = [await follow(urlOf(held)), await follow(urlOf(refused))] as const;
    const own = { key: holdpoint.workspace.keys.editor };
    await holdpoint.ask(`/api/v1/workflows/${held}/pause`, { ...own, body: { reason: 'lunch' } });
    await holdpoint.ask(`/api/workflow/management/cancel`, { body: { runId: held, reason: 'not needed' } });
    await respond(refused, { approved: false, reason: 'too dear' });
    await Promise.all(streams.map(({ over }) => over));
    const [cancelled, failed] = streams.map(({ frames }) => frames.map(({ data }) => data));
    expect(cancelled!.slice(2)).to.deep.equal([
      { type: 'execution_suspended', interrupt: { type: 'hold', reason: 'lunch' } },
      { type: 'execution_cancelled', reason: 'not needed' },
    ]);
    const message = 'Step "gate" was rejected: too dear';
    expect(failed!.at(-2)).to.deep.include({
      type: 'node_update',
      nodeId: 'gate',
      status: 'failed',
      error: { code: 'approval_rejected', message },
    });
    expect(failed!.at(-1)).to.deep.equal({
      type: 'execution_failed',
      error: { code: 'approval_rejected', message, nodeId: 'gate' },
    });
  });

  describe('by ticket', () => {
    const ticketFor = async (id: string, key = holdpoint.workspace.keys.viewer) =>
      holdpoint.ask(`${pathOf(id)}/events/ticket`, { key, body: {} });

    it('opens the stream of its execution without a header, once', async () => {
      const id = await started();
      const { status, body } = await ticketFor(id);
      expect(status).to.equal(201);
      expect(Date.parse(body.expiresAt)).to.be.closeTo(Date.now() + 60_000, 10_000);
      const stream = await openStream(`${urlOf(id)}?ticket=${body.ticket}`);
      open.push(stream);
      await eventually(() => stream.frames.length === 2);
      const again = await openStream(`${urlOf(id)}?ticket=${body.ticket}`);
      expect(again.status).to.equal(401);
    });

    it('opens no other execution, no other route, and nothing when it is made up or late', async () => {
      const [id, other] = [await started(), await started()];
      const { ticket } = (await ticketFor(id)).body;
      expect((await openStream(`${urlOf(other)}?ticket=${ticket}`)).status).to.equal(401);
      for (const made of ['', 'st_', `st_${'A'.repeat(43)}`, ticket.slice(0, -1), `${ticket}A`])
        expect((await openStream(`${urlOf(id)}?ticket=${made}`)).status, made).to.equal(401);
      expect((await openStream(`${urlOf(id)}?ticket=${ticket}&ticket=${ticket}`)).status).to.be.oneOf([400, 401]);
      expect((await openStream(`${holdpoint.address}${pathOf(id)}?ticket=${ticket}`)).status).to.equal(401);
      for (const odd of ['%00', '%ff', 'x'])
        expect((await openStream(`${urlOf(odd)}?ticket=${ticket}`)).status, odd).to.be.oneOf([400, 401, 404]);
      await holdpoint.db.pool.query(`UPDATE stream_tickets SET expires_at = now() - interval '1 s' WHERE run_id = $1`, [
        id,
      ]);
      expect((await openStream(`${urlOf(id)}?ticket=${ticket}`)).status).to.equal(401);
      const late = await ticketFor(id);
      const { rows } = await holdpoint.db.pool.query('SELECT FROM stream_tickets WHERE expires_at < now()');
      expect({ status: late.status, late: rows.length }).to.deep.equal({ status: 201, late: 0 });
    });

    it('is refused beside a credential', async () => {
      const id = await started();
      const { ticket } = (await ticketFor(id)).body;
      expect((await follow(`${urlOf(id)}?ticket=${ticket}`)).status).to.equal(400);
    });

    it('is for executions of the workspace only, and stored as a hash', async () => {
      const other = await createWorkspace(holdpoint.db);
      const id = await started();
      const foreign = await holdpoint.ask(`${pathOf(id, other.slug)}/events/ticket`, {
        key: other.keys.owner,
        body: {},
      });
      expect(foreign.status).to.equal(404);
      const { ticket } = (await ticketFor(id)).body;
      const { rows } = await holdpoint.db.pool.query('SELECT t::text AS text FROM stream_tickets t');
      expect(rows.length).to.be.above(0);
      expect(JSON.stringify(rows)).to.not.include(ticket);
    });
  });

  describe('ends', () => {
    const makeKey = async () => {
      const answer = await holdpoint.ask(`/workspaces/${holdpoint.workspace.slug}/api-keys`, {
        key: holdpoint.workspace.keys.admin,
        body: { name: 'short', role: 'viewer' },
      });
      return answer.body as { id: string; key: string };
    };
    const revoke = (keyId: string) =>
      holdpoint.ask(`/workspaces/${holdpoint.workspace.slug}/api-keys/${keyId}`, {
        key: holdpoint.workspace.keys.admin,
        method: 'DELETE',
      });

    it('when its key is revoked, within five seconds, also for who came by ticket', async () => {
      const id = await started();
      const key = await makeKey();
      const { ticket } = (await holdpoint.ask(`${pathOf(id)}/events/ticket`, { key: key.key, body: {} })).body;
      const unused = (await holdpoint.ask(`${pathOf(id)}/events/ticket`, { key: key.key, body: {} })).body.ticket;
      const streams = [await follow(urlOf(id), { key: key.key }), await openStream(`${urlOf(id)}?ticket=${ticket}`)];
      const stays = await follow(urlOf(id));
      await eventually(() => [...streams, stays].every(({ frames }) => frames.length === 2));
      const revokedAt = performance.now();
      await revoke(key.id);
      await Promise.all(streams.map(({ over }) => over));
      // And as much again for a machine that is busy.
      expect(performance.now() - revokedAt).to.be.below(10_000);
      expect((await openStream(`${urlOf(id)}?ticket=${unused}`)).status).to.equal(401);
      await respond(id);
      expect(await stays.over).to.equal('end');
      expect(typesOf(stays).at(-1)).to.equal('execution_complete');
    });
  });

  it('answers 429 to one stream too many of a workspace, and 503 to one too many of all', async () => {
    const id = await started();
    const others = [await createWorkspace(holdpoint.db), await createWorkspace(holdpoint.db)];
    const runs = await Promise.all(
      others.map(async ({ slug, keys }) => {
        const key = keys.editor;
        const steps = [approval('gate'), END];
        const body = { name: 'Gate', initialStep: 'gate', steps, edges: edges('gate end') };
        const workflow = (await holdpoint.ask('/api/workflows', { key, body })).body.id;
        const { runId } = (await holdpoint.ask(`/api/workflow/start-async/${workflow}`, { key, body: {} })).body;
        return { url: `${holdpoint.address}${pathOf(runId, slug)}/events`, key };
      }),
    );
    for (let count = 0; count < STREAMS.perWorkspace; count += 1)
      expect((await follow(urlOf(id))).status).to.equal(200);
    const tooMany = await follow(urlOf(id));
    expect(tooMany.status).to.equal(429);
    expect(tooMany.headers.get('retry-after')).to.match(/^\d+$/);
    for (let count = 0; count < STREAMS.max - STREAMS.perWorkspace; count += 1)
      expect((await follow(runs[0]!.url, runs[0])).status).to.equal(200);
    const full = await follow(runs[1]!.url, runs[1]);
    expect(full.status).to.equal(503);
    expect(full.headers.get('retry-after')).to.match(/^\d+$/);
    open.splice(0, 2)[0]!.close();
    open[0]!.close();
    await eventually(async () => (await follow(runs[1]!.url, runs[1])).status === 200);
  });

  it('of 2,000 events, cut again and again, tells each once', async () => {
    const long = await holdpoint.define({
      name: 'Long',
      initialStep: 'count',
      steps: [
        { id: 'count', type: 'transform', output: '${{"n": data.n + 1}}' },
        { id: 'more', type: 'condition', condition: 'data.n < 999' },
        END,
      ],
      edges: [
        { from: 'count', to: 'more' },
        { from: 'more', to: 'count', on: 'true' },
        { from: 'more', to: 'end', on: 'false' },
      ],
    });
    const id = (await holdpoint.ask(`/api/workflow/start-async/${long}`, { body: { data: { n: 0 } } })).body.runId;
    const proxy = await startProxy(holdpoint.address);
    // Ever later, so that even a slow machine gets to the end.
    let pauseMs = 10;
    let cutting: NodeJS.Timeout;
    const cut = () => {
      pauseMs *= 1.2;
      cutting = setTimeout(() => void proxy.set('reset').then(cut), pauseMs);
    };
    cut();
    const { frames, connections } = await readThrough(() => urlOf(id, proxy.url.replace(/\/$/, '')), {
      key: holdpoint.workspace.keys.viewer,
    });
    clearTimeout(cutting!);
    await proxy.close();
    const history = await historyOf(id);
    expect(history.length).to.be.above(1_990);
    expect(frames.map((frame) => frame.id)).to.deep.equal(history);
    expect(connections).to.be.above(1);
  });
});
