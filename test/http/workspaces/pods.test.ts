// Pods: divisions of a workspace with workflows and executions of their own, and keys that are limited to one.

import { expect } from 'chai';
import { type Answer, type Call, createWorkspace, type TestWorkspace } from '../../support/api.ts';
import { type Holdpoint, startHoldpoint } from '../../support/holdpoint.ts';
import { bodyFor, DISTINCT, fillPath, nameOf } from '../../support/routes.ts';
import { mask } from '../../support/seed-client.ts';

const ASKING = {
  name: 'Asking',
  initialStep: 'gate',
  steps: [
    { id: 'gate', type: 'approval-gate' },
    { id: 'end', type: 'end-flow' },
  ],
  edges: [{ from: 'gate', to: 'end' }],
};

describe('pods', () => {
  let holdpoint: Holdpoint;
  let workspace: TestWorkspace;
  before(async () => {
    holdpoint = await startHoldpoint({ settings: { secretKeys: [Buffer.alloc(32, 1)] } });
  });
  after(() => holdpoint.stop());
  beforeEach(async () => {
    workspace = await createWorkspace(holdpoint.db);
  });

  const send = (path: string, options: Call = {}): Promise<Answer> =>
    holdpoint.ask(`/workspaces/${workspace.slug}${path}`, { key: workspace.keys.admin, ...options });
  const ok = async (answer: Promise<Answer>): Promise<Answer['body']> => {
    const { status, body } = await answer;
    expect(status, JSON.stringify(body)).to.be.within(200, 299);
    return body;
  };
  const createPod = (name: string) => ok(send('/pods', { body: { name } }));
  /** A workflow in the pod, and an execution of it that waits for an approval. */
  async function fill(pod: string): Promise<{ workflow: string; execution: string }> {
    const { id: workflow } = await ok(send(`/pods/${pod}/workflows`, { body: ASKING }));
    const { id: execution } = await ok(send(`/pods/${pod}/executions`, { body: { workflowId: workflow } }));
    return { workflow, execution };
  }

  it('begin with one called default, which every workspace has: what names no pod is in it', async () => {
    const pods = await ok(send('/pods'));
    expect(mask(pods)).to.deep.equal([
      { id: '<id>', slug: 'default', name: 'Default', isDefault: true, createdBy: 'system', createdAt: '<time>' },
    ]);
    const { uuid } = (await holdpoint.ask('/api/workflows', { key: workspace.keys.admin, body: ASKING })).body;
    const started = await holdpoint.ask(`/api/workflow/start-async/${uuid}`, { key: workspace.keys.admin, body: {} });
    const { runId } = started.body;
    expect((await ok(send('/pods/default/workflows')))[0]).to.include({ id: uuid, podId: pods[0].id });
    expect((await ok(send('/pods/default/executions')))[0]).to.include({ id: runId, podId: pods[0].id });
    const made = await holdpoint.ask('/workspaces', { key: workspace.keys.owner, body: { name: 'Second' } });
    const second = await holdpoint.ask(`/workspaces/${made.body.id}/pods`, { key: made.body.key });
    expect(second.body.map(({ slug }: { slug: string }) => slug)).to.deep.equal(['default']);
  });

  it('are made, renamed and deleted, by id or slug', async () => {
    const pod = await createPod('Pay Roll');
    expect(pod).to.deep.include({ slug: 'pay-roll', name: 'Pay Roll', isDefault: false, createdBy: 'user-admin' });
    expect(await ok(send('/pods/pay-roll'))).to.deep.equal(pod);
    const renamed = await ok(send(`/pods/${pod.id}`, { method: 'PUT', body: { name: 'Wages', slug: 'wages' } }));
    expect(renamed).to.deep.equal({ ...pod, name: 'Wages', slug: 'wages' });
    expect((await send('/pods/pay-roll')).status).to.equal(404);
    expect((await ok(send('/pods'))).map(({ slug }: { slug: string }) => slug)).to.deep.equal(['wages', 'default']);
    expect((await send('/pods/wages', { method: 'DELETE' })).status).to.equal(204);
    expect((await send('/pods/wages', { method: 'DELETE' })).status).to.equal(404);
  });

  it('have slugs of their own in their workspace; the default one keeps its slug, and stays', async () => {
    await createPod('Payroll');
    for (const [path, method, body] of [
      ['/pods', 'POST', { name: 'Payroll' }],
      ['/pods', 'POST', { name: 'x', slug: 'default' }],
      ['/pods/payroll', 'PUT', { name: 'x', slug: 'default' }],
      ['/pods/default', 'PUT', { name: 'x', slug: 'other' }],
      ['/pods/default', 'DELETE', undefined],
    ] as const) {
      const { status } = await send(path, { method, ...(body === undefined ? {} : { body }) });
      expect(status, `${method} ${path} ${JSON.stringify(body)}`).to.equal(409);
    }
    expect((await send('/pods/default', { method: 'PUT', body: { name: 'Main', slug: 'default' } })).status).to.equal(
      200,
    );
    for (const slug of ['', 'A', '-a', 'a b', 'x'.repeat(64)])
      expect((await send('/pods', { body: { name: 'x', slug } })).status, slug).to.equal(400);
    const other = await createWorkspace(holdpoint.db);
    const theirs = await holdpoint.ask(`/workspaces/${other.slug}/pods`, {
      key: other.keys.admin,
      body: { name: 'Payroll' },
    });
    expect(theirs.status).to.equal(201);
  });

  it('are deleted when there is nothing in them', async () => {
    await createPod('Full');
    const { workflow, execution } = await fill('full');
    const { status, body } = await send('/pods/full', { method: 'DELETE' });
    expect([status, body.message]).to.deep.equal([
      409,
      'the pod is not empty: delete its workflows for ever first, and wait until their runs are removed',
    ]);
    expect((await ok(send(`/pods/full/executions/${execution}`))).workflowId).to.equal(workflow);
  });

  it('know nothing of one another: to a pod, what is in another one does not exist', async () => {
    await createPod('Mine');
    const { workflow, execution } = await fill('mine');
    const { key } = await ok(send(`/pods/mine/workflows/${workflow}`));
    for (const [path, options] of [
      [`/workflows/${workflow}`, {}],
      [`/workflows/${key}`, {}],
      [`/workflows/${key}/versions`, {}],
      [`/workflows/${key}`, { method: 'PUT', body: { name: 'x' } }],
      [`/workflows/${key}/deploy`, { body: {} }],
      ['/executions', { body: { workflowId: key } }],
      [`/executions?workflowId=${key}`, {}],
      [`/executions/${execution}`, {}],
      [`/executions/${execution}/respond`, { method: 'PATCH', body: { approved: true } }],
      [`/executions/${execution}/replay`, { body: {} }],
      [`/executions/${execution}`, { method: 'DELETE' }],
    ] as [string, Call][]) {
      expect((await send(`/pods/default${path}`, options)).status, path).to.equal(404);
    }
    expect(await ok(send('/pods/default/executions'))).to.deep.equal([]);
    expect(await ok(send('/pods/default/workflows'))).to.deep.equal([]);
    expect((await ok(send(`/pods/mine/executions/${execution}`))).status).to.equal('suspended');
  });

  it('keep what a workflow becomes: its copies, executions and replays are in its pod', async () => {
    const { id: podId } = await createPod('Mine');
    const { workflow, execution } = await fill('mine');
    const copy = await holdpoint.ask(`/api/workflows/${workflow}/clone`, { key: workspace.keys.admin, body: {} });
    expect((await ok(send(`/pods/mine/workflows/${copy.body.id}`))).podId).to.equal(podId);
    await send(`/pods/mine/executions/${execution}`, { method: 'DELETE' });
    const replayed = await ok(send(`/pods/mine/executions/${execution}/replay`, { body: {} }));
    expect(replayed.podId).to.equal(podId);
  });

  it('have workflows, which are created, changed, deployed and listed in them, with their versions', async () => {
    const { key, id } = await ok(send('/pods/default/workflows', { body: ASKING }));
    const at = `/pods/default/workflows/${key}`;
    const changed = await ok(
      send(at, { method: 'PUT', body: { description: 'better' }, headers: { 'if-match': '1' } }),
    );
    expect(changed).to.include({ id, version: 2, description: 'better', status: 'draft', deployedVersion: null });
    expect((await send(at, { method: 'PUT', body: {}, headers: { 'if-match': '1' } })).status).to.equal(412);
    expect(await ok(send(`${at}/deploy`, { body: { version: 1 } }))).to.include({
      status: 'published',
      deployedVersion: 1,
    });
    const versions = await ok(send(`${at}/versions`));
    expect(versions.map((one: Answer['body']) => [one.version, one.isLatest, one.isDeployed])).to.deep.equal([
      [2, true, false],
      [1, false, true],
    ]);
    expect((await ok(send(`${at}?version=published`))).version).to.equal(1);
    for (const [version, expected] of [
      ['published', 1],
      [undefined, 2],
      [1, 1],
      ['1.0.1', 2],
    ] as const) {
      const body = { workflowId: key, ...(version === undefined ? {} : { version }) };
      expect((await ok(send('/pods/default/executions', { body }))).version).to.equal(expected);
    }
    expect((await send('/pods/default/executions', { body: { workflowId: key, version: 7 } })).status).to.equal(404);
    await ok(send('/pods/default/workflows', { body: { ...ASKING, name: 'Newer' } }));
    const { body, headers } = await send('/pods/default/workflows?limit=1');
    expect(body[0].name).to.equal('Newer');
    const rest = await send(`/pods/default/workflows?limit=1&cursor=${headers.get('x-next-cursor')}`);
    expect([rest.body[0].id, rest.headers.get('x-next-cursor')]).to.deep.equal([id, null]);
  });

  describe('and a key that is limited to one', () => {
    const limit = async (pod: string, role = 'admin'): Promise<string> =>
      (await ok(send('/api-keys', { body: { name: 'limited', role, podId: pod } }))).key;

    it('says so, and is for a pod that is there', async () => {
      const pod = await createPod('Mine');
      const body = await ok(send('/api-keys', { body: { name: 'limited', role: 'editor', podId: 'mine' } }));
      expect(body.podId).to.equal(pod.id);
      expect((await ok(send('/api-keys')))[0]).to.include({ id: body.id, podId: pod.id });
      const refused = await send('/api-keys', { body: { name: 'x', role: 'editor', podId: 'nowhere' } });
      expect([refused.status, refused.body.details[0].pointer]).to.deep.equal([400, '/podId']);
      const other = await createWorkspace(holdpoint.db);
      expect((await send('/api-keys', { body: { name: 'x', role: 'editor', podId: other.id } })).status).to.equal(400);
    });

    it('works in its pod, by its id or slug, in any dialect of its paths', async () => {
      const { id } = await createPod('Mine');
      const key = await limit('mine');
      const { execution } = await fill('mine');
      for (const pod of ['mine', id, id.toUpperCase()]) {
        expect((await send(`/pods/${pod}`, { key })).status, pod).to.equal(200);
        expect((await send(`/pods/${pod}/executions/${execution}`, { key })).status, pod).to.equal(200);
      }
      expect((await holdpoint.ask(`/v1/workspaces/${workspace.id}/pods/mine/executions`, { key })).status).to.equal(
        200,
      );
    });

    it('is of no use anywhere else, on no route of the table, nor on the board, and is told where it is', async () => {
      await createPod('Mine');
      await createPod('Other');
      const key = await limit('mine');
      const { execution } = await fill('other');
      const outside = DISTINCT.filter(({ role }) => role !== 'public');
      for (const route of outside) {
        const path = fillPath(route, { workspace: workspace.slug, id: execution }).replace(
          '/pods/default/',
          '/pods/other/',
        );
        const body = bodyFor(route, execution);
        const { status } = await holdpoint.ask(path, {
          method: route.method,
          key,
          ...(body === undefined ? {} : { body }),
        });
        expect(status, nameOf(route)).to.equal(path.includes('/pods/') ? 404 : 403);
      }
      expect((await holdpoint.ask('/admin/queues', { key })).status).to.equal(403);
      const { id: podId } = await ok(send('/pods/mine'));
      expect((await holdpoint.ask('/api/workflows', { key })).body.error.message).to.contain(
        `this API key is limited to one pod: use it below /workspaces/${workspace.id}/pods/${podId}, or a key without podId here`,
      );
      const unknown = await send('/pods/nowhere/executions', { key });
      const other = await send('/pods/other/executions', { key });
      const said = ({ status, body: { requestId: _, ...body } }: Answer) => ({ status, body });
      expect(said(other)).to.deep.equal(said(unknown));
    });

    it('is a key to nothing when its pod is gone, also when another gets its slug', async () => {
      await createPod('Mine');
      const key = await limit('mine');
      await send('/pods/mine', { method: 'DELETE' });
      await createPod('Mine');
      for (const path of ['/pods/mine', '/pods/default'])
        expect((await send(path, { key })).status, path).to.equal(404);
      for (const path of ['/pods', '']) expect((await send(path, { key })).status, path).to.equal(403);
    });
  });
});
