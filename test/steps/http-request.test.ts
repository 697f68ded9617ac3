import { expect } from 'chai';
import type { Step } from '../../src/core/definition.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { revealSecrets } from '../../src/core/secret-templates.ts';
import { parseTemplate } from '../../src/core/template.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { createCallApi } from '../../src/steps/call-api.ts';
import { buildRequest } from '../../src/steps/http-request.ts';
import { createHttpTool } from '../../src/steps/http-tool.ts';

const egress = createEgress();
const callApi = createCallApi(egress);

/** The request that a step makes of `data`, its secrets in their places, as the engine would do it. */
function build(step: JsonObject, data: JsonObject = {}, secrets: Record<string, string> = {}) {
  const fields: JsonObject = step['method'] ? { method: step['method'] } : {};
  for (const field of callApi.templates) {
    const template = step[field];
    if (template === undefined) continue;
    const interpolation = callApi.interpolation!(step as unknown as Step, field)!;
    const resolved = parseTemplate(template, interpolation).resolve({ data, steps: {}, run: {}, context: {} });
    fields[field] = revealSecrets(template, resolved, {
      secretOf: (name) => secrets[name]!,
      encode: interpolation.encode!,
    });
  }
  return buildRequest(fields, 'effect-key');
}

const urlOf = (url: string, data: JsonObject, secrets?: Record<string, string>) => build({ url }, data, secrets).url;
const bodyOf = (body: Json, data: JsonObject, headers: JsonObject = {}) =>
  build({ method: 'POST', url: 'https://a.com', body, headers }, data).body;

describe('a value that is put into a request (S-72)', () => {
  it('is one piece of a path, a query or a fragment', () => {
    const attack = '../../admin?x=1&y=2#z';
    expect(urlOf('https://a.com/users/${data.id}/orders', { id: attack })).to.equal(
      'https://a.com/users/..%2F..%2Fadmin%3Fx%3D1%26y%3D2%23z/orders',
    );
    expect(urlOf('https://a.com/?q=${data.q}&r=1', { q: 'a&r=2#%' })).to.equal('https://a.com/?q=a%26r%3D2%23%25&r=1');
    expect(urlOf('https://a.com/${data.n}/${data.o}', { n: 5, o: { a: 1 } })).to.equal(
      'https://a.com/5/%7B%22a%22%3A1%7D',
    );
  });

  it('cannot be a segment of dots, which would lead up the path', () => {
    for (const id of ['..', '.', '%2e%2e', '.%2E'])
      expect(
        () => build({ url: '${data.base}/users/${data.id}' }, { base: `https://a.com/${id}`, id: 'x' }),
        id,
      ).to.throw('dots');
    expect(() => urlOf('https://a.com/users/${data.id}/x', { id: '..' })).to.throw('dots');
    expect(() => urlOf('https://a.com/${data.a}${data.a}', { a: '.' })).to.throw('dots');
    expect(urlOf('https://a.com/${data.id}', { id: '%2e%2e' })).to.equal('https://a.com/%252e%252e');
  });

  it('cannot choose the host, unless the URL begins with it or leaves the place open', () => {
    for (const path of ['.evil.com', 'pany', '@evil.com', ':80@evil.com'])
      expect(() => urlOf('https://a.com${data.path}', { path }), path).to.throw('goes on writing the name of a host');
    for (const host of ['evil.com/x', 'evil.com#', 'evil.com\\', 'a@evil.com', 'evil.com:1', 'evil.com?'])
      expect(() => urlOf('https://${data.host}.a.com/', { host }), host).to.throw('The URL is not one');
    expect(() => urlOf('https://a.com:${data.port}/', { port: '80@evil.com' })).to.throw('The URL is not one');
    expect(urlOf('https://${data.shop}.a.com/', { shop: 'mine' })).to.equal('https://mine.a.com/');
    expect(urlOf('${data.base}/x/${data.id}', { base: 'https://a.com/v1', id: 'a/b' })).to.equal(
      'https://a.com/v1/x/a%2Fb',
    );
    expect(urlOf('${data.url}', { url: 'https://a.com/?x=${y}' })).to.equal('https://a.com/?x=${y}');
  });

  it('is one line of a header, or the request is not sent', () => {
    const header = (value: Json) =>
      build({ url: 'https://a.com', headers: { 'X-A': 'v ${data.v}' } }, { v: value }).headers;
    expect(header('ok')['x-a']).to.equal('v ok');
    for (const value of ['a\r\nx-admin: 1', 'a\nb', 'a\rb', 'a\u0000b', 'a\u007fb', '☃'])
      expect(() => header(value), JSON.stringify(value)).to.throw('The header "X-A" cannot be sent');
  });

  it('is a value of a JSON body, also of one that is written as text', () => {
    const attack = '","admin":true,"x":"';
    expect(bodyOf({ name: 'Dear ${data.n}', all: '${data}' }, { n: attack })).to.equal(
      JSON.stringify({ name: `Dear ${attack}`, all: { n: attack } }),
    );
    const text =
      '{"name": "Dear ${data.n}", "list": ${data.list}, "raw": ${data.n}, "none": ${data.gone}, "a\\"${data.n}": 1}';
    expect(JSON.parse(bodyOf(text, { n: attack, list: [1] })!)).to.deep.equal({
      name: `Dear ${attack}`,
      list: [1],
      raw: attack,
      none: null,
      [`a"${attack}`]: 1,
    });
  });

  it('is a field of a form and a text of XML, by the content type', () => {
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    expect(bodyOf('a=${data.a}&b=1', { a: 'x&b=2' }, form)).to.equal('a=x%26b%3D2&b=1');
    expect(bodyOf({ a: '${data.a}', list: [1, 2], none: null }, { a: 'x&b=2' }, form)).to.equal(
      'a=x%26b%3D2&list=1&list=2',
    );
    expect(bodyOf('<a b="${data.a}"/>', { a: '"><x/>&' }, { 'content-type': 'text/xml' })).to.equal(
      '<a b="&quot;&gt;&lt;x/&gt;&amp;"/>',
    );
    expect(bodyOf('Dear ${data.a}', { a: '<b>"' })).to.equal('Dear <b>"');
  });

  it('is encoded like any other where it is a secret', () => {
    const secrets = { KEY: 'a/b "c"&d', HOOK: 'https://hooks.a.com/T/x?y=1' };
    expect(urlOf('https://a.com/?key=${secrets.KEY}&x=${data.x}', { x: '${secrets.KEY}' }, secrets)).to.equal(
      'https://a.com/?key=a%2Fb%20%22c%22%26d&x=%24%7Bsecrets.KEY%7D',
    );
    expect(urlOf('${secrets.HOOK}', {}, secrets)).to.equal(secrets.HOOK);
    expect(build({ method: 'POST', url: 'https://a.com', body: '{"k": "${secrets.KEY}"}' }, {}, secrets).body).to.equal(
      JSON.stringify({ k: secrets.KEY }).replace(':', ': '),
    );
    expect(
      build({ url: 'https://a.com', headers: { authorization: 'Bearer ${secrets.KEY}' } }, {}, secrets).headers,
    ).to.include({
      authorization: `Bearer ${secrets.KEY}`,
    });
  });
});

