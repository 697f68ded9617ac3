// Calls from web pages, as browsers make them: the question before, then the call; its answer is the page's to read only
// where it says so.

import { expect } from 'chai';
import { READABLE_HEADERS, SENDABLE_HEADERS } from '../../src/http/cors.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';

const PAGE = 'https://shop.example.com';
const FOREIGN = 'https://evil.example.com';
const ALLOW = 'access-control-allow-origin';

describe('web pages of other origins', () => {
  let holdpoint: Holdpoint;
  before(async () => {
    holdpoint = await startHoldpoint({ settings: { corsOrigins: [PAGE] } });
  });
  after(() => holdpoint.stop());

  const path = '/api/workflow/start/customer-onboarding';
  const send = (method: string, headers: Record<string, string>, address = holdpoint.address) =>
    fetch(`${address}${path}`, { method, headers });
  const preflight = (origin: string, address?: string) =>
    send('OPTIONS', { origin, 'access-control-request-method': 'POST' }, address);

  it('are told before they call that they may, with every header that the API takes', async () => {
    const { status, headers } = await preflight(PAGE);
    expect(status).to.equal(204);
    expect(Object.fromEntries([...headers].filter(([name]) => /^(access-control|vary)/.test(name)))).to.deep.equal({
      vary: 'origin',
      [ALLOW]: PAGE,
      'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': SENDABLE_HEADERS.join(', '),
      'access-control-expose-headers': READABLE_HEADERS.join(', '),
      'access-control-max-age': '600',
    });
  });

  it('read the answer, also a refusal, and are given nothing without a credential', async () => {
    const credential = { authorization: `Bearer ${holdpoint.workspace.keys.editor}` };
    const [allowed, anonymous] = [
      await send('POST', { origin: PAGE, ...credential }),
      await send('POST', { origin: PAGE }),
    ];
    expect([allowed.status, allowed.headers.get(ALLOW)]).to.deep.equal([404, PAGE]);
    expect([anonymous.status, anonymous.headers.get(ALLOW)]).to.deep.equal([401, PAGE]);
    expect(anonymous.headers.get('access-control-allow-credentials')).to.equal(null);
  });

  it('that nobody named, or that resemble one that is, read nothing', async () => {
    for (const origin of [FOREIGN, 'null', `${PAGE}.evil.example`, 'http://shop.example.com', `${PAGE}:8443`]) {
      const { status, headers } = await preflight(origin);
      expect([status, headers.get(ALLOW)], origin).to.deep.equal([405, null]);
      expect((await send('POST', { origin })).headers.get(ALLOW), origin).to.equal(null);
    }
  });

  it('read nothing where none is named, and are all alike where every one is', async () => {
    const [closed, open] = [await startHoldpoint(), await startHoldpoint({ settings: { corsOrigins: ['*'] } })];
    try {
      const refused = await preflight(PAGE, closed.address);
      expect([refused.status, refused.headers.get(ALLOW), refused.headers.get('vary')]).to.deep.equal([
        405,
        null,
        null,
      ]);
      const taken = await preflight(FOREIGN, open.address);
      expect([taken.status, taken.headers.get(ALLOW)]).to.deep.equal([204, '*']);
    } finally {
      await Promise.all([closed.stop(), open.stop()]);
    }
  });

  it('may use every header that the API is documented with', async () => {
    const { body } = await holdpoint.ask('/openapi.json');
    type Operation = { parameters?: { in?: string; name?: string }[]; responses: Record<string, { headers?: object }> };
    const operations = Object.values(body.paths as Record<string, Record<string, Operation>>).flatMap(Object.values);
    const lower = (names: string[]) => [...new Set(names.map((name) => name.toLowerCase()))];
    const taken = operations.flatMap(({ parameters = [] }: Operation) =>
      parameters.filter((one) => one.in === 'header').map((one) => one.name ?? ''),
    );
    const told = operations.flatMap(({ responses }: Operation) =>
      Object.values(responses).flatMap(({ headers = {} }) => Object.keys(headers)),
    );
    // Signatures are made with a secret that no page has.
    expect(SENDABLE_HEADERS).to.include.members(
      lower(taken).filter((name) => !/webhook|^x-hub-|^x-github-/.test(name)),
    );
    expect(READABLE_HEADERS).to.include.members(lower(told));
    expect([taken.length, told.length]).to.not.include(0);
  });
});
