import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { type Holdpoint, startHoldpoint } from '../../support/holdpoint.ts';

const ask = { id: 'ask', type: 'collect-inputs', output: { code: { type: 'string', pattern: '^[A-Z]{3}$' } } };
const flow = (payload: object, output: object = ask.output) => ({
  name: 'Input',
  initialStep: 'ask',
  steps: [
    { ...ask, output },
    { id: 'end', type: 'end-flow' },
  ],
  edges: [{ from: 'ask', to: 'end' }],
  payload,
});

/** A payload in the language of JSON Schema, with what it has and a field map has not. */
const ORDER = {
  type: 'object',
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://example.com/order',
  properties: {
    customer: { $ref: '#/$defs/person' },
    items: { type: 'array', minItems: 1, items: { $ref: '#/$defs/item' } },
    currency: { enum: ['EUR', 'USD'], default: 'EUR' },
    express: { type: 'boolean', default: false },
  },
  required: ['customer', 'items'],
  additionalProperties: false,
  $defs: {
    person: {
      type: 'object',
      properties: { name: { type: 'string', minLength: 1 }, email: { type: 'string', format: 'email' } },
      required: ['name'],
    },
    item: {
      type: 'object',
      properties: {
        sku: { type: 'string', pattern: '^[A-Z]{2}-\\d{4}$' },
        count: { type: 'integer', minimum: 1, default: 1 },
      },
      required: ['sku'],
    },
  },
};

