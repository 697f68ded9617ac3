// The OpenAPI document of a real server: valid, complete against the route table (API9), and true, because every example
// in it is sent as it stands and every answer is held against its schema.

import { createHash } from 'node:crypto';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formatsModule from 'ajv-formats';
import { expect } from 'chai';
import type { JsonObject } from '../../src/core/json.ts';
import type { Route, RouteExample } from '../../src/http/route.ts';
import type { Database } from '../../src/store/db.ts';
import { type Answer, call, createWorkspace, type TestWorkspace } from '../support/api.ts';
import { formOf, postForm } from '../support/forms.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { DISTINCT, nameOf, ROUTES } from '../support/routes.ts';
import { mask } from '../support/seed-client.ts';

/** The ids of a run, a key and a file that examples are about, and the address of a callback. */
const MADE_UP =
  /0193b6f1-2a40-7b16-9d07-5e8f3c7a1b42|0193b6f2-51c8-7e07-b5a4-2f9d8c6e1a70|0193b6f3-6d10-7c58-8e24-b7a90c1f3d65|AZO282zQ[\w-]{56}/g;

const POD_WORKFLOWS = 'POST /workspaces/:wId/pods/:podId/workflows';
const SCHEDULES = 'POST /workspaces/:wId/pods/:podId/schedules';
const INBOUND_WEBHOOKS = 'POST /workspaces/:wId/pods/:podId/webhooks';

interface Stage {
  db: Database;
  address: string;
  workspace: TestWorkspace;
  /** Makes a call that the example needs to have been made before. */
  ask(path: string, body?: object, method?: string): Promise<Answer['body']>;
}

