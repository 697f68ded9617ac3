// The OpenAPI document of a real server: valid, complete against the route table (API9), and true, because every example
// in it is sent as it stands and every answer is held against its schema.

import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formatsModule from 'ajv-formats';
import { expect } from 'chai';
import type { JsonObject } from '../../src/core/json.ts';
import type { Route, RouteExample } from '../../src/http/route.ts';
import { type Answer, call, createWorkspace, type TestWorkspace } from '../support/api.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { DISTINCT, nameOf, ROUTES } from '../support/routes.ts';
import { mask } from '../support/seed-client.ts';

/** The ids of a run and a key that examples are about. */
const MADE_UP = /0193b6f1-2a40-7b16-9d07-5e8f3c7a1b42|0193b6f2-51c8-7e07-b5a4-2f9d8c6e1a70/g;

interface Stage {
  workspace: TestWorkspace;
  /** Makes a call that the example needs to have been made before. */
  ask(path: string, body?: object, method?: string): Promise<Answer['body']>;
}

/** What has to be there before an example is sent; answers the id that its made-up one stands for. */
const BEFORE: Readonly<Record<string, (stage: Stage) => Promise<string | undefined>>> = {
  'GET /api/workflow/status/:runId paused': (stage) => start(stage),
  'POST /api/workflow/resume/:runId inputs': (stage) => start(stage),
  'POST /api/workflow/resume/:runId action': (stage) => start(stage, 'expense-approval'),
  'POST /api/workflow/resume/:runId doesNotFit': (stage) => start(stage),
  'POST /api/workflow/management/cancel cancel': (stage) => start(stage),
  'POST /api/workflow/management/terminate terminate': (stage) => start(stage),
  'POST /api/workflows/:id/unarchive unarchive': (stage) => archive(stage),
  'DELETE /api/workflows/:id/permanent delete': (stage) => archive(stage),
  'PATCH /workspaces/:wId/members/:userId lower': (stage) => addKim(stage),
  'DELETE /workspaces/:wId/members/:userId remove': (stage) => addKim(stage),
  'DELETE /workspaces/:wId/api-keys/:keyId revoke': (stage) => makeKey(stage, 'api-keys', {}),
  'DELETE /workspaces/:wId/signing-keys/:keyId revoke': (stage) =>
    makeKey(stage, 'signing-keys', { algorithm: 'HS256' }),
};

async function start({ ask }: Stage, workflow = 'customer-onboarding'): Promise<string> {
  return (await ask(`/api/workflow/start-async/${workflow}`, { data: {} })).runId;
}

async function addKim({ workspace, ask }: Stage): Promise<undefined> {
  await ask(`/workspaces/${workspace.slug}/members`, { userId: 'kim', role: 'editor' });
}

async function makeKey({ workspace, ask }: Stage, kind: string, more: object): Promise<string> {
  return (await ask(`/workspaces/${workspace.slug}/${kind}`, { name: 'key', role: 'viewer', ...more })).id;
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

  it('has an example of every call of the workflow face', () => {
    const without = ROUTES.filter(
      ({ path, examples = [] }) => path.startsWith('/api/workflow') && examples.length === 0,
    );
    expect(without.map(nameOf)).to.deep.equal([]);
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
        await setUp({ workspace, ask });
        const id = await BEFORE[`${nameOf(route)} ${example.name}`]?.({ workspace, ask });
        const answer = await send(route, example, { workspace, id: id ?? '' });
        const expected = example.status ?? route.successStatus ?? 200;
        expect(answer.status, JSON.stringify(answer.body)).to.equal(expected);
        if (example.answer !== undefined)
          expect(hide(answer.body, workspace)).to.deep.equal(hide(example.answer, workspace));
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
    { workspace, id }: { workspace: TestWorkspace; id: string },
  ): Promise<Answer> {
    const real = (text: string) => text.replace(MADE_UP, id);
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
      .replace(/"(prefix|key|secret)":"[^"]+"/g, '"$1":"<secret>"');
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