describe('the input of a workflow over HTTP', () => {
  let holdpoint: Holdpoint;
  before(async () => {
    holdpoint = await startHoldpoint({ settings: { rateLimit: 0, rateLimitStarts: 0 } });
  });
  after(() => holdpoint.stop());

  const start = (workflow: string, data: object) =>
    holdpoint.ask(`/api/workflow/start-async/${workflow}`, { body: { data } });
  const refuse = async (definition: object) => {
    const { status, body } = await holdpoint.ask('/api/workflows', { body: definition });
    expect(status, JSON.stringify(body)).to.equal(400);
    return body.error.details as { pointer: string; message: string; hint?: string }[];
  };

  it('is checked against a JSON Schema with definitions, all problems at once, by their places in the body', async () => {
    const workflow = await holdpoint.define(flow(ORDER));
    const { status, body } = await start(workflow, {
      customer: { email: 'nobody' },
      items: [{ sku: 'AB-1234' }, { sku: 'ab-1', count: 0 }],
      currency: 'GBP',
      expres: true,
    });
    expect({ status, code: body.error.code }).to.deep.equal({ status: 400, code: 'INVALID_INPUT' });
    expect(body.error.details).to.have.deep.members([
      { pointer: '/data/customer/name', message: 'is required' },
      { pointer: '/data/customer/email', message: 'must be a valid email', hint: 'for example name@example.com' },
      { pointer: '/data/items/1/sku', message: 'must match the pattern ^[A-Z]{2}-\\d{4}$' },
      { pointer: '/data/items/1/count', message: 'must be 1 or more' },
      { pointer: '/data/currency', message: 'must be one of EUR, USD' },
      { pointer: '/data/expres', message: 'is an unknown field', hint: 'did you mean "express"?' },
    ]);
  });

  it('keeps the order in which its fields were written, for the form that is made of it', async () => {
    const payload = { zip: { type: 'string' }, lastName: { type: 'string', title: 'Name', maxLength: 9 }, a: {} };
    const workflow = await holdpoint.define(flow(payload, payload));
    const { body } = await holdpoint.ask(`/api/workflow/metadata/input/${workflow}`);
    expect(JSON.stringify(body.data.payload)).to.equal(JSON.stringify(payload));
    const stored = await holdpoint.ask(`/api/workflows/${workflow}`);
    expect(JSON.stringify(stored.body.payload)).to.equal(JSON.stringify(payload));
    const optional = await holdpoint.define(flow({}, { zip: { type: 'string' }, lastName: { type: 'string' } }));
    const { body: run } = await holdpoint.ask(`/api/workflow/start/${optional}`, { body: {} });
    expect(Object.keys(run.pauseSignal.fields)).to.deep.equal(['zip', 'lastName']);
  });

  it('is filled with the defaults of a JSON Schema, also of what it refers to', async () => {
    const workflow = await holdpoint.define(flow(ORDER));
    const { body } = await start(workflow, { customer: { name: 'Ada' }, items: [{ sku: 'AB-1234' }] });
    expect((await holdpoint.ask(`/api/workflow/status/${body.runId}`)).body.data).to.deep.equal({
      customer: { name: 'Ada' },
      items: [{ sku: 'AB-1234', count: 1 }],
      currency: 'EUR',
      express: false,
    });
  });

  it('is checked against a field map: required unless it says otherwise or has a default, others let through', async () => {
    const payload = {
      vendorId: { type: 'string', pattern: '^vendor-' },
      budget: { type: 'number', required: false, maximum: 1_000 },
      priority: { enum: ['low', 'high'], default: 'low' },
    };
    const workflow = await holdpoint.define(flow(payload));
    const refused = await start(workflow, { budget: 5_000, priority: 'top' });
    expect(refused.body.error.details).to.have.deep.members([
      { pointer: '/data/vendorId', message: 'is required' },
      { pointer: '/data/budget', message: 'must be 1000 or less' },
      { pointer: '/data/priority', message: 'must be one of low, high' },
    ]);
    const { body } = await start(workflow, { vendorId: 'vendor-123', department: 'Engineering' });
    expect((await holdpoint.ask(`/api/workflow/status/${body.runId}`)).body.data).to.deep.equal({
      vendorId: 'vendor-123',
      department: 'Engineering',
      priority: 'low',
    });
  });

  it('is answered by the same schemas where a person is asked', async () => {
    const output = {
      code: ask.output.code,
      address: { $ref: '#/$defs/place', $defs: { place: { type: 'object', required: ['city'] } } },
    };
    const workflow = await holdpoint.define(flow({}, output));
    const { body } = await start(workflow, {});
    const resume = (data: object) =>
      holdpoint.ask(`/api/workflow/resume/${body.runId}`, { body: { type: 'collect_inputs', data } });
    const refused = await resume({ code: 'abc', address: {} });
    expect(refused.status).to.equal(400);
    expect(refused.body.error.details).to.have.deep.members([
      { pointer: '/data/code', message: 'must match the pattern ^[A-Z]{3}$' },
      { pointer: '/data/address/city', message: 'is required' },
    ]);
    expect((await resume({ code: 'ABC', address: { city: 'Bonn' } })).status).to.equal(200);
  });

  it('is told as it was written, or as the first step asks for it', async () => {
    const told = async (workflow: string) => (await holdpoint.ask(`/api/workflow/metadata/input/${workflow}`)).body;
    const order = await holdpoint.define(flow(ORDER));
    expect(await told(order)).to.deep.equal({ success: true, data: { workflowId: order, payload: ORDER } });
    const empty = await holdpoint.define(flow({}));
    expect(await told(empty)).to.deep.equal({ success: true, data: { workflowId: empty, payload: ask.output } });
    const missing = await holdpoint.ask('/api/workflow/metadata/input/nothing');
    expect({ status: missing.status, code: missing.body.error.code }).to.deep.equal({
      status: 404,
      code: 'WORKFLOW_NOT_FOUND',
    });
  });

  it('holds up nobody by its patterns (S-43)', async () => {
    const workflow = await holdpoint.define(flow({ text: { type: 'string', pattern: '^(a+)+$' } }));
    const { status, body } = await start(workflow, { text: `${'a'.repeat(50_000)}!` });
    expect({ status, details: body.error.details }).to.deep.equal({
      status: 400,
      details: [{ pointer: '/data/text', message: 'must match the pattern ^(a+)+$' }],
    });
    for (const schema of [{ pattern: '^(?=a)' }, { patternProperties: { '(a)\\1': {} } }]) {
      const details = await refuse(flow({ text: { type: 'string', ...schema } }));
      expect(details[0]!.message).to.match(/^cannot be matched in linear time/);
      expect(details[0]!.hint).to.match(/^leave out look-around and back-references/);
    }
    const many = Array.from({ length: 500 }, (_, index) => ({
      ...ask,
      id: `s${index}`,
      output: { a: { pattern: `^[a-z]{1,50}${index}[\\w-]{1,50}$`.padEnd(60, 'x') } },
    }));
    const edges = many.slice(1).map((step, index) => ({ from: `s${index}`, to: step.id }));
    const details = await refuse({ name: 'Many', initialStep: 's0', steps: many, edges });
    expect(details[0]!.message).to.equal('has more than 20000 characters of patterns in its schemas');
  });

  it('cannot make us fetch, wait or run in circles (S-44)', async () => {
    let connections = 0;
    const listener = createServer((socket) => {
      connections += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const remote = `http://127.0.0.1:${port}/schema.json`;
    const properties = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, index) => [`f${index}`, { type: 'string' }]),
    );
    const cases: [object, string, string][] = [
      [{ type: 'object', $ref: remote }, '/payload/$ref', 'leads out of this schema, and nothing is fetched'],
      [{ a: { $ref: remote } }, '/payload/a/$ref', 'leads out of this schema, and nothing is fetched'],
      [
        { type: 'object', $ref: 'file:///etc/passwd' },
        '/payload/$ref',
        'leads out of this schema, and nothing is fetched',
      ],
      [
        { type: 'object', properties: { child: { $ref: '#' } } },
        '/payload/properties/child/$ref',
        'leads back to a schema that it stands in',
      ],
      [{ type: 'object', properties }, '/payload', 'has more than 200 fields and subschemas'],
      [properties, '/payload', 'has more than 200 fields and subschemas'],
      [{ type: 'object', $async: true }, '/payload/$async', 'is not supported'],
    ];
    for (const [payload, pointer, message] of cases) {
      expect((await refuse(flow(payload)))[0]).to.include({ pointer, message });
      const asking = await refuse(flow({}, { field: payload }));
      expect(asking[0]!.pointer).to.match(/^\/steps\/0\/output/);
    }
    expect(connections).to.equal(0);
    listener.close();
  });
});
