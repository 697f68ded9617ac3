// Idempotency keys across web processes: two that race for one, one that dies between its work and its answer, and a
// Postgres that goes away (GUARANTEES M10, F-09).

import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { type Answer, call, createKey } from '../support/api.ts';
import { checkStored } from '../support/invariants.ts';
import { startProcess, type TestProcess } from '../support/processes.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { getServices } from '../support/services.ts';
import { APPROVE, ask, edges, tool } from '../support/steps.ts';
import { createWorld, type World } from '../support/world.ts';

/** What a process dies of, right after it was committed. */
type Deadly = 'start' | 'answer' | 'change';

describe('an Idempotency-Key and several web processes', () => {
  let proxy: TestProxy;
  let world: World;
  let apiKey: string;
  let workflow: string;
  let twoApprovals: string;
  /** Two that live, and one that dies right after its first start is committed. */
  let webs: TestProcess[];
  let addresses: string[];

  before(async () => {
    proxy = await startProxy(getServices().postgresAdminUrl);
    world = await createWorld({ databaseUrl: proxy.url });
    apiKey = await createKey(world.db, { workspaceId: world.actor.workspaceId, role: 'owner' });
    workflow = await world.define({ steps: [ask(), tool('a', 'noop')], edges: [{ from: 'ask', to: 'a' }] });
    twoApprovals = await world.define({ steps: [ask('first'), ask('second')], edges: edges('first second') });
    webs = [startWeb(), startWeb(), startWeb('start')];
    addresses = await Promise.all(webs.map(findAddress));
  });
  after(async () => {
    await Promise.all(webs.map((web) => web.kill()));
    await world.close();
    await proxy.close();
  });

  /** One that dies right after its first command of this kind is committed, or lives. */
  function startWeb(deadly?: Deadly): TestProcess {
    const settings = { ...world.environment, LOG_LEVEL: 'info', PORT: '0' };
    return startProcess('web', { ...settings, ...(deadly === undefined ? {} : { FP: `${deadly}.after_commit:kill` }) });
  }
  async function findAddress(web: TestProcess): Promise<string> {
    return (JSON.parse(await web.logged(/web started/, 30_000)) as { address: string }).address;
  }

  const send = (web: number, key: string, path: string, body: object = {}, method = 'POST'): Promise<Answer> =>
    call(`${addresses[web]}${path}`, { method, key: apiKey, body, headers: { 'idempotency-key': key } });
  const start = (web: number, key: string, data: object = {}) =>
    send(web, key, `/api/workflow/start-async/${workflow}`, { data });
  const listRuns = async () =>
    (await world.db.pool.query<{ id: string }>('SELECT id FROM runs')).rows.map(({ id }) => id);

  it('start one run per key, whichever of them is asked, however many ask at once', async () => {
    const keys = Array.from({ length: 20 }, () => randomUUID());
    const answers = await Promise.all(keys.flatMap((key) => [0, 1, 0, 1].map((web) => start(web, key))));
    expect(answers.filter(({ status }) => status !== 200 && status !== 409)).to.deep.equal([]);
    const settled = await Promise.all(keys.flatMap((key) => [0, 1].map((web) => start(web, key))));
    expect(settled.every(({ status }) => status === 200)).to.equal(true);
    const ids = settled.map(({ body }) => body.runId);
    expect(new Set(ids).size).to.equal(keys.length);
    expect((await listRuns()).sort()).to.deep.equal([...new Set(ids)].sort());
  });

  it('find the run of a process that was killed between its commit and its answer, after its lease', async () => {
    const key = randomUUID();
    const before = new Set(await listRuns());
    expect(await start(2, key, { a: 1 }).catch(() => 'no answer')).to.equal('no answer');
    expect(await webs[2]!.ended()).to.equal('SIGKILL');
    const [orphan, ...others] = (await listRuns()).filter((id) => !before.has(id));
    expect(others).to.deep.equal([]);

    const early = await start(0, key, { a: 1 });
    expect([early.status, early.body.error.code]).to.deep.equal([409, 'IDEMPOTENCY_PENDING']);
    await world.db.pool.query('UPDATE idempotency_keys SET lease_until = now() WHERE key = $1', [key]);
    expect((await start(1, key, { a: 2 })).status).to.equal(422);
    const answers = await Promise.all([0, 1, 0, 1].map((web) => start(web, key, { a: 1 })));
    const late = await start(1, key, { a: 1 });
    expect([late.status, late.body.runId]).to.deep.equal([200, orphan]);
    for (const { status, body } of answers) if (status === 200) expect(body.runId).to.equal(orphan);
    expect((await listRuns()).filter((id) => !before.has(id))).to.deep.equal([orphan]);
  });

  /** Sends to a process that dies of it, and then, its lease over, twice to one that lives; answers the last two. */
  async function sendTwice(deadly: Deadly, path: string, { body = {}, method = 'POST' }): Promise<[Answer, Answer]> {
    const key = randomUUID();
    const dying = webs.push(startWeb(deadly)) - 1;
    addresses.push(await findAddress(webs[dying]!));
    expect(await send(dying, key, path, body, method).catch(() => 'no answer')).to.equal('no answer');
    expect(await webs[dying]!.ended()).to.equal('SIGKILL');
    expect((await send(0, key, path, body, method)).status).to.equal(409);
    await world.db.pool.query('UPDATE idempotency_keys SET lease_until = now() WHERE key = $1', [key]);
    return [await send(0, key, path, body, method), await send(1, key, path, body, method)];
  }

  it('answer a resume whose process was killed as done, and leave the pause that came after it alone', async () => {
    const runId = await world.start(twoApprovals);
    const [late, replayed] = await sendTwice('answer', `/api/workflow/resume/${runId}`, { body: APPROVE });
    expect([late.status, late.body]).to.deep.equal([200, { runId, status: 'paused' }]);
    expect([replayed.body, replayed.headers.get('idempotent-replayed')]).to.deep.equal([late.body, 'true']);
    const { rows } = await world.db.pool.query('SELECT step_id, status FROM pauses WHERE run_id = $1 ORDER BY id', [
      runId,
    ]);
    expect(rows).to.deep.equal([
      { step_id: 'first', status: 'answered' },
      { step_id: 'second', status: 'open' },
    ]);
    // Another request is another answer.
    expect((await send(0, randomUUID(), `/api/workflow/resume/${runId}`, APPROVE)).status).to.equal(200);
    expect((await world.until(runId, 'completed')).status).to.equal('completed');
  });

  it('answer the removal of a workflow whose process was killed as done', async () => {
    const path = `/api/workflows/${await world.define({ steps: [ask()] })}`;
    expect((await send(0, randomUUID(), path, {}, 'DELETE')).status).to.equal(200);
    const [late, replayed] = await sendTwice('change', `${path}/permanent`, { method: 'DELETE' });
    expect([late.status, late.body]).to.deep.equal([200, { success: true }]);
    expect(replayed.body).to.deep.equal(late.body);
    expect((await send(0, randomUUID(), `${path}/permanent`, {}, 'DELETE')).status).to.equal(404);
  });

  it('answer 503 while Postgres is away, and do the work once when it is back', async () => {
    const key = randomUUID();
    const before = (await listRuns()).length;
    await proxy.set('refuse');
    const away = await start(0, key);
    expect([away.status, away.body.error.code]).to.deep.equal([503, 'UNAVAILABLE']);
    expect(Number(away.headers.get('retry-after'))).to.be.greaterThan(0);
    await proxy.set('pass');
    const [first, again] = [await start(0, key), await start(1, key)];
    expect([first.status, again.status]).to.deep.equal([200, 200]);
    expect(again.body).to.deep.equal(first.body);
    expect((await listRuns()).length).to.equal(before + 1);
  });

  it('leave every run whole', () => checkStored(world));
});
