import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import dns from 'dns2';
import { createEgress, type Egress } from '../../src/egress/egress.ts';
import { type Listener, startServer } from './listener.ts';

/** Stands for a public address: the operator opened this one, and nothing else of this machine. */
const OUTER = '127.0.0.2';
const INNER = '127.0.0.1';

type Answer = { a?: string[]; aaaa?: string[]; alias?: string };

describe('a name that outgoing calls look up', () => {
  let server: Listener;
  let inner: Listener;
  let egress: Egress;
  let asked: string[];
  const zone = new Map<string, Answer | ((nth: number) => Answer) | null>();
  const { Packet } = dns;
  const nameServer = dns.createServer({
    udp: true,
    handle(request, send) {
      const response = Packet.createResponseFromRequest(request);
      const { name, type } = request.questions[0]!;
      const entry = zone.get(name);
      if (entry === null) return;
      const isA = type === Packet.TYPE.A;
      if (isA) asked.push(name);
      const answer = typeof entry === 'function' ? entry(asked.filter((one) => one === name).length) : (entry ?? {});
      if (entry === undefined) response.header.rcode = 3;
      const add = (record: object) =>
        response.answers.push(Packet.createResourceFromQuestion(request.questions[0]!, { ttl: 0, ...record }));
      if (answer.alias) add({ type: Packet.TYPE.CNAME, domain: answer.alias });
      for (const address of (isA ? answer.a : answer.aaaa) ?? []) add({ name: answer.alias ?? name, address });
      send(response);
    },
  });

  before(async () => {
    const serve = (_: unknown, response: { setHeader(name: string, value: string): void; end(text: string): void }) => {
      response.setHeader('connection', 'close');
      response.end('outer');
    };
    server = await startServer(serve, OUTER);
    inner = await startServer(serve, INNER);
    const { udp } = await nameServer.listen({ udp: { port: 0, address: INNER } });
    egress = createEgress({
      dnsServers: [`${INNER}:${(udp as unknown as AddressInfo).port}`],
      allow: [`${OUTER}/32`],
      // Both listeners' ports are open to public hosts, so that only addresses decide.
      ports: [80, server.port, inner.port],
      connectMs: 500,
    });
  });
  beforeEach(() => {
    asked = [];
    zone.clear();
    inner.connections = 0;
  });
  after(async () => {
    await egress.close();
    await nameServer.close();
    await server.close();
    await inner.close();
  });

  const call = (name: string, port: number) =>
    egress.request({ url: `http://${name}:${port}/`, method: 'GET', headers: {}, body: null }).then(
      ({ body }) => body.toString(),
      (error: { code: string }) => error.code,
    );

  it('is called at the address it has', async () => {
    zone.set('good.example.com', { a: [OUTER] });
    expect(await call('good.example.com', server.port)).to.equal('outer');
    expect(asked).to.deep.equal(['good.example.com']);
  });

  it('is refused when any of its addresses is inner (S-60)', async () => {
    zone.set('mixed.example.com', { a: [OUTER, INNER] });
    zone.set('mixed6.example.com', { a: [OUTER], aaaa: ['::1'] });
    zone.set('only6.example.com', { aaaa: ['::1'] });
    zone.set('mapped.example.com', { aaaa: ['::ffff:127.0.0.1'] });
    zone.set('alias.example.com', { alias: 'inside.example.com', a: [INNER] });
    zone.set('metadata.example.com', { a: ['169.254.169.254'] });
    zone.set('private.example.com', { a: ['10.0.0.1'] });
    for (const name of zone.keys()) expect(await call(name, inner.port), name).to.equal('egress_blocked');
    expect(inner.connections).to.equal(0);
  });

  it('is looked up once a connection, so that the address which is called is the one that was judged (S-60)', async () => {
    zone.set('rebind.example.com', (nth) => ({ a: [nth <= 1 ? OUTER : INNER] }));
    expect(await call('rebind.example.com', server.port)).to.equal('outer');
    expect(asked).to.have.length(1);
    expect(await call('rebind.example.com', server.port)).to.equal('egress_blocked');
    expect(inner.connections).to.equal(0);
  });

  it('fails the call when it does not exist or nobody answers for it', async () => {
    expect(await call('none.example.com', server.port)).to.equal('connection_failed');
    zone.set('silent.example.com', null);
    expect(await call('silent.example.com', server.port)).to.equal('connection_timeout');
  });

  it('is not even asked for when it means this network', async () => {
    zone.set('printer.local', { a: [OUTER] });
    const strict = createEgress({ dnsServers: ['127.0.0.1:9'], ports: [server.port] });
    expect(strict.isRefused(`http://printer.local:${server.port}/`)).to.equal(true);
    expect(asked).to.deep.equal([]);
    await strict.close();
  });
});
