// The program `holdpoint` as scripts and people use it: real processes against a real server, their output and exit codes.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { HoldpointClient } from '../../src/sdk/client.ts';
import { type Cli, createCli } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { type Holdpoint, startHoldpoint } from '../support/holdpoint.ts';
import { runProgram, startProgram } from '../support/programs.ts';
import { getServices } from '../support/services.ts';

const README = fileURLToPath(new URL('../../README.md', import.meta.url));
const TOOLS = [fileURLToPath(new URL('../support/tools.ts', import.meta.url))];
const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
const UNKNOWN = '0193b6f1-2a40-7b16-9d07-5e8f3c7a1b42';

const GATE = {
  name: 'Gate',
  initialStep: 'check',
  steps: [
    { id: 'check', type: 'call-tool', tool: 'give', args: { checked: true } },
    { id: 'gate', type: 'approval-gate', message: 'Really?' },
    { id: 'end', type: 'end-flow', result: { done: true } },
  ],
  edges: [
    { from: 'check', to: 'gate' },
    { from: 'gate', to: 'end' },
  ],
};

describe('holdpoint', () => {
  let holdpoint: Holdpoint;
  let client: HoldpointClient;
  let cli: Cli;
  before(async () => {
    holdpoint = await startHoldpoint({ withWorker: true, settings: { toolModules: TOOLS } });
    const { slug: workspace, keys } = holdpoint.workspace;
    client = new HoldpointClient({ baseUrl: holdpoint.address, apiKey: keys.admin, workspace });
    cli = await createCli({
      HOLDPOINT_URL: holdpoint.address,
      HOLDPOINT_API_KEY: keys.admin,
      HOLDPOINT_WORKSPACE: workspace,
    });
    await client.workflows.create(GATE);
    await client.workflows.create({ name: 'Quick', initialStep: 'end', steps: [{ id: 'end', type: 'end-flow' }] });
  });
  after(() => holdpoint.stop());

  const suspended = async () => {
    const { id } = await client.trigger('gate');
    await eventually(async () => (await client.getExecution(id)).interrupt !== null);
    return id;
  };
  const waiting = () =>
    eventually(async () => (await client.listExecutions({ status: 'suspended', limit: 1 })).items[0]?.id);

  it('takes the README’s commands as they stand there', async () => {
    const section = /## Command line[\s\S]*?(?=\n## )/.exec(await readFile(README, 'utf8'))![0];
    const [json = '', script = ''] = ['json', 'sh'].map((kind) => section.split(`\`\`\`${kind}\n`)[1]?.split('```')[0]);
    await writeFile(join(cli.folder, 'repaint.json'), json);
    const lines = `holdpoint() { ${cli.command} "$@"; }\n${script}`;
    const { code, stdout, stderr } = await runProgram(['sh', '-ec', lines], { cwd: cli.folder, env: cli.env });
    expect([code, stderr]).to.deep.equal([0, '']);
    expect(stdout).to.match(/^repaint {2}version 1 {2}created and published\n/);
    expect(stdout)
      .to.include('suspended')
      .and.to.match(/→ holdpoint resume \S+ --node ask --answer red/);
    expect(stdout).to.match(/✓ completed in .*\n\{\n {2}"colour": "blue"\n\}\n/);
    expect(stdout).to.match(/^\{"id":.*"replayOf":/m);
  });

  it('ends quietly when nobody reads on', async () => {
    const { stderr } = await runProgram(['sh', '-c', `${cli.command} --help | :`], { cwd: cli.folder, env: cli.env });
    expect(stderr).to.equal('');
  });

  describe('run', () => {
    it('prints the id, and with --json the execution', async () => {
      const plain = await cli.run(['run', 'quick', '--data', '{"a": 1}']);
      expect(plain.stdout).to.match(new RegExp(`^${ID.source}\n$`));
      expect((await client.getExecution(plain.stdout.trim())).input).to.deep.equal({ a: 1 });
      const { stdout } = await cli.run(['run', 'quick', '--json', '--data', '-'], { input: '{"a": 2}' });
      expect(JSON.parse(stdout)).to.deep.include({ status: 'queued', input: { a: 2 } });
    });

    it('--follow prints a line for each step in a pipe, and nothing that moves', async () => {
      const following = cli.start(['run', 'gate', '--follow']);
      await following.printed(/waits for a decision/);
      const id = ID.exec(following.stdout)![0];
      await client.approve(id);
      expect(await following.ended()).to.equal(EXIT.ok);
      const lines = following.stdout.replaceAll(/\d+ ms|\d+\.\d s/g, 'N ms').replaceAll(id, '<id>');
      expect(lines).to.equal(
        [
          'execution <id> of gate',
          '✓ check                completed in N ms',
          '‖ gate                 waits for a decision: Really?',
          '                       holdpoint approve <id> --node gate',
          "                       holdpoint reject <id> --node gate --reason '…'",
          '✓ gate                 completed in N ms',
          '✓ end                  completed in N ms',
          '✓ completed in N ms',
          '{',
          '  "done": true',
          '}',
          '',
        ].join('\n'),
      );
    });

    it('--follow shows on a terminal what is at work, and leaves lines without a trace of it', async function () {
      // A terminal is made by util-linux's script; the one of other systems is called otherwise.
      if (process.platform !== 'linux') this.skip();
      const shell = `${cli.command} run gate --follow`;
      const env = { ...cli.env, TERM: 'xterm' };
      const terminal = startProgram(['script', '-qec', shell, '/dev/null'], { cwd: cli.folder, env });
      await terminal.printed(/waits for a decision/);
      // The line that moves: erased, then drawn again.
      await terminal.printed(/\[2K.*[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏].* gate · /);
      await client.approve(ID.exec(terminal.stdout)![0]);
      expect(await terminal.ended()).to.equal(EXIT.ok);
      expect(terminal.stdout).to.include('\x1b[32m✓');
      const screen = terminal.stdout.split('\n').map((line) => line.split('\x1b[2K').at(-1));
      expect(screen.join('\n')).not.to.match(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/);
    });

    it('--follow --json prints events, and the execution last', async () => {
      const { code, stdout } = await cli.run(['run', 'quick', '--follow', '--json']);
      expect(code).to.equal(EXIT.ok);
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(lines.slice(-2).map(({ type, status }) => [type, status])).to.deep.equal([
        ['execution_complete', 'completed'],
        [undefined, 'completed'],
      ]);
    });

    it('ends with 1 when the execution fails, and says why', async () => {
      const following = cli.start(['run', 'gate', '--follow']);
      await following.printed(/waits for a decision/);
      const rejected = await cli.run(['reject', ID.exec(following.stdout)![0], '--reason', 'no money']);
      expect(rejected.code).to.equal(EXIT.ok);
      expect(await following.ended()).to.equal(EXIT.failed);
      expect(following.stdout).to.match(/✗ failed in .*: Step "gate" was rejected: no money\n$/);
    });

    it('ends with 6 when it is not done in time, and with 130 after Ctrl-C; the execution goes on', async () => {
      const late = await cli.run(['run', 'gate', '--follow', '--timeout', '0.2']);
      expect([late.code, late.stderr]).to.deep.equal([
        EXIT.timeout,
        `holdpoint: execution ${ID.exec(late.stdout)![0]} was not done within 200 ms; it goes on\n`,
      ]);
      const stopped = cli.start(['status', await suspended(), '--follow']);
      await stopped.printed(/waits for a decision/);
      stopped.signal('SIGINT');
      expect(await stopped.ended()).to.equal(EXIT.interrupted);
      expect(stopped.stderr).to.match(/^It goes on\. Watch it again: holdpoint status \S+ --follow\n$/);
      expect((await client.getExecution(await waiting())).status).to.equal('suspended');
    });
  });

  describe('status, logs, approve, resume, cancel, replay', () => {
    it('show an execution and what answers it, list executions, and change them', async () => {
      const id = await suspended();
      const shown = await cli.run(['status', id]);
      expect(shown.stdout).to.include(`${id}  suspended`).and.to.include(`→ holdpoint approve ${id} --node gate`);
      const listed = await cli.run(['status', '--status', 'suspended', '--workflow', 'gate', '--limit', '1']);
      expect(listed.stdout).to.include(id);
      const logs = await cli.run(['logs', id, '--node', 'check', '--json']);
      expect(JSON.parse(logs.stdout)[0]).to.include({ executionId: id, nodeId: 'check' });
      expect((await cli.run(['resume', id, '--action', 'approve', '--json'])).code).to.equal(EXIT.ok);
      await client.waitForCompletion(id);
      const replayed = await cli.run(['replay', id, '--from', 'gate']);
      const replay = replayed.stdout.trim();
      expect((await client.getExecution(replay)).replayOf).to.equal(id);
      expect((await cli.run(['cancel', replay])).stdout).to.include(`${replay}  cancelled`);
    });
  });

  describe('deploy', () => {
    it('creates, updates and publishes what a file or a module holds', async () => {
      const file = join(cli.folder, 'quick.mjs');
      const write = (more: object) =>
        writeFile(file, `export const quick = ${JSON.stringify({ ...GATE, name: 'Quicker', ...more })};`);
      await write({ description: 'one', payload: { a: { type: 'string' } }, 'x-color': 'blue' });
      expect((await cli.run(['deploy', file])).stdout).to.equal('quicker  version 1  created and published\n');
      await write({ description: 'two' });
      expect((await cli.run(['deploy', file, '--draft'])).stdout).to.equal('quicker  version 2  updated\n');
      const stored = await client.workflows.get('quicker');
      expect([stored.description, stored.version, stored.deployedVersion]).to.deep.equal(['two', 2, 1]);
      // What the file has no more, the workflow has no more either.
      expect(stored).not.to.have.any.keys('payload', 'x-color');
    });

    it('shows every problem of a definition, and ends with 4', async () => {
      const input = JSON.stringify({ ...GATE, initialStep: 'gaet', edges: [{ from: 'check', to: 'ende' }] });
      const { code, stderr } = await cli.run(['deploy', '-'], { input });
      expect(code).to.equal(EXIT.refused);
      expect(stderr)
        .to.match(/^ {2}\/initialStep .*$/m)
        .and.to.match(/^ {2}\/edges\/0\/to .*$/m);
    });
  });

  it('keys are made, listed and revoked', async () => {
    const made = await cli.run(['keys', 'create', 'ci', '--role', 'viewer', '--json']);
    const { id, key } = JSON.parse(made.stdout);
    expect(key).to.match(/^sk_/);
    expect((await cli.run(['keys'])).stdout).to.match(new RegExp(`^${id}  sk_.*viewer.*ci`, 'm'));
    expect((await cli.run(['keys', 'revoke', id])).stdout).to.equal(`${id}  revoked\n`);
    expect((await cli.run(['keys', 'list'])).stdout).to.match(new RegExp(`^${id} .*revoked$`, 'm'));
  });

  describe('migrate, worker, web', () => {
    it('become those processes, with their settings and exit codes', async () => {
      const migrated = await cli.run(['migrate'], { env: { DATABASE_URL: holdpoint.db.url } });
      expect(migrated).to.deep.equal({ code: EXIT.ok, stdout: 'The database is up to date.\n', stderr: '' });
      for (const name of ['worker', 'web']) {
        const { code, stderr } = await cli.run([name]);
        expect(code).to.equal(EXIT.failed);
        expect(stderr).to.match(/^holdpoint: DATABASE_URL is not set: /);
      }
    });
  });

  describe('doctor', () => {
    it('finds nothing wrong with a server, and nothing with its database and queue', async () => {
      const { code, stdout } = await cli.run(['doctor', '--json'], {
        env: { DATABASE_URL: holdpoint.db.url, REDIS_URL: getServices().redisUrl },
      });
      const { ok, checks } = JSON.parse(stdout);
      expect(checks.filter((check: { ok: boolean }) => !check.ok)).to.deep.equal([]);
      expect([code, ok]).to.deep.equal([EXIT.ok, true]);
      expect(checks.map(({ name }: { name: string }) => name)).to.deep.equal([
        'credentials',
        'server',
        'access',
        'node',
        'settings',
        'postgres',
        'migrations',
        'queue',
        'invariants',
      ]);
    });

    it('says what is wrong, and ends with 1', async () => {
      const away = await cli.run(['doctor'], { env: { HOLDPOINT_URL: 'http://127.0.0.1:1' } });
      expect(away.code).to.equal(EXIT.failed);
      expect(away.stdout).to.match(/✗ {2}server {7}http:\/\/127\.0\.0\.1:1 gave no answer/);
      // Without a key it is the deployment alone that is looked at.
      const settings = { DATABASE_URL: 'mysql://nowhere', LEASE_MS: '1', HOLDPOINT_API_KEY: '' };
      const wrong = await cli.run(['doctor', '--json'], { env: settings });
      expect(wrong.code).to.equal(EXIT.failed);
      const { checks } = JSON.parse(wrong.stdout);
      expect(checks.map(({ name }: { name: string }) => name)).to.deep.equal(['node', 'settings']);
      expect(checks.at(-1)).to.include({ name: 'settings', ok: false });
      expect(checks.at(-1).message).to.include('DATABASE_URL must').and.to.include('LEASE_MS must');
    });
  });

  describe('exit codes', () => {
    const cases: { says: string; args: string[]; env?: Record<string, string>; code: number; stderr: RegExp }[] = [
      { says: '0 for help', args: ['--help'], code: EXIT.ok, stderr: /^$/ },
      { says: '0 for its version', args: ['--version'], code: EXIT.ok, stderr: /^$/ },
      { says: '2 for a command that there is not', args: ['rnu'], code: EXIT.usage, stderr: /unknown command 'rnu'/ },
      { says: '2 for a missing argument', args: ['approve'], code: EXIT.usage, stderr: /missing required argument/ },
      {
        says: '2 for the same as JSON, one document',
        args: ['approve', '--json'],
        code: EXIT.usage,
        stderr: /^\{"error":\{"code":"UsageError","message":"missing required argument 'execution'"\}\}\n$/,
      },
      {
        says: '5 for a server that is away, also before following, and what to do',
        args: ['status', UNKNOWN, '--follow', '--url', 'http://127.0.0.1:9'],
        code: EXIT.unavailable,
        stderr: /gave no answer.*\n {2}start one with `holdpoint start`, or say where it is: --url/,
      },
      {
        says: '2 for data that is not JSON',
        args: ['run', 'x', '-d', '{'],
        code: EXIT.usage,
        stderr: /--data is not JSON/,
      },
      { says: '2 for a file that is not there', args: ['deploy', 'no.json'], code: EXIT.usage, stderr: /no such file/ },
      {
        says: '2 without a key',
        args: ['status'],
        env: { HOLDPOINT_API_KEY: '' },
        code: EXIT.usage,
        stderr: /no API key/,
      },
      {
        says: '3 for what is not there',
        args: ['status', UNKNOWN],
        code: EXIT.notFound,
        stderr: /no execution with this id/,
      },
      {
        says: '4 for a wrong key',
        args: ['status', '--api-key', 'sk_x'],
        code: EXIT.refused,
        stderr: /request \S+\n$/,
      },
    ];
    for (const { says, args, env = {}, code, stderr } of cases)
      it(says, async () => {
        const ended = await cli.run(args, { env });
        expect(ended.code, ended.stderr).to.equal(code);
        expect(ended.stderr).to.match(stderr);
      });
  });
});
