import { expect } from 'chai';
import pg from 'pg';
import { openDatabase } from '../../src/store/db.ts';
import { listPendingMigrations, migrate, migrationSource } from '../../src/store/migrate.ts';
import { withKnex } from '../support/knex.ts';
import { createDatabase, getServices } from '../support/services.ts';

describe('migrations', () => {
  let url: string;
  let drop: () => Promise<void>;

  beforeEach(async () => {
    const name = `hp_empty_${process.pid}_${Date.now()}`;
    const admin = getServices().postgresAdminUrl;
    await execute(admin, `CREATE DATABASE ${name}`);
    url = admin.replace(/\/[^/?]+\?/, `/${name}?`);
    drop = () => execute(admin, `DROP DATABASE ${name} WITH (FORCE)`);
  });

  afterEach(() => drop());

  it('run once, whoever asks, by names without a file extension', async () => {
    const names = await migrate(url);
    expect(names[0]).to.equal('20261121000000-foundation');
    expect(names.filter((name) => /\.[jt]s$/.test(name))).to.deep.equal([]);
    expect(await migrate(url)).to.deep.equal([]);
  });

  it('run once although several processes migrate at the same time', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => migrate(url)));
    expect(answers.filter((names) => names.length > 0)).to.have.length(1);
  });

  it('are listed as pending until they ran', async () => {
    const db = openDatabase({ url, max: 2, name: 'test', onError: () => {} });
    try {
      const pending = await listPendingMigrations(db);
      expect(pending).to.include('20261121000000-foundation');
      expect(await migrate(db)).to.deep.equal(pending);
      expect(await listPendingMigrations(db)).to.deep.equal([]);
    } finally {
      await db.close();
    }
  });

  it('are not kept from running by the flag of a migrator that died', async () => {
    await migrate(url);
    await execute(
      url,
      'DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE knex_migrations_lock (index serial PRIMARY KEY, is_locked int)',
    );
    await execute(url, 'INSERT INTO knex_migrations_lock (is_locked) VALUES (1)');
    expect(await migrate(url, { staleFlagMs: 300 })).to.include('20261121000000-foundation');
  });

  it('can all be taken back, one after the other, and made again', async () => {
    const names = await migrate(url);
    const db = openDatabase({ url, max: 2, name: 'test', onError: () => {} });
    try {
      await withKnex(url, async (knex) => {
        for (const _ of names) await knex.migrate.down({ migrationSource });
      });
      const { rows } = await db.pool.query(`SELECT tablename FROM pg_tables
        WHERE schemaname = 'public' AND tablename NOT LIKE 'knex%'`);
      expect(rows).to.deep.equal([]);
      expect(await migrate(url)).to.deep.equal(names);
    } finally {
      await db.close();
    }
  });

  it('are all in the database that a test is given', async () => {
    const database = await createDatabase();
    try {
      expect(await migrate(database.url)).to.deep.equal([]);
    } finally {
      await database.drop();
    }
  });
});

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
