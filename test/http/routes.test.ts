import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import type { JsonObject } from '../../src/core/json.ts';
import { ROLES } from '../../src/core/roles.ts';
import type { Route } from '../../src/http/route.ts';
import { type Answer, createWorkspace, type TestWorkspace } from '../support/api.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { bodyFor, DISTINCT, fillPath, hasId, nameOf, PROTECTED, ROUTES } from '../support/routes.ts';

/** What is open to anybody; a route that joins them has to be named here. */
const PUBLIC = [
  'GET /health/live',
  'GET /health/ready',
  'GET /openapi.json',
  'GET /docs',
  'GET /docs/:file',
  'POST /api/v1/callbacks/:token',
  'POST /v1/webhooks/:id/trigger',
];
/** What the receiver of a callback answers, and what a sender says, is its own; no member of it means anything here. */
const ANYTHING_GOES = ['POST /api/v1/callbacks/:token', 'POST /v1/webhooks/:id/trigger'];
/** Definitions are checked by core/validation.ts, which refuses what it does not know, but for `x-…`. */
const CHECKED_BY_CORE = [
  'POST /api/workflows',
  'PUT /api/workflows/:id',
  'POST /api/v1/workflow_templates',
  'PUT /api/v1/workflow_templates/:id',
  ...['', '/v1'].flatMap((prefix) => [
    `POST ${prefix}/workspaces/:wId/pods/:podId/workflows`,
    `PUT ${prefix}/workspaces/:wId/pods/:podId/workflows/:id`,
  ]),
];

const GRAPH = {
  name: 'Mine',
  initialStep: 'ask',
  steps: [
    { id: 'ask', type: 'collect-inputs', output: { a: { type: 'string' } } },
    { id: 'end', type: 'end-flow' },
  ],
  edges: [{ from: 'ask', to: 'end' }],
};

