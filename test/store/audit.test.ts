// What must never be rewritten: the audit log of a workspace, and the history of a run, which is read page by page.

import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import type { AuditEntry } from '../../src/core/audit.ts';
import type { Actor } from '../../src/core/run.ts';
import { createApiKey } from '../../src/engine/api-keys.ts';
import { createDefinition } from '../../src/engine/create-definition.ts';
import { listApiKeys } from '../../src/store/access-api-keys.ts';
import { insertAuditLine, listAuditLines, recordChange } from '../../src/store/audit.ts';
import { listEvents } from '../../src/store/events.ts';
import { createWorkspace } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { createWorld, type World } from '../support/world.ts';

const ENTRY: AuditEntry = { action: 'workflow.created', id: 'w', name: 'Mine' };

describe('the audit log', () => {
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  after(() => world.close());

  async function newActor(): Promise<Actor> {
    return { workspaceId: (await createWorkspace(world.db)).id, userId: 'ann', role: 'owner' };
  }

  async function refusalOf(sql: string): Promise<string> {
    return world.db.pool.query(sql).then(
      () => 'done',
      (error: Error) => error.message,
    );
  }

  it('is only added to, and a history can be neither rewritten nor emptied', async () => {
    await insertAuditLine(world.db, world.actor, ENTRY);
    for (const sql of ["UPDATE audit_log SET actor = 'eve'", 'DELETE FROM audit_log', 'TRUNCATE audit_log'])
      expect(await refusalOf(sql), sql).to.equal('the audit log is append-only');
    await world.start(await world.define({ steps: [{ id: 'ask', type: 'request-user-action' }] }));
    for (const sql of [
      "UPDATE events SET actor = 'eve'",
      'DELETE FROM events',
      'TRUNCATE events',
      'TRUNCATE runs, events',
    ])
      expect(await refusalOf(sql), sql).to.equal('events are append-only');
  });

  it('keeps who, what, when, from where, and in detail what', async () => {
    const actor = await newActor();
    const via = { address: '203.0.113.7', userAgent: 'curl', requestId: 'r-1' };
    const keyId = uuidv7();
    const detail = { role: 'editor', nested: [1, null] };
    await insertAuditLine(world.db, { ...actor, keyId, via }, { ...ENTRY, detail });
    const [line] = await listAuditLines(world.db, { workspaceId: actor.workspaceId, limit: 10 });
    const { id, at, ...rest } = line!;
    expect(rest).to.deep.equal({
      ...via,
      actor: 'ann',
      keyId,
      action: 'workflow.created',
      objectId: 'w',
      objectName: 'Mine',
      detail,
    });
    expect(Math.abs(Date.now() - at)).to.be.below(60_000);
    expect(id).to.match(/^[0-9a-f-]{36}$/);
  });

  it('has a line for a change, none for what changed nothing, and neither change nor line where one of them fails', async () => {
    const actor = await newActor();
    const { workspaceId } = actor;
    const rename = (name: string, more: object = {}) =>
      recordChange(world.db, actor, {
        async change({ pool }) {
          const { rowCount } = await pool.query('UPDATE workspaces SET name = $2 WHERE id = $1 AND name <> $2', [
            workspaceId,
            name,
          ]);
          return rowCount === 1;
        },
        tell: (isDone) => (isDone ? { action: 'workspace.updated', id: workspaceId, name, ...more } : null),
      });
    const look = async () => ({
      name: (await world.db.pool.query<{ name: string }>('SELECT name FROM workspaces WHERE id = $1', [workspaceId]))
        .rows[0]!.name,
      told: (await listAuditLines(world.db, { workspaceId, limit: 10 })).map(({ objectName }) => objectName),
    });
    expect(await rename('One')).to.equal(true);
    expect(await rename('One')).to.equal(false);
    expect(await look()).to.deep.equal({ name: 'One', told: ['One'] });
    // What Postgres does not take as a line: the change, which it had taken, goes with it.
    const failure = await rename('Two', { detail: { text: '\u0000' } }).catch((error: Error) => error);
    expect(failure).to.be.instanceOf(Error);
    expect(await look()).to.deep.equal({ name: 'One', told: ['One'] });
    const broken = recordChange(world.db, actor, {
      async change({ pool }) {
        await insertAuditLine({ pool }, actor, ENTRY);
        throw new Error('no');
      },
      tell: () => null,
    });
    expect(await broken.catch((error: Error) => error.message)).to.equal('no');
    expect(await look()).to.deep.equal({ name: 'One', told: ['One'] });
  });

  it('lives through the loss of its connection in the middle of a change', async () => {
    const actor = await newActor();
    const lost = recordChange(world.db, actor, {
      async change({ pool }) {
        await pool.query('UPDATE workspaces SET name = $2 WHERE id = $1', [actor.workspaceId, 'Lost']);
        const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        await world.db.pool.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
        await eventually(async () => !(await isConnected(rows[0]!.pid)));
      },
      tell: () => ({ ...ENTRY, name: 'Lost' }),
    });
    expect(await lost.catch((error: Error) => error)).to.be.instanceOf(Error);
    expect(await listAuditLines(world.db, { workspaceId: actor.workspaceId, limit: 10 })).to.deep.equal([]);
    const { rows } = await world.db.pool.query("SELECT FROM workspaces WHERE name = 'Lost'");
    expect(rows).to.deep.equal([]);
  });

  const isConnected = async (pid: number) =>
    (await world.db.pool.query('SELECT FROM pg_stat_activity WHERE pid = $1', [pid])).rows.length > 0;

  it('parts no verb from its line: where the line cannot be written, nothing was done', async () => {
    const actor = await newActor();
    const { workspaceId } = actor;
    await world.db.pool.query(`
      CREATE FUNCTION refuse_unlucky() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'unlucky'; END $$;
      CREATE TRIGGER unlucky BEFORE INSERT ON audit_log FOR EACH ROW WHEN (NEW.object_name = 'Unlucky')
        EXECUTE FUNCTION refuse_unlucky()`);
    const steps = [{ id: 'end', type: 'end-flow' }];
    const definition = { name: 'Unlucky', initialStep: 'end', steps, edges: [] };
    const attempts = [
      createDefinition(world.engine, { actor, definition }),
      createApiKey(world.engine, { actor, request: { name: 'Unlucky', role: 'viewer' } }),
    ];
    for (const attempt of attempts) expect(await attempt.catch((error: Error) => error.message)).to.equal('unlucky');
    const keys = await listApiKeys(world.db, { workspaceId, limit: 100 });
    expect(keys.map(({ name }) => name)).not.to.include('Unlucky');
    const { rows } = await world.db.pool.query('SELECT FROM definitions WHERE workspace_id = $1', [workspaceId]);
    expect(rows).to.deep.equal([]);
  });

  it('is read newest first, page by page, by who, what and when, and of one workspace', async () => {
    const actor = await newActor();
    const { workspaceId } = actor;
    const write = (who: Actor, entry: Partial<AuditEntry>) => insertAuditLine(world.db, who, { ...ENTRY, ...entry });
    await write(actor, { id: '1' });
    await write({ ...actor, userId: 'bob' }, { id: '2' });
    await write(actor, { id: '3', action: 'secret.deleted' });
    await write(await newActor(), { id: 'foreign' });
    await write(actor, { id: '4' });
    const read = async (filter: Partial<Parameters<typeof listAuditLines>[1]> = {}) =>
      listAuditLines(world.db, { workspaceId, limit: 10, ...filter });
    const ids = (lines: Awaited<ReturnType<typeof read>>) => lines.map(({ objectId }) => objectId).join(' ');
    const all = await read();
    expect(ids(all)).to.equal('4 3 2 1');
    expect(ids(await read({ limit: 2 }))).to.equal('4 3');
    expect(ids(await read({ after: all[1]!.id }))).to.equal('2 1');
    expect(ids(await read({ after: all[3]!.id }))).to.equal('');
    expect(ids(await read({ after: uuidv7() }))).to.equal('');
    expect(ids(await read({ actor: 'bob' }))).to.equal('2');
    expect(ids(await read({ action: 'secret.deleted', actor: 'ann' }))).to.equal('3');
    const [newest, oldest] = [all[0]!.at, all[3]!.at];
    expect(ids(await read({ from: oldest, to: newest + 1 }))).to.equal('4 3 2 1');
    expect(ids(await read({ from: newest + 1 }))).to.equal('');
    expect(ids(await read({ to: oldest }))).to.equal('');
  });
});

