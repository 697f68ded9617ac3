// Changes outside runs whose answer was lost: the same request again is answered as the first would have been, and leaves
// alone what others have done since. That a process may die at that moment is test/flows/idempotency.test.ts.

import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { type Answer, createWorkspace } from '../support/api.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';

const GRAPH = { initialStep: 'end', steps: [{ id: 'end', type: 'end-flow' }], edges: [] };

describe('a change that is asked for again because its answer was lost', () => {
  let holdpoint: Holdpoint;
  before(async () => {
    holdpoint = await startHoldpoint({ settings: { secretKeys: [Buffer.alloc(32, 1)] } });
  });
  after(() => holdpoint.stop());

  const send = (method: string, path: string, body?: object, key = randomUUID()): Promise<Answer> =>
    holdpoint.ask(path, {
      method,
      key: holdpoint.workspace.keys.owner,
      headers: { 'idempotency-key': key },
      ...(body === undefined ? {} : { body }),
    });

  const forget = (key: string) =>
    holdpoint.db.pool.query('UPDATE idempotency_keys SET answer = NULL, lease_until = now() WHERE key = $1', [key]);

  /** Sends, forgets that it was answered, lets `meanwhile` happen, and sends the same again; answers both answers. */
  async function repeat(
    [method, path, body]: [string, string, object?],
    meanwhile: () => Promise<unknown> = async () => {},
  ): Promise<[Answer, Answer]> {
    const key = randomUUID();
    const first = await send(method, path, body, key);
    await forget(key);
    await meanwhile();
    return [first, await send(method, path, body, key)];
  }

  const statusesOf = (answers: Answer[]) => answers.map(({ status }) => status);
  const listActions = async (idOrName: string): Promise<string[]> => {
    const { rows } = await holdpoint.db.pool.query<{ action: string }>(
      'SELECT action FROM audit_log WHERE object_id = $1 OR object_name = $1 ORDER BY at, id',
      [idOrName],
    );
    return rows.map(({ action }) => action);
  };

  it('a workflow is archived, unarchived, published and deleted once', async () => {
    const { id } = (await send('POST', '/api/workflows', { ...GRAPH, name: 'Repeated' })).body;
    const path = `/api/workflows/${id}`;
    expect(statusesOf(await repeat(['DELETE', path], () => send('POST', `${path}/unarchive`, {})))).to.deep.equal([
      200, 200,
    ]);
    expect((await send('GET', path)).body.status).to.equal('draft');

    const draft = () => send('PUT', path, { description: 'A draft' });
    const [, published] = await repeat(['POST', `${path}/publish`, {}], draft);
    expect(published.body).to.include({ publishedVersion: '1.0.0' });
    expect((await send('GET', path)).body).to.include({ publishedVersion: '1.0.0', version: '1.0.1' });

    await send('DELETE', path);
    const [, unarchived] = await repeat(['POST', `${path}/unarchive`, {}], () => send('DELETE', path));
    expect([unarchived.status, unarchived.body.status]).to.deep.equal([200, 'archived']);

    const deleted = await repeat(['DELETE', `${path}/permanent`]);
    expect(statusesOf(deleted)).to.deep.equal([200, 200]);
    expect(deleted[1].body).to.deep.equal(deleted[0].body);
    expect((await send('DELETE', `${path}/permanent`)).status, 'another request').to.equal(404);
    expect(await listActions('Repeated')).to.deep.equal([
      'workflow.created',
      'workflow.archived',
      'workflow.unarchived',
      'workflow.published',
      'workflow.updated',
      'workflow.archived',
      'workflow.unarchived',
      'workflow.archived',
      'workflow.deleted',
    ]);
  });

  it('in the other faces a version is published once', async () => {
    const pod = `/workspaces/${holdpoint.workspace.slug}/pods/default/workflows`;
    for (const [path, verb] of [
      ['/api/v1/workflow_templates', 'publish'],
      [pod, 'deploy'],
    ]) {
      const { id } = (await send('POST', path!, { ...GRAPH, name: 'Published once' })).body;
      const draft = () => send('PUT', `${path}/${id}`, { description: 'A draft' });
      expect(statusesOf(await repeat(['POST', `${path}/${id}/${verb}`, {}], draft))).to.deep.equal([200, 200]);
      const actions = (await listActions(id)).filter((action) => action === 'workflow.published');
      expect(actions, path).to.have.length(1);
    }
  });

  it('a secret is set and deleted once, whatever it was set to since', async () => {
    const path = `/workspaces/${holdpoint.workspace.slug}/secrets/REPEATED`;
    const put = (value: string) => send('PUT', path, { value });
    const set = await repeat(['PUT', path, { value: 'the first value' }], () => put('the second value'));
    expect(statusesOf(set)).to.deep.equal([201, 201]);
    const deleted = await repeat(['DELETE', path], () => put('another of this name'));
    expect(statusesOf(deleted)).to.deep.equal([204, 204]);
    expect(await listActions('REPEATED')).to.deep.equal([
      'secret.created',
      'secret.updated',
      'secret.deleted',
      'secret.created',
    ]);
  });

  it('a pod is made, renamed and deleted once, by names that it had before', async () => {
    const pods = `/workspaces/${holdpoint.workspace.slug}/pods`;
    const made = await repeat(['POST', pods, { name: 'Wages' }], () => send('PUT', `${pods}/wages`, { name: 'Pay' }));
    expect(made[1].status).to.equal(201);
    expect(made[1].body).to.deep.equal({ ...made[0].body, name: 'Pay' });
    const renamed = await repeat(['PUT', `${pods}/wages`, { name: 'New', slug: 'new' }], () =>
      send('PUT', `${pods}/new`, { name: 'Newer', slug: 'newer' }),
    );
    expect(renamed.map(({ status, body }) => [status, body.slug])).to.deep.equal([
      [200, 'new'],
      [200, 'newer'],
    ]);
    const deleted = await repeat(['DELETE', `${pods}/newer`], () => send('POST', pods, { name: 'Newer' }));
    expect(statusesOf(deleted)).to.deep.equal([204, 204]);
    expect((await send('GET', `${pods}/newer`)).status, 'the other one of this slug').to.equal(200);
    expect((await send('DELETE', `${pods}/wages`)).status, 'another request').to.equal(404);
    expect(await listActions(made[0].body.id)).to.deep.equal([
      'pod.created',
      'pod.updated',
      'pod.updated',
      'pod.updated',
      'pod.deleted',
    ]);
  });

  it('the answer to one that renamed or deleted what its path names is given again', async () => {
    const pods = `/workspaces/${holdpoint.workspace.slug}/pods`;
    await send('POST', pods, { name: 'Kept' });
    for (const [method, path, body, expected] of [
      ['PUT', `${pods}/kept`, { name: 'Kept', slug: 'kept-2' }, 200],
      ['DELETE', `${pods}/kept-2`, undefined, 204],
    ] as const) {
      const key = randomUUID();
      const answers = [await send(method, path, body, key), await send(method, path, body, key)];
      expect(statusesOf(answers)).to.deep.equal([expected, expected]);
      expect(answers[1]!.headers.get('idempotent-replayed')).to.equal('true');
    }
  });

  it('a workspace is renamed once, by the slug that it had before; the new one counts at once', async () => {
    const { slug, keys } = await createWorkspace(holdpoint.db);
    const patch = (name: string, change: object, key: string) =>
      holdpoint.ask(`/workspaces/${name}`, {
        method: 'PATCH',
        key: keys.owner,
        headers: { 'idempotency-key': key },
        body: change,
      });
    const key = randomUUID();
    const change = { name: 'Renamed', slug: `${slug}-2` };
    expect((await patch(slug, change, key)).body).to.include(change);
    expect((await holdpoint.ask(`/workspaces/${slug}-2`, { key: keys.owner })).status).to.equal(200);
    await forget(key);
    expect((await patch(`${slug}-2`, { name: 'Since' }, randomUUID())).status).to.equal(200);
    expect((await patch(slug, change, key)).body).to.include({ name: 'Since', slug: `${slug}-2` });
    for (const other of [holdpoint.workspace.slug, holdpoint.workspace.id, 'nowhere'])
      expect((await patch(other, { name: 'Not mine' }, randomUUID())).status, other).to.equal(404);
  });

  it('a member is added, changed and removed once, whatever others have done with them since', async () => {
    const members = `/workspaces/${holdpoint.workspace.slug}/members`;
    const kim = `${members}/kim`;
    const added = await repeat(['POST', members, { userId: 'kim', role: 'viewer' }], () => send('DELETE', kim));
    expect(statusesOf(added)).to.deep.equal([201, 201]);
    expect((await send('PATCH', kim, { role: 'editor' })).status, 'removed since').to.equal(404);
    await send('POST', members, { userId: 'kim', role: 'viewer' });
    const [, changed] = await repeat(['PATCH', kim, { role: 'editor' }], () => send('PATCH', kim, { role: 'admin' }));
    expect([changed.status, changed.body.role]).to.deep.equal([200, 'admin']);
    const removed = await repeat(['DELETE', kim], () => send('POST', members, { userId: 'kim', role: 'viewer' }));
    expect(statusesOf(removed)).to.deep.equal([204, 204]);
    expect((await send('PATCH', kim, { role: 'editor' })).status, 'added since').to.equal(200);
  });

  it('a webhook is switched and deleted once, and a delivery sent again once', async () => {
    const webhook = { url: 'https://example.com/hook', events: ['run_completed'] };
    const { id } = (await send('POST', '/api/v1/webhooks', webhook)).body;
    const path = `/api/v1/webhooks/${id}`;
    const enable = () => send('PATCH', path, { status: 'enabled' });
    const [, disabled] = await repeat(['PATCH', path, { status: 'disabled' }], enable);
    expect([disabled.status, disabled.body.status]).to.deep.equal([200, 'enabled']);
    const { rows } = await holdpoint.db.pool.query<{ id: string }>(
      `INSERT INTO deliveries (workspace_id, run_id, webhook_id, event, seq, endpoint, status, finished_at)
       VALUES ($1, gen_random_uuid(), $2, 'run_completed', 1, 'x', 'dead', now()) RETURNING id`,
      [holdpoint.workspace.id, id],
    );
    const again = await repeat(['POST', `${path}/deliveries/${rows[0]!.id}/redeliver`, {}]);
    expect(statusesOf(again)).to.deep.equal([202, 202]);
    const deleted = await repeat(['DELETE', path]);
    expect(statusesOf(deleted)).to.deep.equal([204, 204]);
    expect(await listActions(id)).to.deep.equal([
      'webhook.created',
      'webhook.disabled',
      'webhook.enabled',
      'webhook.redelivered',
      'webhook.deleted',
    ]);
  });

  it('a schedule is made, changed, run and deleted once', async () => {
    const { id: workflowId } = (await send('POST', '/api/workflows', { ...GRAPH, name: 'Scheduled' })).body;
    const path = `/workspaces/${holdpoint.workspace.slug}/pods/default/schedules`;
    const schedule = { workflowId, name: 'Repeated', cronExpression: '0 0 1 1 *' };
    const archive = () => send('DELETE', `/api/workflows/${workflowId}`);
    const made = await repeat(['POST', path, schedule], archive);
    expect(statusesOf(made)).to.deep.equal([201, 201]);
    expect(made[1].body).to.deep.equal(made[0].body);
    await send('POST', `/api/workflows/${workflowId}/unarchive`, {});
    const one = `${path}/${made[0].body.id}`;
    const enable = () => send('PATCH', one, { enabled: true });
    const [, paused] = await repeat(['PATCH', one, { enabled: false }], enable);
    expect([paused.status, paused.body.enabled]).to.deep.equal([200, true]);
    let deleted: Answer[] = [];
    const ran = await repeat(['POST', `${one}/run`, {}], async () => {
      deleted = await repeat(['DELETE', one]);
    });
    expect(statusesOf(deleted)).to.deep.equal([204, 204]);
    expect([ran[1].status, ran[1].body]).to.deep.equal([201, ran[0].body]);
    expect(await listActions(made[0].body.id)).to.deep.equal([
      'schedule.created',
      'schedule.updated',
      'schedule.updated',
      'schedule.deleted',
    ]);
  });

  it('an inbound webhook is made, changed, given another secret and deleted once', async () => {
    const { id: workflowId } = (await send('POST', '/api/workflows', { ...GRAPH, name: 'Posted to' })).body;
    const path = `/workspaces/${holdpoint.workspace.slug}/pods/default/webhooks`;
    const archive = () => send('DELETE', `/api/workflows/${workflowId}`);
    const made = await repeat(['POST', path, { workflowId, name: 'Repeated' }], archive);
    expect(statusesOf(made)).to.deep.equal([201, 201]);
    expect(made[1].body).to.deep.equal({ ...made[0].body, secret: null });
    const one = `${path}/${made[0].body.id}`;
    const enable = () => send('PATCH', one, { enabled: true });
    const [, disabled] = await repeat(['PATCH', one, { enabled: false }], enable);
    expect([disabled.status, disabled.body.enabled]).to.deep.equal([200, true]);
    const rotated = await repeat(['POST', `${one}/rotate`, {}]);
    expect(rotated.map(({ status, body }) => [status, body.secret !== null])).to.deep.equal([
      [200, true],
      [200, false],
    ]);
    expect(statusesOf(await repeat(['DELETE', one]))).to.deep.equal([204, 204]);
    expect(await listActions(made[0].body.id)).to.deep.equal([
      'inbound_webhook.created',
      'inbound_webhook.updated',
      'inbound_webhook.updated',
      'inbound_webhook.rotated',
      'inbound_webhook.deleted',
    ]);
  });

  it('is refused by the database to a process that does not know that it was done', async () => {
    const line = [randomUUID(), holdpoint.workspace.id, randomUUID()];
    const add = (id: string) =>
      holdpoint.db.pool.query(
        `INSERT INTO audit_log (id, workspace_id, actor, action, object_id, detail, command_id)
         VALUES ($1, $2, 'kim', 'secret.deleted', 'A', '{}', $3)`,
        [id, line[1], line[2]],
      );
    await add(line[0]!);
    const refused = await add(randomUUID()).catch(({ code }: { code: string }) => code);
    expect(refused).to.equal('23505');
  });
});
