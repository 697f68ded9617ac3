import { expect } from 'chai';
import { createEgress, type Egress } from '../../src/egress/egress.ts';
import { EgressError } from '../../src/egress/egress-error.ts';
import { type Listener, startListener, startServer } from './listener.ts';
import { INNER_HOSTS, TRICKS } from './targets.ts';

/** What a call failed with. */
async function failureOf(egress: Egress, url: string, more: object = {}): Promise<EgressError> {
  try {
    await egress.request({ url, method: 'GET', headers: {}, body: null, ...more });
  } catch (error) {
    if (error instanceof EgressError) return error;
    throw error;
  }
  throw new Error(`${url} was answered`);
}

describe('outgoing calls', () => {
  let listener: Listener;
  let server: Listener;
  let seen: { path: string; method: string; host: string }[];
  const opened: Egress[] = [];
  const create = (...[options]: Parameters<typeof createEgress>) => {
    const egress = createEgress({ connectMs: 2_000, ...options });
    opened.push(egress);
    return egress;
  };
  before(async () => {
    listener = await startListener();
    server = await startServer((request, response) => {
      seen.push({ path: request.url!, method: request.method!, host: request.headers.host! });
      response.end('hello');
    });
  });
  beforeEach(() => {
    seen = [];
  });
  after(async () => {
    await Promise.all(opened.map((egress) => egress.close()));
    await listener.close();
    await server.close();
  });

  describe('to this machine, its network or metadata', () => {
    // The listener's port is open on public hosts here, so that nothing but the address can be why a call is refused.
    const urls = () =>
      [...INNER_HOSTS.map((host) => `http://${host}:PORT/`), ...TRICKS].map((url) =>
        url.replaceAll('PORT', `${listener.port}`),
      );

    it('are tried in many more than 120 spellings', () => {
      expect(new Set(urls()).size).to.be.above(120);
    });

    it('are all refused with one error, and the listener sees none (S-58, S-62, S-63)', async () => {
      const egress = create({ ports: [80, 443, listener.port] });
      const failures = await Promise.all(urls().map(async (url) => ({ url, error: await failureOf(egress, url) })));
      const answers = new Set(failures.map(({ error }) => `${error.code}: ${error.message}, ${error.sent}`));
      expect(failures.filter(({ error }) => error.code !== 'egress_blocked').map(({ url }) => url)).to.deep.equal([]);
      expect([...answers]).to.have.length(1);
      expect(listener.connections).to.equal(0);
    });

    it('are told to be refused before anything is looked up, so that definitions can be (S-62)', () => {
      const egress = create({ ports: [80, 443, 8080, listener.port] });
      expect(urls().filter((url) => !egress.isRefused(url))).to.deep.equal([]);
      for (const url of [
        'https://example.com/',
        'http://93.184.216.34/',
        'https://[2606:4700::1111]/',
        'http://example.com:8080/x',
      ])
        expect(egress.isRefused(url), url).to.equal(false);
    });

    it('are refused on a plain connection too', async () => {
      const egress = create({ ports: [listener.port] });
      const refused = await egress.connect({ host: '127.0.0.1', port: listener.port }).catch((error: unknown) => error);
      expect(refused).to.include({ code: 'egress_blocked' });
      expect(listener.connections).to.equal(0);
    });
  });

  describe('that the operator opened', () => {
    const at = (host: string, port = server.port) => `http://${host}:${port}/x`;

    for (const entry of ['127.0.0.1', '127.0.0.0/8', '127.0.0.1:PORT', '127.1'])
      it(`by ${entry} reach what it names`, async () => {
        const egress = create({ allow: [entry.replace('PORT', `${server.port}`)] });
        const { status, body } = await egress.request({ url: at('127.0.0.1'), method: 'GET', headers: {}, body: null });
        expect({ status, body: body.toString() }).to.deep.equal({ status: 200, body: 'hello' });
      });

    it('by name reach it wherever it resolves to, in any spelling of the name', async () => {
      const egress = create({ allow: ['LocalHost'] });
      for (const host of ['localhost', 'localhost.', 'LOCALHOST']) {
        const { status } = await egress.request({ url: at(host), method: 'GET', headers: {}, body: null });
        expect(status).to.equal(200);
      }
      expect(seen).to.have.length(3);
    });

    it('by another port, name or range stay closed; names are compared label by label (S-67)', async () => {
      const attempts: [string, string][] = [
        [`127.0.0.1:${listener.port}`, at('127.0.0.1')],
        ['127.0.0.2', at('127.0.0.1')],
        ['10.0.0.0/8', at('127.0.0.1')],
        ['::1/128', at('127.0.0.1')],
        ['localhost', at('127.0.0.1')],
        ['localhost', at('foo.localhost')],
        ['foo.localhost', at('localhost')],
        ['ocalhost', at('localhost')],
        ['company.com', 'http://evil-company.com:9999/'],
        ['company.com', 'http://company.com.evil.example:9999/'],
      ];
      for (const [entry, url] of attempts) {
        const egress = create({ allow: [entry] });
        // A range may hold whatever a name resolves to; nothing else asks the network first.
        expect(await failureOf(egress, url).then(({ code }) => code), `${entry} ${url}`).to.equal('egress_blocked');
      }
      expect(seen).to.deep.equal([]);
    });

    it('cannot be opened by wildcards, URLs or broken ranges', () => {
      for (const entry of [
        '*.evil.com',
        '*',
        'http://a.com',
        'a.com/x',
        '10.0.0.0/99',
        'a b',
        'user@a.com',
        'a..b',
        '',
      ])
        expect(() => createEgress({ allow: [entry] }), entry).to.throw('HOLDPOINT_EGRESS_ALLOW has');
    });
  });
});
