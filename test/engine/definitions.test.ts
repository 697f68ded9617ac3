// Verbs on workflows where HTTP cannot look: requests that are worked on again, a tool that went away, races without a wire.

import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { AppError } from '../../src/core/errors.ts';
import { archiveDefinition, unarchiveDefinition } from '../../src/engine/archive-definition.ts';
import { cloneDefinition } from '../../src/engine/clone-definition.ts';
import { publishDefinition } from '../../src/engine/publish-definition.ts';
import { updateDefinition } from '../../src/engine/update-definition.ts';
import { findDefinition, listVersions } from '../../src/store/definitions.ts';
import { ask, edges, tool } from '../support/steps.ts';
import { createWorld, openEngine, type World } from '../support/world.ts';

describe('verbs on workflows', () => {
  let world: World;
  let workflow: string;

  before(async () => {
    world = await createWorld();
  });
  after(() => world.close());
  beforeEach(async () => {
    workflow = await world.define({ steps: [ask()] });
  });

  const request = () => ({ actor: world.actor, workflow });
  const update = (more: object = {}) => updateDefinition(world.engine, { ...request(), changes: {}, ...more });
  const read = async () =>
    (await findDefinition(world.db, { workspaceId: world.actor.workspaceId, idOrKey: workflow }))!;
  const codeOf = (attempt: Promise<unknown>) =>
    attempt.then(
      () => 'done',
      (error: AppError) => error.code,
    );

  it('a start takes the workflow as it is, whatever this process remembers of it', async () => {
    const other = await openEngine(world.environment);
    try {
      const elsewhere = { ...request() };
      const versionOf = async () => {
        const runId = await world.start(workflow);
        const { rows } = await world.db.pool.query('SELECT version FROM runs WHERE id = $1', [runId]);
        return rows[0].version;
      };
      expect(await versionOf()).to.equal(1);
      await updateDefinition(other.engine, { ...elsewhere, changes: { description: 'newer' } });
      expect(await versionOf()).to.equal(2);
      await archiveDefinition(other.engine, elsewhere);
      expect(await codeOf(world.start(workflow))).to.equal('workflow_archived');
      await unarchiveDefinition(other.engine, elsewhere);
      expect(await versionOf()).to.equal(2);
    } finally {
      await other.close();
    }
  });

  it('an update whose answer was lost is made once, and answered also when it would be refused by now', async () => {
    const named = { requestId: randomUUID(), expected: 1 };
    expect(await update(named)).to.deep.equal({ id: workflow, version: 2 });
    expect(await update(named)).to.deep.equal({ id: workflow, version: 2 });
    await archiveDefinition(world.engine, request());
    expect(await update(named)).to.deep.equal({ id: workflow, version: 2 });
    expect(await codeOf(update({ requestId: randomUUID() }))).to.equal('workflow_archived');
    expect((await read()).latestVersion).to.equal(2);
  });

  it('the same update at the same time, twice, is made once', async () => {
    const requestId = randomUUID();
    const made = await Promise.all([update({ requestId }), update({ requestId }), update({ requestId })]);
    expect(made).to.deep.equal(Array(3).fill({ id: workflow, version: 2 }));
  });

  it('a copy is made once for one id', async () => {
    const id = randomUUID();
    const first = await cloneDefinition(world.engine, { ...request(), id });
    expect((await cloneDefinition(world.engine, { ...request(), id })).key).to.equal(first.key);
  });

  it('an update of what calls a tool that is gone says so; publishing and archiving go on', async () => {
    const body = {
      name: 'test',
      initialStep: 'work',
      steps: [tool('work', 'was-here'), { id: 'end', type: 'end-flow' }],
      edges: edges('work end'),
    };
    await world.db.pool.query('UPDATE definition_versions SET body = $1 WHERE definition_id = $2', [body, workflow]);
    expect(await codeOf(update({ changes: { description: 'x' } }))).to.equal('invalid_definition');
    expect(await publishDefinition(world.engine, request())).to.deep.equal({ id: workflow });
    expect(await codeOf(archiveDefinition(world.engine, request()))).to.equal('done');
  });

  it('twenty changes at once all happen, in some order', async () => {
    const changes = Array.from({ length: 20 }, (_, index) =>
      index % 4 === 3 ? publishDefinition(world.engine, request()) : update({ changes: { 'x-nth': index } }),
    );
    await Promise.all(changes);
    const { latestVersion, revision, publishedVersion } = await read();
    expect(latestVersion).to.equal(16);
    expect(publishedVersion).to.be.within(1, 16);
    // Publishing what is published already changes nothing.
    expect(revision).to.be.within(17, 21);
    const { rows } = await listVersions(world.db, { definitionId: workflow, limit: 100, offset: 0 });
    expect(rows.map(({ version }) => version)).to.deep.equal(Array.from({ length: 16 }, (_, index) => 16 - index));
  });

  it('archiving and unarchiving at once leave one or the other', async () => {
    await archiveDefinition(world.engine, request());
    const outcomes = await Promise.all([
      codeOf(unarchiveDefinition(world.engine, request())),
      codeOf(archiveDefinition(world.engine, request())),
      codeOf(unarchiveDefinition(world.engine, request())),
    ]);
    for (const outcome of outcomes) expect(outcome).to.be.oneOf(['done', 'conflict']);
    expect(await read()).to.include({ latestStatus: 'draft', publishedVersion: null });
  });
});