describe('every route', () => {
  let holdpoint: Holdpoint;
  let mine: TestWorkspace;
  let other: TestWorkspace;
  before(async () => {
    holdpoint = await startHoldpoint({ settings: { secretKeys: [Buffer.alloc(32, 1)] } });
    mine = holdpoint.workspace;
    other = await createWorkspace(holdpoint.db);
  });
  after(() => holdpoint.stop());

  interface Sent {
    id: string;
    runId?: string;
    workspace?: string;
    key: string;
    extra?: JsonObject;
  }
  function send(route: Route, { id, runId = id, workspace = mine.slug, key, extra }: Sent): Promise<Answer> {
    const body = bodyFor(route, runId);
    return holdpoint.ask(fillPath(route, { workspace, id }), {
      method: route.method,
      key,
      ...(body === undefined ? {} : { body: { ...body, ...extra } }),
    });
  }

  it('says who may use it, and what it takes: a new one without a role or a schema ends here', () => {
    for (const route of ROUTES) {
      expect([...ROLES, 'public'], nameOf(route)).to.include(route.role);
      if (['POST', 'PUT', 'PATCH'].includes(route.method)) expect(route.body, nameOf(route)).to.be.an('object');
      if (route.query !== undefined) expect(isClosed(route.query), nameOf(route)).to.equal(true);
      if (route.body === undefined || [...CHECKED_BY_CORE, ...ANYTHING_GOES].includes(nameOf(route))) continue;
      expect(isClosed(route.body), `${nameOf(route)} takes members that it does not name`).to.equal(true);
    }
    expect(new Set(ROUTES.map(nameOf)).size).to.equal(ROUTES.length);
  });

  it('says how large a whole number may be, since no column takes them all', () => {
    for (const route of ROUTES) {
      const numbers = [route.query, route.body].flatMap((schema) =>
        Object.entries((schema?.['properties'] ?? {}) as Record<string, JsonObject>).filter(
          ([, { type }]) => type === 'integer' || type === 'number',
        ),
      );
      for (const [name, schema] of numbers)
        expect(schema, `${nameOf(route)}: ${name}`).to.include.keys('minimum', 'maximum');
    }
  });

  it('is protected, but for those that must not be', () => {
    expect(PUBLIC).to.include.members(ROUTES.filter((route) => route.role === 'public').map(nameOf));
  });

  it('answers 401 without a credential, and 401 to a wrong one (S-01)', async () => {
    for (const route of PROTECTED) {
      for (const headers of [{}, { 'x-api-key': 'sk_wrong_wrong_wrong', 'x-tenant-id': mine.id }]) {
        const path = fillPath(route, { workspace: mine.slug, id: uuidv7() });
        const { status } = await holdpoint.ask(path, {
          method: route.method,
          key: '',
          headers: { authorization: '', ...headers },
        });
        expect(status, nameOf(route)).to.equal(401);
      }
    }
  });

  it('answers 401 to a good key as x-api-key without a workspace, and falls back to none (S-04)', async () => {
    for (const route of PROTECTED) {
      for (const tenant of [{}, { 'x-tenant-id': '' }, { 'x-tenant-id': ' ' }]) {
        const path = fillPath(route, { workspace: mine.slug, id: uuidv7() });
        const headers = { authorization: '', 'x-api-key': mine.keys.owner, ...tenant };
        const { status } = await holdpoint.ask(path, { method: route.method, key: '', headers });
        expect(status, nameOf(route)).to.equal(401);
      }
    }
  });

  it('answers the same to every wrong key, however much of it is right (S-09)', async () => {
    const { owner } = mine.keys;
    // Another character than the key's last, or the longest of them would be right.
    const other = owner.endsWith('A') ? 'B' : 'A';
    const wrong = [4, 8, 20, owner.length - 1].map(
      (right) => owner.slice(0, right) + other.repeat(owner.length - right),
    );
    const near = [...wrong, `${owner}A`, owner.slice(0, -1), `sk_${'A'.repeat(32)}`];
    for (const headersOf of [
      (key: string) => ({ authorization: `Bearer ${key}` }),
      (key: string) => ({ authorization: '', 'x-api-key': key, 'x-tenant-id': mine.id }),
      (key: string) => ({ authorization: '', 'x-api-key': key, 'x-tenant-id': uuidv7() }),
    ]) {
      const answers = [];
      for (const key of near) {
        const answer = await holdpoint.ask('/api/workflows', { key: '', headers: headersOf(key) });
        const told = [...answer.headers].filter(([name]) => !['x-request-id', 'date'].includes(name));
        answers.push([mask(answer, ''), JSON.stringify(told)]);
      }
      expect(answers[0]![0]).to.match(/^\[401,/);
      expect(new Set(answers.map((answer) => answer.join()))).to.have.length(1);
    }
  });

  it('answers 403 to a role that is too low, and not to one that is high enough (S-27, S-28)', async () => {
    for (const route of PROTECTED) {
      const least = (ROLES as readonly string[]).indexOf(route.role);
      for (const [rank, role] of ROLES.entries()) {
        const { status } = await send(route, { id: uuidv7(), key: mine.keys[role] });
        expect(status === 403, `${nameOf(route)} as ${role} answered ${status}`).to.equal(rank < least);
        expect(status, `${nameOf(route)} as ${role}`).to.be.below(500);
      }
    }
  });

  it('answers the same 404 for another workspace’s id as for one that does not exist (S-12)', async () => {
    const workflow = await holdpoint.define(GRAPH);
    const { uuid } = (await holdpoint.ask(`/api/workflows/${workflow}`)).body;
    const runId = await holdpoint.start(workflow);
    const keys = await makeKeys();
    for (const route of DISTINCT.filter(hasId)) {
      for (const id of [runId, uuid, workflow, ...keys]) {
        const unknown = id === workflow ? 'no-such-thing' : uuidv7();
        const asOther = { workspace: other.slug, key: other.keys.owner };
        const [foreign, random] = [
          await send(route, { id, ...asOther }),
          await send(route, { id: unknown, ...asOther }),
        ];
        expect(foreign.status, nameOf(route)).to.equal(404);
        expect(mask(foreign, id), nameOf(route)).to.equal(mask(random, unknown));
      }
    }
    expect((await holdpoint.ask(`/api/workflow/status/${runId}`)).body.status).to.equal('paused');
  });

  it('answers the same 404 for another workspace in the path as for one that does not exist (S-12)', async () => {
    for (const route of DISTINCT.filter(({ path }) => path.includes(':wId'))) {
      const id = uuidv7();
      const random = await send(route, { id, workspace: uuidv7(), key: mine.keys.owner });
      expect(random.status, nameOf(route)).to.equal(404);
      for (const workspace of [other.id, other.slug, other.id.toUpperCase()]) {
        const foreign = await send(route, { id, workspace, key: mine.keys.owner });
        expect(mask(foreign, workspace), nameOf(route)).to.equal(mask(random, ''));
      }
    }
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
    for (const route of DISTINCT.filter(hasId)) {
      const isInBody = route.path.includes('/management/');
      for (const id of isInBody ? ['1', 'not-an-id', "' OR 1=1"] : ids) {
        const { status } = await send(route, { id, key: mine.keys.owner });
        expect(status, `${nameOf(route)} with ${id.slice(0, 40)}`).to.equal(404);
      }
    }
  });

  it('refuses members that are not its own, whatever they promise (S-31)', async () => {
    const extra = { tenantId: other.id, workspaceId: other.id, createdBy: 'me', isAdmin: true, permissions: ['*'] };
    for (const route of PROTECTED.filter(({ body }) => body !== undefined)) {
      const { status, body } = await send(route, { id: uuidv7(), key: mine.keys.owner, extra });
      // A workflow that does not exist is said first where the body is read as its definition.
      const wrong = route.path.startsWith('/api/v1/') ? 422 : 400;
      // So is a pod that does not exist, before anything is read.
      const isNamedFirst = CHECKED_BY_CORE.includes(nameOf(route)) || route.path.endsWith('/:podId');
      expect(status, nameOf(route)).to.be.oneOf(isNamedFirst ? [wrong, 404] : [wrong]);
      if (status === wrong) expect(JSON.stringify(body), nameOf(route)).to.include('workspaceId');
    }
  });

  /** Ids of an API key and a signing key of my workspace, and a member's. */
  async function makeKeys(): Promise<string[]> {
    const make = async (what: string, body: object) =>
      (await holdpoint.ask(`/workspaces/${mine.slug}/${what}`, { key: mine.keys.owner, body })).body;
    const apiKey = await make('api-keys', { name: 'k', role: 'viewer' });
    const signingKey = await make('signing-keys', { name: 'k', role: 'viewer', algorithm: 'HS256' });
    const member = await make('members', { userId: uuidv7(), role: 'viewer' });
    return [apiKey.id, signingKey.id, member.userId];
  }
});

/** Whether a schema names every member of the objects it takes, in each of its branches. */
function isClosed(schema: JsonObject): boolean {
  const branches = (schema['oneOf'] ?? schema['anyOf']) as JsonObject[] | undefined;
  return branches === undefined ? schema['additionalProperties'] === false : branches.every(isClosed);
}

/** An answer without what differs for good reason: its request's id, and the id that was asked for. */
function mask({ status, body }: Answer, id: string): string {
  const text = JSON.stringify([status, body]).replace(/"(requestId|request_id|timestamp)":"[^"]*"/g, '"$1":"…"');
  return id === '' ? text : text.replaceAll(id, '<id>');
}
