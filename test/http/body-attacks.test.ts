import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import type { Route } from '../../src/http/route.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { exchange } from '../support/raw-http.ts';
import { DISTINCT, fillPath, nameOf } from '../support/routes.ts';

interface Attack {
  what: string;
  body: string | Buffer;
  headers?: Record<string, string>;
  status: number;
  /** What the answer says. */
  says?: RegExp;
  /** It is JSON, and what it says is refused: the v1 face has a status of its own for that. */
  isJson?: true;
}

/** What no route that reads a body takes, whatever it is for. */
const ATTACKS: Attack[] = [
  { what: 'S-34 a prototype', body: '{"__proto__":{"polluted":1}}', status: 400 },
  { what: 'S-34 a prototype further in', body: '{"data":{"a":[{"__proto__":{"polluted":1}}]}}', status: 400 },
  {
    what: 'S-36 deep lists',
    isJson: true,
    body: `{"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    status: 400,
    says: /nested deeper than 64/,
  },
  {
    what: 'S-36 deep objects',
    isJson: true,
    body: `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
    status: 400,
    says: /nested deeper than 64/,
  },
  {
    what: 'S-37 a bomb',
    body: gzipSync(`{"a":"${'a'.repeat(20_000_000)}"}`),
    headers: { 'content-encoding': 'gzip' },
    status: 413,
  },
  {
    what: 'S-37 a bomb in a bomb',
    body: gzipSync(gzipSync('{}')),
    headers: { 'content-encoding': 'gzip' },
    status: 400,
  },
  {
    what: 'S-37 a broken gzip',
    body: gzipSync('{"a":"aaaa"}').subarray(0, 12),
    headers: { 'content-encoding': 'gzip' },
    status: 400,
  },
  {
    what: 'S-37 a broken brotli',
    body: '{}',
    headers: { 'content-encoding': 'br' },
    status: 400,
    says: /Content-Encoding/,
  },
  { what: 'S-37 an unknown encoding', body: '{}', headers: { 'content-encoding': 'bogus' }, status: 415 },
  { what: 'S-37 two encodings', body: '{}', headers: { 'content-encoding': 'gzip, gzip' }, status: 415 },
  { what: 'S-40 an infinite number', isJson: true, body: '{"a":1e400}', status: 400, says: /finite/ },
  {
    what: 'S-40 a number that would be changed',
    isJson: true,
    body: '{"a":{"b":9007199254740993}}',
    status: 400,
    says: /\/a\/b has more digits/,
  },
  { what: 'NUL', isJson: true, body: '{"a":"\\u0000"}', status: 400, says: /NUL/ },
  { what: 'a lone surrogate in a name', isJson: true, body: '{"\\ud800":1}', status: 400, says: /surrogate/ },
  { what: 'no JSON', body: '{"a":', status: 400, says: /JSON/ },
  { what: 'another type', body: 'a=1', headers: { 'content-type': 'application/x-www-form-urlencoded' }, status: 415 },
];

const READING = DISTINCT.filter((route) => route.body !== undefined);

