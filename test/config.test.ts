import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect } from 'chai';
import { loadConfig } from '../src/config.ts';

/** What a fresh machine gets, without any variable set. */
const DEFAULTS = {
  port: 3000,
  host: '0.0.0.0',
  databaseUrl: null,
  redisUrl: null,
  dataDir: resolve('.holdpoint'),
  bootstrapApiKey: null,
  bootstrapWorkspace: null,
  stepQueues: 1,
  queuePrefix: 'hp',
  workerConcurrency: 100,
  leaseMs: 7_000,
  heartbeatMs: 2_000,
  sweepMs: 2_000,
  toolModules: [],
  logLevel: 'info',
  databasePool: 10,
  workerPort: null,
  drainMs: 20_000,
  failpoints: [],
};

/** The lines in which a refusal lists its problems. */
function findProblems(env: Record<string, string>): string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    const [first = '', ...problems] = (error as Error).message.split('\n');
    expect(first).to.equal('Holdpoint cannot start with these settings:');
    return problems.map((line) => line.replace(/^ {2}\* /, ''));
  }
}

describe('settings', () => {
  it('have defaults that run on a fresh machine', () => {
    expect(loadConfig({})).to.deep.equal(DEFAULTS);
  });

  it('take empty and blank variables for missing ones', () => {
    const names = listReadVariables();
    for (const blank of ['', '  ']) {
      expect(loadConfig(Object.fromEntries(names.map((name) => [name, blank])))).to.deep.equal(DEFAULTS);
    }
  });

  it('are read from their variables', () => {
    const config = loadConfig({
      PORT: '0',
      HOST: '127.0.0.1',
      DATABASE_URL: 'postgresql://u:p@db:5432/holdpoint',
      REDIS_URL: 'rediss://cache:6380/1',
      HOLDPOINT_DATA_DIR: '/var/lib/holdpoint',
      HOLDPOINT_BOOTSTRAP_API_KEY: `sk_${'a'.repeat(40)}`,
      HOLDPOINT_BOOTSTRAP_WORKSPACE: 'acme-eu',
      STEP_QUEUES: '4',
      HOLDPOINT_QUEUE_PREFIX: 'staging',
      WORKER_CONCURRENCY: '20',
      LEASE_MS: '3500',
      SWEEP_MS: '500',
      HOLDPOINT_TOOLS: ' ./tools.ts, @acme/tools ,',
      LOG_LEVEL: 'debug',
      DATABASE_POOL: '5',
      WORKER_PORT: '3001',
      DRAIN_MS: '0',
    });
    expect(config).to.deep.equal({
      port: 0,
      host: '127.0.0.1',
      databaseUrl: 'postgresql://u:p@db:5432/holdpoint',
      redisUrl: 'rediss://cache:6380/1',
      dataDir: '/var/lib/holdpoint',
      bootstrapApiKey: `sk_${'a'.repeat(40)}`,
      bootstrapWorkspace: 'acme-eu',
      stepQueues: 4,
      queuePrefix: 'staging',
      workerConcurrency: 20,
      leaseMs: 3_500,
      heartbeatMs: 1_000,
      sweepMs: 500,
      toolModules: ['./tools.ts', '@acme/tools'],
      logLevel: 'debug',
      databasePool: 5,
      workerPort: 3001,
      drainMs: 0,
      failpoints: [],
    });
  });

  it('are refused with every problem at once, each naming its variable and what it may be', () => {
    const problems = findProblems({
      PORT: '70000',
      DATABASE_URL: 'mysql://db/holdpoint',
      REDIS_URL: 'localhost:6379',
      HOLDPOINT_BOOTSTRAP_API_KEY: 'secret-of-mine',
      HOLDPOINT_BOOTSTRAP_WORKSPACE: 'Acme Inc',
      STEP_QUEUES: '0',
      HOLDPOINT_QUEUE_PREFIX: 'a:b',
      WORKER_CONCURRENCY: 'many',
      LEASE_MS: '7s',
      HEARTBEAT_MS: '1e9',
      SWEEP_MS: '2.5',
      LOG_LEVEL: 'loud',
      DATABASE_POOL: '1',
      WORKER_PORT: '-1',
      DRAIN_MS: 'NaN',
    });
    expect(problems).to.have.members([
      'PORT must be a whole number from 0 to 65535, not "70000"',
      'DATABASE_URL must be a URL that starts with postgres:// or postgresql://',
      'REDIS_URL must be a URL that starts with redis:// or rediss://',
      'HOLDPOINT_BOOTSTRAP_API_KEY must be "sk_" and at least 20 letters, digits, "_" or "-"; `openssl rand -hex 32` makes a good one',
      'HOLDPOINT_BOOTSTRAP_WORKSPACE must be a slug: lower-case letters, digits and inner hyphens, at most 63',
      'STEP_QUEUES must be a whole number from 1 to 256, not "0"',
      'HOLDPOINT_QUEUE_PREFIX must be 1 to 32 letters, digits, "_" or "-"',
      'WORKER_CONCURRENCY must be a whole number from 1 to 1000, not "many"',
      'LEASE_MS must be a whole number from 500 to 600000, not "7s"',
      'HEARTBEAT_MS must be a whole number from 50 to 600000, not "1e9"',
      'SWEEP_MS must be a whole number from 100 to 600000, not "2.5"',
      'LOG_LEVEL must be trace, debug, info, warn, error, fatal or silent',
      'DATABASE_POOL must be a whole number from 2 to 200, not "1"',
      'WORKER_PORT must be a whole number from 0 to 65535, not "-1"',
      'DRAIN_MS must be a whole number from 0 to 600000, not "NaN"',
    ]);
  });

  it('never repeat a secret that they refuse', () => {
    const secrets = {
      DATABASE_URL: 'postgre://holdpoint:hunter2hunter2@db/holdpoint',
      REDIS_URL: 'http://:hunter2hunter2@cache',
      HOLDPOINT_BOOTSTRAP_API_KEY: 'hunter2hunter2',
    };
    const problems = findProblems(secrets);
    expect(problems).to.have.length(3);
    expect(problems.join()).not.to.include('hunter2');
  });

  it('let no lease end while its worker lives', () => {
    expect(findProblems({ LEASE_MS: '1000', HEARTBEAT_MS: '501' })).to.deep.equal([
      'HEARTBEAT_MS must be at most half of LEASE_MS, or leases end while their worker lives',
    ]);
    expect(findProblems({ LEASE_MS: '1000', HEARTBEAT_MS: '500' })).to.deep.equal([]);
  });

  it('arm failpoints in tests only', () => {
    expect(loadConfig({ FP: 'start.after_commit:kill' }).failpoints).to.deep.equal([]);
    expect(loadConfig({ FP: 'start.after_commit:sleep:20@3', HOLDPOINT_TEST: '1' }).failpoints).to.deep.equal([
      { name: 'start.after_commit', action: 'sleep', ms: 20, nth: 3 },
    ]);
    expect(findProblems({ FP: 'start:explode', HOLDPOINT_TEST: '1' })).to.deep.equal([
      'FP must be name:kill|stop|throw|sleep:ms[@nth], separated by commas, not "start:explode"',
    ]);
  });

  describe('in the README', () => {
    const rows = readSettingsTable();

    it('are those that are read, each once', () => {
      expect(rows.flatMap(({ names }) => names).sort()).to.deep.equal(listReadVariables().sort());
    });

    it('have the defaults that they have', () => {
      const plain = rows.filter(({ names, fallback }) => fallback !== 'none' && !DEFAULTED_ELSEWHERE.has(names.join()));
      expect(plain).to.have.length.above(10);
      for (const { names, fallback } of plain) {
        expect(loadConfig({ [names.join()]: fallback }), names.join()).to.deep.equal(DEFAULTS);
      }
    });
  });
});

/** Null in the settings: what is created at boot knows its own default. */
const DEFAULTED_ELSEWHERE = new Set(['HOLDPOINT_BOOTSTRAP_WORKSPACE']);

/** The README's table of settings: variables of each row, and the default up to the first reservation. */
function readSettingsTable(): { names: string[]; fallback: string }[] {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, table = ''] = /^\| Variable \| Default \|.*\n\|[-| ]+\n((?:\|.*\n)+)/m.exec(readme) ?? [];
  return table
    .trim()
    .split('\n')
    .map((line) => {
      const [, variables = '', fallback = ''] = line.split('|').map((cell) => cell.trim());
      return {
        names: [...variables.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name!),
        fallback: fallback.split(/[;:]/)[0]!.replaceAll('`', '').trim().split(' ')[0]!,
      };
    });
}

/** The variables that loading the settings asks for. */
function listReadVariables(): string[] {
  const names = new Set<string>();
  const env = new Proxy<Record<string, string>>(
    {},
    {
      get(_, name) {
        names.add(String(name));
        return name === 'HOLDPOINT_TEST' ? '1' : undefined;
      },
    },
  );
  loadConfig(env);
  return [...names];
}
