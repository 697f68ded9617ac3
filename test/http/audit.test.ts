// Who changed what outside runs, from where: every route that does so leaves one line, and those who were refused leave none.
// Routes come from the table, so one that is added has to be named here.

import { expect } from 'chai';
import type { Route } from '../../src/http/route.ts';
import { type Answer, createWorkspace, type TestWorkspace } from '../support/api.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { bodyFor, DISTINCT, fillPath, nameOf } from '../support/routes.ts';

const CANARY = 'canary-6d1f0c5b7a9e4f3a-canary-canary';
const GRAPH = { name: 'Mine', initialStep: 'end', steps: [{ id: 'end', type: 'end-flow' }], edges: [] };

/** Routes that change runs, whose events tell of it. */
const isAboutRuns = ({ path }: Route) =>
  /^\/api\/(workflow|v1\/workflows)(\/|$)|\/executions(\/|$)|\/schedules\/:id\/run$/.test(path);

interface Change {
  route: string;
  action: string;
  body?: object;
  /** What the parameter of its path is; default what the change before has made. */
  id?: string;
  /** What the line says of the change; `<id>` is that of the object. */
  detail: object;
  name?: string | null;
  /** It is told in the workspace that it makes. */
  isTheirs?: true;
  /** Makes what the change is about and no route makes. */
  prepare?(holdpoint: Holdpoint, id: string): Promise<void>;
}

/** A delivery of the webhook `id` that was given up, with the same id, since a path is filled with one. */
async function addDelivery({ db, workspace }: Holdpoint, id: string): Promise<void> {
  await db.pool.query(
    `INSERT INTO deliveries (id, workspace_id, run_id, webhook_id, event, seq, endpoint, status, finished_at)
     VALUES ($1, $2, gen_random_uuid(), $1, 'run_completed', 1, 'https://example.com', 'dead', now())`,
    [id, workspace.id],
  );
}

