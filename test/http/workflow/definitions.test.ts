import { expect } from 'chai';
import { createStepTypes } from '../../../src/steps/registry.ts';
import { createTools } from '../../../src/steps/tools.ts';
import { type Holdpoint, startHoldpoint } from '../../support/holdpoint.ts';

const onboarding = {
  name: 'Customer Onboarding',
  description: 'Onboarding workflow for new customers',
  initialStep: 'collect-inputs-1',
  steps: [
    {
      type: 'collect-inputs',
      id: 'collect-inputs-1',
      output: { customerName: { type: 'string' }, email: { type: 'string' } },
    },
    { type: 'end-flow', id: 'end-1' },
  ],
  edges: [{ from: 'collect-inputs-1', to: 'end-1' }],
  payload: {},
};

describe('workflows over HTTP', () => {
  let holdpoint: Holdpoint;
  beforeEach(async () => {
    holdpoint = await startHoldpoint();
  });
  afterEach(() => holdpoint.stop());

  it('creates a workflow as a draft of version 1.0.0, named by a slug', async () => {
    const { status, body } = await holdpoint.ask('/api/workflows', { body: onboarding });
    const { createdAt, updatedAt, uuid, ...rest } = body;
    expect({ status, body: rest }).to.deep.equal({
      status: 201,
      body: {
        ...onboarding,
        id: 'customer-onboarding',
        status: 'draft',
        version: '1.0.0',
        publishedVersion: null,
        createdBy: 'user-editor',
      },
    });
    expect(uuid).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    for (const time of [createdAt, updatedAt]) expect(time).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect((await holdpoint.ask('/api/workflows/customer-onboarding')).body).to.deep.equal(body);
    expect((await holdpoint.ask(`/api/workflows/${uuid}`)).body).to.deep.equal(body);
  });

  it('documents every type of step, and no key that a definition may not have', async () => {
    const { body } = await holdpoint.ask('/openapi.json');
    const { properties } = body.paths['/api/workflows'].post.requestBody.content['application/json'].schema;
    for (const { type } of createStepTypes(createTools([])).list())
      expect(properties.steps.description).to.include(`\`${type}\``);
    const guess = Object.fromEntries(Object.keys(properties).map((key) => [key, true]));
    const answer = await holdpoint.ask('/api/workflows', { body: guess });
    for (const { pointer, message } of answer.body.error.details) expect(message, pointer).not.to.include('unknown');
  });

  it('suffixes the key of a name that is taken, also between racers', async () => {
    const created = await Promise.all(Array.from({ length: 8 }, () => holdpoint.define(onboarding)));
    const suffixes = ['', '-2', '-3', '-4', '-5', '-6', '-7', '-8'];
    expect(created.sort()).to.deep.equal(suffixes.map((suffix) => `customer-onboarding${suffix}`).sort());
  });

  it('makes keys of any name', async () => {
    const keyOf = (name: string) => holdpoint.define({ ...onboarding, name });
    expect(await keyOf('Über  Café №1!')).to.equal('uber-cafe-no1');
    expect(await keyOf('承認')).to.equal('workflow');
    expect(await keyOf('🙂')).to.equal('workflow-2');
    expect((await keyOf('x'.repeat(150))).length).to.equal(60);
  });

  it('lists every problem of a definition at once, and stores nothing', async () => {
    const broken = {
      ...onboarding,
      initialStep: 'nowhere',
      edges: [{ from: 'collect-inputs-1', to: 'ghost' }],
      colour: 'red',
    };
    const { status, body } = await holdpoint.ask('/api/workflows', { body: broken });
    expect({ status, code: body.error.code }).to.deep.equal({ status: 400, code: 'INVALID_DEFINITION' });
    expect(body.error.message).to.match(/^Invalid input: /);
    const pointers = body.error.details.map((problem: { pointer: string }) => problem.pointer);
    expect(pointers).to.include.members(['/initialStep', '/edges/0/to', '/colour']);
    expect((await holdpoint.ask('/api/workflows')).body).to.deep.equal([]);
  });

  it('ignores no field that would set what is not the caller’s to set', async () => {
    for (const field of ['id', 'status', 'version', 'createdBy', 'tenantId', 'workspaceId']) {
      const { status } = await holdpoint.ask('/api/workflows', { body: { ...onboarding, [field]: 'published' } });
      expect(status, field).to.equal(400);
    }
  });

  it('lists a page as a bare array, with the total beside it', async () => {
    for (const name of ['One', 'Two', 'Three']) await holdpoint.define({ ...onboarding, name });
    const { body, headers } = await holdpoint.ask('/api/workflows?limit=2');
    expect(headers.get('x-total-count')).to.equal('3');
    expect(body).to.have.length(2);
    const { createdAt, updatedAt, ...first } = body[0];
    expect(first).to.deep.equal({
      id: 'three',
      name: 'Three',
      description: onboarding.description,
      status: 'draft',
      version: '1.0.0',
      publishedVersion: null,
    });
    expect(updatedAt).to.equal(createdAt);
    expect((await holdpoint.ask('/api/workflows?search=tw')).body.map((row: { id: string }) => row.id)).to.deep.equal([
      'two',
    ]);
    expect((await holdpoint.ask('/api/workflows?offset=2')).body.map((row: { id: string }) => row.id)).to.deep.equal([
      'one',
    ]);
    for (const query of ['limit=201', 'limit=0', 'status=live', 'sort=name', 'offset=-1', 'includeArchived=maybe']) {
      expect((await holdpoint.ask(`/api/workflows?${query}`)).status, query).to.equal(400);
    }
  });

  it('publishes the latest version or a named one, and says so', async () => {
    await holdpoint.define(onboarding);
    expect((await holdpoint.ask('/api/workflows/customer-onboarding?version=published')).status).to.equal(404);
    const { status, body } = await holdpoint.ask('/api/workflows/customer-onboarding/publish', {
      body: { version: '1.0.0' },
    });
    expect({ status, word: body.status, published: body.publishedVersion }).to.deep.equal({
      status: 200,
      word: 'published',
      published: '1.0.0',
    });
    expect((await holdpoint.ask('/api/workflows/customer-onboarding/publish', { method: 'POST' })).status).to.equal(
      200,
    );
    expect((await holdpoint.ask('/api/workflows/customer-onboarding?version=published')).body.version).to.equal(
      '1.0.0',
    );
    const missing = await holdpoint.ask('/api/workflows/customer-onboarding/publish', { body: { version: '1.0.7' } });
    expect({ status: missing.status, code: missing.body.error.code }).to.deep.equal({
      status: 404,
      code: 'VERSION_NOT_FOUND',
    });
    expect(missing.body.error.message).to.match(/^Workflow not found: /);
    expect((await holdpoint.ask('/api/workflows/nothing/publish', { body: {} })).status).to.equal(404);
    expect(
      (await holdpoint.ask('/api/workflows/customer-onboarding/publish', { body: { version: 'first' } })).status,
    ).to.equal(400);
  });

  it('refuses to publish or start an archived workflow', async () => {
    await holdpoint.define(onboarding);
    await holdpoint.db.pool.query('UPDATE definitions SET archived_at = now()');
    const publish = await holdpoint.ask('/api/workflows/customer-onboarding/publish', { body: {} });
    const start = await holdpoint.ask('/api/workflow/start-async/customer-onboarding', { body: {} });
    for (const { status, body } of [publish, start]) {
      expect({ status, code: body.error.code }).to.deep.equal({ status: 409, code: 'WORKFLOW_ARCHIVED' });
    }
    expect((await holdpoint.ask('/api/workflows/customer-onboarding')).body.status).to.equal('archived');
  });

  it('tells the input a workflow takes: its payload, else what its first collect-inputs step asks for', async () => {
    await holdpoint.define(onboarding);
    const { body } = await holdpoint.ask('/api/workflow/metadata/input/customer-onboarding');
    expect(body).to.deep.equal({
      success: true,
      data: { workflowId: 'customer-onboarding', payload: onboarding.steps[0]!.output },
    });
    const payload = { amount: { type: 'number' } };
    await holdpoint.define({ ...onboarding, name: 'Paid', payload });
    expect((await holdpoint.ask('/api/workflow/metadata/input/paid')).body.data.payload).to.deep.equal(payload);
  });

  it('takes a definition larger than other bodies may be', async () => {
    const description = 'x'.repeat(10_000);
    const steps = Array.from({ length: 150 }, (_, index) => ({ id: `s${index}`, type: 'end-flow', description }));
    const edges = steps.slice(1).map((step) => ({ from: 'first', to: step.id }));
    const body = {
      name: 'Big',
      initialStep: 'first',
      steps: [{ id: 'first', type: 'transform', output: {} }, ...steps],
      edges: [...edges, { from: 'first', to: 's0' }],
    };
    expect((await holdpoint.ask('/api/workflows', { body })).status).to.equal(201);
    const { status } = await holdpoint.ask('/api/workflows', {
      body: { ...onboarding, description: 'x'.repeat(5_300_000) },
    });
    expect(status).to.equal(413);
  });
});