describe('the history of a run', () => {
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  after(() => world.close());

  it('is read in its order, page by page, by its own workspace', async () => {
    const { db, actor } = world;
    const { workspaceId } = actor;
    const runId = await world.start(await world.define({ steps: [{ id: 'ask', type: 'request-user-action' }] }));
    const all = await listEvents(db, { workspaceId, runId, limit: 100 });
    expect(all.map(({ seq, type, step, visit }) => [seq, type, step, visit])).to.deep.equal([
      [1, 'run.created', null, null],
      [2, 'step.paused', 'ask', 1],
    ]);
    expect(all.every(({ actor: by, at }) => by === 'tester' && Math.abs(Date.now() - at) < 60_000)).to.equal(true);
    expect(await listEvents(db, { workspaceId, runId, limit: 1 })).to.deep.equal(all.slice(0, 1));
    expect(await listEvents(db, { workspaceId, runId, after: 1, limit: 100 })).to.deep.equal(all.slice(1));
    expect(await listEvents(db, { workspaceId, runId, after: 2, limit: 100 })).to.deep.equal([]);
    for (const stranger of [{ workspaceId: uuidv7() }, { runId: uuidv7() }, { runId: 'none' }])
      expect(await listEvents(db, { workspaceId, runId, limit: 100, ...stranger })).to.deep.equal([]);
  });
});
