import type { Socket } from 'node:net';
import { expect } from 'chai';
import { createApp } from '../../src/http/app.ts';
import { createAuthenticator } from '../../src/http/auth.ts';
import { defineRoute, type Face } from '../../src/http/route.ts';
import { listen, type RunningServer } from '../../src/http/server.ts';
import { presentError } from '../../src/http/workflow/present.ts';
import { createLog } from '../../src/log.ts';
import type { Database } from '../../src/store/db.ts';
import { createMetrics } from '../../src/telemetry.ts';
import { call, openTestDatabase } from '../support/api.ts';
import { exchange, listenTo, open } from '../support/raw-http.ts';

/** The names that requests brought to their handler. */
const served: string[] = [];
const face: Face = {
  name: 'test',
  prefixes: ['/'],
  presentError,
  routes: [
    defineRoute<Record<string, never>, { name?: string }>({
      method: 'POST',
      path: '/echo',
      role: 'public',
      body: { type: 'object', properties: { name: { type: 'string' } } },
      handler: async ({ body }) => {
        served.push(body.name ?? '');
        return { body: { name: body.name ?? null } };
      },
    }),
    defineRoute({ method: 'GET', path: '/echo', role: 'public', handler: async () => ({ body: {} }) }),
  ],
};

const HEAD = 'Host: x\r\nContent-Type: application/json\r\n';
const post = (headers: string, body: string) => `POST /echo HTTP/1.1\r\n${HEAD}${headers}\r\n${body}`;
const sized = (body: string) => post(`Content-Length: ${Buffer.byteLength(body)}\r\n`, body);
const HIDDEN = sized('{"name":"hidden"}');

