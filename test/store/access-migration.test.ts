import { expect } from 'chai';
import { v7 as uuidv7 } from 'uuid';
import { down, up } from '../../migrations/20261122000100-access.ts';
import { hashApiKey } from '../../src/store/access.ts';
import { listMembers } from '../../src/store/access-members.ts';
import type { Database } from '../../src/store/db.ts';
import { createWorkspace, openTestDatabase } from '../support/api.ts';
import { withKnex } from '../support/knex.ts';

describe('the migration to members', () => {
  let db: Database;
  let drop: () => Promise<void>;
  before(async () => {
    ({ db, drop } = await openTestDatabase());
  });
  after(() => drop());

  it('makes the users of living keys members, each with their highest role, and can be taken back', async () => {
    await withKnex(db.url, down);
    const { id } = await createWorkspaceBefore();
    const keys = [
      ['ada', 'viewer', null],
      ['ada', 'owner', null],
      ['ada', 'editor', null],
      ['bob', 'editor', null],
      ['bob', 'admin', new Date()],
      ['eve', 'owner', new Date()],
    ] as const;
    for (const [index, [userId, role, revokedAt]] of keys.entries()) {
      const hash = hashApiKey(`sk_${index}`);
      const names = { id: uuidv7(), workspace_id: id, name: 'k', prefix: 'sk_', hash, role, user_id: userId };
      await withKnex(db.url, (knex) => knex('api_keys').insert({ ...names, revoked_at: revokedAt }));
    }
    await withKnex(db.url, up);
    const members = await listMembers(db, { workspaceId: id, limit: 10 });
    expect(members.map(({ userId, role }) => [userId, role])).to.deep.equal([
      ['ada', 'owner'],
      ['bob', 'editor'],
    ]);
    expect((await createWorkspace(db)).keys.owner).to.match(/^sk_/);
  });

  async function createWorkspaceBefore(): Promise<{ id: string }> {
    const id = uuidv7();
    await withKnex(db.url, (knex) => knex('workspaces').insert({ id, slug: 'before', name: 'Before' }));
    return { id };
  }
});
