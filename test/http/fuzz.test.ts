import { expect } from 'chai';
import fc from 'fast-check';
import { v7 as uuidv7 } from 'uuid';
import type { Json } from '../../src/core/json.ts';
import type { Route } from '../../src/http/route.ts';
import { type FuzzedRequest, fuzzedQueries, fuzzedRequests } from '../support/fuzz-bodies.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { CHANCE } from '../support/random.ts';
import { bodyFor, DISTINCT, nameOf } from '../support/routes.ts';

/** Requests per route, and for how long at most; `npm run fuzz` sends 50,000. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 15);
const SECONDS = Number(process.env['FUZZ_SECONDS'] ?? 0);
/** So many are under way at once. */
const TOGETHER = Math.min(RUNS, RUNS > 1_000 ? 32 : 5);
const PROGRESS_MS = 10_000;

const OWN_RUNS = '/api/v1/workflows';

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
    {
      id: 'call',
      type: 'call-api',
      method: 'POST',
      url: 'https://example.com/${data.a}?b=${data.b}',
      query: { q: ['${data.x}', 1] },
      headers: { authorization: 'Bearer ${secrets.CRM}', 'x-a': '${data.a}' },
      body: { name: '${data.a}', list: [1, '${data.b}'] },
      successStatus: [200, 404],
      secrets: ['CRM'],
      retry: { attempts: 2, delayMs: 10, factor: 2, maxDelayMs: 100, jitter: 0.5, budgetMs: 1_000 },
      timeoutMs: 5_000,
    },
    { id: 'mail', type: 'call-tool', tool: 'send-email', args: { to: 'a@b.example', subject: '${data.a}', text: 'x' } },
    {
      id: 'tell',
      type: 'callback',
      url: 'https://example.com/hook',
      payload: { x: '${data.x}' },
      secret: 'HOOK',
      waitForAnswer: true,
      dueInMs: 60_000,
    },
    { id: 'end', type: 'end-flow', result: { ok: '${data.x}' } },
  ],
  edges: [
    { from: 'ask', to: 'approve' },
    { from: 'approve', to: 'map', on: 'approve' },
    { from: 'map', to: 'check', condition: 'data.x != 3' },
    { from: 'check', to: 'rest', on: 'true' },
    { from: 'check', to: 'end', on: 'false' },
    { from: 'rest', to: 'call' },
    { from: 'call', to: 'mail' },
    { from: 'call', to: 'end', on: 'error' },
    { from: 'mail', to: 'tell' },
    { from: 'tell', to: 'end' },
  ],
  output: '${data}',
  defaults: { retry: { attempts: 2 }, timeoutMs: 1_000 },
};