/** What has to be there before an example is sent; answers the id that its made-up one stands for, or several by theirs. */
const BEFORE: Readonly<Record<string, (stage: Stage) => Promise<string | Record<string, string> | undefined>>> = {
  'GET /api/workflow/status/:runId paused': (stage) => start(stage),
  'GET /api/workflow/status/:runId/explain waiting': (stage) => start(stage),
  'POST /api/workflow/resume/:runId inputs': (stage) => start(stage),
  'POST /api/workflow/resume/:runId action': (stage) => start(stage, 'expense-approval'),
  'POST /api/workflow/resume/:runId doesNotFit': (stage) => start(stage),
  'POST /api/workflow/management/cancel cancel': (stage) => start(stage),
  'POST /api/workflow/management/terminate terminate': (stage) => start(stage),
  'POST /api/workflows/:id/unarchive unarchive': (stage) => archive(stage),
  'DELETE /api/workflows/:id/permanent delete': (stage) => archive(stage),
  'GET /workspaces/:wId/pods newest': (stage) => sendExample(stage, 'POST /workspaces/:wId/pods'),
  'GET /workspaces/:wId/pods/:podId payroll': (stage) => sendExample(stage, 'POST /workspaces/:wId/pods'),
  'PUT /workspaces/:wId/pods/:podId rename': (stage) => sendExample(stage, 'POST /workspaces/:wId/pods'),
  'DELETE /workspaces/:wId/pods/:podId delete': (stage) => sendExample(stage, 'POST /workspaces/:wId/pods'),
  'GET /workspaces/:wId/pods/:podId/executions suspended': (stage) => startExpense(stage),
  'GET /workspaces/:wId/pods/:podId/executions/:id suspended': (stage) => startExpense(stage),
  'PATCH /workspaces/:wId/pods/:podId/executions/:id/respond approve': (stage) => startExpense(stage),
  'PATCH /workspaces/:wId/pods/:podId/executions/:id/respond reject': (stage) => startExpense(stage),
  'PATCH /workspaces/:wId/pods/:podId/executions/:id/respond nothing': (stage) => startExpense(stage),
  'POST /workspaces/:wId/pods/:podId/executions/:id/replay fromStart': (stage) => startExpense(stage, 'cancel'),
  'POST /workspaces/:wId/pods/:podId/executions/:id/replay fromNode': (stage) => startExpense(stage, 'approve'),
  'DELETE /workspaces/:wId/pods/:podId/executions/:id cancel': (stage) => startExpense(stage),
  'GET /workspaces/:wId/pods/:podId/executions/:id/explain waiting': (stage) => startExpense(stage),
  'GET /workspaces/:wId/pods/:podId/executions/:id/events cancelled': (stage) => startExpense(stage, 'cancel'),
  'GET /workspaces/:wId/pods/:podId/executions/:id/events noSuchEvent': (stage) => startExpense(stage),
  'POST /workspaces/:wId/pods/:podId/executions/:id/events/ticket ticket': (stage) => startExpense(stage),
  'GET /workspaces/:wId/pods/:podId/executions/:id/logs end': (stage) => startExpense(stage, 'approve'),
  'GET /workspaces/:wId/pods/:podId/workflows search': (stage) => sendExample(stage, POD_WORKFLOWS),
  'GET /workspaces/:wId/pods/:podId/workflows/:id latest': (stage) => sendExample(stage, POD_WORKFLOWS),
  'PUT /workspaces/:wId/pods/:podId/workflows/:id describe': (stage) => sendExample(stage, POD_WORKFLOWS),
  'POST /workspaces/:wId/pods/:podId/workflows/:id/deploy latest': (stage) => sendExample(stage, POD_WORKFLOWS),
  'GET /workspaces/:wId/pods/:podId/workflows/:id/versions all': (stage) => sendExample(stage, POD_WORKFLOWS),
  'GET /workspaces/:wId/pods/:podId/schedules newest': (stage) => sendExample(stage, SCHEDULES),
  'GET /workspaces/:wId/pods/:podId/schedules/:id workdays': (stage) => sendExample(stage, SCHEDULES),
  'PATCH /workspaces/:wId/pods/:podId/schedules/:id pause': (stage) => sendExample(stage, SCHEDULES),
  'DELETE /workspaces/:wId/pods/:podId/schedules/:id delete': (stage) => sendExample(stage, SCHEDULES),
  'POST /workspaces/:wId/pods/:podId/schedules/:id/run now': (stage) => sendExample(stage, SCHEDULES),
  'GET /workspaces/:wId/pods/:podId/webhooks newest': (stage) => sendExample(stage, INBOUND_WEBHOOKS),
  'GET /workspaces/:wId/pods/:podId/webhooks/:id signed': (stage) => sendExample(stage, INBOUND_WEBHOOKS),
  'PATCH /workspaces/:wId/pods/:podId/webhooks/:id disable': (stage) => sendExample(stage, INBOUND_WEBHOOKS),
  'POST /workspaces/:wId/pods/:podId/webhooks/:id/rotate withinAnHour': (stage) => sendExample(stage, INBOUND_WEBHOOKS),
  'DELETE /workspaces/:wId/pods/:podId/webhooks/:id delete': (stage) => sendExample(stage, INBOUND_WEBHOOKS),
  'POST /v1/webhooks/:id/trigger public': (stage) => sendExample(stage, INBOUND_WEBHOOKS, 'public'),
  'PATCH /workspaces/:wId/members/:userId lower': (stage) => addKim(stage),
  'DELETE /workspaces/:wId/members/:userId remove': (stage) => addKim(stage),
  'GET /workspaces/:wId/members kim': (stage) => addKim(stage),
  'GET /workspaces/:wId/api-keys newest': (stage) => sendExample(stage, 'POST /workspaces/:wId/api-keys'),
  'GET /workspaces/:wId/signing-keys newest': (stage) => sendExample(stage, 'POST /workspaces/:wId/signing-keys'),
  'GET /workspaces/:wId/secrets all': (stage) => sendExample(stage, 'PUT /workspaces/:wId/secrets/:name'),
  'GET /workspaces/:wId/audit keys': (stage) => sendExample(stage, 'POST /workspaces/:wId/api-keys'),
  'PUT /workspaces/:wId/secrets/:name changed': (stage) => sendExample(stage, 'PUT /workspaces/:wId/secrets/:name'),
  'DELETE /workspaces/:wId/secrets/:name delete': (stage) => sendExample(stage, 'PUT /workspaces/:wId/secrets/:name'),
  'POST /api/v1/workflows template': (stage) => publish(stage, 'expense-approval'),
  'GET /api/v1/workflows waiting': (stage) => startExpense(stage),
  'GET /api/v1/workflows/:id waiting': (stage) => startExpense(stage),
  'GET /api/v1/workflows/:id/explain waiting': (stage) => startExpense(stage),
  'POST /api/v1/workflows/:id/pause pause': (stage) => startExpense(stage),
  'POST /api/v1/workflows/:id/resume resume': (stage) => startExpense(stage, 'pause'),
  'POST /api/v1/workflows/:id/cancel cancel': (stage) => startExpense(stage),
  'POST /api/v1/workflows/:id/retry retry': (stage) => startExpense(stage, 'cancel'),
  'POST /api/v1/workflows/:id/approvals/:approval_id/approve approve': (stage) => askApproval(stage),
  'POST /api/v1/workflows/:id/approvals/:approval_id/reject reject': (stage) => askApproval(stage),
  'GET /api/v1/workflows/:id/snapshots approved': (stage) => startExpense(stage, 'approve'),
  'POST /api/v1/workflows/:id/rollback approved': (stage) => startExpense(stage, 'approve'),
  'GET /api/v1/workflow_templates published': async (stage) => {
    await sendExample(stage, 'POST /api/v1/workflow_templates');
    return publish(stage, 'refund');
  },
  'GET /api/v1/workflow_templates/:id latest': (stage) => sendExample(stage, 'POST /api/v1/workflow_templates'),
  'PUT /api/v1/workflow_templates/:id describe': (stage) => sendExample(stage, 'POST /api/v1/workflow_templates'),
  'POST /api/v1/workflow_templates/:id/publish latest': (stage) =>
    sendExample(stage, 'POST /api/v1/workflow_templates'),
  'GET /api/v1/webhooks all': (stage) => makeWebhook(stage),
  'PATCH /api/v1/webhooks/:id disable': (stage) => makeWebhook(stage),
  'PATCH /api/v1/webhooks/:id enable': (stage) => makeWebhook(stage),
  'DELETE /api/v1/webhooks/:id delete': (stage) => makeWebhook(stage),
  'GET /api/v1/webhooks/:id/deliveries all': (stage) => makeDelivery(stage),
  'POST /api/v1/webhooks/:id/deliveries/:delivery_id/redeliver again': (stage) => makeDelivery(stage),
  'POST /api/v1/callbacks/:token answer': (stage) => makeCallback(stage),
  'GET /api/files/:fileId order': (stage) => uploadOrder(stage),
  'DELETE /workspaces/:wId/api-keys/:keyId revoke': (stage) => makeKey(stage, 'api-keys', {}),
  'DELETE /workspaces/:wId/signing-keys/:keyId revoke': (stage) =>
    makeKey(stage, 'signing-keys', { algorithm: 'HS256' }),
};