/** One after the other; each may use the id that the one before it has left. */
const CHANGES: readonly Change[] = [
  { route: 'POST /api/workflows', action: 'workflow.created', body: GRAPH, name: 'Mine', detail: { key: 'mine' } },
  {
    route: 'PUT /api/workflows/:id',
    action: 'workflow.updated',
    body: { name: 'Ours', status: 'testing' },
    name: 'Ours',
    detail: { version: 2, status: 'testing' },
  },
  {
    route: 'POST /api/workflows/:id/publish',
    action: 'workflow.published',
    body: {},
    name: 'Ours',
    detail: { version: 2 },
  },
  { route: 'DELETE /api/workflows/:id', action: 'workflow.archived', name: 'Ours', detail: {} },
  { route: 'POST /api/workflows/:id/unarchive', action: 'workflow.unarchived', body: {}, name: 'Ours', detail: {} },
  {
    route: 'POST /api/workflows/:id/clone',
    action: 'workflow.cloned',
    body: { name: 'Theirs' },
    name: 'Theirs',
    detail: { key: 'theirs', from: '<id>' },
  },
  { route: 'DELETE /api/workflows/:id', action: 'workflow.archived', name: 'Theirs', detail: {} },
  {
    route: 'DELETE /api/workflows/:id/permanent',
    action: 'workflow.deleted',
    name: 'Theirs',
    detail: { key: 'theirs' },
  },
  {
    route: 'POST /api/v1/workflow_templates',
    action: 'workflow.created',
    body: { ...GRAPH, name: 'Template' },
    name: 'Template',
    detail: { key: 'template' },
  },
  {
    route: 'PUT /api/v1/workflow_templates/:id',
    action: 'workflow.updated',
    body: { description: 'better' },
    name: 'Template',
    detail: { version: 2, status: 'draft' },
  },
  {
    route: 'POST /api/v1/workflow_templates/:id/publish',
    action: 'workflow.published',
    body: { version: 1 },
    name: 'Template',
    detail: { version: 1 },
  },
  {
    route: 'POST /api/v1/webhooks',
    action: 'webhook.created',
    body: { url: `https://example.com/${CANARY}`, events: ['run_completed'], secret: CANARY },
    detail: { origin: 'https://example.com', events: ['run_completed'] },
  },
  {
    route: 'POST /api/v1/webhooks/:id/deliveries/:delivery_id/redeliver',
    action: 'webhook.redelivered',
    body: {},
    detail: { deliveryId: '<id>' },
    prepare: addDelivery,
  },
  {
    route: 'PATCH /api/v1/webhooks/:id',
    action: 'webhook.disabled',
    body: { status: 'disabled' },
    detail: {},
  },
  { route: 'PATCH /api/v1/webhooks/:id', action: 'webhook.enabled', body: { status: 'enabled' }, detail: {} },
  { route: 'DELETE /api/v1/webhooks/:id', action: 'webhook.deleted', detail: {} },
  {
    route: 'POST /workspaces',
    action: 'workspace.created',
    body: { name: 'Second' },
    name: 'Second',
    detail: {},
    isTheirs: true,
  },
  {
    route: 'PATCH /workspaces/:wId',
    action: 'workspace.updated',
    body: { name: 'Acme' },
    name: 'Acme',
    detail: { name: 'Acme' },
  },
  {
    route: 'POST /workspaces/:wId/pods',
    action: 'pod.created',
    body: { name: 'Payroll' },
    name: 'Payroll',
    detail: { slug: 'payroll' },
  },
  {
    route: 'PUT /workspaces/:wId/pods/:podId',
    action: 'pod.updated',
    body: { name: 'Wages', slug: 'wages' },
    name: 'Wages',
    detail: { name: 'Wages', slug: 'wages' },
  },
  { route: 'DELETE /workspaces/:wId/pods/:podId', action: 'pod.deleted', detail: {} },
  {
    route: 'POST /workspaces/:wId/pods/:podId/workflows',
    action: 'workflow.created',
    body: { ...GRAPH, name: 'Of a pod' },
    name: 'Of a pod',
    detail: { key: 'of-a-pod' },
  },
  {
    route: 'PUT /workspaces/:wId/pods/:podId/workflows/:id',
    action: 'workflow.updated',
    body: { description: 'better' },
    name: 'Of a pod',
    detail: { version: 2, status: 'draft' },
  },
  {
    route: 'POST /workspaces/:wId/pods/:podId/workflows/:id/deploy',
    action: 'workflow.published',
    body: { version: 1 },
    name: 'Of a pod',
    detail: { version: 1 },
  },
  {
    route: 'POST /workspaces/:wId/pods/:podId/schedules',
    action: 'schedule.created',
    body: { workflowId: 'mine', name: 'Hourly', cronExpression: '0 * * * *', input: { token: CANARY } },
    name: 'Hourly',
    detail: { workflow: 'mine', cronExpression: '0 * * * *', timezone: 'UTC', overlap: 'skip', catchUp: 'one' },
  },
  {
    route: 'PATCH /workspaces/:wId/pods/:podId/schedules/:id',
    action: 'schedule.updated',
    body: { enabled: false, input: { token: CANARY } },
    name: 'Hourly',
    detail: { enabled: false, input: '(changed)' },
  },
  {
    route: 'DELETE /workspaces/:wId/pods/:podId/schedules/:id',
    action: 'schedule.deleted',
    name: 'Hourly',
    detail: {},
  },
  {
    route: 'POST /workspaces/:wId/pods/:podId/webhooks',
    action: 'inbound_webhook.created',
    body: { workflowId: 'mine', name: 'Shop', secret: CANARY },
    name: 'Shop',
    detail: { workflow: 'mine', public: false },
  },
  {
    route: 'PATCH /workspaces/:wId/pods/:podId/webhooks/:id',
    action: 'inbound_webhook.updated',
    body: { enabled: false },
    name: 'Shop',
    detail: { enabled: false },
  },
  {
    route: 'POST /workspaces/:wId/pods/:podId/webhooks/:id/rotate',
    action: 'inbound_webhook.rotated',
    body: { secret: CANARY, graceMs: 0 },
    name: 'Shop',
    detail: { graceMs: 0 },
  },
  {
    route: 'DELETE /workspaces/:wId/pods/:podId/webhooks/:id',
    action: 'inbound_webhook.deleted',
    name: 'Shop',
    detail: {},
  },
  {
    route: 'POST /workspaces/:wId/members',
    action: 'member.added',
    body: { userId: 'kim', role: 'editor' },
    detail: { role: 'editor' },
  },
  {
    route: 'PATCH /workspaces/:wId/members/:userId',
    action: 'member.changed',
    id: 'kim',
    body: { role: 'viewer' },
    detail: { role: 'viewer' },
  },
  { route: 'DELETE /workspaces/:wId/members/:userId', action: 'member.removed', id: 'kim', detail: { revokedKeys: 0 } },
  {
    route: 'POST /workspaces/:wId/api-keys',
    action: 'api_key.created',
    body: { name: 'Billing', role: 'editor' },
    name: 'Billing',
    detail: { role: 'editor', userId: 'user-owner' },
  },
  { route: 'DELETE /workspaces/:wId/api-keys/:keyId', action: 'api_key.revoked', name: 'Billing', detail: {} },
  {
    route: 'POST /workspaces/:wId/signing-keys',
    action: 'signing_key.created',
    body: { name: 'Portal', role: 'viewer', algorithm: 'HS256', secret: CANARY },
    name: 'Portal',
    detail: { role: 'viewer', algorithm: 'HS256' },
  },
  { route: 'DELETE /workspaces/:wId/signing-keys/:keyId', action: 'signing_key.revoked', name: 'Portal', detail: {} },
  {
    route: 'PUT /workspaces/:wId/secrets/:name',
    action: 'secret.created',
    id: 'CRM',
    body: { value: CANARY },
    detail: {},
  },
  {
    route: 'PUT /workspaces/:wId/secrets/:name',
    action: 'secret.updated',
    id: 'CRM',
    body: { value: CANARY },
    detail: {},
  },
  { route: 'DELETE /workspaces/:wId/secrets/:name', action: 'secret.deleted', id: 'CRM', detail: {} },
];

