// Attacks on definitions and on what is said about them (GUARANTEES §7): each is refused where it is sent, with the place of
// the fault, or stored as the harmless text it is. What expressions and validation refuse in full is test/core.

import { expect } from 'chai';
import { type Answer, type Call, createWorkspace } from '../../support/api.ts';
import { type Holdpoint, startHoldpoint } from '../../support/holdpoint.ts';

const END = { id: 'end', type: 'end-flow' };
const flow = (steps: object[], edges: object[], rest: object = {}) => ({
  name: 'Attack',
  initialStep: 'a',
  steps: [...steps, END],
  edges,
  ...rest,
});
const single = (step: object, rest: object = {}) =>
  flow([{ id: 'a', type: 'transform', output: {}, ...step }], [{ from: 'a', to: 'end' }], rest);

/** What sqlmap and its like try first; each would change what is found, or how long it takes, if it were ever run. */
const INJECTIONS = [
  "'",
  "''",
  '"',
  '`',
  '\\',
  "\\'",
  ';',
  '--',
  "'--",
  '/*',
  '*/',
  '#',
  '%',
  '_',
  '%%%',
  '\\%',
  "' OR '1'='1",
  "' OR 1=1--",
  '" OR ""="',
  "') OR ('1'='1",
  "')) OR 1=1--",
  ' OR 1=1',
  '1 OR 1=1',
  "1' OR '1'='1' /*",
  "x' AND 1=1--",
  "x' AND 1=2--",
  "' UNION SELECT NULL--",
  "' UNION SELECT hash FROM api_keys--",
  "' UNION ALL SELECT NULL,NULL,NULL--",
  "'; DROP TABLE definitions--",
  "'; DELETE FROM runs; --",
  "'; UPDATE api_keys SET role = 'owner'--",
  "'); INSERT INTO workspaces VALUES (1)--",
  "'; SELECT pg_sleep(20)--",
  "' || pg_sleep(20)--",
  '1; SELECT pg_sleep(20)',
  "' AND (SELECT 1 FROM pg_sleep(20))--",
  "'||(SELECT version())||'",
  "' ORDER BY 100--",
  "' GROUP BY 1 HAVING 1=1--",
  "' LIMIT 1 OFFSET 1--",
  "'; COPY (SELECT 1) TO '/tmp/x'--",
  '$1',
  '$$',
  '$body$',
  ':name',
  '?',
  '??',
  '{"$ne": null}',
  '{"$gt": ""}',
  '${7*7}',
  "E'\\x27 OR 1=1'",
  '＇ OR 1=1',
  'ʼ OR 1=1',
  '\u0000',
  "'\u0000 OR 1=1",
];

