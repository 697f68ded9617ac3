import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { Step } from '../../src/core/definition.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { StepError, type WorkContext } from '../../src/core/step-type.ts';
import { createEgress, type Egress } from '../../src/egress/egress.ts';
import { createCallApi } from '../../src/steps/call-api.ts';
import { createHttpTool } from '../../src/steps/http-tool.ts';
import { type Listener, startServer } from '../egress/listener.ts';
import { NO_LOG } from '../support/no-log.ts';

function contextOf(input: JsonObject, signal = new AbortController().signal): WorkContext {
  return {
    input,
    reveal: async () => input,
    runId: 'r',
    stepId: 's',
    visit: 1,
    attempt: 1,
    effectKey: 'hp_r_s_1_0',
    signal,
    log: NO_LOG,
    openFile: () => Promise.reject(new Error('there are no files here')),
  };
}

describe('call-api', () => {
  let server: Listener;
  let egress: Egress;
  let serve: (request: IncomingMessage, response: ServerResponse) => void;
  const seen: { method: string; path: string; headers: IncomingMessage['headers']; body: string }[] = [];
  before(async () => {
    server = await startServer(async (request, response) => {
      const { method = '', url: path = '', headers } = request;
      seen.push({ method, path, headers, body: await text(request) });
      serve(request, response);
    });
    egress = createEgress({ allow: ['127.0.0.1'], totalMs: 2_000 });
  });
  beforeEach(() => {
    seen.length = 0;
  });
  after(async () => {
    await egress.close();
    await server.close();
  });

  const url = (path = '/') => `http://127.0.0.1:${server.port}${path}`;
  const call = (step: JsonObject = {}, signal?: AbortSignal): Promise<Json> => {
    const { url: place = url(), query, headers, body, ...fixed } = step;
    const input = Object.fromEntries(
      Object.entries({ url: place, query, headers, body }).filter(([, value]) => value !== undefined),
    ) as JsonObject;
    return createCallApi(egress).work!({ id: 's', type: 'call-api', ...fixed } as Step, contextOf(input, signal));
  };
  const failure = async (step: JsonObject = {}, signal?: AbortSignal): Promise<StepError> => {
    const error: unknown = await call(step, signal).then(
      () => null,
      (reason) => reason,
    );
    if (error instanceof StepError) return error;
    throw error ?? new Error('it was answered');
  };
  const answer = (status: number, headers: Record<string, string> = {}, body: string | Buffer = '') => {
    serve = (_, response) => response.writeHead(status, headers).end(body);
  };

  it('sends what the step says, with the effect key, and answers status, headers and data', async () => {
    answer(201, { 'content-type': 'application/json; charset=utf-8', 'x-request': '7' }, '{"id": [1]}');
    const output = (await call({
      method: 'PUT',
      url: url('/a'),
      query: { q: 'x' },
      headers: { 'X-A': 'b' },
      body: { c: 1 },
    })) as JsonObject;
    expect(output).to.deep.include({ status: 201, data: { id: [1] } });
    expect(output['headers']).to.include({ 'x-request': '7' });
    expect(seen).to.have.length(1);
    expect(seen[0]).to.deep.include({ method: 'PUT', path: '/a?q=x', body: '{"c":1}' });
    expect(seen[0]!.headers).to.include({
      'x-a': 'b',
      'idempotency-key': 'hp_r_s_1_0',
      'content-type': 'application/json',
    });
  });

  it('reads JSON as what it says, text as text, anything else as base64, nothing as null', async () => {
    const cases: [string, string | Buffer, Json][] = [
      ['application/problem+json', '{"a":1}', { a: 1 }],
      ['application/json', 'not json', 'not json'],
      ['text/html', '<p>', '<p>'],
      ['text/plain', 'a\u0000b', 'a\ufffdb'],
      ['application/xml', '<a/>', '<a/>'],
      ['image/png', Buffer.from([1, 255]), 'Af8='],
      ['application/json', '', null],
    ];
    for (const [type, body, data] of cases) {
      answer(200, { 'content-type': type }, body);
      expect(((await call()) as JsonObject)['data'], type).to.deep.equal(data);
    }
  });

  it('is done at 2xx, or at what `successStatus` says', async () => {
    for (const status of [200, 204, 299]) {
      answer(status);
      expect(await call()).to.include({ status });
    }
    answer(404);
    expect(await call({ successStatus: [200, 404] })).to.include({ status: 404 });
    answer(200);
    expect(await failure({ successStatus: 201 })).to.include({ code: 'http_200', retryable: false });
  });

  it('fails for good at 4xx and what is no success, and may be tried again at 408, 425, 429 and 5xx', async () => {
    for (const [status, retryable] of [
      [304, false],
      [400, false],
      [401, false],
      [403, false],
      [404, false],
      [409, false],
      [410, false],
      [422, false],
      [408, true],
      [425, true],
      [429, true],
      [500, true],
      [502, true],
      [503, true],
      [504, true],
    ] as const) {
      answer(status, {}, 'a banner of the inside');
      const { code, retryable: again, definite, message } = await failure();
      expect({ code, again, definite, message }).to.deep.equal({
        code: `http_${status}`,
        again: retryable,
        definite: false,
        message: `The external service answered ${status}`,
      });
    }
  });

  it('takes Retry-After for the delay of the retry, in seconds or as a date, a day at most', async () => {
    const delayAfter = async (status: number, value: string) => {
      answer(status, { 'retry-after': value });
      return (await failure()).retryAfterMs;
    };
    expect(await delayAfter(429, '7')).to.equal(7_000);
    expect(await delayAfter(503, '0')).to.equal(0);
    expect(await delayAfter(503, '999999999')).to.equal(86_400_000);
    expect(await delayAfter(503, new Date(Date.now() + 3_600_000).toUTCString())).to.be.within(3_000_000, 3_600_000);
    expect(await delayAfter(503, new Date(0).toUTCString())).to.equal(0);
    expect(await delayAfter(503, 'soon')).to.equal(undefined);
    expect(await delayAfter(400, '7')).to.equal(undefined);
  });

  it('may be tried again when the connection fails, and not when the target is refused', async () => {
    serve = (_, response) => response.socket!.destroy();
    expect(await failure()).to.include({ code: 'connection_failed', retryable: true });
    const inner = await failure({ url: 'http://localhost:1/' });
    expect(inner).to.include({ code: 'egress_blocked', retryable: false });
    expect(inner.message).to.equal((await failure({ url: 'http://169.254.169.254/' })).message);
    expect(await failure({ url: 'no url' })).to.include({ code: 'invalid_url', retryable: false });
  });

  it('ends when its signal aborts', async () => {
    const controller = new AbortController();
    serve = () => controller.abort();
    expect(await failure({}, controller.signal)).to.include({ code: 'aborted' });
  });

  it('is what the tool http does', async () => {
    answer(200, { 'content-type': 'application/json' }, '[1]');
    const args = { url: url('/x'), method: 'POST', body: 'hi', successStatus: [200] };
    const output = await createHttpTool(egress).handler(args, contextOf({ args }));
    expect(output).to.deep.include({ status: 200, data: [1] });
    expect(seen[0]).to.deep.include({ method: 'POST', path: '/x', body: 'hi' });
  });
});
