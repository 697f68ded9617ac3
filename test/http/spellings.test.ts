import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import { createLog } from '../../src/log.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { DISTINCT, fillPath, nameOf, PROTECTED, sendRaw } from '../support/routes.ts';

/** What browsers are told with every answer, found or not (S-87). */
const HEADERS = {
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};
/** Ways to say a path that a router may read differently from whoever guards it. */
const TRICKS: readonly ((path: string) => string)[] = [
  (path) => `${path}/configs`,
  (path) => `${path}/health`,
  (path) => `${path}/metrics`,
  (path) => `${path};.css`,
  (path) => `${path}.json`,
  (path) => `${path}/`,
  (path) => `/${path}`,
  (path) => path.replace(/(.)\//, '$1//'),
  (path) => `/health/..${path}`,
  (path) => `/%2e%2e${path}`,
  (path) => path.replace(/(.)\//, '$1%2F'),
  (path) => path.toUpperCase(),
  (path) => `${path}?x=/health/live`,
  (path) => `${path}#/health/live`,
  (path) => `${path}%00`,
];

describe('every route, under any spelling,', () => {
  let holdpoint: Holdpoint;
  let key: string;
  const lines: string[] = [];
  before(async () => {
    const log = createLog({ level: 'debug', name: 'test', destination: { write: (line) => lines.push(line) } });
    holdpoint = await startHoldpoint({ log });
    key = holdpoint.workspace.keys.owner;
  });
  after(() => holdpoint.stop());

  const pathOf = (route: (typeof DISTINCT)[number]) =>
    fillPath(route, { workspace: holdpoint.workspace.slug, id: uuidv7() });

  it('lets nobody in by tricks with its path (S-02)', async () => {
    for (const route of PROTECTED) {
      for (const trick of TRICKS) {
        const path = trick(pathOf(route));
        const { status } = await sendRaw(holdpoint.address, { method: route.method, path });
        expect(status, `${route.method} ${path}`).to.be.oneOf([400, 401, 404, 405]);
      }
    }
  });

  it('takes no other method for its own, in headers or in the query, and HEAD has no body (S-03)', async () => {
    for (const route of DISTINCT) {
      for (const method of ['HEAD', 'OPTIONS', 'TRACE', 'PROPFIND']) {
        const { status, body, headers } = await sendRaw(holdpoint.address, { method, path: pathOf(route) });
        if (method === 'HEAD') expect(body, nameOf(route)).to.equal('');
        if (method === 'HEAD' && route.method === 'GET') continue;
        // A path with several methods may well have a GET beside this one, which HEAD then asks for.
        expect(status, `${method} ${route.path}`).to.be.oneOf([401, 405]);
        if (status === 405) expect(headers.allow).to.include(route.method);
      }
      if (route.method !== 'GET') continue;
      const override = { 'x-http-method-override': 'DELETE', 'x-method-override': 'DELETE', 'x-http-method': 'DELETE' };
      const overridden = await sendRaw(holdpoint.address, { method: 'GET', path: pathOf(route), headers: override });
      const plain = await sendRaw(holdpoint.address, { method: 'GET', path: pathOf(route) });
      expect(overridden.status, nameOf(route)).to.equal(plain.status);
    }
  });

  it('takes no key from its path or query, and logs none (S-15)', async () => {
    for (const route of PROTECTED) {
      for (const parameter of ['api_key', 'apiKey', 'x-api-key', 'key', 'token', 'access_token']) {
        const path = `${pathOf(route)}?${parameter}=${key}&x-tenant-id=${holdpoint.workspace.slug}`;
        const { status } = await sendRaw(holdpoint.address, { method: route.method, path });
        expect(status, `${nameOf(route)} with ${parameter}`).to.equal(401);
      }
    }
    const token = ['eyJhbGciOiJIUzI1NiJ9', 'eyJzdWIiOiJhZGEifQ', 'c2lnbmF0dXJl'].join('.');
    for (const path of [`/${key}/api/workflows`, `/api/workflows/${key}`, `/api/${token}`, `/api/v1/callbacks/${key}`])
      expect((await sendRaw(holdpoint.address, { method: 'GET', path })).status, path).to.be.oneOf([401, 404, 405]);
    const logged = lines.join('');
    expect(logged).to.include('"path":"/api/workflows/sk_…"');
    expect(logged).not.to.include(key);
    expect(logged).not.to.include(token.slice(4));
  });

  it('says the same to every browser, let in or not (S-87)', async () => {
    for (const route of DISTINCT) {
      for (const authorization of ['', `Bearer ${key}`]) {
        const { headers, status } = await sendRaw(holdpoint.address, {
          method: route.method,
          path: pathOf(route),
          headers: { authorization },
        });
        expect(headers, `${nameOf(route)} ${status}`).to.include(HEADERS);
        // The page of the API's description is everybody's; nothing else may be kept by anybody.
        const isPage = route.path.startsWith('/docs') || route.path === '/openapi.json';
        if (!isPage) expect(headers['cache-control'], nameOf(route)).to.equal('no-store');
        expect(headers['content-security-policy'], nameOf(route)).to.include("frame-ancestors 'none'");
        expect(headers, nameOf(route)).not.to.have.property('x-powered-by');
      }
    }
  });
});