describe('bytes on the socket (S-45)', () => {
  let db: Database;
  let drop: () => Promise<void>;
  let server: RunningServer;
  /** The same with little patience. */
  let hasty: RunningServer;
  before(async () => {
    ({ db, drop } = await openTestDatabase());
    const log = createLog({ level: 'silent', name: 'test' });
    const authenticate = createAuthenticator({ db, log, clock: { now: () => Date.now() } });
    const stopping = new AbortController().signal;
    const app = createApp({ faces: [face], systemRoutes: [], authenticate, log, metrics: createMetrics(), stopping });
    const timeouts = { headersTimeout: 400, requestTimeout: 800, connectionsCheckingInterval: 50 };
    server = await listen(app, { port: 0, host: '127.0.0.1' });
    hasty = await listen(app, { port: 0, host: '127.0.0.1', timeouts });
  });
  beforeEach(() => {
    served.length = 0;
  });
  after(async () => {
    await Promise.all([server.close(100), hasty.close(100)]);
    await drop();
  });

  const smuggling: [string, string][] = [
    ['both lengths (CL.TE)', post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['both lengths (TE.CL)', post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', `0\r\n\r\n${HIDDEN}`)],
    [
      'two encodings (TE.TE)',
      post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', `0\r\n\r\n${HIDDEN}`),
    ],
    ['a list of encodings', post('Transfer-Encoding: chunked, identity\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['an unknown encoding', post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['a space before the colon', post('Transfer-Encoding : chunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['a vertical tab before the value', post('Transfer-Encoding: \x0bchunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['a folded header', post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['a bare CR in a header', post('X-A: b\rTransfer-Encoding: chunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['two lengths', post('Content-Length: 2\r\nContent-Length: 90\r\n', `{}${HIDDEN}`)],
    ['a list of lengths', post('Content-Length: 2, 2\r\n', `{}${HIDDEN}`)],
    ['a length with a sign', post('Content-Length: +2\r\n', `{}${HIDDEN}`)],
    ['a negative length', post('Content-Length: -2\r\n', `{}${HIDDEN}`)],
    ['a hexadecimal length', post('Content-Length: 0x2\r\n', `{}${HIDDEN}`)],
    ['a chunk size with 0x', post('Transfer-Encoding: chunked\r\n', `0x2\r\n{}\r\n0\r\n\r\n${HIDDEN}`)],
    [
      'a chunk size that overflows',
      post('Transfer-Encoding: chunked\r\n', `FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n${HIDDEN}`),
    ],
    ['a chunk longer than its size', post('Transfer-Encoding: chunked\r\n', `2\r\n{}xx0\r\n\r\n${HIDDEN}`)],
    ['a line feed in a chunk extension', post('Transfer-Encoding: chunked\r\n', `2;a\nb\r\n{}\r\n0\r\n\r\n${HIDDEN}`)],
  ];
  for (const [form, bytes] of smuggling) {
    it(`smuggle no request with ${form}`, async () => {
      const { statuses } = await exchange(server.address, bytes);
      expect(statuses).to.deep.equal([400]);
      expect(served).to.not.include('hidden');
    });
  }

  it('are refused where they are no request, without a word about our insides', async () => {
    const forms = [
      'GET /echo HTTP/1.1\n\n',
      'GET /echo HTTP/1.1\r\n\r\n',
      'GET /echo HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n',
      'GET /echo HTTP/1.1\r\n X: a\r\nHost: x\r\n\r\n',
      'GET /echo HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n',
      'GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET \\x HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET /echo HTTP/3.0\r\nHost: x\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01',
      'GET\r\n\r\n',
    ];
    for (const form of forms) {
      const { statuses, text } = await exchange(server.address, form);
      expect(statuses, JSON.stringify(form)).to.deep.equal([400]);
      expect(text).to.not.match(/node|HPE_|Error:/i);
    }
    const tunnel = await exchange(server.address, 'CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(tunnel.statuses).to.deep.equal([]);
    const expecting = await exchange(
      server.address,
      post('Expect: more\r\nConnection: close\r\nContent-Length: 2\r\n', '{}'),
    );
    expect(expecting.statuses).to.deep.equal([417]);
  });

  it('are refused where headers or the URL grow beyond 16 KB', async () => {
    const long = 'a'.repeat(17_000);
    for (const form of [
      `GET /echo HTTP/1.1\r\nHost: x\r\nX-Long: ${long}\r\n\r\n`,
      `GET /${long} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET /echo HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(10_000)}\r\n`,
    ]) {
      expect((await exchange(server.address, form)).statuses).to.deep.equal([431]);
    }
  });

  it('may hold many requests at once, which are answered in order', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `n${index}`);
    const last = post('Connection: close\r\nContent-Length: 14\r\n', '{"name":"end"}');
    const { text } = await exchange(
      server.address,
      names.map((name) => sized(JSON.stringify({ name }))).join('') + last,
    );
    expect([...text.matchAll(/"name":"(\w+)"/g)].map(([, name]) => name)).to.deep.equal([...names, 'end']);
  });

  it('are one request where the length says so: what is left over is the next, and no request', async () => {
    const { statuses } = await exchange(server.address, post('Content-Length: 2\r\n', '{}"}'));
    expect(statuses.at(-1)).to.equal(400);
    expect(served).to.deep.equal(['']);
  });

  it('end with 408 where they come too slowly, headers or body, and nobody else waits', async () => {
    const slow = [
      dribble('GET /echo HTTP/1.1\r\nX: '),
      dribble(post('Content-Length: 100000\r\n', '{"name":"')),
      dribble(post('Transfer-Encoding: chunked\r\n', '10000\r\n{"nam')),
      listenTo(open(hasty.address)),
    ];
    const other = await call(`${hasty.address}/echo`, { body: { name: 'other' } });
    expect({ status: other.status, body: other.body }).to.deep.equal({ status: 200, body: { name: 'other' } });
    // A reset, for what was sent after the end, may overtake the answer.
    for (const { statuses } of await Promise.all(slow)) expect(statuses).to.be.deep.oneOf([[408], []]);
    expect(served).to.deep.equal(['other']);
  });

  it('may not come at all: hundreds of silent connections are closed, and others are served meanwhile', async () => {
    const silent = Array.from({ length: 300 }, () => listenTo(open(hasty.address)));
    expect((await call(`${hasty.address}/echo`, { body: { name: 'other' } })).status).to.equal(200);
    const ends = await Promise.all(silent);
    expect(new Set(ends.flatMap(({ statuses }) => statuses))).to.deep.equal(new Set([408]));
  });

  const endless: [string, number, string][] = [
    ['a body that is too large', 413, post('Transfer-Encoding: chunked\r\n', '')],
    ['a body that nobody reads', 200, 'GET /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ];
  for (const [what, status, beginning] of endless) {
    it(`are cut off where ${what} goes on without an end`, async () => {
      const socket = open(server.address);
      const exchanged = listenTo(socket);
      socket.write(beginning);
      const piece = Buffer.from(`10000\r\n${' '.repeat(0x10000)}\r\n`);
      const pump = () => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on('drain', pump);
      pump();
      const { statuses } = await exchanged;
      // The reset may overtake the answer.
      expect(statuses).to.be.deep.oneOf([[status], []]);
      expect(served).to.deep.equal([]);
    });
  }

  /** Sends a byte now and then, as long as anybody listens. */
  function dribble(beginning: string): ReturnType<typeof listenTo> {
    const socket: Socket = open(hasty.address);
    socket.write(beginning);
    const timer = setInterval(() => socket.write('a'), 50);
    socket.on('close', () => clearInterval(timer));
    return listenTo(socket);
  }
});
