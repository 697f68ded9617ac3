import { expect } from 'chai';
import fc from 'fast-check';
import { v7 as uuidv7 } from 'uuid';
import type { Json } from '../../src/core/json.ts';
import type { Route } from '../../src/http/route.ts';
import { type FuzzedRequest, fuzzedQueries, fuzzedRequests } from '../support/fuzz-bodies.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { bodyFor, DISTINCT, nameOf } from '../support/routes.ts';

/** Requests per route; FUZZ_RUNS=50000 is a night's work. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 25);

/** A definition with something of everything. */
const DEFINITION: Json = {
  name: 'Fuzzed',
  description: 'For mutation',
  initialStep: 'ask',
  payload: {
    type: 'object',
    properties: { a: { $ref: '#/$defs/code' }, b: { enum: [1, 'x', {}] }, c: { default: 5 } },
    $defs: { code: { type: 'string', pattern: '^[A-Z]{1,3}$', format: 'uri-template' } },
    dependentRequired: { a: ['c'] },
  },
  steps: [
    {
      id: 'ask',
      type: 'collect-inputs',
      output: { x: { type: 'integer', required: false } },
      message: 'For ${data.a}',
    },
    { id: 'approve', type: 'request-user-action', actions: [{ id: 'approve', label: 'Yes' }], dueInMs: 60_000 },
    { id: 'map', type: 'transform', output: { sum: '${data.x + 1}', list: ['${data.b|json}'] }, outputKey: 'mapped' },
    { id: 'check', type: 'condition', condition: 'data.x > 5 && steps.map.output.sum == 6' },
    { id: 'rest', type: 'wait', durationMs: 60_000 },
    { id: 'end', type: 'end-flow', result: { ok: '${data.x}' } },
  ],
  edges: [
    { from: 'ask', to: 'approve' },
    { from: 'approve', to: 'map', on: 'approve' },
    { from: 'map', to: 'check', condition: 'data.x != 3' },
    { from: 'check', to: 'rest', on: 'true' },
    { from: 'check', to: 'end', on: 'false' },
    { from: 'rest', to: 'end' },
  ],
  output: '${data}',
  defaults: { retry: { attempts: 2 }, timeoutMs: 1_000 },
};

describe('whatever is sent', function () {
  this.timeout(30_000 + RUNS * 1_000);
  let holdpoint: Holdpoint;
  let started: string;
  let edited: string;
  let run: string;
  before(async () => {
    const settings = { rateLimit: 0, rateLimitStarts: 0, rateLimitFailures: 0, secretKeys: [Buffer.alloc(32, 1)] };
    holdpoint = await startHoldpoint({ settings });
    started = await holdpoint.define(DEFINITION as object);
    edited = await holdpoint.define({ ...(DEFINITION as object), name: 'Edited' });
    run = await holdpoint.start(started);
  });
  after(() => holdpoint.stop());

  for (const route of DISTINCT) {
    it(`${nameOf(route)} refuses or takes it, and never fails`, async () => {
      const requests = fuzzedRequests(samplesFor(route), route.body ?? {});
      const queries = fuzzedQueries(route.query ?? {});
      // A bad query ends a request before its body is read.
      const query = route.method === 'GET' ? queries : fc.oneof({ weight: 9, arbitrary: fc.constant('') }, queries);
      await fc.assert(
        fc.asyncProperty(requests, query, async (request, asked) => {
          const { status, text } = await send(route, request, asked);
          expect(status, text).to.be.within(200, 499);
          if (status >= 400) expect(JSON.parse(text), text).to.be.an('object');
          if (status === 201 && nameOf(route) === 'POST /api/workflows') await startAccepted(text);
        }),
        { numRuns: RUNS },
      );
    });
  }

  it('leaves the server as it was: no prototype changed, and the next request is answered', async () => {
    expect(({} as { polluted?: unknown }).polluted).to.equal(undefined);
    expect((await holdpoint.ask('/health/ready')).body.status).to.equal('ready');
    expect((await holdpoint.ask(`/api/workflow/status/${run}`)).status).to.equal(200);
  });

  /** What was accepted can be started: a mutation that only breaks later would break here. */
  async function startAccepted(text: string): Promise<void> {
    const { id } = JSON.parse(text);
    const { status, body } = await holdpoint.ask(`/api/workflow/start-async/${id}`, {
      body: { data: { a: 'A', c: 1 } },
    });
    expect(status, JSON.stringify(body)).to.be.within(200, 499);
  }

  async function send(
    route: Route,
    { headers, body }: FuzzedRequest,
    query: string,
  ): Promise<{ status: number; text: string }> {
    const response = await fetch(`${holdpoint.address}${fill(route)}?${query}`, {
      method: route.method,
      headers: { authorization: `Bearer ${holdpoint.workspace.keys.owner}`, prefer: 'wait=1', ...headers },
      ...(route.method === 'GET' ? {} : { body: new Uint8Array(body) }),
    });
    return { status: response.status, text: await response.text() };
  }

  /** What a DELETE names does not exist, or nothing would be left to send to. */
  function fill({ method, path }: Route): string {
    const ids: Record<string, string> = { wId: holdpoint.workspace.id, workflowId: started, runId: run };
    return path.replace(/:(\w+)/g, (_, name: string) =>
      method === 'DELETE' && name !== 'wId' ? uuidv7() : (ids[name] ?? edited),
    );
  }

  function samplesFor(route: Route): Json[] {
    const fitting = bodyFor(route, uuidv7()) as Json | undefined;
    if (/^(POST|PUT) \/api\/workflows(\/:id)?$/.test(nameOf(route))) return [DEFINITION];
    if (route.path.includes('/start')) return [{ data: { a: 'A', b: {}, c: 1 }, version: 'latest' }, { data: {} }];
    if (route.path.includes('/resume/')) {
      const action = { type: 'request_user_action', actionId: 'approve', comment: 'fine', stepId: 'approve' };
      return [{ type: 'collect_inputs', data: { x: 1 }, pauseId: uuidv7() }, action];
    }
    return [fitting ?? {}];
  }
});
