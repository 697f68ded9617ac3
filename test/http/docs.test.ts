import { expect } from 'chai';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';

describe('/docs', () => {
  let holdpoint: Holdpoint;
  before(async () => {
    holdpoint = await startHoldpoint();
  });
  after(() => holdpoint.stop());

  const load = async (path: string) => {
    const response = await fetch(`${holdpoint.address}${path}`);
    return { status: response.status, headers: response.headers, body: await response.text() };
  };

  it('is a page for anybody, made of this server’s own files and nothing else', async () => {
    const { status, headers, body } = await load('/docs');
    expect([status, headers.get('content-type')]).to.deep.equal([200, 'text/html; charset=utf-8']);
    expect(body).not.to.match(/\/\//);
    const parts = [...body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
    expect(parts).to.include.members(['docs/swagger-ui.css', 'docs/swagger-ui-bundle.js', 'openapi.json']);
    for (const part of parts) {
      const { status, headers, body } = await load(`/${part}`);
      expect(status, part).to.equal(200);
      expect(body.length, part).to.be.greaterThan(50);
      const expected = /\.(\w+)$/.exec(part)![1]!;
      const types: Record<string, RegExp> = { css: /css/, js: /javascript/, png: /png/, json: /json/ };
      expect(headers.get('content-type'), part).to.match(types[expected]!);
    }
  });

  it('lets the browser load and run nothing from elsewhere, and nothing inline', async () => {
    const { headers } = await load('/docs');
    const policy = headers.get('content-security-policy')!;
    expect(policy).to.match(/^default-src 'none';/);
    expect(policy).to.include("frame-ancestors 'none'");
    expect(policy.match(/'unsafe[^']*'|https?:|\*/g)).to.equal(null);
    expect(headers.get('x-content-type-options')).to.equal('nosniff');
  });

  it('serves no file but its own', async () => {
    for (const name of ['package.json', '..%2fpackage.json', 'absolute-path.js', '__proto__', 'constructor', '%00']) {
      const { status } = await load(`/docs/${name}`);
      expect(status, name).to.equal(404);
    }
  });
});
