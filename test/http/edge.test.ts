import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { AppError } from '../../src/core/errors.ts';
import { createApp } from '../../src/http/app.ts';
import { createAuthenticator } from '../../src/http/auth.ts';
import { defineRoute, type Face } from '../../src/http/route.ts';
import { listen, type RunningServer } from '../../src/http/server.ts';
import { presentError } from '../../src/http/workflow/present.ts';
import { createLog } from '../../src/log.ts';
import type { Database } from '../../src/store/db.ts';
import { createMetrics } from '../../src/telemetry.ts';
import { call, createWorkspace, openTestDatabase, type TestWorkspace } from '../support/api.ts';

const echoBody = {
  type: 'object',
  properties: { name: { type: 'string', maxLength: 20 }, data: { type: 'object' }, size: { type: 'integer' } },
  required: ['name'],
  additionalProperties: false,
};
const echoQuery = {
  type: 'object',
  properties: { limit: { type: 'integer', minimum: 1, maximum: 200 }, on: { type: 'boolean' } },
  additionalProperties: false,
};

const face: Face = {
  name: 'test',
  prefixes: ['/'],
  presentError,
  routes: [
    defineRoute<object, object>({
      method: 'POST',
      path: '/echo',
      role: 'editor',
      body: echoBody,
      query: echoQuery,
      handler: async ({ body, query }) => ({ body: { body, query } as never }),
    }),
    defineRoute({
      method: 'GET',
      path: '/echo/:id',
      role: 'viewer',
      handler: async ({ params }) => ({ body: { ...params } }),
    }),
    defineRoute<Record<string, never>, object>({
      method: 'POST',
      path: '/big',
      role: 'editor',
      body: { type: 'object' },
      bodyLimit: 5_000_000,
      handler: async () => ({ body: { taken: true } }),
    }),
    defineRoute({
      method: 'GET',
      path: '/fail/:how',
      role: 'viewer',
      handler: async ({ params }) => {
        if (params['how'] === 'conflict') throw new AppError('already_answered', 'somebody was faster');
        if (params['how'] === 'network')
          throw Object.assign(new Error('connect ECONNREFUSED db.internal:5432'), { code: 'ECONNREFUSED' });
        throw new Error('secret sk_canary_0123456789 at db.internal');
      },
    }),
  ],
};