describe('a request', () => {
  it('carries the effect key, and says what its body is', () => {
    const { headers } = build({ method: 'POST', url: 'https://a.com', body: { a: 1 } });
    expect(headers).to.include({ 'idempotency-key': 'effect-key', 'content-type': 'application/json' });
    expect(build({ method: 'POST', url: 'https://a.com', body: 'hi' }).headers['content-type']).to.equal(
      'text/plain; charset=utf-8',
    );
    expect(build({ url: 'https://a.com' }).headers).not.to.have.property('content-type');
    const own = build({
      method: 'POST',
      url: 'https://a.com',
      body: {},
      headers: { 'Idempotency-Key': 'mine', 'CONTENT-TYPE': 'a/b' },
    });
    expect(own.headers).to.include({ 'idempotency-key': 'mine', 'content-type': 'a/b' });
  });

  it('takes texts, numbers, booleans and lists of them in its query, and leaves out what is missing', () => {
    const query = { a: '${data.a}', n: 1, b: true, list: ['x', 2], gone: '${data.gone}' };
    expect(build({ url: 'https://a.com/?z=0', query }, { a: 'x y&' }).url).to.equal(
      'https://a.com/?z=0&a=x+y%26&n=1&b=true&list=x&list=2',
    );
    expect(() => build({ url: 'https://a.com', query: { a: '${data}' } })).to.throw('query parameter "a" must be');
  });

  const problems = (step: JsonObject) =>
    callApi.check!({ id: 's', type: 'call-api', ...step } as Step, { tools: new Map() }).map(({ pointer }) => pointer);

  it('is refused when it is saved, if its URL may not be called whatever it is filled with', () => {
    for (const url of [
      'http://127.0.0.1/',
      'http://localhost:3000/x',
      'https://169.254.169.254/${data.x}',
      'http://[::1]/?${data.x}',
      'file:///etc/${data.x}',
      'gopher://x',
      'http://user:pass@example.com/${data.x}',
      'http://example.com:22/#${data.x}',
      'HTTP://redis:6379/',
      'not a url',
    ])
      expect(problems({ url }), url).to.deep.equal(['/url']);
    for (const url of [
      'https://example.com/${data.x}',
      '${data.url}',
      'https://${data.host}/x',
      'https://example.com',
      'https://a.${data.x}',
    ])
      expect(problems({ url }), url).to.deep.equal([]);
    expect(createHttpTool(egress).check!({ url: 'http://10.0.0.1/' })).to.have.length(1);
  });

  it('costs no more than an expression may, however often a text is looked through', () => {
    expect(bodyOf(`{"a": [${'${data.x},'.repeat(500)}0]}`, { x: 1 })).to.include('1,1');
    const late = `{"b": "${'x'.repeat(100_000)}", "a": [${'${data.x},'.repeat(3_000)}0]}`;
    expect(() => bodyOf(late, { x: 1 })).to.throw('reads too much data');
  });

  it('may name 20 secrets, no more', () => {
    const names = (count: number) => Array.from({ length: count }, (_, index) => `\${secrets.S${index}}`).join(' ');
    expect(problems({ url: 'https://example.com/', headers: { a: names(20) } })).to.deep.equal([]);
    expect(problems({ url: 'https://example.com/', headers: { a: names(21) } })).to.deep.equal(['']);
  });

  it('is refused when it is saved with a header of the client, a body that cannot be sent, or an unlisted secret', () => {
    const url = 'https://example.com/';
    expect(
      problems({ url, headers: { Host: 'x', 'content-length': 1, 'a b': 'x', 'a/b': 'x', ok: 'x' } }),
    ).to.deep.equal(['/headers/Host', '/headers/content-length', '/headers/a b', '/headers/a~1b']);
    expect(problems({ url, body: {} })).to.deep.equal(['/body']);
    expect(problems({ url: '${data.x}', method: 'POST', body: '${data.x}' })).to.deep.equal(['/body']);
    expect(problems({ url, headers: { a: '${secrets.A}', b: '${secrets.B}' }, secrets: ['A', 'b-c'] })).to.deep.equal([
      '/secrets/1',
      '/secrets',
    ]);
  });
});
