import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';
import { getFastFolder } from '../support/memory-folder.ts';
import { getReaper } from '../support/reaper.ts';

const isRoot = process.getuid?.() === 0;

describe('embedded Postgres', () => {
  let dataDir: string;
  const started: EmbeddedPostgres[] = [];
  const notices: string[] = [];

  async function start(folder = dataDir): Promise<EmbeddedPostgres> {
    const server = await startEmbeddedPostgres({ dataDir: folder, onNotice: (text) => notices.push(text) });
    getReaper().keep(server.pid);
    getReaper().remove(server.folder);
    started.push(server);
    return server;
  }

  beforeEach(() => {
    dataDir = join(getFastFolder(), `embedded-${randomBytes(6).toString('hex')}`);
    notices.length = 0;
  });

  afterEach(async () => {
    for (const server of started.splice(0)) {
      await server.stop();
      getReaper().forget(server.pid);
    }
  });

  it('is a real server that keeps what it acknowledged, in UTF-8, for its password only', async () => {
    const server = await start();
    const settings = await query(
      server.url,
      'SELECT name, setting FROM pg_settings WHERE name = ANY($1) ORDER BY name',
      [
        [
          'fsync',
          'full_page_writes',
          'listen_addresses',
          'server_encoding',
          'synchronous_commit',
          'unix_socket_directories',
        ],
      ],
    );
    expect(settings).to.deep.equal([
      { name: 'fsync', setting: 'on' },
      { name: 'full_page_writes', setting: 'on' },
      { name: 'listen_addresses', setting: '127.0.0.1' },
      { name: 'server_encoding', setting: 'UTF8' },
      { name: 'synchronous_commit', setting: 'on' },
      { name: 'unix_socket_directories', setting: '' },
    ]);
    expect(await query(server.url, "SELECT lower('ÄÖ') AS low")).to.deep.equal([{ low: 'äö' }]);
    expect(await refusal(server.url.replace(/:[^:@]+@/, ':wrong@'))).to.equal('28P01');
    expect(statSync(join(server.folder, 'postgres.json')).mode & 0o777).to.equal(0o600);
  });

  it('finds its data, port and password again at the second start', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    expect(await refusal(first.url)).to.equal('ECONNREFUSED');

    const second = await start();
    expect(second.url).to.equal(first.url);
    expect(second.adopted).to.equal(false);
    expect(await query(second.url, 'SELECT answer FROM kept')).to.deep.equal([{ answer: 42 }]);
  });

  it('adopts the server that a killed process left running, and stops it in the end', async () => {
    const owner = await startInChild(dataDir);
    owner.child.kill('SIGKILL');
    await once(owner.child, 'exit');

    const heir = await start();
    expect(heir.adopted).to.equal(true);
    expect(heir.pid).to.equal(owner.pid);
    expect(heir.url).to.equal(owner.url);
    await heir.stop();
    expect(await refusal(heir.url)).to.equal('ECONNREFUSED');
  });

  it('recovers what was committed before the server itself was killed', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n');
    process.kill(first.pid, 'SIGKILL');
    await first.stop();

    const second = await start();
    expect(await query(second.url, 'SELECT count(*)::int AS n FROM kept')).to.deep.equal([{ n: 1000 }]);
  });

  it('waits for a server that is shutting down, then starts', async () => {
    const owner = await startInChild(dataDir);
    owner.child.kill('SIGKILL');
    await once(owner.child, 'exit');
    process.kill(owner.pid, 'SIGINT');

    const heir = await start();
    expect(heir.adopted).to.equal(false);
    expect(heir.url).to.equal(owner.url);
  });

  it('starts although the process id in its lock file now belongs to a stranger', async () => {
    const first = await start();
    process.kill(first.pid, 'SIGKILL');
    await first.stop();
    const lock = join(first.folder, 'data', 'postmaster.pid');
    const stranger = spawn('sleep', ['60'], isRoot ? { uid: statSync(lock).uid } : {});
    try {
      writeFileSync(lock, readFileSync(lock, 'utf8').replace(/^\d+/, String(stranger.pid)));
      expect((await start()).adopted).to.equal(false);
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  it('takes another port when its own is taken, and keeps that one', async () => {
    const first = await start();
    await first.stop();
    const squatter = spawn(process.execPath, [
      '-e',
      `require('node:net').createServer().listen(${first.port}, '127.0.0.1', () => console.log('up'))`,
    ]);
    try {
      await once(squatter.stdout, 'data');
      const second = await start();
      expect(second.port).not.to.equal(first.port);
      await second.stop();
      expect((await start()).port).to.equal(second.port);
    } finally {
      squatter.kill('SIGKILL');
    }
  });

  it('refuses a folder whose owner lives, in this process or another, and says what to do', async () => {
    const mine = await start();
    expect(await failure(start())).to.match(
      /is in use by this very process\. Stop it first, or set HOLDPOINT_DATA_DIR/,
    );
    await mine.stop();

    const owner = await startInChild(dataDir);
    expect(await failure(start())).to.match(
      new RegExp(`is in use by another Holdpoint \\(process ${owner.child.pid}\\)`),
    );
    owner.child.stdin?.end();
    await once(owner.child, 'exit');
    expect((await start()).adopted).to.equal(false);
  });

  it('says which settings are lost when its password file is gone', async () => {
    const server = await start();
    await server.stop();
    await rm(join(server.folder, 'postgres.json'));
    expect(await failure(start())).to.match(/postgres\.json holds the password .* Restore it from a backup\./);
  });

  it('goes elsewhere when root asks for a folder that the database user cannot enter', async function () {
    if (!isRoot) this.skip();
    const closed = await mkdtemp(join(getReaper().folder, 'closed-'));
    await chmod(closed, 0o700);
    const server = await start(join(closed, '.holdpoint'));
    try {
      expect(server.folder).to.match(/^\/var\/lib\/holdpoint\/[0-9a-f]{16}$/);
      expect(notices.join('\n')).to.contain(`its files are in ${server.folder}`);
      await query(server.url, 'CREATE TABLE kept AS SELECT 1 AS n');
      await server.stop();
      const again = await start(join(closed, '.holdpoint'));
      expect(await query(again.url, 'SELECT n FROM kept')).to.deep.equal([{ n: 1 }]);
      await again.stop();
    } finally {
      await rm(server.folder, { recursive: true, force: true });
    }
  });
});

/** Another process that owns the folder until its input ends. */
async function startInChild(dataDir: string): Promise<{ child: ChildProcess; url: string; pid: number }> {
  const module = fileURLToPath(new URL('../../src/store/embedded-postgres.ts', import.meta.url));
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(module)};
    const server = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, onNotice() {} });
    console.log(JSON.stringify({ url: server.url, pid: server.pid }));
    for await (const line of process.stdin) void line;
    await server.stop();
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { url, pid } = JSON.parse(line) as { url: string; pid: number };
  getReaper().keep(pid);
  return { child, url, pid };
}

async function query(url: string, sql: string, values: unknown[] = []): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows as unknown[];
  } finally {
    await client.end();
  }
}

/** The code of the error that keeps us from connecting. */
async function refusal(url: string): Promise<string> {
  return query(url, 'SELECT 1').then(
    () => 'none',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  );
}

async function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'it worked',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}