describe('the HTTP edge', () => {
  const lines: string[] = [];
  let db: Database;
  let drop: () => Promise<void>;
  let server: RunningServer;
  let workspace: TestWorkspace;
  let url: string;
  let key: string;
  before(async () => {
    ({ db, drop } = await openTestDatabase());
    workspace = await createWorkspace(db);
    key = workspace.keys.editor;
    const log = createLog({ level: 'debug', name: 'test', destination: { write: (line) => lines.push(line) } });
    const authenticate = createAuthenticator({ db, log, clock: { now: () => Date.now() } });
    const stopping = new AbortController().signal;
    const app = createApp({ faces: [face], systemRoutes: [], authenticate, log, metrics: createMetrics(), stopping });
    server = await listen(app, { port: 0, host: '127.0.0.1' });
    url = server.address;
  });
  after(async () => {
    await server.close(1_000);
    await drop();
  });

  const post = (body: unknown, path = '/echo', headers: Record<string, string> = {}) =>
    call(`${url}${path}`, { key, body, headers });

  it('answers what a route replies, with ids and headers that keep it private', async () => {
    const { status, headers, body } = await post({ name: 'Ada' }, '/echo?limit=5&on=true', {
      'x-request-id': 'abc-123',
    });
    expect({ status, body }).to.deep.equal({
      status: 200,
      body: { body: { name: 'Ada' }, query: { limit: 5, on: true } },
    });
    expect(headers.get('x-request-id')).to.equal('abc-123');
    const expected = {
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
      'referrer-policy': 'no-referrer',
      'strict-transport-security': 'max-age=31536000',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    };
    for (const path of ['/echo/1', '/nowhere', '/fail/boom']) {
      const answer = await call(`${url}${path}`, { key });
      for (const [name, value] of Object.entries(expected))
        expect(answer.headers.get(name), `${path} ${name}`).to.equal(value);
    }
  });

  it('replaces a request id that could break a log or a header', async () => {
    for (const id of ['a b', 'x'.repeat(65), '<script>']) {
      const { headers } = await call(`${url}/echo/1`, { key, headers: { 'x-request-id': id } });
      expect(headers.get('x-request-id')).to.match(/^[0-9a-f-]{36}$/);
    }
  });

  it('lists every problem of a body at once, by pointer, and what is allowed', async () => {
    const { status, body } = await post({ size: 'big', 'a/b': 1 });
    expect(status).to.equal(400);
    expect(body.success).to.equal(false);
    expect(body.error.code).to.equal('INVALID_REQUEST');
    expect(body.error.message).to.match(/^Invalid input: .*2 more in details$/);
    expect(body.error.details).to.have.deep.members([
      { pointer: '/name', message: 'is required' },
      { pointer: '/a~1b', message: 'is not known here', hint: 'allowed: name, data, size' },
      { pointer: '/size', message: 'must be integer' },
    ]);
  });

  it('refuses unknown, repeated and malformed query values', async () => {
    const details = async (query: string) => (await post({ name: 'x' }, `/echo?${query}`)).body.error.details;
    expect(await details('limit=0')).to.deep.equal([{ pointer: '/limit', message: 'in the query: must be >= 1' }]);
    expect(await details('limit=ten')).to.deep.equal([{ pointer: '/limit', message: 'in the query: must be integer' }]);
    expect(await details('limit=1&limit=2')).to.deep.equal([
      { pointer: '/limit', message: 'in the query: must be integer' },
    ]);
    expect(await details('api_key=sk_x')).to.deep.equal([
      { pointer: '/api_key', message: 'in the query: is not known here', hint: 'allowed: limit, on' },
    ]);
  });

  it('takes JSON only: 415 for other types and charsets, 400 for what does not parse', async () => {
    const send = async (body: string, type: string) => (await post(body, '/echo', { 'content-type': type })).status;
    expect(await send('name=x', 'application/x-www-form-urlencoded')).to.equal(415);
    expect(await send('{"name":"x"}', 'text/plain')).to.equal(415);
    expect(await send('{"name":"x"}', 'application/json; charset=utf-16')).to.equal(415);
    expect(await send('{"name":"x"}', 'application/json; charset=UTF-8')).to.equal(200);
    for (const broken of ['{"name":', '"text"', 'null', '[1,2', '{"name":"x"} trailing']) {
      expect(await send(broken, 'application/json'), broken).to.equal(400);
    }
    expect(await send('[]', 'application/json')).to.equal(400);
  });

  it('reads no body at all as {}, which the schema then judges', async () => {
    const { status, body } = await call(`${url}/echo`, { method: 'POST', key });
    expect({ status, details: body.error.details }).to.deep.equal({
      status: 400,
      details: [{ pointer: '/name', message: 'is required' }],
    });
  });

  it('refuses one byte over the limit, whether the length is told or not, and bigger ones by route', async () => {
    const sized = (bytes: number) => `{"name":"x","data":{"a":"${'a'.repeat(bytes - 28)}"}}`;
    expect((await post(sized(1_048_576))).status).to.equal(200);
    const over = await post(sized(1_048_577));
    expect({ status: over.status, code: over.body.error.code }).to.deep.equal({
      status: 413,
      code: 'PAYLOAD_TOO_LARGE',
    });
    expect((await post(sized(3_000_000), '/big')).status).to.equal(200);
    const chunked = await fetch(`${url}/echo`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: new Blob([sized(1_500_000)]).stream(),
      duplex: 'half',
    } as RequestInit);
    expect(chunked.status).to.equal(413);
  });

  it('unpacks gzip within the limit, and refuses bombs, broken and unknown encodings', async () => {
    const send = async (body: Buffer, encoding: string) =>
      (
        await fetch(`${url}/echo`, {
          method: 'POST',
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'content-encoding': encoding },
          body: new Uint8Array(body),
        })
      ).status;
    expect(await send(gzipSync('{"name":"x"}'), 'gzip')).to.equal(200);
    expect(await send(gzipSync(`{"name":"${'a'.repeat(50_000_000)}"}`), 'gzip')).to.equal(413);
    expect(await send(Buffer.from('{"name":"x"}'), 'gzip')).to.equal(400);
    expect(await send(Buffer.from('{"name":"x"}'), 'bogus')).to.equal(415);
  });

  it('refuses what could not be stored or would overflow: depth, NUL, lone surrogates, infinities', async () => {
    const deep = `{"name":"x","data":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`;
    for (const body of [
      deep,
      '{"name":"a\\u0000b"}',
      '{"name":"\\ud800"}',
      '{"name":"x","data":{"n":1e400}}',
      '{"name":"x","data":{"\\u0000":1}}',
    ]) {
      const answer = await post(body);
      expect(answer.status, body.slice(0, 40)).to.equal(400);
      expect(answer.body.error.message).to.match(/^Invalid input: /);
    }
  });

  it('is not fooled by prototypes in bodies, queries and paths', async () => {
    expect((await post('{"name":"x","__proto__":{"polluted":1}}')).status).to.equal(400);
    expect((await post('{"name":"x","data":{"constructor":{"prototype":{"polluted":1}}}}')).status).to.equal(200);
    expect((await post({ name: 'x' }, '/echo?__proto__[polluted]=1')).status).to.equal(400);
    expect((await call(`${url}/echo/__proto__`, { key })).body).to.deep.equal({ id: '__proto__' });
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
  });

  it('answers unknown paths with 404 and other methods with 405 and Allow, as JSON', async () => {
    const missing = await call(`${url}/nowhere`, { key });
    expect({ status: missing.status, code: missing.body.error.code }).to.deep.equal({ status: 404, code: 'NOT_FOUND' });
    for (const method of ['PUT', 'OPTIONS', 'DELETE']) {
      const answer = await call(`${url}/echo/1`, { method, key });
      expect({ status: answer.status, allow: answer.headers.get('allow') }, method).to.deep.equal({
        status: 405,
        allow: 'HEAD, GET',
      });
    }
    const overridden = await call(`${url}/echo/1?_method=DELETE`, {
      key,
      headers: { 'x-http-method-override': 'DELETE' },
    });
    expect(overridden.status).to.equal(400);
  });

  it('does not serve a protected path under another spelling of it', async () => {
    const spellings = [
      '/ECHO/1',
      '/echo/1/',
      '//echo/1',
      '/echo//1',
      '/echo/1/health',
      '/echo/%2e%2e/1',
      '/./echo/1',
      '/echo%2f1',
      '/echo/1;.css',
      '/echo/1.json',
      '/echo/%ff',
      '/echo/%',
    ];
    for (const path of spellings) expect((await raw(`GET ${path} HTTP/1.1`)).status, path).to.be.oneOf([401, 404]);
    for (const method of ['HEAD', 'TRACE', 'PROPFIND', 'OPTIONS']) {
      const answer = await raw(`${method} /echo/1 HTTP/1.1`);
      expect(answer.status, method).to.be.oneOf([401, 405]);
      if (method === 'HEAD') expect(answer.body).to.equal('');
    }
  });

  it('says what happened in the words of the caller, and nothing about our insides', async () => {
    const conflict = await call(`${url}/fail/conflict`, { key, headers: { 'x-request-id': 'c-1' } });
    expect({ status: conflict.status, body: conflict.body }).to.deep.equal({
      status: 409,
      body: {
        success: false,
        error: { code: 'ALREADY_ANSWERED', message: 'Conflict: somebody was faster', details: [], requestId: 'c-1' },
      },
    });
    const network = await call(`${url}/fail/network`, { key });
    expect({ status: network.status, retry: network.headers.get('retry-after') }).to.deep.equal({
      status: 503,
      retry: '2',
    });
    expect(network.body.error.message).to.match(/^Service unavailable: /);
    const boom = await call(`${url}/fail/boom`, { key, headers: { 'x-request-id': 'boom-1' } });
    expect({ status: boom.status, code: boom.body.error.code }).to.deep.equal({
      status: 500,
      code: 'INTERNAL_SERVER_ERROR',
    });
    expect(boom.body.error.message).to.match(/^Internal server error/);
    expect(JSON.stringify([boom.body, network.body])).not.to.match(/db\.internal|canary|stack/);
    expect(lines.filter((line) => line.includes('"level":"error"') && line.includes('boom-1'))).to.have.length(1);
  });

  it('logs no credential, whoever put it where', async () => {
    await call(`${url}/${key}?api_key=${key}`, { headers: { 'x-request-id': 'leak-1' } });
    expect(lines.some((line) => line.includes('leak-1'))).to.equal(true);
    expect(lines.join('')).not.to.include(key);
    expect(lines.join('')).not.to.include('sk_canary_0123456789');
    for (const line of lines) JSON.parse(line);
  });

  /** Sends one request line as it is: fetch would tidy up paths and refuse methods. */
  function raw(requestLine: string): Promise<{ status: number; body: string }> {
    const { port, hostname } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () =>
        socket.write(`${requestLine}\r\nHost: x\r\nConnection: close\r\n\r\n`),
      );
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('error', reject);
      socket.on('close', () => resolve({ status: Number(text.split(' ')[1]), body: text.split('\r\n\r\n')[1] ?? '' }));
    });
  }
});
