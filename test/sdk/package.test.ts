// The package as a user has it: what is in it, and programs that know nothing but it. The server is the package's own too,
// started by its own command, killed and started again.

import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { findFreePort } from '../../src/store/free-port.ts';
import { eventually } from '../support/eventually.ts';
import { startGateway } from '../support/gateway.ts';
import { compileProject, installPackage, type Packed } from '../support/package.ts';
import { type Program, runProgram, startProgram } from '../support/programs.ts';
import { getReaper } from '../support/reaper.ts';
import { createDatabase, getServices } from '../support/services.ts';

const README = fileURLToPath(new URL('../../README.md', import.meta.url));
const API_KEY = `sk_${'p'.repeat(40)}`;

/** Follows an execution live, answers its approval when it is told to, and prints what happens. */
const FOLLOWER = `
import { once } from 'node:events';
import { ApiError, HoldpointClient, type StreamedEvent } from 'holdpoint/sdk';

const [baseUrl = '', apiKey = ''] = process.argv.slice(2);
// A busy machine may take longer than usual to start a server again.
const client = new HoldpointClient({ baseUrl, apiKey, workspace: 'default', maxRetries: 12 });
const { id } = await client.trigger('expense-report', { input: { amount: 7 } });
const describe = (event: StreamedEvent): string =>
  event.type === 'node_update' ? \`\${event.nodeId} \${event.status}\` : event.type;
const missing: unknown = await client.getExecution('nothing').catch((error: unknown) => error);
console.log(missing instanceof ApiError ? missing.status : missing);
await client.streamEvents(id, {
  async onEvent(event) {
    console.log(event.sequence, describe(event));
    if (event.type !== 'execution_suspended') return;
    await once(process.stdin, 'data');
    await client.approve(id);
  },
});
console.log(JSON.stringify((await client.getExecution(id)).output));
process.exit(0);
`;