async function publish({ ask }: Stage, workflow: string): Promise<undefined> {
  await ask(`/api/workflows/${workflow}/publish`, {});
}

/** A run of the caller's own that waits for an approval, or what a verb makes of it. */
async function startExpense(stage: Stage, verb?: 'pause' | 'cancel' | 'approve'): Promise<string> {
  await publish(stage, 'expense-approval');
  const post = async (path: string, body: object) =>
    (await call(`${stage.address}/api/v1/workflows${path}`, { key: stage.workspace.keys.editor, body })).body;
  const { id } = await post('', { template_id: 'expense-approval', input: { amount: 120 } });
  if (verb === 'approve') await post(`/${id}/approvals/${await findApproval(stage, id)}/approve`, {});
  else if (verb !== undefined) await post(`/${id}/${verb}`, {});
  return id;
}

async function findApproval({ db }: Stage, runId: string): Promise<string> {
  const { rows } = await db.pool.query<{ id: string }>('SELECT id FROM pauses WHERE run_id = $1', [runId]);
  return rows[0]!.id;
}

async function askApproval(stage: Stage): Promise<Record<string, string>> {
  const id = await startExpense(stage);
  const approvalId = await findApproval(stage, id);
  return { '0193b6f1-2a40-7b16-9d07-5e8f3c7a1b42': id, '0193b6f1-2a44-7c90-a1e3-0d4b6f82c953': approvalId };
}

async function makeWebhook(stage: Stage): Promise<string> {
  return sendExample(stage, 'POST /api/v1/webhooks');
}

/** A delivery that is over. It has the id of its webhook, since one made-up id stands for both. */
async function makeDelivery(stage: Stage): Promise<string> {
  const id = await makeWebhook(stage);
  await stage.db.pool.query(
    `INSERT INTO deliveries (id, workspace_id, run_id, webhook_id, event, seq, endpoint, status, finished_at)
     SELECT id, workspace_id, gen_random_uuid(), id, 'run_completed', 7, id::text, 'dead', now() FROM webhooks WHERE id = $1`,
    [id],
  );
  return id;
}