describe('attacks on workflows', () => {
  let holdpoint: Holdpoint;
  let key: string;
  let runId: string;

  before(async () => {
    holdpoint = await startHoldpoint({ settings: { rateLimit: 0, rateLimitStarts: 0 } });
    key = await holdpoint.define(flow([{ id: 'a', type: 'approval' }], [{ from: 'a', to: 'end' }], { name: 'Target' }));
    runId = await holdpoint.start(key);
  });
  after(() => holdpoint.stop());

  const owner = () => holdpoint.workspace.keys.owner;
  const create = (body: unknown) => holdpoint.ask('/api/workflows', { body });
  const codeOf = ({ status, body }: Answer) => [status, body.error?.code];
  const pointersOf = ({ body }: Answer) => body.error.details.map(({ pointer }: { pointer: string }) => pointer);

  async function countRows(): Promise<object> {
    const tables = [
      'workspaces',
      'api_keys',
      'definitions',
      'definition_versions',
      'runs',
      'step_runs',
      'pauses',
      'events',
    ];
    const counts = tables.map((table) => `(SELECT count(*) FROM ${table}) AS ${table}`).join(', ');
    const owners = `(SELECT count(*) FROM api_keys WHERE role = 'owner') AS owners`;
    return (await holdpoint.db.pool.query(`SELECT ${counts}, ${owners}`)).rows[0];
  }

  describe('by SQL (S-42)', () => {
    const q = encodeURIComponent;
    /** Every string that the workflow face takes, with `value` in it. */
    const places: [string, (value: string) => [string, Call?]][] = [
      ['search', (value) => [`/api/workflows?search=${q(value)}&includeArchived=true`]],
      ['status', (value) => [`/api/workflows?status=${q(value)}`]],
      ['includeArchived', (value) => [`/api/workflows?includeArchived=${q(value)}`]],
      ['limit', (value) => [`/api/workflows?limit=${q(value)}`]],
      ['offset', (value) => [`/api/workflows?offset=${q(value)}`]],
      ['an unknown parameter', (value) => [`/api/workflows?sort=${q(value)}`]],
      ['a parameter’s name', (value) => [`/api/workflows?${q(`search[${value}]`)}=x`]],
      ['id', (value) => [`/api/workflows/${q(value)}`]],
      ['version', (value) => [`/api/workflows/${key}?version=${q(value)}`]],
      ['id of the versions', (value) => [`/api/workflows/${q(value)}/versions`]],
      ['limit of the versions', (value) => [`/api/workflows/${key}/versions?limit=${q(value)}`]],
      ['id of an update', (value) => [`/api/workflows/${q(value)}`, { method: 'PUT', body: {} }]],
      ['status of an update', (value) => [`/api/workflows/${key}`, { method: 'PUT', body: { status: value } }]],
      [
        'If-Match',
        (value) => [`/api/workflows/${key}`, { method: 'PUT', body: {}, headers: { 'if-match': q(value) || 'x' } }],
      ],
      ['initialStep', (value) => [`/api/workflows/${key}`, { method: 'PUT', body: { initialStep: value } }]],
      ['version to publish', (value) => [`/api/workflows/${key}/publish`, { body: { version: value } }]],
      ['id of a copy', (value) => [`/api/workflows/${q(value)}/clone`, { body: {} }]],
      ['id to archive', (value) => [`/api/workflows/${q(value)}`, { method: 'DELETE' }]],
      ['id to unarchive', (value) => [`/api/workflows/${q(value)}/unarchive`, { body: {} }]],
      ['id to delete', (value) => [`/api/workflows/${q(value)}/permanent`, { method: 'DELETE' }]],
      ['workflowId', (value) => [`/api/workflow/start-async/${q(value)}`, { body: {} }]],
      ['version to start', (value) => [`/api/workflow/start/${key}`, { body: { version: value } }]],
      ['workflowId of the input', (value) => [`/api/workflow/metadata/input/${q(value)}`]],
      ['runId', (value) => [`/api/workflow/status/${q(value)}`]],
      ['after', (value) => [`/api/workflow/status/${runId}?after=${q(value)}`]],
      ['runId to cancel', (value) => ['/api/workflow/management/cancel', { body: { runId: value } }]],
      ['its workflowId', (value) => ['/api/workflow/management/terminate', { body: { runId, workflowId: value } }]],
      ['type', (value) => [`/api/workflow/resume/${runId}`, { body: { type: value } }]],
      [
        'actionId',
        (value) => [`/api/workflow/resume/${runId}`, { body: { type: 'request_user_action', actionId: value } }],
      ],
      [
        'pauseId',
        (value) => [
          `/api/workflow/resume/${runId}`,
          { body: { type: 'request_user_action', actionId: 'approve', pauseId: value } },
        ],
      ],
    ];

    for (const [place, request] of places) {
      it(`finds nothing and changes nothing, as ${place}`, async () => {
        const before = await countRows();
        const answers = await Promise.all(
          INJECTIONS.map((value) => {
            const [path, call] = request(value);
            return holdpoint.ask(path, { key: owner(), ...call });
          }),
        );
        for (const [index, { status, body }] of answers.entries()) {
          const shown = `${place} = ${INJECTIONS[index]}`;
          expect(status, shown).to.be.oneOf([200, 400, 404, 409]);
          if (status === 200) expect(body, shown).to.deep.equal([]);
        }
        expect(await countRows()).to.deep.equal(before);
      });
    }

    it('is stored as the text it is, in names, and found as that', async () => {
      const storable = INJECTIONS.filter((value) => !value.includes('\u0000') && value !== '${7*7}');
      const original = { status: 200, body: { name: 'x' } };
      for (const name of storable) {
        const { status, body } = await holdpoint.ask(`/api/workflows/${key}`, { method: 'PUT', body: { name } });
        expect({ status, body: { name: body.name } }).to.deep.equal({ ...original, body: { name } });
      }
      const last = storable.at(-1)!;
      const found = await holdpoint.ask(`/api/workflows?search=${q(last)}`);
      expect(found.body.map(({ name }: { name: string }) => name)).to.deep.equal([last]);
    });
  });

  describe('by size and shape (S-48)', () => {
    const steps = (count: number) => Array.from({ length: count }, (_, index) => ({ ...END, id: `s${index}` }));

    it('is refused past 5 MB, 10,000 steps or 100,000 edges, with the place of the fault', async () => {
      expect(codeOf(await create(single({ 'x-blob': 'x'.repeat(5_300_000) })))).to.deep.equal([
        413,
        'PAYLOAD_TOO_LARGE',
      ]);
      const many = await create({ name: 'x', initialStep: 's0', steps: steps(10_001), edges: [] });
      expect([many.status, pointersOf(many)[0]]).to.deep.equal([400, '/steps']);
      const edges = Array.from({ length: 100_001 }, () => ({ from: 'a', to: 'end' }));
      const tangled = await create(flow([{ id: 'a', type: 'approval' }], edges));
      expect([tangled.status, pointersOf(tangled)[0]]).to.deep.equal([400, '/edges']);
    });

    it('is taken within them', async () => {
      const chain = Array.from({ length: 9_999 }, (_, index) => ({ id: `s${index}`, type: 'approval' }));
      const edges = chain.map(({ id }, index) => ({ from: id, to: chain[index + 1]?.id ?? 'end' }));
      const { status } = await create({ name: 'Long', initialStep: 's0', steps: [...chain, END], edges });
      expect(status).to.equal(201);
    });

    const shapes: [string, object, string][] = [
      ['an edge to nowhere', flow([{ id: 'a', type: 'approval' }], [{ from: 'a', to: 'ned' }]), '/edges/0/to'],
      [
        'two steps of one id',
        flow(
          [
            { id: 'a', type: 'approval' },
            { id: 'a', type: 'approval' },
          ],
          [],
        ),
        '/steps/1/id',
      ],
      ['no end', { name: 'x', initialStep: 'a', steps: [{ id: 'a', type: 'approval' }], edges: [] }, '/steps'],
      ['an unreachable step', flow([{ id: 'a', type: 'approval' }], []), '/steps/1'],
      ...['__proto__', 'constructor', 'a:b', '../x', '🙂', 'x'.repeat(300)].map((id): [string, object, string] => [
        `a step called ${id.slice(0, 20)}`,
        { name: 'x', initialStep: id, steps: [{ id, type: 'end-flow' }], edges: [] },
        '/steps/0/id',
      ]),
    ];
    for (const [what, definition, pointer] of shapes) {
      it(`is told where ${what} is`, async () => {
        const answer = await create(definition);
        expect(codeOf(answer)).to.deep.equal([400, 'INVALID_DEFINITION']);
        expect(pointersOf(answer)).to.include(pointer);
        for (const { message } of answer.body.error.details) expect(message).to.be.a('string');
      });
    }

    it('may hold a step that follows itself, and a cycle: those are loops', async () => {
      const loop = flow(
        [{ id: 'a', type: 'approval' }],
        [
          { from: 'a', to: 'a', on: 'reject' },
          { from: 'a', to: 'end', on: 'approve' },
        ],
      );
      expect((await create(loop)).status).to.equal(201);
    });
  });

  describe('by what would never end (S-49)', () => {
    const limits: [object, string][] = [
      [{ retry: { attempts: 1e9 } }, '/steps/0/retry/attempts'],
      [{ retry: { delayMs: 1e18 } }, '/steps/0/retry/delayMs'],
      [{ timeoutMs: -1 }, '/steps/0/timeoutMs'],
      [{ maxVisits: 1_001 }, '/steps/0/maxVisits'],
    ];
    for (const [step, pointer] of limits) {
      it(`is refused: ${JSON.stringify(step)}`, async () => {
        const answer = await create(single(step));
        expect([answer.status, pointersOf(answer)]).to.deep.equal([400, [pointer]]);
      });
    }

    it('is refused: 1 step to 1,000 to 1,000', async () => {
      const layer = (name: string) =>
        Array.from({ length: 1_000 }, (_, index) => ({ id: `${name}${index}`, type: 'transform', output: {} }));
      const [first, second] = [layer('b'), layer('c')];
      const edges = first.flatMap(({ id: from }) => second.slice(0, 110).map(({ id: to }) => ({ from, to })));
      const answer = await create(flow([{ id: 'a', type: 'transform', output: {} }, ...first, ...second], edges));
      expect([answer.status, pointersOf(answer)[0]]).to.deep.equal([400, '/edges']);
    });

    it('ends by itself: a loop without a way out fails its run, and says why', async () => {
      const loop = await create(
        flow(
          [
            { id: 'a', type: 'transform', output: {}, maxVisits: 50 },
            { id: 'b', type: 'condition', condition: 'data.never' },
          ],
          [
            { from: 'a', to: 'b' },
            { from: 'b', to: 'a', on: 'false' },
            { from: 'b', to: 'end', on: 'true' },
          ],
          { name: 'For ever' },
        ),
      );
      expect(loop.status).to.equal(201);
      const { body } = await holdpoint.ask('/api/workflow/start/for-ever', { body: {} });
      expect([body.status, body.error.code]).to.deep.equal(['failed', 'max_visits_exceeded']);
    });
  });

  describe('by expressions (S-68, S-69)', () => {
    const sources = [
      "data.constructor.constructor('return process')()",
      'data.__proto__',
      'toString.call',
      '`x`',
      'process.env.X',
      'globalThis',
      'this',
      'data["constr" + "uctor"] && data.prototype',
      '('.repeat(100_000),
      '1+'.repeat(100_000),
      'data.x.matches("^(a+)+$")',
      `${'['.repeat(500)}1${']'.repeat(500)}`,
    ];
    for (const source of sources) {
      it(`is refused when it is saved, in a field, a condition and an edge: ${source.slice(0, 40)}`, async () => {
        const edges = [{ from: 'a', to: 'end', condition: source }];
        const steps = [{ id: 'a', type: 'transform', output: { x: `\${${source}}` } }];
        const answer = await create(flow(steps, edges, { output: { y: `\${${source}}` } }));
        expect(codeOf(answer)).to.deep.equal([400, 'INVALID_DEFINITION']);
        expect(pointersOf(answer)).to.have.members(['/steps/0/output/x', '/edges/0/condition', '/output/y']);
        expect(JSON.stringify(answer.body).length).to.be.below(5_000);
      });
    }

    it('ends a run with a clear error when it costs too much', async () => {
      const output = { all: '${data.list[.|abs > -1]}' };
      expect((await create(single({ output }, { name: 'Costly' }))).status).to.equal(201);
      const data = { list: Array.from({ length: 20_000 }, (_, index) => index) };
      const { body } = await holdpoint.ask('/api/workflow/start/costly', { body: { data } });
      expect([body.status, body.error.code]).to.deep.equal(['failed', 'expression_error']);
      expect(body.error.message).to.include('takes more than 10000 steps');
    });
  });

  it('by guessing run ids meet 404, and ids that nobody can count up to (S-78)', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => holdpoint.start(key)));
    // Behind the 48 bits of time of a UUIDv7 stand 74 that are drawn; 32 of them, at least, in the last group.
    const tails = ids.map((id) => id.slice(24));
    expect(new Set(tails)).to.have.property('size', ids.length);
    const stranger = (await createWorkspace(holdpoint.db)).keys.owner;
    const guesses = [`dynamic-workflow-${Date.now()}`, ids[0]!.replace(/.$/, (last) => (last === '0' ? '1' : '0'))];
    for (const id of guesses) expect((await holdpoint.ask(`/api/workflow/status/${id}`)).status).to.equal(404);
    for (const id of ids)
      expect((await holdpoint.ask(`/api/workflow/status/${id}`, { key: stranger })).status).to.equal(404);
  });
});
