import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import type { Engine } from '../../src/engine/engine.ts';
import { createSystemRoutes } from '../../src/http/health.ts';
import type { Route } from '../../src/http/route.ts';
import { createWorkflowFace } from '../../src/http/workflow/routes.ts';
import { ROLES } from '../../src/store/access.ts';
import { createMetrics } from '../../src/telemetry.ts';
import { createWorkspace, type TestWorkspace } from '../support/api.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';

/** Every route of the server, read from its own table: a route that is added is tested here without anybody's doing. */
const ROUTES: Route[] = [
  // Handlers are not called here, so they need no engine.
  ...createWorkflowFace({} as Engine).routes,
  ...createSystemRoutes({ probes: {}, vital: [], metrics: createMetrics(), stopping: new AbortController().signal }),
];
const PUBLIC = ['GET /health/live', 'GET /health/ready'];

/** A valid body for each route that needs one, with ids that a test fills in. */
function bodyFor(route: Route, runId: string): object | undefined {
  if (route.body === undefined) return undefined;
  if (route.path.includes('/resume/')) return { type: 'collect_inputs', data: {} };
  if (route.path.includes('/management/')) return { runId };
  return {};
}

describe('every route', () => {
  let holdpoint: Holdpoint;
  let other: TestWorkspace;
  before(async () => {
    holdpoint = await startHoldpoint();
    other = await createWorkspace(holdpoint.db);
  });
  after(() => holdpoint.stop());

  const request = (route: Route, { id, runId = id, key }: { id: string; runId?: string; key?: string }) =>
    holdpoint.ask(fill(route, id), {
      method: route.method,
      ...(key === undefined ? { key: '' } : { key }),
      ...(bodyFor(route, runId) === undefined ? {} : { body: bodyFor(route, runId) }),
    });
  const fill = (route: Route, id: string) => route.path.replace(/:\w+/g, id);
  const nameOf = (route: Route) => `${route.method} ${route.path}`;

  it('is protected, but for those that must not be', () => {
    expect(ROUTES.filter((route) => route.role === 'public').map(nameOf)).to.have.members(PUBLIC);
  });

  it('answers 401 without a credential, and 401 to a wrong one', async () => {
    for (const route of ROUTES.filter((route) => route.role !== 'public')) {
      for (const headers of [{}, { 'x-api-key': 'sk_wrong_wrong_wrong', 'x-tenant-id': holdpoint.workspace.id }]) {
        const { status, body } = await holdpoint.ask(fill(route, uuidv7()), {
          method: route.method,
          key: '',
          headers: { authorization: '', ...headers },
        });
        expect(status, nameOf(route)).to.equal(401);
        expect(body.error.code).to.equal('UNAUTHORIZED');
      }
    }
  });

  it('answers 403 to a role that is too low, and not to one that is high enough', async () => {
    for (const route of ROUTES) {
      if (route.role === 'public') continue;
      for (const [rank, role] of ROLES.entries()) {
        const { status } = await request(route, { id: uuidv7(), key: holdpoint.workspace.keys[role] });
        const isAllowed = rank >= ROLES.indexOf(route.role);
        expect(status === 403, `${nameOf(route)} as ${role} answered ${status}`).to.equal(!isAllowed);
      }
    }
  });

  it('answers the same 404 for another workspace’s id as for one that does not exist', async () => {
    const workflow = await holdpoint.define({
      name: 'Mine',
      initialStep: 'ask',
      steps: [
        { id: 'ask', type: 'collect-inputs', output: { a: { type: 'string' } } },
        { id: 'end', type: 'end-flow' },
      ],
      edges: [{ from: 'ask', to: 'end' }],
    });
    const { uuid } = (await holdpoint.ask(`/api/workflows/${workflow}`)).body;
    const runId = await holdpoint.start(workflow);
    const withId = ROUTES.filter((route) => route.path.includes(':') || route.path.includes('/management/'));
    const hide = (text: string, ...ids: string[]) => ids.reduce((rest, id) => rest.replaceAll(id, '<id>'), text);
    for (const route of withId) {
      for (const id of [runId, uuid, workflow]) {
        const unknown = id === workflow ? 'no-such-thing' : uuidv7();
        const foreign = await request(route, { id, key: other.keys.owner });
        const random = await request(route, { id: unknown, key: other.keys.owner });
        for (const { body } of [foreign, random]) body.error.requestId = '';
        expect(foreign.status, nameOf(route)).to.equal(404);
        expect(hide(JSON.stringify(foreign.body), id), nameOf(route)).to.equal(
          hide(JSON.stringify(random.body), unknown),
        );
      }
    }
    expect((await holdpoint.ask(`/api/workflow/status/${runId}`)).body.status).to.equal('paused');
  });

  it('answers 404 to malformed ids, never 500', async () => {
    const ids = [
      '1',
      'dynamic-workflow-1705779900000',
      'x'.repeat(2_000),
      '%00',
      '%ff',
      "'%20OR%201=1",
      '..%2f..',
      '%F0%9F%99%82',
      '__proto__',
    ];
    for (const route of ROUTES.filter((route) => route.path.includes(':'))) {
      for (const id of ids) {
        const { status } = await request(route, { id, runId: decodeSafely(id), key: holdpoint.workspace.keys.owner });
        expect(status, `${nameOf(route)} with ${id.slice(0, 40)}`).to.equal(404);
      }
    }
    for (const runId of ['1', 'not-an-id', "' OR 1=1"]) {
      const { status } = await holdpoint.ask('/api/workflow/management/cancel', { body: { runId } });
      expect(status).to.equal(404);
    }
  });

  it('answers 405 with Allow to methods it does not have, and nothing in the body of HEAD', async () => {
    for (const route of ROUTES) {
      const path = fill(route, uuidv7());
      for (const method of ['OPTIONS', 'PROPFIND', 'HEAD']) {
        const { status, body, headers } = await holdpoint.ask(path, {
          method,
          key: '',
          headers: { authorization: '' },
        });
        if (method === 'HEAD') expect(body, nameOf(route)).to.equal('');
        if (method === 'HEAD' && route.method === 'GET') continue;
        expect(status, `${method} ${path}`).to.be.oneOf([401, 405]);
        if (status === 405) expect(headers.get('allow')).to.include(route.method);
      }
    }
  });

  it('refuses keys in the query', async () => {
    const { status } = await holdpoint.ask(`/api/workflows?api_key=${holdpoint.workspace.keys.owner}`, {
      key: '',
      headers: { authorization: '' },
    });
    expect(status).to.equal(401);
  });
});

function decodeSafely(id: string): string {
  try {
    return decodeURIComponent(id).replaceAll('\u0000', '');
  } catch {
    return id;
  }
}