/** A run that waits for the answer to a callback; answers the token of its address. */
async function makeCallback({ db, ask }: Stage): Promise<string> {
  const step = { id: 'call', type: 'callback', url: 'https://example.com', waitForAnswer: true };
  const steps = [step, { id: 'end', type: 'end-flow' }];
  const edges = [{ from: 'call', to: 'end' }];
  const { id } = await ask('/api/workflows', { name: 'Calls', initialStep: 'call', steps, edges });
  const { runId } = await ask(`/api/workflow/start-async/${id}`, {});
  const { rows } = await db.pool.query<{ id: string }>('SELECT id FROM deliveries WHERE run_id = $1', [runId]);
  const named = Buffer.from(rows[0]!.id.replaceAll('-', ''), 'hex');
  const token = Buffer.concat([named, Buffer.alloc(32, 7)]).toString('base64url');
  const hash = createHash('sha256').update(token).digest();
  await db.pool.query('UPDATE deliveries SET answer_hashes = ARRAY[$2::bytea] WHERE run_id = $1', [runId, hash]);
  return token;
}

async function start({ ask }: Stage, workflow = 'customer-onboarding'): Promise<string> {
  return (await ask(`/api/workflow/start-async/${workflow}`, { data: {} })).runId;
}

async function addKim({ workspace, ask }: Stage): Promise<undefined> {
  await ask(`/workspaces/${workspace.slug}/members`, { userId: 'kim', role: 'editor' });
}

async function makeKey({ workspace, ask }: Stage, kind: string, more: object): Promise<string> {
  return (await ask(`/workspaces/${workspace.slug}/${kind}`, { name: 'key', role: 'viewer', ...more })).id;
}

/** Makes what the first example of a route makes, or the one called so. */
async function sendExample({ workspace, ask }: Stage, name: string, called?: string): Promise<string> {
  const { method, path, examples } = ROUTES.find((route) => nameOf(route) === name)!;
  const { params = {}, body } = examples!.find((example) => called === undefined || example.name === called)!;
  const filled = path.replace(':wId', workspace.slug).replace(/:(\w+)/g, (_, param: string) => params[param]!);
  return (await ask(filled, body as object, method)).id;
}

async function uploadOrder({ address, workspace, ask }: Stage): Promise<string> {
  const order = { content: Buffer.from('item,amount\npaper,12\n'), filename: 'order.csv', type: 'text/csv' };
  const { body } = await postForm(`${address}/api/workflow/start-async/customer-onboarding`, {
    key: workspace.keys.owner,
    body: formOf({}, { attachment: order }),
  });
  return (await ask(`/api/workflow/status/${body.runId}`)).data.fileId;
}

async function archive({ ask }: Stage): Promise<undefined> {
  await ask('/api/workflows/customer-onboarding', undefined, 'DELETE');
}

