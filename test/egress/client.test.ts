import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import getTlsOptions from 'smtp-server/lib/tls-options.js';
import { createEgress, type Egress } from '../../src/egress/egress.ts';
import type { EgressError } from '../../src/egress/egress-error.ts';
import { followRedirect } from '../../src/egress/redirect.ts';
import { type Listener, startServer } from './listener.ts';

type Serve = (request: IncomingMessage, response: ServerResponse) => void;

describe('the client of outgoing calls', () => {
  let home: Listener;
  let other: Listener;
  let inner: Listener;
  let egress: Egress;
  let serve: Serve;
  const seen: { at: string; method: string; path: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const outcomes: string[] = [];

  before(async () => {
    const record = (at: string) => async (request: IncomingMessage, response: ServerResponse) => {
      const { method = '', url: path = '', headers } = request;
      seen.push({ at, method, path, headers, body: await text(request) });
      serve(request, response);
    };
    home = await startServer(record('home'), '127.0.0.2');
    other = await startServer(record('other'), '127.0.0.3');
    inner = await startServer(record('inner'), '127.0.0.1');
    egress = createEgress({
      allow: ['127.0.0.2', '127.0.0.3'],
      ports: [80, inner.port],
      totalMs: 400,
      onCall: (outcome) => outcomes.push(outcome),
    });
  });
  beforeEach(() => {
    seen.length = 0;
    outcomes.length = 0;
  });
  after(async () => {
    await egress.close();
    await Promise.all([home.close(), other.close(), inner.close()]);
  });

  const at = (path = '/') => `http://127.0.0.2:${home.port}${path}`;
  const send = (more: object = {}) => egress.request({ url: at(), method: 'GET', headers: {}, body: null, ...more });
  const failure = (more: object = {}): Promise<EgressError> =>
    send(more).then(
      ({ status }) => {
        throw new Error(`answered ${status}`);
      },
      (error: EgressError) => error,
    );
  const redirectTo =
    (location: string, status = 302): Serve =>
    (request, response) =>
      request.url === '/end' ? response.end('end') : response.writeHead(status, { location }).end('moved');

  it('takes a redirect for the answer where it is told to follow none (S-61)', async () => {
    serve = (_, response) => response.writeHead(302, { location: `http://127.0.0.3:${other.port}/` }).end('moved');
    const url = `http://127.0.0.2:${home.port}/`;
    const { status, body } = await egress.request({
      url,
      method: 'POST',
      headers: {},
      body: 'x',
      followsRedirects: false,
    });
    expect([status, body.toString()]).to.deep.equal([302, 'moved']);
    expect(seen.map(({ at }) => at)).to.deep.equal(['home']);
  });

  it('sends method, headers and body, and answers status, headers and body', async () => {
    serve = (_, response) => response.writeHead(201, { 'x-a': ['1', '2'] }).end('made');
    const answer = await send({ method: 'PUT', url: at('/a?b=c'), headers: { 'x-key': 'k' }, body: 'content' });
    expect({ ...answer, headers: answer.headers['x-a'], body: answer.body.toString() }).to.deep.equal({
      status: 201,
      headers: '1, 2',
      body: 'made',
    });
    expect(seen[0]).to.deep.include({ method: 'PUT', path: '/a?b=c', body: 'content' });
    expect(seen[0]!.headers).to.include({ 'x-key': 'k', 'user-agent': 'holdpoint' });
    expect(outcomes).to.deep.equal(['answered']);
  });

  for (const [name, compress] of Object.entries({ gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync }))
    it(`reads ${name}`, async () => {
      serve = (_, response) => response.writeHead(200, { 'content-encoding': name }).end(compress('hello'));
      expect((await send()).body.toString()).to.equal('hello');
    });

  describe('at a redirect', () => {
    it('follows three, and no fourth (S-61)', async () => {
      const hops =
        (last: number): Serve =>
        (request, response) => {
          const hop = Number(request.url!.slice(1));
          if (hop === last) response.end('end');
          else response.writeHead(302, { location: `/${hop + 1}` }).end();
        };
      serve = hops(3);
      expect((await send({ url: at('/0') })).body.toString()).to.equal('end');
      serve = hops(4);
      expect(await failure({ url: at('/0') })).to.include({ code: 'redirect_refused', sent: true });
    });

    it('is refused where the first call would be, and nothing is connected (S-61)', async () => {
      const places = [
        `http://127.0.0.1:${inner.port}/`,
        `http://localhost:${inner.port}/`,
        `//127.1:${inner.port}/`,
        'http://169.254.169.254/latest/meta-data/',
        'file:///etc/passwd',
        'gopher://example.com/',
        'http://user:pass@example.com/',
        'http://example.com:22/',
      ];
      for (const status of [301, 302, 303, 307, 308])
        for (const place of places) {
          serve = redirectTo(place, status);
          expect(await failure(), `${status} ${place}`).to.include({ code: 'egress_blocked', sent: true });
        }
      expect(inner.connections).to.equal(0);
    });

    it('turns a POST to GET for 301, 302 and 303, and repeats it for 307 and 308 at the same origin', async () => {
      for (const [status, method, body] of [
        [301, 'GET', ''],
        [302, 'GET', ''],
        [303, 'GET', ''],
        [307, 'POST', 'content'],
        [308, 'POST', 'content'],
      ] as const) {
        seen.length = 0;
        serve = redirectTo('/end', status);
        await send({ method: 'POST', headers: { 'content-type': 'text/plain', authorization: 'x' }, body: 'content' });
        expect(seen[1], `${status}`).to.deep.include({ method, body, path: '/end' });
        expect(seen[1]!.headers['authorization']).to.equal('x');
        expect(seen[1]!.headers['content-type']).to.equal(body === '' ? undefined : 'text/plain');
      }
    });

    it('tells another origin nothing that may be a credential, and sends it no body (S-61)', async () => {
      serve = redirectTo(`http://127.0.0.3:${other.port}/end`, 307);
      const headers = {
        authorization: 'x',
        cookie: 'x',
        'x-api-key': 'x',
        'idempotency-key': 'x',
        accept: 'text/plain',
      };
      await send({ headers });
      expect(Object.keys(seen[1]!.headers).sort()).to.deep.equal([
        'accept',
        'accept-encoding',
        'connection',
        'host',
        'user-agent',
      ]);
      expect(await failure({ method: 'POST', headers, body: 'secret' })).to.include({ code: 'redirect_refused' });
      expect(seen.filter((request) => request.at === 'other')).to.have.length(1);
    });

    it('never goes from https to http, and keeps its trust only from http to the same host’s https', () => {
      const from = (url: string) => ({ url: new URL(url), method: 'GET', headers: { authorization: 'x' }, body: null });
      expect(() => followRedirect(from('https://a.com/'), 302, 'http://a.com/')).to.throw('from https to http');
      expect(followRedirect(from('http://a.com/'), 302, 'https://a.com/b').headers).to.deep.equal({
        authorization: 'x',
      });
      for (const place of ['https://a.com:8443/', 'https://www.a.com/', 'http://a.com:8080/', 'https://b.com/'])
        expect(followRedirect(from('http://a.com/'), 302, place).headers, place).to.deep.equal({});
      expect(() => followRedirect(from('http://a.com/'), 302, 'http://')).to.throw('no URL');
    });
  });

  describe('cuts off (S-65)', () => {
    it('a body without end', async () => {
      let tellClosed = () => {};
      const closed = new Promise<void>((resolve) => {
        tellClosed = resolve;
      });
      serve = (_, response) => {
        response.on('close', tellClosed);
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        };
        response.on('drain', more);
        more();
      };
      expect(await failure()).to.include({ code: 'response_too_large', sent: true });
      await closed;
    });

    it('a body that unpacks to more than it may', async () => {
      const bomb = gzipSync(Buffer.alloc(64 * 1_048_576));
      serve = (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
      const before = process.memoryUsage().rss;
      expect(await failure()).to.include({ code: 'response_too_large' });
      expect(process.memoryUsage().rss - before).to.be.below(48 * 1_048_576);
    });

    it('a body that comes byte by byte, and no answer at all', async () => {
      serve = (_, response) => {
        response.write('a');
        const timer = setInterval(() => response.write('a'), 50);
        response.on('close', () => clearInterval(timer));
      };
      expect(await failure()).to.include({ code: 'response_timeout', sent: true });
      serve = () => {};
      expect(await failure()).to.include({ code: 'response_timeout', sent: true });
    });

    it('headers of 100 kB', async () => {
      serve = (_, response) => response.writeHead(200, { 'x-long': 'a'.repeat(100_000) }).end();
      expect(await failure()).to.include({ code: 'response_too_large' });
    });
  });

  it('refuses what is not encoded as it says, or in a way it did not ask for', async () => {
    for (const encoding of ['gzip', 'br', 'zstd', 'gzip, gzip']) {
      serve = (_, response) => response.writeHead(200, { 'content-encoding': encoding }).end('plain');
      expect(await failure(), encoding).to.include({ code: 'response_unreadable' });
    }
    serve = (_, response) => response.writeHead(204, { 'content-encoding': 'gzip' }).end();
    expect((await send()).status).to.equal(204);
  });

  it('says alike that nobody listens and that the connection broke, without naming an address', async () => {
    const gone = await startServer(() => {}, '127.0.0.2');
    await gone.close();
    const refused = await failure({ url: `http://127.0.0.2:${gone.port}/` });
    expect(refused).to.include({ code: 'connection_failed', sent: false });
    serve = (_, response) => response.socket!.destroy();
    const broken = await failure();
    expect(broken).to.include({ code: 'connection_failed', sent: true });
    expect(`${refused.message} ${broken.message}`).not.to.match(/127|\d{4}/);
  });

  it('believes no certificate that nobody vouches for', async () => {
    const impostor = createServer(getTlsOptions({}), () =>
      seen.push({ at: 'impostor', method: '', path: '', headers: {}, body: '' }),
    );
    await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.2', resolve));
    const { port } = impostor.address() as AddressInfo;
    expect(await failure({ url: `https://127.0.0.2:${port}/` })).to.include({ code: 'connection_failed', sent: false });
    expect(seen).to.deep.equal([]);
    impostor.close();
  });

  it('ends when its caller gives up', async () => {
    const controller = new AbortController();
    serve = () => controller.abort();
    expect(await failure({ signal: controller.signal })).to.include({ code: 'aborted' });
    expect(await failure({ signal: AbortSignal.abort() })).to.include({ code: 'aborted' });
  });

  it('refuses what HTTP does not allow', async () => {
    expect(await failure({ headers: { 'x-a': 'b\r\nx-c: d' } })).to.include({ code: 'request_invalid', sent: false });
    expect(await failure({ method: 'GET /\r\nx: y' })).to.include({ code: 'request_invalid' });
    expect(seen).to.deep.equal([]);
  });
});
