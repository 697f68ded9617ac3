import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import type { Definition } from '../../src/core/definition.ts';
import { decidePublishing } from '../../src/core/publishing.ts';
import type { Database } from '../../src/store/db.ts';
import { insertDefinition, moveDefinition } from '../../src/store/definition-changes.ts';
import {
  findDefinition,
  findVersion,
  listDefinitions,
  listTakenKeys,
  resolveVersion,
} from '../../src/store/definitions.ts';
import { createWorkspace, openTestDatabase } from '../support/api.ts';

function define(name: string, description?: string): Definition {
  const graph = { name, initialStep: 'end', steps: [{ id: 'end', type: 'end-flow' }], edges: [] };
  return description === undefined ? graph : { ...graph, description };
}

describe('the store of definitions', () => {
  let db: Database;
  let drop: () => Promise<void>;
  let workspaceId: string;
  before(async () => {
    ({ db, drop } = await openTestDatabase());
  });
  after(() => drop());
  beforeEach(async () => {
    workspaceId = (await createWorkspace(db)).id;
  });

  const insert = async (key: string, body = define(key)) => {
    const id = uuidv7();
    expect(await insertDefinition(db, { id, workspaceId, key, createdBy: 'ada', body })).to.equal(true);
    return id;
  };

  const publish = async (id: string) => {
    const row = (await findDefinition(db, { workspaceId, idOrKey: id }))!;
    const decision = decidePublishing(row, { type: 'publish', version: 1 }, Date.now());
    if (decision.kind !== 'accepted') throw new Error('the workflow cannot be published');
    expect(await moveDefinition(db, row, decision)).to.equal(true);
  };

  it('creates version 1 as a draft, found by id and by key', async () => {
    const id = await insert('onboarding', define('Onboarding', 'New customers'));
    const byId = await findDefinition(db, { workspaceId, idOrKey: id.toUpperCase() });
    const byKey = await findDefinition(db, { workspaceId, idOrKey: 'onboarding' });
    expect(byKey).to.deep.equal(byId);
    expect(byKey).to.deep.include({
      id,
      workspaceId,
      key: 'onboarding',
      name: 'Onboarding',
      description: 'New customers',
      latestVersion: 1,
      latestStatus: 'draft',
      publishedVersion: null,
      archivedAt: null,
      revision: 1,
      createdBy: 'ada',
    });
    expect(byKey!.createdAt).to.be.closeTo(Date.now(), 60_000);
    const version = await findVersion(db, { definitionId: id, version: 1 });
    expect(version!.body).to.deep.equal(define('Onboarding', 'New customers'));
    expect(version).to.deep.include({ version: 1, status: 'draft', createdBy: 'ada', publishedAt: null });
  });

  it('finds nothing of another workspace, nor by text that is neither id nor key', async () => {
    const id = await insert('mine');
    const other = (await createWorkspace(db)).id;
    for (const idOrKey of [id, 'mine'])
      expect(await findDefinition(db, { workspaceId: other, idOrKey })).to.equal(null);
    for (const idOrKey of ['', 'No Key', "'; DROP TABLE runs", '../x', 'a'.repeat(5_000), '\u0000']) {
      expect(await findDefinition(db, { workspaceId, idOrKey })).to.equal(null);
    }
  });

  it('refuses a taken key without a trace, also between racers', async () => {
    const rows = Array.from({ length: 8 }, () => ({
      id: uuidv7(),
      workspaceId,
      key: 'race',
      createdBy: 'ada',
      body: define('race'),
    }));
    const won = await Promise.all(rows.map((row) => insertDefinition(db, row)));
    expect(won.filter(Boolean)).to.have.length(1);
    const { rows: versions } = await db.pool.query(
      'SELECT count(*)::int AS n FROM definition_versions WHERE workspace_id = $1',
      [workspaceId],
    );
    expect(versions[0].n).to.equal(1);
    expect(await listTakenKeys(db, { workspaceId, base: 'race' })).to.deep.equal(new Set(['race']));
  });

  it('lists newest update first, pages, and counts all', async () => {
    for (const key of ['a', 'b', 'c']) await insert(key);
    const page = await listDefinitions(db, { workspaceId, limit: 2, offset: 1 });
    expect(page.rows.map((row) => row.key)).to.deep.equal(['b', 'a']);
    expect(page.total).to.equal(3);
    expect(await listDefinitions(db, { workspaceId, limit: 2, offset: 9 })).to.deep.equal({ rows: [], total: 3 });
  });

  it('searches names and descriptions, with % and _ meaning themselves', async () => {
    await insert('percent', define('100% done'));
    await insert('plain', define('1000 done', 'under_score'));
    const search = async (text: string) =>
      (await listDefinitions(db, { workspaceId, search: text, limit: 10, offset: 0 })).rows.map((row) => row.key);
    expect(await search('0% D')).to.deep.equal(['percent']);
    expect(await search('under_')).to.deep.equal(['plain']);
    expect(await search('_')).to.deep.equal(['plain']);
    expect(await search('\\')).to.deep.equal([]);
    expect(await search('done')).to.have.members(['percent', 'plain']);
  });

  it('filters by status; archived ones are hidden unless asked for', async () => {
    await insert('draft');
    const published = await insert('published');
    await publish(published);
    const archived = await insert('archived');
    await db.pool.query('UPDATE definitions SET archived_at = now() WHERE id = $1', [archived]);
    const list = async (filter: object) =>
      (await listDefinitions(db, { workspaceId, limit: 10, offset: 0, ...filter })).rows.map((row) => row.key).sort();
    expect(await list({})).to.deep.equal(['draft', 'published']);
    expect(await list({ includeArchived: true })).to.deep.equal(['archived', 'draft', 'published']);
    expect(await list({ status: 'archived' })).to.deep.equal(['archived']);
    expect(await list({ status: 'published', includeArchived: true })).to.deep.equal(['published']);
    expect(await list({ status: 'draft' })).to.deep.equal(['draft']);
    expect(await list({ status: 'testing' })).to.deep.equal([]);
  });

  it('resolves selectors to version numbers', () => {
    const row = { latestVersion: 4, publishedVersion: 2 };
    const cases: [string | undefined, number | null][] = [
      [undefined, 4],
      ['latest', 4],
      ['published', 2],
      ['1.0.0', 1],
      ['1.0.3', 4],
      ['1.0.4', null],
      ['3', 3],
      ['5', null],
      ['0', null],
      ['1.1.0', null],
      ['1.0.03', null],
      ['-1', null],
      ['x', null],
    ];
    for (const [selector, number] of cases) expect(resolveVersion(row, selector), String(selector)).to.equal(number);
    expect(resolveVersion({ latestVersion: 1, publishedVersion: null }, 'published')).to.equal(null);
  });
});