describe('/openapi.json', () => {
  let holdpoint: Holdpoint;
  // biome-ignore lint/suspicious/noExplicitAny: the document is read as what it says it is, and the tests assert that
  let document: any;
  let ajv: Ajv2020;
  before(async () => {
    holdpoint = await startHoldpoint({ settings: { secretKeys: [Buffer.alloc(32, 1)] } });
    document = (await holdpoint.ask('/openapi.json', { key: '', headers: { authorization: '' } })).body;
    ajv = new Ajv2020({ strict: false, allErrors: true });
    (formatsModule as unknown as typeof formatsModule.default)(ajv);
    ajv.addSchema(document, 'openapi');
  });
  after(() => holdpoint.stop());

  const operationOf = ({ method, path }: Route) =>
    document.paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
  // biome-ignore lint/suspicious/noExplicitAny: see the document
  const listOperations = (): { name: string; operation: any }[] =>
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item as object).map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
        operation,
      })),
    );

  it('is a valid OpenAPI 3.1 document, for anybody to read', async () => {
    expect(document.openapi).to.match(/^3\.1\./);
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect(errors ?? []).to.deep.equal([]);
    expect(valid).to.equal(true);
  });

  it('refers to nothing that is not there, and names no operation twice', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
    expect(references.length).to.be.greaterThan(100);
    for (const path of new Set(references)) {
      const found = path.split('/').reduce((part, key) => part?.[key], document);
      expect(found, path).to.be.an('object');
    }
    const ids = listOperations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).to.equal(ids.length);
  });

  it('describes every route of the table and nothing else (API9)', () => {
    const described = listOperations().map(({ name }) => name);
    expect(described).to.have.members(ROUTES.map(nameOf));
  });

  it('says of every route what it is for, who may use it, and each answer that the edge gives by itself', () => {
    for (const route of ROUTES) {
      const { summary, description, tags, security, parameters, responses } = operationOf(route);
      const isPublic = route.role === 'public';
      expect(summary, nameOf(route)).to.be.a('string').and.not.include(route.path);
      expect(tags, nameOf(route)).to.have.length(1);
      expect(description, nameOf(route)).to.include(isPublic ? 'no credential' : `role \`${route.role}\``);
      expect(security, nameOf(route)).to.deep.equal(isPublic ? [] : undefined);
      const inPath = parameters.filter((parameter: JsonObject) => parameter['in'] === 'path');
      expect(
        inPath.map(({ name }: { name: string }) => `:${name}`),
        nameOf(route),
      ).to.deep.equal(route.path.match(/:\w+/g) ?? []);
      const statuses = Object.keys(responses);
      expect(statuses, nameOf(route)).to.include.members(['400', '500']);
      expect(statuses.some((status) => status.startsWith('2'))).to.equal(true);
      if (isPublic) continue;
      expect(statuses, nameOf(route)).to.include.members(['401', '403', '429', '503']);
      if (route.path.includes(':')) expect(statuses, nameOf(route)).to.include('404');
      if (route.method !== 'GET') {
        expect(statuses, nameOf(route)).to.include.members(['409', '422']);
        expect(JSON.stringify(parameters), nameOf(route)).to.include('Idempotency-Key');
      }
    }
  });

  it('carries the very schemas that check requests', () => {
    for (const route of ROUTES) {
      const { parameters, requestBody } = operationOf(route);
      const properties = Object.keys((route.query?.['properties'] ?? {}) as object);
      const inQuery = parameters.filter((parameter: JsonObject) => parameter['in'] === 'query');
      expect(
        inQuery.map(({ name }: { name: string }) => name),
        nameOf(route),
      ).to.deep.equal(properties);
      const isNone = route.body === undefined || JSON.stringify(route.body['properties']) === '{}';
      if (isNone) expect(requestBody, nameOf(route)).to.equal(undefined);
      else expect(requestBody.content['application/json'].schema, nameOf(route)).to.deep.equal(route.body);
    }
  });

  it('has an example of every call, and in it a body and an answer where there are any', () => {
    for (const route of ROUTES) {
      const { examples = [], body, successStatus = 200 } = route;
      const isBodiless = body === undefined || isEmptied(body);
      const successes = examples.filter(({ status = successStatus }) => status < 300);
      expect(successes, nameOf(route)).to.have.length.above(0);
      for (const example of successes) {
        expect(example.body === undefined, `the body of ${nameOf(route)}`).to.equal(isBodiless);
        const { status = successStatus } = example;
        expect(example.answer === undefined, `the answer of ${nameOf(route)}`).to.equal(status === 204);
      }
    }
  });

  it('gives each name to one schema', () => {
    const named = new Map<string, string>();
    const collect = (schema: unknown): void => {
      if (typeof schema !== 'object' || schema === null) return;
      const { title } = schema as JsonObject;
      const text = JSON.stringify(schema);
      if (typeof title === 'string') expect(named.get(title) ?? text, title).to.equal(text);
      if (typeof title === 'string') named.set(title, text);
      for (const part of Object.values(schema)) collect(part);
    };
    for (const { responses, body, query } of ROUTES)
      collect([...Object.values(responses ?? {}).map(({ schema }) => schema), body, query]);
    expect(named.size).to.be.above(20);
  });

  for (const route of DISTINCT) {
    for (const example of route.examples ?? []) {
      it(`tells the truth in the example "${example.name}" of ${nameOf(route)}`, async () => {
        const workspace = await createWorkspace(holdpoint.db);
        const ask: Stage['ask'] = async (path, body, method) => {
          const options = { key: workspace.keys.owner, ...(method === undefined ? {} : { method }) };
          const answer = await call(`${holdpoint.address}${path}`, body === undefined ? options : { ...options, body });
          expect(answer.status, `${path}: ${JSON.stringify(answer.body)}`).to.be.lessThan(300);
          return answer.body;
        };
        const stage = { db: holdpoint.db, address: holdpoint.address, workspace, ask };
        await setUp(stage);
        const id = await BEFORE[`${nameOf(route)} ${example.name}`]?.(stage);
        const answer = await send(route, example, { workspace, id: id ?? '' });
        const expected = example.status ?? route.successStatus ?? 200;
        expect(answer.status, JSON.stringify(answer.body)).to.equal(expected);
        if (example.answer !== undefined) {
          const body = example.isExcerpt ? excerpt(answer.body, example.answer) : answer.body;
          expect(hide(body, workspace)).to.deep.equal(hide(example.answer, workspace));
        }
        checkAnswer(route, answer);
      });
    }
  }

  /** The workflows that the examples speak of, made by the examples that make them. */
  async function setUp({ ask }: Stage): Promise<void> {
    const create = ROUTES.find((route) => nameOf(route) === 'POST /api/workflows')!;
    for (const name of ['approval', 'inputs'])
      await ask('/api/workflows', create.examples!.find((example) => example.name === name)!.body as object);
  }

  function send(
    { method, path, role }: Route,
    { params = {}, query = {}, body }: RouteExample,
    { workspace, id }: { workspace: TestWorkspace; id: string | Record<string, string> },
  ): Promise<Answer> {
    const real = (text: string) =>
      typeof id === 'string'
        ? text.replace(MADE_UP, id)
        : Object.entries(id).reduce((filled, [madeUp, own]) => filled.replaceAll(madeUp, own), text);
    const filled = path
      .replace(':wId', workspace.slug)
      .replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(real(params[name]!)));
    const search = new URLSearchParams(query).toString();
    return call(`${holdpoint.address}${filled}${search === '' ? '' : `?${search}`}`, {
      method,
      key: workspace.keys[role === 'public' || role === 'viewer' ? 'editor' : role],
      ...(body === undefined ? {} : { body: JSON.parse(real(JSON.stringify(body))) }),
    });
  }

  /** What examples make up: ids and times, who did it, the workspace, and whatever is secret. */
  function hide(body: unknown, { slug }: TestWorkspace): unknown {
    const text = JSON.stringify(body)
      .replace(/"user-(editor|admin|owner)"/g, '"jane"')
      .replaceAll(`"${slug}"`, '"acme"')
      .replace(/"(prefix|key|secret|ticket)":"[^"]+"/g, '"$1":"<secret>"')
      .replace(/"https?:[^"]+\/v1\/webhooks\/[^"]+"/g, '"<url>"')
      .replace(/"(address|userAgent)":"[^"]+"/g, '"$1":"<client>"');
    return mask(JSON.parse(text));
  }

  function checkAnswer(route: Route, { status, body }: Answer): void {
    const pointer = ['paths', route.path.replace(/:(\w+)/g, '{$1}'), route.method.toLowerCase(), 'responses', status];
    const escaped = pointer.map((part) => encodeURIComponent(String(part).replaceAll('~', '~0').replaceAll('/', '~1')));
    const described = operationOf(route).responses[status];
    expect(described, `${status} of ${nameOf(route)}`).to.be.an('object');
    if (described.content?.['application/json']?.schema === undefined) return;
    const schema = `openapi#/${escaped.join('/')}/content/application~1json/schema`;
    const isValid = ajv.validate(schema, body);
    expect(isValid, `${ajv.errorsText()} in ${JSON.stringify(body)}`).to.equal(true);
  }
});

/** A body in which nothing is allowed: the route needs none. */
function isEmptied({ properties, additionalProperties }: JsonObject): boolean {
  return additionalProperties === false && Object.keys(properties ?? {}).length === 0;
}

/** What an answer has of an excerpt: those members, or those lines, whatever the numbers in them are. */
function excerpt(body: unknown, wanted: unknown): unknown {
  if (typeof wanted !== 'string')
    return Object.fromEntries(Object.keys(wanted as object).map((name) => [name, (body as JsonObject)[name]]));
  const anyNumber = (line: string) => line.replace(/ \d+$/, ' 0');
  const lines = new Set(String(body).split('\n').map(anyNumber));
  return wanted
    .split('\n')
    .filter((line) => lines.has(anyNumber(line)))
    .join('\n');
}