describe('the audit log of a workspace', () => {
  let holdpoint: Holdpoint;
  let mine: TestWorkspace;
  let other: TestWorkspace;
  before(async () => {
    holdpoint = await startHoldpoint({ settings: { secretKeys: [Buffer.alloc(32, 1)], trustedProxies: 1 } });
    mine = holdpoint.workspace;
    other = await createWorkspace(holdpoint.db);
  });
  after(() => holdpoint.stop());

  const changing = DISTINCT.filter((route) => route.method !== 'GET' && route.role !== 'public');
  const audited = changing.filter((route) => !isAboutRuns(route));

  interface Asking {
    key?: string;
    body?: object | undefined;
    headers?: Record<string, string>;
  }
  function send(route: Route, id: string, { key = mine.keys.owner, body, headers = {} }: Asking): Promise<Answer> {
    return holdpoint.ask(fillPath(route, { workspace: mine.slug, id }), {
      method: route.method,
      key,
      headers,
      ...(body === undefined ? {} : { body }),
    });
  }

  const read = async (query = '', key = mine.keys.admin): Promise<Answer> =>
    holdpoint.ask(`/workspaces/${mine.slug}/audit${query}`, { key });

  /** Lines of all workspaces. */
  async function countLines(): Promise<number> {
    const { rows } = await holdpoint.db.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM audit_log');
    return rows[0]!.n;
  }

  it('has a line for every change outside runs, with who, what, when and from where', async () => {
    let id = '';
    for (const change of CHANGES) {
      const { route: name, action, body, id: given, detail, name: objectName = null, prepare, isTheirs } = change;
      const route = DISTINCT.find((one) => nameOf(one) === name)!;
      const before = await countLines();
      const asked = given ?? id;
      await prepare?.(holdpoint, asked);
      const headers = { 'x-forwarded-for': '203.0.113.7', 'user-agent': 'curl/8', 'x-request-id': `audit-${before}` };
      const { status, body: answer } = await send(route, asked, { body, headers });
      expect(status, `${name}: ${JSON.stringify(answer)}`).to.be.below(300);
      expect(await countLines(), name).to.equal(before + 1);
      const theirs = isTheirs && (await holdpoint.ask(`/workspaces/${answer.id}/audit`, { key: answer.key }));
      const { at, id: _lineId, keyId, object, ...line } = (theirs || (await read('?limit=1'))).body[0];
      expect(line, name).to.deep.equal({
        action,
        actor: 'user-owner',
        address: '203.0.113.7',
        userAgent: 'curl/8',
        requestId: `audit-${before}`,
        detail: JSON.parse(JSON.stringify(detail).replace('<id>', asked)),
      });
      expect(Math.abs(Date.now() - Date.parse(at)), name).to.be.below(60_000);
      expect(keyId, name).to.match(/^[0-9a-f-]{36}$/);
      expect({ type: object.type, name: object.name }, name).to.deep.equal({
        type: action.split('.')[0],
        name: objectName,
      });
      id = object.id;
    }
  });

  it('has a change above for every route of the table that is not about runs', () => {
    expect(new Set(CHANGES.map(({ route }) => route))).to.deep.equal(new Set(audited.map(nameOf)));
    const others = changing.filter(isAboutRuns).map(nameOf);
    expect(others).to.include('POST /api/workflow/resume/:runId').and.include('POST /api/v1/workflows');
  });

  it('holds nothing that is secret', async () => {
    const { rows } = await holdpoint.db.pool.query<{ dump: string }>(
      "SELECT string_agg(a::text, ' ') AS dump FROM audit_log a",
    );
    expect(rows[0]!.dump).to.include('secret.updated').and.not.include('canary').and.not.include('sk_');
  });

  it('has no line of what was refused: too low a role, a body that does not fit, an id that is nobody’s', async () => {
    const before = await countLines();
    for (const route of audited) {
      const body = bodyFor(route, 'x');
      expect((await send(route, 'none', { key: mine.keys.viewer, body })).status, nameOf(route)).to.equal(403);
      const broken = await send(route, 'no-such-thing', { body: body && { ...body, isAdmin: 3, steps: 3 } });
      expect(broken.status, nameOf(route)).to.be.oneOf([400, 404, 422, ...(body === undefined ? [204] : [])]);
    }
    expect(await countLines()).to.equal(before);
  });

  it('has one line of a change that is asked for again, or was made before', async () => {
    const before = await countLines();
    const headers = { 'idempotency-key': 'again' };
    const body = { name: 'Once', role: 'viewer' };
    const make = () => holdpoint.ask(`/workspaces/${mine.slug}/api-keys`, { key: mine.keys.owner, body, headers });
    const { id } = (await make()).body;
    expect((await make()).headers.get('idempotent-replayed')).to.equal('true');
    expect(await countLines()).to.equal(before + 1);
    const revoke = () =>
      holdpoint.ask(`/workspaces/${mine.slug}/api-keys/${id}`, { key: mine.keys.owner, method: 'DELETE' });
    for (const _ of [1, 2]) expect((await revoke()).status).to.equal(204);
    expect(await countLines()).to.equal(before + 2);
  });

  it('has a line when its key is used for another workspace, which hears nothing of it (S-05)', async () => {
    const use = (tenant: string) =>
      holdpoint.ask('/api/workflows', {
        headers: { authorization: '', 'x-api-key': mine.keys.viewer, 'x-tenant-id': tenant },
      });
    const before = await countLines();
    for (const tenant of [other.slug, other.id, 'no-such-workspace', mine.keys.admin])
      expect((await use(tenant)).status, tenant).to.equal(403);
    expect(await countLines()).to.equal(before + 4);
    const { body } = await read('?action=tenant.refused');
    expect(body.map(({ object }: { object: { id: string } }) => object.id)).to.deep.equal([
      '(no name of a workspace)',
      'no-such-workspace',
      other.id,
      other.slug,
    ]);
    expect(body[0]).to.deep.include({ actor: 'user-viewer', detail: {} });
    const heard = await holdpoint.ask(`/workspaces/${other.slug}/audit`, { key: other.keys.admin });
    expect(heard.body).to.deep.equal([]);
  });

  it('is for admins, comes in pages, newest first, and by who, what and when', async () => {
    expect((await read('', mine.keys.editor)).status).to.equal(403);
    const all = (await read('?limit=200')).body;
    const seen: unknown[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body, headers } = await read(`?limit=7${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...body);
      cursor = headers.get('x-next-cursor');
    }
    expect(seen).to.deep.equal(all);
    const times = all.map(({ at }: { at: string }) => at);
    expect(times).to.deep.equal([...times].sort().reverse());
    const viewers = (await read('?actor=user-viewer')).body;
    expect(viewers).to.deep.equal(all.filter(({ actor }: { actor: string }) => actor === 'user-viewer'));
    expect(viewers).to.have.length(4);
    const cloned = all.find(({ action }: { action: string }) => action === 'workflow.cloned');
    expect((await read('?action=workflow.cloned')).body).to.deep.equal([cloned]);
    const later = new Date(Date.parse(times[0]) + 1).toISOString();
    expect((await read(`?from=${times.at(-1)}&to=${later}&limit=200`)).body).to.deep.equal(all);
    expect((await read(`?from=${later}`)).body).to.deep.equal([]);
    expect((await read(`?to=${times.at(-1)}`)).body).to.deep.equal([]);
  });

  it('refuses a query that makes no sense, and says what is wrong with it', async () => {
    for (const [query, pointer] of [
      ['?cursor=7', '/cursor'],
      ['?action=everything', '/action'],
      ['?from=yesterday', '/from'],
      ['?to=2016-12-31T23:59:60Z', '/to'],
      ['?limit=201', '/limit'],
      ['?actor=', '/actor'],
      ['?who=me', '/who'],
    ]) {
      const { status, body } = await read(query);
      expect(status, query).to.equal(400);
      expect(body.details[0].pointer, query).to.equal(pointer);
    }
    for (const query of ['?from=0000-01-01T00:00:00Z', '?to=9999-12-31T23:59:59Z'])
      expect((await read(query)).status, query).to.equal(200);
  });
});
