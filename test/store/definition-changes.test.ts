import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import type { Definition } from '../../src/core/definition.ts';
import { decidePublishing, type PublishingCommand, type PublishingDecision } from '../../src/core/publishing.ts';
import type { Database } from '../../src/store/db.ts';
import {
  deleteDefinition,
  insertDefinition,
  insertVersion,
  moveDefinition,
} from '../../src/store/definition-changes.ts';
import {
  type DefinitionRow,
  findDefinition,
  findVersion,
  findVersionByRequest,
  listDefinitions,
  listVersions,
} from '../../src/store/definitions.ts';
import { createWorkspace, openTestDatabase } from '../support/api.ts';

const NOW = 1_800_000_000_000;
const define = (name: string): Definition => ({
  name,
  initialStep: 'end',
  steps: [{ id: 'end', type: 'end-flow' }],
  edges: [],
});

describe('changes of stored definitions', () => {
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

  const read = async (id: string) => (await findDefinition(db, { workspaceId, idOrKey: id }))!;
  const insert = async (key: string): Promise<DefinitionRow> => {
    const id = uuidv7();
    await insertDefinition(db, { id, workspaceId, key, createdBy: 'ada', body: define(key) });
    return read(id);
  };
  const decide = (row: DefinitionRow, command: PublishingCommand): PublishingDecision => {
    const verdict = decidePublishing(row, command, NOW);
    if (verdict.kind !== 'accepted') throw new Error(`${command.type} was ${verdict.kind}`);
    return verdict;
  };
  const move = async (id: string, command: PublishingCommand) => {
    const row = await read(id);
    return moveDefinition(db, row, decide(row, command));
  };
  const update = async (row: DefinitionRow, name: string, requestId: string | null = null) =>
    insertVersion(db, row, { body: define(name), status: 'testing', createdBy: 'bob', requestId });
  const statuses = async (definitionId: string) =>
    (await listVersions(db, { definitionId, limit: 10, offset: 0 })).rows.map(({ version, status }) => [
      version,
      status,
    ]);

  it('a version is added with its body, and the workflow is called as it is', async () => {
    const row = await insert('one');
    expect(await update(row, 'Renamed')).to.equal(true);
    const after = await read(row.id);
    expect(after).to.deep.include({
      key: 'one',
      name: 'Renamed',
      latestVersion: 2,
      latestStatus: 'testing',
      revision: 2,
    });
    const second = await findVersion(db, { definitionId: row.id, version: 2 });
    expect(second).to.deep.include({ body: define('Renamed'), status: 'testing', createdBy: 'bob', publishedAt: null });
    expect((await findVersion(db, { definitionId: row.id, version: 1 }))!.body).to.deep.equal(define('one'));
  });

  it('of changes to what was read once, one is made', async () => {
    const row = await insert('race');
    const changes = await Promise.all([
      update(row, 'a'),
      update(row, 'b'),
      moveDefinition(db, row, decide(row, { type: 'publish', version: 1 })),
      moveDefinition(db, row, decide(row, { type: 'archive' })),
    ]);
    expect(changes.filter(Boolean)).to.have.length(1);
    expect((await read(row.id)).revision).to.equal(2);
  });

  it('publishing marks its version, and says once when that was', async () => {
    const { id } = await insert('pub');
    await update(await read(id), 'pub');
    expect(await move(id, { type: 'publish', version: 1 })).to.equal(true);
    const first = await findVersion(db, { definitionId: id, version: 1 });
    expect(await statuses(id)).to.deep.equal([
      [2, 'testing'],
      [1, 'published'],
    ]);
    await move(id, { type: 'publish', version: 2 });
    await move(id, { type: 'publish', version: 1 });
    expect(await statuses(id)).to.deep.equal([
      [2, 'published'],
      [1, 'published'],
    ]);
    expect((await read(id)).publishedVersion).to.equal(1);
    expect((await findVersion(db, { definitionId: id, version: 1 }))!.publishedAt).to.equal(first!.publishedAt);
  });

  it('unarchiving makes a draft of every version', async () => {
    const { id } = await insert('back');
    await update(await read(id), 'back');
    await move(id, { type: 'publish', version: 1 });
    await move(id, { type: 'archive' });
    expect(await read(id)).to.deep.include({ archivedAt: NOW, publishedVersion: 1 });
    await move(id, { type: 'unarchive' });
    expect(await read(id)).to.deep.include({ archivedAt: null, publishedVersion: null, latestStatus: 'draft' });
    expect(await statuses(id)).to.deep.equal([
      [2, 'draft'],
      [1, 'draft'],
    ]);
  });

  it('a request that has made a version is found by its id, in that workflow alone', async () => {
    const [row, other] = [await insert('asked'), await insert('other')];
    const requestId = uuidv7();
    await update(row, 'asked', requestId);
    expect(await findVersionByRequest(db, { definitionId: row.id, requestId })).to.equal(2);
    expect(await findVersionByRequest(db, { definitionId: other.id, requestId })).to.equal(null);
  });

  it('a deleted workflow is found by nobody, and its key is free, while its versions stay for its runs', async () => {
    const { id } = await insert('gone');
    await move(id, { type: 'archive' });
    const row = await read(id);
    expect(await deleteDefinition(db, { ...row, revision: 1 })).to.equal('changed');
    expect(await deleteDefinition(db, row)).to.equal('deleted');
    for (const idOrKey of [id, 'gone']) expect(await findDefinition(db, { workspaceId, idOrKey })).to.equal(null);
    const all = { workspaceId, includeArchived: true, limit: 10, offset: 0 };
    expect(await listDefinitions(db, all)).to.deep.equal({ rows: [], total: 0 });
    expect((await findVersion(db, { definitionId: id, version: 1 }))!.body).to.deep.equal(define('gone'));
    expect((await insert('gone')).id).not.to.equal(id);
  });

  it('versions are listed newest first, by the page, and counted', async () => {
    const { id: definitionId } = await insert('many');
    for (const name of ['b', 'c']) await update(await read(definitionId), name);
    const page = await listVersions(db, { definitionId, limit: 1, offset: 1 });
    expect(page.total).to.equal(3);
    expect(page.rows).to.have.length(1);
    expect(page.rows[0]).to.deep.include({ definitionId, version: 2, status: 'testing', createdBy: 'bob' });
    expect(page.rows[0]).not.to.have.property('body');
  });
});
