// Schedules over HTTP: what is shown of them, what is refused, and who may have them.

import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import { MAX_SCHEDULES } from '../../src/store/schedules.ts';
import { type Answer, createWorkspace } from '../support/api.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { mask } from '../support/seed-client.ts';

describe('/workspaces/:wId/pods/:podId/schedules', () => {
  let holdpoint: Holdpoint;
  let workflow: string;
  const pod = () => `/workspaces/${holdpoint.workspace.slug}/pods/default`;
  const ask = (
    more: string,
    options: { method?: string; body?: object; key?: string; headers?: Record<string, string> } = {},
  ) => holdpoint.ask(`${pod()}/schedules${more}`, { key: holdpoint.workspace.keys.admin, ...options });
  const make = (more: object = {}): Promise<Answer> =>
    ask('', { body: { workflowId: workflow, name: 'Nightly', cronExpression: '30 2 * * *', ...more } });

  before(async () => {
    holdpoint = await startHoldpoint();
    workflow = await holdpoint.define({
      name: 'Report',
      initialStep: 'end',
      steps: [{ id: 'end', type: 'end-flow' }],
      edges: [],
      payload: { days: { type: 'integer', default: 1 } },
    });
  });
  after(() => holdpoint.stop());

  it('makes one that shows when it will fire, changes it, pauses it, and deletes it', async () => {
    const { status, body } = await make({ timezone: 'Europe/Berlin', input: { days: 7 } });
    expect(status).to.equal(201);
    expect(mask(body)).to.deep.equal({
      id: '<id>',
      podId: '<id>',
      workflowId: '<id>',
      version: 'latest',
      name: 'Nightly',
      cronExpression: '30 2 * * *',
      timezone: 'Europe/Berlin',
      enabled: true,
      overlap: 'skip',
      catchUp: 'one',
      nextFireAt: '<time>',
      waiting: [],
      lastFire: null,
      lastExecutionId: null,
      createdBy: 'user-admin',
      createdAt: '<time>',
      updatedAt: '<time>',
      input: { days: 7 },
      nextFires: ['<time>', '<time>', '<time>', '<time>', '<time>'],
    });
    expect(body.nextFires[0]).to.equal(body.nextFireAt);
    expect(Date.parse(body.nextFireAt)).to.be.greaterThan(Date.now());
    const one = `/${body.id}`;
    expect((await ask(one)).body).to.deep.equal(body);
    const { input: _input, nextFires: _next, ...summary } = body;
    expect((await ask('', { key: holdpoint.workspace.keys.viewer })).body).to.deep.equal([summary]);
    const changed = await ask(one, {
      method: 'PATCH',
      body: { cronExpression: '0 * * * *', overlap: 'queue', version: 1 },
    });
    expect(changed.body).to.deep.include({
      cronExpression: '0 * * * *',
      overlap: 'queue',
      version: '1',
      name: 'Nightly',
    });
    expect(changed.body.nextFireAt).to.match(/:00:00\.000Z$/);
    const paused = await ask(one, { method: 'PATCH', body: { enabled: false } });
    expect(paused.body).to.deep.include({ enabled: false, nextFireAt: null, nextFires: [] });
    expect((await ask(one, { method: 'DELETE' })).status).to.equal(204);
    for (const method of ['GET', 'DELETE']) expect((await ask(one, { method })).status, method).to.equal(404);
  });

  it('says all at once what is wrong with one, and makes none (S-91)', async () => {
    const both = await make({ cronExpression: '61 * * * *', timezone: '../../etc' });
    expect(both.status).to.equal(400);
    expect(both.body.details.map(({ pointer }: { pointer: string }) => pointer)).to.have.members([
      '/cronExpression',
      '/timezone',
    ]);
    for (const problem of both.body.details) expect(problem.hint).to.be.a('string');
    for (const cronExpression of ['* * * * * *', '@hourly', '0 0 30 2 *', 'x'.repeat(10_000), ''])
      expect((await make({ cronExpression })).status, cronExpression.slice(0, 20)).to.equal(400);
    for (const more of [
      { overlap: 'kill' },
      { catchUp: 'some' },
      { input: [] },
      { enabled: 'yes' },
      { version: 'newest' },
    ])
      expect((await make(more)).status, JSON.stringify(more)).to.equal(400);
    const input = await make({ input: { days: 'seven' } });
    expect([input.status, input.body.details[0].pointer]).to.deep.equal([400, '/input/days']);
    expect((await make({ workflowId: 'no-such-thing' })).status).to.equal(404);
    expect((await make({ version: 9 })).status).to.equal(404);
    expect((await ask('')).body).to.deep.equal([]);
  });

  it('refuses a change that would leave it wrong, and leaves it as it was', async () => {
    const { body } = await make();
    for (const change of [{ cronExpression: '0 0 31 4 *' }, { timezone: 'Mars/Olympus' }, { input: { days: 'x' } }, {}])
      expect((await ask(`/${body.id}`, { method: 'PATCH', body: change })).status, JSON.stringify(change)).to.equal(
        400,
      );
    expect((await ask(`/${body.id}`)).body).to.deep.equal(body);
    await ask(`/${body.id}`, { method: 'DELETE' });
  });

  it('is not made for a workflow that is archived, or of another pod or workspace', async () => {
    const admin = { key: holdpoint.workspace.keys.admin };
    await holdpoint.ask(`/workspaces/${holdpoint.workspace.slug}/pods`, { ...admin, body: { name: 'Payroll' } });
    const elsewhere = await holdpoint.ask(`/workspaces/${holdpoint.workspace.slug}/pods/payroll/schedules`, {
      ...admin,
      body: { workflowId: workflow, name: 'Nightly', cronExpression: '30 2 * * *' },
    });
    expect(elsewhere.status).to.equal(404);
    const other = await createWorkspace(holdpoint.db);
    const { id } = (await make()).body;
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const body = method === 'PATCH' ? { body: { name: 'Mine' } } : {};
      const path = `/workspaces/${other.slug}/pods/default/schedules/${id}`;
      expect((await holdpoint.ask(path, { method, key: other.keys.owner, ...body })).status, method).to.equal(404);
    }
    await ask(`/${id}`, { method: 'DELETE' });
    await holdpoint.ask(`/api/workflows/${workflow}`, { method: 'DELETE' });
    expect((await make()).status).to.equal(409);
    await holdpoint.ask(`/api/workflows/${workflow}/unarchive`, { body: {} });
  });

  it('runs now, once for each request, also while it is paused', async () => {
    const { id } = (await make({ enabled: false })).body;
    const run = (key?: string) =>
      ask(`/${id}/run`, {
        key: holdpoint.workspace.keys.editor,
        body: {},
        ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
      });
    const first = await run('now');
    expect(first).to.deep.include({ status: 201, body: { id: first.body.id, status: 'queued' } });
    expect((await run('now')).body).to.deep.equal(first.body);
    expect((await run()).body.id).to.not.equal(first.body.id);
    const execution = (await holdpoint.ask(`${pod()}/executions/${first.body.id}`)).body;
    expect(execution).to.deep.include({ triggeredBy: 'manual', status: 'completed', input: { days: 1 } });
    expect((await ask(`/${uuidv7()}/run`, { body: {} })).status).to.equal(404);
    await ask(`/${id}`, { method: 'DELETE' });
  });

  it('is made once for a request that is repeated', async () => {
    const options = {
      headers: { 'idempotency-key': 'once' },
      body: { workflowId: workflow, name: 'Once', cronExpression: '0 0 1 1 *' },
    };
    const first = await ask('', options);
    expect((await ask('', options)).body).to.deep.equal(first.body);
    expect((await ask('')).body).to.have.length(1);
    await ask(`/${first.body.id}`, { method: 'DELETE' });
  });

  it('comes in pages, and a workspace has so many and no more (S-91)', async () => {
    const { id } = (await make()).body;
    await holdpoint.db.pool.query(
      `INSERT INTO schedules SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid()))).*
         FROM schedules s, generate_series(2, $2) WHERE s.id = $1`,
      [id, MAX_SCHEDULES],
    );
    const full = await make();
    expect([full.status, full.body.message]).to.deep.equal([
      409,
      `the workspace has ${MAX_SCHEDULES} schedules, the most there may be; delete one first`,
    ]);
    const seen = new Set<string>();
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body, headers } = await ask(`?limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`);
      for (const schedule of body) seen.add(schedule.id);
      cursor = headers.get('x-next-cursor');
    }
    expect(seen.size).to.equal(MAX_SCHEDULES);
  });
});