describe('whatever is sent', function () {
  this.timeout(90_000 + (SECONDS || RUNS) * 1_000);
  let holdpoint: Holdpoint;
  let started: string;
  let edited: string;
  let run: string;
  /** Of the user who sends, and waiting for an approval. */
  let own: { id: string; approval: string };
  before(async () => {
    const settings = {
      rateLimit: 0,
      rateLimitStarts: 0,
      rateLimitFailures: 0,
      // A stream is answered to its end.
      streams: { max: 100, perWorkspace: 100, lifetimeMs: 100, pingMs: 100, stallMs: 1_000 },
      secretKeys: [Buffer.alloc(32, 1)],
      // There is no worker, so no mail is sent; the definition says that one would be.
      smtpUrl: 'smtp://127.0.0.1:1',
      smtpFrom: 'Holdpoint <no-reply@example.com>',
    };
    holdpoint = await startHoldpoint({ settings });
    started = await holdpoint.define(DEFINITION as object);
    edited = await holdpoint.define({ ...(DEFINITION as object), name: 'Edited' });
    run = await holdpoint.start(started);
    own = await startOwn();
  });
  after(() => holdpoint.stop());

  for (const route of DISTINCT) {
    it(`${nameOf(route)} refuses or takes it, and never fails`, async () => {
      const requests = fuzzedRequests(samplesFor(route), route.body ?? {});
      const queries = fuzzedQueries(route.query ?? {});
      // A bad query ends a request before its body is read.
      const query = route.method === 'GET' ? queries : fc.oneof({ weight: 9, arbitrary: fc.constant('') }, queries);
      const batch = fc.array(fc.tuple(requests, query), { minLength: TOGETHER, maxLength: TOGETHER });
      const count = countRequests();
      const property = fc.asyncProperty(batch, async (asked) => {
        // What an earlier one ended is no target for a later one.
        if (/\/(resume|management)\/|\/respond$/.test(route.path)) run = await holdpoint.start(started);
        if (route.method === 'POST' && route.path.startsWith(`${OWN_RUNS}/`)) own = await startOwn();
        await Promise.all(asked.map(([request, search]) => sendChecked(route, request, search)));
        count(asked.length);
      });
      const limit = SECONDS > 0 ? { interruptAfterTimeLimit: SECONDS * 1_000 } : {};
      const { failed, seed, errorInstance } = await fc.check(property, {
        numRuns: Math.ceil(RUNS / TOGETHER),
        ...limit,
        ...CHANCE,
      });
      // What fast-check itself would show is the whole batch, byte by byte.
      expect(failed, `seed ${seed}: ${errorInstance}`).to.equal(false);
    });
  }

  it('leaves the server as it was: no prototype changed, and the next request is answered', async () => {
    expect(({} as { polluted?: unknown }).polluted).to.equal(undefined);
    expect((await holdpoint.ask('/health/ready')).body.status).to.equal('ready');
    expect((await holdpoint.ask(`/api/workflow/status/${run}`)).status).to.equal(200);
  });

  async function sendChecked(route: Route, request: FuzzedRequest, search: string): Promise<void> {
    const { status, text } = await send(route, request, search);
    const asked = () => `${search} ${JSON.stringify(request.headers)} ${request.body.toString().slice(0, 3_000)}`;
    expect(status, status >= 500 ? `${text} to ${asked()}` : '').to.be.within(200, 499);
    // A URL of over 16 KB is answered 431 before there is a request, and without a body.
    if (status >= 400 && status !== 431) expect(JSON.parse(text), text).to.be.an('object');
    if (status === 201 && nameOf(route) === 'POST /api/workflows') await startAccepted(text);
  }

  async function startOwn(): Promise<{ id: string; approval: string }> {
    const key = holdpoint.workspace.keys.owner;
    const body = { name: 'Own', steps: [{ name: 'Sign', type: 'approval' }] };
    const { id } = (await holdpoint.ask(OWN_RUNS, { key, body })).body;
    const { approvals } = (await holdpoint.ask(`${OWN_RUNS}/${id}`, { key })).body;
    return { id, approval: approvals[0].id };
  }

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
    const ids: Record<string, string> = {
      wId: holdpoint.workspace.id,
      podId: 'default',
      workflowId: started,
      runId: run,
      approval_id: own.approval,
      ...(path.startsWith(OWN_RUNS) ? { id: own.id } : {}),
      ...(path.includes('/executions/') ? { id: run } : {}),
    };
    return path.replace(/:(\w+)/g, (_, name: string) =>
      method === 'DELETE' && name !== 'wId' && !path.includes(`:${name}/`) ? uuidv7() : (ids[name] ?? edited),
    );
  }

  function samplesFor(route: Route): Json[] {
    const fitting = bodyFor(route, uuidv7()) as Json | undefined;
    if (/^(POST|PUT) \/(api|.*:podId)\/(workflows|v1\/workflow_templates)(\/:id)?$/.test(nameOf(route)))
      return [DEFINITION];
    if (nameOf(route) === `POST ${OWN_RUNS}`) {
      const steps = [{ name: 'Wait', type: 'approval', config: { message: 'For ${data.a}', dueInMs: 60_000 } }];
      return [
        { template_id: started, input: { a: 'A', c: 1 } },
        { name: 'Once', steps, input: {} },
      ];
    }
    if (/^POST .*\/executions$/.test(nameOf(route)))
      return [{ workflowId: started, input: { a: 'A', b: {}, c: 1 }, version: 1 }];
    if (route.path.endsWith('/respond'))
      return [{ approved: true, reason: 'fine' }, { data: { x: 1 }, nodeId: 'ask' }, { answer: 1 }];
    if (route.path.includes('/start')) return [{ data: { a: 'A', b: {}, c: 1 }, version: 'latest' }, { data: {} }];
    if (route.path.includes('/resume/')) {
      const action = { type: 'request_user_action', actionId: 'approve', comment: 'fine', stepId: 'approve' };
      return [{ type: 'collect_inputs', data: { x: 1 }, pauseId: uuidv7() }, action];
    }
    return [fitting ?? {}];
  }
});

/** Counts aloud where there are many: now and then, and when the last one is through. */
function countRequests(): (more: number) => void {
  const startedAt = performance.now();
  let [done, saidAt] = [0, startedAt];
  return (more) => {
    done += more;
    const now = performance.now();
    if (RUNS <= 1_000 || (done < RUNS && now - saidAt < PROGRESS_MS)) return;
    saidAt = now;
    console.log(`      ${done} of ${RUNS} requests after ${Math.round((now - startedAt) / 1_000)} s`);
  };
}
