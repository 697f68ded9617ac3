import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import type { Database } from '../../src/store/db.ts';
import { listPendingMigrations, migrate, migrationSource } from '../../src/store/migrate.ts';
import { findPod } from '../../src/store/pods.ts';
import { openTestDatabase } from '../support/api.ts';
import { withKnex } from '../support/knex.ts';

describe('the migration to pods', () => {
  let db: Database;
  let drop: () => Promise<void>;
  before(async () => {
    ({ db, drop } = await openTestDatabase());
  });
  after(() => drop());

  it('gives every workspace a default pod, in which is what it had', async () => {
    while (!(await listPendingMigrations(db)).includes('20261122001200-pods'))
      await withKnex(db.url, (knex) => knex.migrate.down({ migrationSource }));
    const [workspaceId, definitionId, runId] = [uuidv7(), uuidv7(), uuidv7()];
    await db.pool.query(`INSERT INTO workspaces (id, slug, name) VALUES ($1, 'before', 'Before')`, [workspaceId]);
    await db.pool.query(
      `INSERT INTO definitions (id, workspace_id, key, name, latest_version, created_by) VALUES ($1, $2, 'old', 'Old', 1, 'x')`,
      [definitionId, workspaceId],
    );
    await db.pool.query(
      `INSERT INTO runs (id, workspace_id, definition_id, version, status, seq, open, visits, step_runs, input, data, context, trigger, owner)
       VALUES ($1, $2, $3, 1, 'queued', 1, '[]', '{}', 0, '{}', '{}', '{}', 'api', 'x')`,
      [runId, workspaceId, definitionId],
    );
    expect(await migrate(db)).to.include('20261122001200-pods');
    const pod = await findPod(db, { workspaceId, idOrSlug: 'default' });
    expect(pod).to.include({ id: workspaceId, name: 'Default' });
    const { rows } = await db.pool.query(
      'SELECT pod_id FROM definitions WHERE id = $1 UNION ALL SELECT pod_id FROM runs WHERE id = $2',
      [definitionId, runId],
    );
    expect(rows).to.deep.equal([{ pod_id: workspaceId }, { pod_id: workspaceId }]);
  });
});
