import { expect } from 'chai';
import { Redis } from 'ioredis';
import pg from 'pg';
import { startPostgres, startRedis } from './services.ts';

describe('servers that a test may kill', () => {
  it('Redis comes back on its port, empty and without eviction', async () => {
    const server = await startRedis();
    const redis = new Redis(server.url, { lazyConnect: true, retryStrategy: () => 20 });
    redis.on('error', () => {});
    try {
      await redis.set('kept', '1');
      expect(await redis.config('GET', 'maxmemory-policy')).to.deep.equal(['maxmemory-policy', 'noeviction']);
      await server.kill();
      await server.restart();
      expect(await redis.get('kept')).to.equal(null);
    } finally {
      redis.disconnect();
      await server.stop();
    }
  });

  it('Postgres comes back on its port with everything it acknowledged', async () => {
    const server = await startPostgres();
    try {
      await query(server.url, "INSERT INTO workspaces (id, slug, name) VALUES (gen_random_uuid(), 'kept', 'Kept')");
      await server.kill('SIGKILL');
      await server.restart();
      expect(await query(server.url, 'SELECT slug FROM workspaces')).to.deep.equal([{ slug: 'kept' }]);
      await server.restart();
      expect(await query(server.url, 'SELECT slug FROM workspaces')).to.deep.equal([{ slug: 'kept' }]);
    } finally {
      await server.stop();
    }
  });
});

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
}
