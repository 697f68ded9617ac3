import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { v7 as newId } from 'uuid';
import { LOG_POSITION } from '../../../src/core/log-places.ts';
import { purgeWorkflows } from '../../../src/engine/purge-workflows.ts';
import { RunLogs } from '../../../src/engine/run-logs.ts';
import { createLog } from '../../../src/log.ts';
import { openDatabase } from '../../../src/store/db.ts';
import type { NewLogLine } from '../../../src/store/run-logs.ts';
import { createWorkspace } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../../support/holdpoint.ts';
import { startProxy } from '../../support/proxy.ts';
import { ask as approval, edges, tool } from '../../support/steps.ts';

const MODULE = fileURLToPath(new URL('../../support/logging-tools.ts', import.meta.url));
const END = { id: 'end', type: 'end-flow' };
const PLACE = { stepId: 'gate', visit: 1, attempt: 1, level: 'info', data: null, at: Date.now() } as const;
const SECRET = 'canary-4b7e1f02-value';

interface Line {
  id: string;
  nodeId: string;
  level: string;
  message: string;
  data: object | null;
  durationMs: number | null;
  attempt: number;
  timestamp: string;
}

describe('the log of an execution', () => {
  let holdpoint: Holdpoint;
  before(async () => {
    holdpoint = await startHoldpoint({
      withWorker: true,
      settings: { toolModules: [MODULE], sweepMs: 200, secretKeys: [Buffer.alloc(32, 1)] },
    });
  });
  after(() => holdpoint.stop());

  const pathOf = (id: string, workspace = holdpoint.workspace.slug) =>
    `/workspaces/${workspace}/pods/default/executions/${id}`;
  const logsOf = async (id: string, query = ''): Promise<Line[]> => {
    const { status, body } = await holdpoint.ask(`${pathOf(id)}/logs?${query}`, {
      key: holdpoint.workspace.keys.viewer,
    });
    expect(status, JSON.stringify(body)).to.equal(200);
    return body;
  };
  const run = async (steps: object[], name = 'Logs') => {
    const chain = edges([...steps.map((step) => (step as { id: string }).id), 'end'].join(' '));
    const initialStep = (steps[0] as { id: string }).id;
    return holdpoint.start(await holdpoint.define({ name, initialStep, steps: [...steps, END], edges: chain }));
  };
  const finished = (id: string) =>
    eventually(async () => (await holdpoint.ask(pathOf(id))).body.finishedAt !== null, { withinMs: 20_000 });
  /** Logs as one worker does, no faster than lines can be stored. */
  const logMany = async (count: number, lineOf: (line: number) => NewLogLine) => {
    const writer = new RunLogs({ db: holdpoint.db, log: createLog({ level: 'silent', name: 'test' }) });
    for (let line = 1; line <= count; line += 1) {
      writer.add(lineOf(line));
      if (line % 300 === 0) await writer.flush();
    }
    await writer.flush();
  };
  const say = ({ nodeId, level, message, attempt }: Line) => `${nodeId} ${attempt} ${level} ${message}`;

  it('has what handlers log, by node, attempt and level, and a line for each attempt', async () => {
    const retry = { attempts: 2, delayMs: 1, jitter: 0 };
    const id = await run([
      tool('pay', 'log-each', { fails: 1 }, { retry }),
      { id: 'note', type: 'transform', output: {} },
    ]);
    await finished(id);
    const lines = await eventually(async () => {
      const found = await logsOf(id);
      return found.length === 12 && found;
    });
    const levels = ['debug', 'info', 'warn', 'error'];
    // In the order of time by two clocks, that of the worker and that of the database.
    expect(lines.map(say)).to.have.members([
      ...levels.map((level) => `pay 1 ${level} said at ${level}`),
      'pay 1 warn Attempt 1 failed with flaky: not this time; the next one is due in 1 ms',
      ...levels.map((level) => `pay 2 ${level} said at ${level}`),
      'pay 2 info Completed at attempt 2',
      'note 1 info Completed',
      'end 1 info Completed',
    ]);
    const first = lines.find(({ message, attempt }) => message === 'said at debug' && attempt === 1)!;
    expect(first.id).to.match(new RegExp(LOG_POSITION));
    expect(first).to.deep.equal({
      id: first.id,
      executionId: id,
      nodeId: 'pay',
      level: 'debug',
      message: 'said at debug',
      data: { attempt: 1 },
      durationMs: null,
      attempt: 1,
      timestamp: first.timestamp,
    });
    expect(new Date(first.timestamp).toISOString()).to.equal(first.timestamp);
    const failed = lines.find(({ message }) => message.startsWith('Attempt'))!;
    expect(failed.data).to.deep.equal({ code: 'flaky', message: 'not this time', attempt: 1, retryInMs: 1 });
    expect(failed.durationMs).to.be.within(0, 10_000);
  });

  it('is filtered by node and by level, and read in pages', async () => {
    const id = await run([tool('one', 'log-each'), tool('two', 'log-each')]);
    await finished(id);
    await eventually(async () => (await logsOf(id)).length === 11);
    const all = await logsOf(id);
    expect(await logsOf(id, 'nodeId=two')).to.have.length(5);
    expect(new Set((await logsOf(id, 'nodeId=two')).map(({ nodeId }) => nodeId))).to.deep.equal(new Set(['two']));
    expect((await logsOf(id, 'level=warn')).map(say)).to.deep.equal([
      'one 1 warn said at warn',
      'two 1 warn said at warn',
    ]);
    expect((await logsOf(id, 'level=info&nodeId=one')).map(say)).to.have.members([
      'one 1 info said at info',
      'one 1 info Completed',
    ]);
    const paged: Line[] = [];
    for (let after = '0.0'; ; after = paged.at(-1)!.id) {
      const { body, headers } = await holdpoint.ask(`${pathOf(id)}/logs?limit=4&after=${after}`);
      paged.push(...body);
      expect(headers.get('x-next-cursor')).to.equal(paged.length < all.length ? body.at(-1).id : null);
      if (!headers.has('x-next-cursor')) break;
    }
    expect(paged).to.deep.equal(all);
    expect(await logsOf(id, `after=${all.at(-1)!.id}`)).to.deep.equal([]);
  });

  it('is in the order of time, whichever worker stores its lines first; what comes late is missed by nobody', async () => {
    const id = await run([approval('gate')]);
    const store = async (...lines: [message: string, at: number][]) => {
      const writer = new RunLogs({ db: holdpoint.db, log: createLog({ level: 'silent', name: 'test' }) });
      for (const [message, at] of lines) writer.add({ ...PLACE, runId: id, message, at: PLACE.at + at });
      await writer.flush();
    };
    const page = async (after = '') => logsOf(id, `limit=2${after && `&after=${after}`}`);
    await store(['third', 30], ['fourth', 40]);
    await store(['first', 10], ['second', 20]);
    const read = await page();
    await store(['before the first', 0]);
    for (let more = read; more.length > 0; read.push(...more)) more = await page(read.at(-1)!.id);
    const told = ['first', 'second', 'third', 'fourth'];
    expect(read.map(({ message }) => message)).to.deep.equal([...told, 'before the first']);
    expect((await logsOf(id)).map(({ message }) => message)).to.deep.equal(['before the first', ...told]);
    expect(await logsOf(id, `after=${read.at(-1)!.id}`)).to.deep.equal([]);
  });

  it('can be read while the handler still runs', async () => {
    const held: (() => void)[] = [];
    const server = createServer((_request, response) => void held.push(() => response.end('{}'))).listen(
      0,
      '127.0.0.1',
    );
    await eventually(() => server.listening);
    const { port } = server.address() as AddressInfo;
    const id = await run([tool('wait', 'log-and-wait', { url: `http://127.0.0.1:${port}/` })]);
    const lines = await eventually(async () => {
      const found = await logsOf(id);
      return found.length > 0 && found;
    });
    expect(lines.map(say)).to.deep.equal(['wait 1 info waiting']);
    expect((await holdpoint.ask(pathOf(id))).body.status).to.equal('running');
    await eventually(() => held.length > 0);
    held[0]!();
    await finished(id);
    server.close();
  });

  it('is cut after 10,000 lines, and says so in its last', async () => {
    const id = await run([approval('gate')]);
    await logMany(10_300, (line) => ({ ...PLACE, runId: id, message: `line ${line}` }));
    await logMany(10, () => ({ ...PLACE, runId: id, message: 'after the end' }));
    const { rows } = await holdpoint.db.pool.query<{ seq: number; level: string; message: string; data: unknown }>(
      'SELECT seq, level, message, data FROM run_logs WHERE run_id = $1 ORDER BY seq',
      [id],
    );
    expect(rows.map(({ seq }) => seq)).to.deep.equal(Array.from({ length: 10_001 }, (_, index) => index + 1));
    expect(rows[9_999]!.message).to.equal('line 10000');
    expect(rows[10_000]).to.deep.include({ level: 'warn', data: null });
    expect(rows[10_000]!.message).to.match(/^The log is cut here/);
    const last = await logsOf(id, 'level=warn');
    expect(last.map(({ message }) => message)).to.deep.equal([rows[10_000]!.message]);
  });

  it('is cut after 10 MB', async () => {
    const id = await run([approval('gate')]);
    const data = JSON.stringify({ text: 'x'.repeat(7_500) });
    await logMany(1_500, () => ({ ...PLACE, runId: id, message: 'much', data }));
    const { rows } = await holdpoint.db.pool.query<{ bytes: number; cuts: number }>(
      `SELECT sum(octet_length(data::text)) AS bytes, count(*) FILTER (WHERE message LIKE 'The log is cut%') AS cuts
         FROM run_logs WHERE run_id = $1`,
      [id],
    );
    expect(rows[0]!.cuts).to.equal(1);
    expect(Number(rows[0]!.bytes)).to.be.within(10_000_000, 10 * 1_048_576 + 20_000);
  });

  it('says how many lines are missing that came too fast, and costs its handler nothing', async () => {
    const id = await run([tool('flood', 'log-flood', { lines: 9_000 })]);
    await finished(id);
    const { rows } = await eventually(async () => {
      const found = await holdpoint.db.pool.query<{ message: string; kept: number }>(
        `SELECT message, (SELECT count(*) FROM run_logs k WHERE k.run_id = l.run_id) - 1 AS kept
           FROM run_logs l WHERE run_id = $1 AND message LIKE '%missing here%'`,
        [id],
      );
      return found.rows.length > 0 && found;
    });
    expect(rows[0]!.message).to.equal(
      `${9_000 - rows[0]!.kept} lines are missing here: they came faster than they could be stored`,
    );
  });

  it('holds no secret', async () => {
    const key = holdpoint.workspace.keys.admin;
    await holdpoint.ask(`/workspaces/${holdpoint.workspace.slug}/secrets/LOGGED`, {
      key,
      method: 'PUT',
      body: { value: SECRET },
    });
    const id = await run([tool('tell', 'log-secret', { secret: '${secrets.LOGGED}' })]);
    await finished(id);
    const lines = await eventually(async () => {
      const found = await logsOf(id, 'nodeId=tell');
      return found.length === 2 && found;
    });
    expect(lines.find(({ message }) => message !== 'Completed')).to.deep.include({
      message: 'with [secret LOGGED]',
      data: { secret: '[secret LOGGED]', header: 'Bearer [secret LOGGED]', key: 'sk_[redacted]' },
    });
    expect(JSON.stringify(lines)).to.not.include('canary');
  });

  it('is the workspace’s own, and refuses places and levels that there are none of', async () => {
    const id = await run([approval('gate')]);
    const other = await createWorkspace(holdpoint.db);
    const foreign = await holdpoint.ask(`${pathOf(id, other.slug)}/logs`, { key: other.keys.owner });
    expect(foreign.status).to.equal(404);
    for (const query of [
      'after=1',
      'after=1.2.3',
      'after=a.b',
      'level=fatal',
      'limit=0',
      'limit=501',
      `nodeId=${'x'.repeat(65)}`,
    ])
      expect((await holdpoint.ask(`${pathOf(id)}/logs?${query}`)).status, query).to.equal(400);
    expect(await logsOf(id, 'nodeId=no-such-node')).to.deep.equal([]);
  });

  it('has a number for every line, whichever workers write at once, and none for a run that is not there', async () => {
    const id = await run([approval('gate')]);
    const log = createLog({ level: 'silent', name: 'test' });
    const writers = Array.from({ length: 4 }, () => new RunLogs({ db: holdpoint.db, log }));
    for (let line = 0; line < 250; line += 1)
      for (const [index, writer] of writers.entries()) {
        writer.add({ ...PLACE, runId: id, message: `${index}.${line}` });
        if (line === 7) writer.add({ ...PLACE, runId: newId(), message: 'nobody' });
      }
    await Promise.all(writers.map((writer) => writer.flush()));
    const { rows } = await holdpoint.db.pool.query<{ seq: number; message: string }>(
      'SELECT seq, message FROM run_logs WHERE run_id = $1 ORDER BY seq',
      [id],
    );
    expect(rows.map(({ seq }) => seq)).to.deep.equal(Array.from({ length: 1_000 }, (_, index) => index + 1));
    for (const index of writers.keys()) {
      const own = rows.filter(({ message }) => message.startsWith(`${index}.`)).map(({ message }) => message);
      expect(own).to.deep.equal(Array.from({ length: 250 }, (_, line) => `${index}.${line}`));
    }
    const { rows: strays } = await holdpoint.db.pool.query(`SELECT FROM run_logs WHERE message = 'nobody'`);
    expect(strays).to.deep.equal([]);
  });

  it('waits for a database that is away', async () => {
    const id = await run([approval('gate')]);
    const proxy = await startProxy(holdpoint.db.url);
    const db = openDatabase({ url: proxy.url, max: 1, name: 'holdpoint test', onError: () => {} });
    const writer = new RunLogs({ db, log: createLog({ level: 'silent', name: 'test' }) });
    await proxy.set('refuse');
    writer.add({ ...PLACE, runId: id, message: 'patient' });
    await writer.flush();
    expect(await logsOf(id)).to.deep.equal([]);
    await proxy.set('pass');
    await writer.flush();
    expect((await logsOf(id)).map(({ message }) => message)).to.deep.equal(['patient']);
    await db.close();
    await proxy.close();
  });

  it('goes when its run is purged', async () => {
    const id = await run([tool('one', 'log-each')], 'Purged');
    await finished(id);
    await eventually(async () => (await logsOf(id)).length === 6);
    const key = holdpoint.workspace.keys.owner;
    await holdpoint.ask('/api/workflows/purged', { key, method: 'DELETE' });
    expect((await holdpoint.ask('/api/workflows/purged/permanent', { key, method: 'DELETE' })).status).to.equal(200);
    const log = createLog({ level: 'silent', name: 'test' });
    await purgeWorkflows({ db: holdpoint.db, log });
    for (const table of ['run_logs', 'run_log_totals']) {
      const { rows } = await holdpoint.db.pool.query(`SELECT FROM ${table} WHERE run_id = $1`, [id]);
      expect(rows, table).to.deep.equal([]);
    }
  });
});