describe('a route that reads a body', () => {
  let holdpoint: Holdpoint;
  let workflow: string;
  before(async () => {
    const settings = { rateLimit: 0, rateLimitStarts: 0, secretKeys: [Buffer.alloc(32, 1)] };
    holdpoint = await startHoldpoint({ settings });
    workflow = await holdpoint.define({
      name: 'Input',
      initialStep: 'ask',
      steps: [
        { id: 'ask', type: 'collect-inputs', output: { answer: { type: 'string' } } },
        { id: 'end', type: 'end-flow' },
      ],
      edges: [{ from: 'ask', to: 'end' }],
    });
  });
  after(() => holdpoint.stop());

  /** With ids that name nothing, but of a pod: that is looked for before anything is read. */
  const pathOf = (route: Route) =>
    fillPath(route, { workspace: holdpoint.workspace.id, id: route.path.endsWith('/:podId') ? 'default' : uuidv7() });
  const headersFor = (headers: Record<string, string> = {}) => ({
    authorization: `Bearer ${holdpoint.workspace.keys.owner}`,
    'content-type': 'application/json',
    ...headers,
  });

  for (const { what, body, headers, status, says, isJson = false } of ATTACKS) {
    it(`answers ${status} to ${what}`, async () => {
      for (const route of READING) {
        const response = await fetch(`${holdpoint.address}${pathOf(route)}`, {
          method: route.method,
          headers: headersFor(headers),
          body: typeof body === 'string' ? body : new Uint8Array(body),
        });
        const text = await response.text();
        const expected = isJson && route.path.startsWith('/api/v1/') ? 422 : status;
        expect(response.status, `${nameOf(route)}: ${text}`).to.equal(expected);
        if (says !== undefined) expect(text, nameOf(route)).to.match(says);
      }
      expect(({} as { polluted?: unknown }).polluted).to.equal(undefined);
    });
  }

  it('answers 413 to one byte more than its limit, without and with a length (S-37)', async () => {
    for (const route of READING) {
      const limit = route.bodyLimit ?? 1_048_576;
      const body = `{"a":"${'a'.repeat(limit - 7)}"}`;
      const send = (sent: string | ReadableStream) =>
        fetch(`${holdpoint.address}${pathOf(route)}`, {
          method: route.method,
          headers: headersFor(),
          body: sent,
          duplex: 'half',
        } as RequestInit);
      expect((await send(body)).status, nameOf(route)).to.equal(413);
      expect((await send(new Blob([body]).stream())).status, nameOf(route)).to.equal(413);
      // One byte less is read, and then judged.
      expect((await send(body.replace('a"}', '"}'))).status, nameOf(route)).to.not.equal(413);
    }
  });

  it('answers 413 to a length of terabytes before any of it has come (S-37)', async () => {
    for (const route of READING) {
      for (const length of ['4294967297', '9007199254740993']) {
        const head = Object.entries({ ...headersFor(), host: 'x', connection: 'close', 'content-length': length });
        const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join('');
        const { statuses } = await exchange(
          holdpoint.address,
          `${route.method} ${pathOf(route)} HTTP/1.1\r\n${lines}\r\n{}`,
        );
        expect(statuses, nameOf(route)).to.deep.equal([413]);
      }
    }
  });

  it('opens no file that a body names (S-33)', async () => {
    const files = { attachment: { filepath: '/etc/passwd', newFilename: 'x', size: 1 } };
    for (const path of [`/api/workflow/start/${workflow}`, `/api/workflow/start-async/${workflow}`]) {
      for (const body of [{ files }, { files, data: {} }, { attachment: files.attachment }]) {
        const answer = await holdpoint.ask(path, { body });
        expect(answer.status).to.equal(400);
        expect(JSON.stringify(answer.body)).to.not.include('root:');
      }
      const { status, body } = await holdpoint.ask(path, { body: { data: { files } } });
      expect(status).to.equal(200);
      const run = (await holdpoint.ask(`/api/workflow/status/${body.runId}`)).body;
      expect(run.data).to.deep.equal({ files });
    }
  });

  it('keeps what is called `constructor` as data, and lets it do nothing (S-34)', async () => {
    const data = { constructor: { prototype: { polluted: 1 } }, toString: null };
    const runId = await holdpoint.start(workflow, data);
    expect((await holdpoint.ask(`/api/workflow/status/${runId}`)).body.data).to.deep.equal(data);
    const answer = { type: 'collect_inputs', data: { answer: 'x', ...data } };
    const { status, body } = await holdpoint.ask(`/api/workflow/resume/${runId}`, { body: answer });
    expect(status).to.equal(400);
    expect(body.error.details.map(({ pointer }: { pointer: string }) => pointer)).to.have.members([
      '/data/constructor',
      '/data/toString',
    ]);
    expect(({} as { polluted?: unknown }).polluted).to.equal(undefined);
  });

  it('keeps numbers as they are, but for the sign of nothing (S-40)', async () => {
    const text = '{"data":{"zero":-0,"small":1e-7,"large":9007199254740992,"long":"9007199254740993","huge":1e308}}';
    const { body } = await holdpoint.ask(`/api/workflow/start-async/${workflow}`, { body: text });
    expect((await holdpoint.ask(`/api/workflow/status/${body.runId}`)).body.data).to.deep.equal({
      zero: 0,
      small: 1e-7,
      large: 2 ** 53,
      long: '9007199254740993',
      huge: 1e308,
    });
  });
});