describe('the package', () => {
  let folder: string;
  let packed: Packed;
  let environment: Record<string, string>;
  let address: string;
  let server: Program;
  let drop: () => Promise<void>;

  before(async () => {
    folder = join(getReaper().folder, `package-${process.pid}`);
    packed = await installPackage(folder);
    const database = await createDatabase();
    drop = database.drop;
    const port = await findFreePort();
    address = `http://127.0.0.1:${port}`;
    environment = {
      DATABASE_URL: database.url,
      REDIS_URL: getServices().redisUrl,
      HOLDPOINT_QUEUE_PREFIX: `package-${randomBytes(6).toString('hex')}`,
      HOLDPOINT_BOOTSTRAP_API_KEY: API_KEY,
      PORT: String(port),
    };
    server = await startServer();
  });
  after(async () => {
    server.signal('SIGTERM');
    await server.ended();
    await drop();
  });

  const cli = () => join(packed.project, 'node_modules', 'holdpoint', 'dist', 'src', 'cli', 'main.js');
  const startServer = async () => {
    const started = startProgram([process.execPath, cli(), 'start'], { cwd: packed.project, env: environment });
    await started.printed(/Holdpoint is up/);
    return started;
  };

  it('holds what runs, the types of its public modules, and nothing else', async () => {
    const { paths, unpackedSize } = packed;
    expect(paths).to.include.members([
      'README.md',
      'LICENSE',
      'dist/src/cli/main.js',
      'dist/src/web.js',
      'dist/src/worker.js',
      'dist/src/release.js',
      'dist/src/standalone.js',
      'dist/src/doctor.js',
      'dist/migrations/20261121000000-foundation.js',
      'dist/src/sdk/sdk.js',
      'dist/src/sdk/sdk.d.ts',
      'dist/src/sdk/define.d.ts',
      'dist/src/steps/tools.d.ts',
    ]);
    const others = paths.filter(
      (path) =>
        !/^(package\.json|README\.md|CHANGELOG\.md|LICENSE)$/.test(path) &&
        !/^dist\/(src|dashboards|migrations)\/.+\.js$/.test(path) &&
        !/^dist\/src\/(sdk|core|steps)\/.+\.d\.ts$/.test(path),
    );
    expect(others).to.deep.equal([]);
    expect(unpackedSize).to.be.lessThan(3_000_000);
  });

  it('has a client without any module of Node: what it imports is in the package, or eventsource-parser', async () => {
    const seen = new Map<string, string>();
    const follow = async (path: string): Promise<void> => {
      if (seen.has(path)) return;
      const text = await readFile(path, 'utf8');
      seen.set(path, text);
      for (const [, specifier = ''] of text.matchAll(/(?:from|import)\s*\(?['"]([^'"]+)['"]/g)) {
        if (specifier.startsWith('.')) await follow(fileURLToPath(new URL(specifier, `file://${path}`)));
        else expect(specifier).to.equal('eventsource-parser');
      }
    };
    for (const name of ['sdk.js', 'define.js'])
      await follow(join(packed.project, 'node_modules', 'holdpoint', 'dist', 'src', 'sdk', name));
    expect(seen.size).to.be.greaterThan(8);
    for (const [path, text] of seen) expect(text, path).not.to.match(/\b(process|Buffer|require|__dirname)\b[.(]/);
  });

  it('runs the program of the README, and one that follows an execution through the death of the server', async () => {
    const [example = ''] = /(?<=## SDK[\s\S]*?```ts\n)[\s\S]*?(?=```)/.exec(await readFile(README, 'utf8')) ?? [];
    const fitted = example.replace('http://127.0.0.1:3000', address).replace('sk_…', API_KEY);
    await writeFile(join(packed.project, 'example.ts'), fitted);
    await writeFile(join(packed.project, 'follower.ts'), FOLLOWER);
    await compileProject(packed.project);

    const ran = await runProgram([process.execPath, 'out/example.js'], { cwd: packed.project });
    expect(ran).to.deep.equal({ code: 0, stdout: 'Pay 120?\n{ paid: 120 }\n', stderr: '' });

    const follower = startProgram([process.execPath, 'out/follower.js', address, API_KEY], { cwd: packed.project });
    await follower.printed(/execution_suspended/);
    server.signal('SIGKILL');
    await server.ended();
    follower.write('approve\n');
    server = await startServer();
    await follower.printed(/\{"paid":7\}/);
    expect([await follower.ended(), follower.stderr]).to.deep.equal([0, '']);
    const [missing, ...lines] = follower.stdout.trim().split('\n');
    expect([missing, lines.at(-1)]).to.deep.equal(['404', '{"paid":7}']);
    const numbers = lines.slice(0, -1).map((line) => Number(line.split(' ')[0]));
    expect(numbers).to.deep.equal([...new Set(numbers)].sort((one, other) => one - other));
    expect(lines.slice(0, -1).map((line) => line.replace(/^\d+ /, ''))).to.deep.equal([
      'execution_suspended',
      'approval completed',
      'end completed',
      'execution_complete',
    ]);
  });

  it('triggers, follows and approves from a page in a browser', async function () {
    const browser = await findBrowser();
    // The test before this one holds without a browser what the client is made of.
    if (browser === null) return this.skip();
    const gateway = await startGateway(address);
    const home = join(packed.project, 'node_modules', 'holdpoint', 'dist', 'src', 'sdk');
    for (const name of await readdir(home)) await serve(`/sdk/${name}`, join(home, name));
    await serve('/eventsource-parser.js', join(packed.project, 'node_modules/eventsource-parser/dist/index.js'));
    gateway.files.set('/', { type: 'text/html', body: PAGE });
    const profile = join(folder, 'profile');
    const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', `--user-data-dir=${profile}`];
    const running = startProgram([browser, ...flags, `${gateway.url}/`]);
    try {
      const told = await eventually(() => gateway.requests.find(({ path }) => path === '/told'), {
        withinMs: 30_000,
        what: () => `what the page tells, after ${running.stderr}`,
      });
      expect(JSON.parse(told.body)).to.deep.equal({
        events: ['execution_suspended', 'node_update', 'node_update', 'execution_complete'],
        output: { paid: 5 },
        refused: 404,
      });
    } finally {
      running.signal('SIGTERM');
      await running.ended();
      await gateway.close();
    }

    async function serve(path: string, file: string): Promise<void> {
      gateway.files.set(path, { type: 'text/javascript', body: await readFile(file, 'utf8') });
    }
  });
});

const PAGE = `<!doctype html>
<script type="importmap">
  {"imports": {"holdpoint/sdk": "/sdk/sdk.js", "eventsource-parser": "/eventsource-parser.js"}}
</script>
<script type="module">
  import { HoldpointClient } from 'holdpoint/sdk';
  const client = new HoldpointClient({ baseUrl: location.origin, apiKey: '${API_KEY}', workspace: 'default' });
  const events = [];
  const { id } = await client.trigger('expense-report', { input: { amount: 5 } });
  for await (const event of client.streamEvents(id)) {
    events.push(event.type);
    if (event.type === 'execution_suspended') await client.approve(id);
  }
  const { output } = await client.getExecution(id);
  const refused = await client.getExecution('nothing').catch(({ status }) => status);
  await fetch('/told', { method: 'POST', body: JSON.stringify({ events, output, refused }) });
</script>`;

/** Chromium or Chrome, where there is one. */
async function findBrowser(): Promise<string | null> {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'chrome']) {
    const { code, stdout } = await runProgram(['sh', '-c', `command -v ${name}`]);
    if (code === 0) return stdout.trim();
  }
  return null;
}
