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
  rateLimit: 0,
  rateLimitStarts: 0,
  rateLimitFailures: 0,
  trustedProxies: 0,
  secretKeys: [],
  filesS3: null,
  filesQuota: 10_737_418_240,
  parallelUploads: 16,
  egressAllow: [],
  corsOrigins: [],
  webhooks: {
    delaysMs: [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000],
    timeoutMs: 20_000,
    concurrency: 20,
    perEndpoint: 5,
    publicUrl: 'http://localhost:3000',
  },
  streams: { max: 5_000, perWorkspace: 2_000, lifetimeMs: 600_000, pingMs: 15_000, stallMs: 30_000 },
  smtpUrl: null,
  smtpFrom: null,
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
      RATE_LIMIT: '1000',
      TRUSTED_PROXIES: '2',
      HOLDPOINT_SECRET_KEY: `${'ab'.repeat(32)}, ${Buffer.alloc(32, 7).toString('base64')}`,
      FILES_S3_BUCKET: 'holdpoint',
      FILES_S3_ENDPOINT: 'https://s3.example.com',
      FILES_S3_REGION: 'eu-central-1',
      FILES_S3_ACCESS_KEY_ID: 'AKIA',
      FILES_S3_SECRET_ACCESS_KEY: 'secret',
      FILES_QUOTA_MB: '100',
      FILES_PARALLEL_UPLOADS: '4',
      PUBLIC_URL: 'https://flows.example.com/',
      WEBHOOK_DELAYS_MS: '100, 2000',
      WEBHOOK_TIMEOUT_MS: '5000',
      WEBHOOK_CONCURRENCY: '7',
      WEBHOOK_PER_ENDPOINT: '2',
      STREAMS: '50',
      STREAMS_PER_WORKSPACE: '20',
      STREAM_LIFETIME_MS: '30000',
      STREAM_PING_MS: '5000',
      STREAM_STALL_MS: '1000',
      CORS_ORIGINS: 'https://app.example.com, http://localhost:5173',
      HOLDPOINT_EGRESS_ALLOW: 'crm.internal, mail:25,10.0.0.0/8 ,[::1]:3000,münchen.example',
      SMTP_URL: 'smtps://user:pass@mail.example.com',
      SMTP_FROM: 'Holdpoint <no-reply@example.com>',
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
      rateLimit: 1_000,
      rateLimitStarts: 300,
      rateLimitFailures: 60,
      trustedProxies: 2,
      secretKeys: [Buffer.alloc(32, 0xab), Buffer.alloc(32, 7)],
      filesS3: {
        bucket: 'holdpoint',
        endpoint: 'https://s3.example.com',
        region: 'eu-central-1',
        credentials: { accessKeyId: 'AKIA', secretAccessKey: 'secret' },
      },
      filesQuota: 104_857_600,
      parallelUploads: 4,
      webhooks: {
        delaysMs: [100, 2_000],
        timeoutMs: 5_000,
        concurrency: 7,
        perEndpoint: 2,
        publicUrl: 'https://flows.example.com',
      },
      streams: { max: 50, perWorkspace: 20, lifetimeMs: 30_000, pingMs: 5_000, stallMs: 1_000 },
      corsOrigins: ['https://app.example.com', 'http://localhost:5173'],
      egressAllow: ['crm.internal', 'mail:25', '10.0.0.0/8', '[::1]:3000', 'münchen.example'],
      smtpUrl: 'smtps://user:pass@mail.example.com',
      smtpFrom: 'Holdpoint <no-reply@example.com>',
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
      RATE_LIMIT: '-1',
      TRUSTED_PROXIES: 'all',
      HOLDPOINT_SECRET_KEY: 'c2hvcnQ=',
      FILES_S3_ENDPOINT: 's3.example.com',
      FILES_S3_SECRET_ACCESS_KEY: 'hunter2',
      FILES_QUOTA_MB: '0',
      FILES_PARALLEL_UPLOADS: '0',
      CORS_ORIGINS: 'https://app.example.com/',
      HOLDPOINT_EGRESS_ALLOW: 'ok.example.com,*.example.com',
      PUBLIC_URL: 'flows.example.com',
      WEBHOOK_DELAYS_MS: '5s,1000',
      WEBHOOK_TIMEOUT_MS: '0',
      WEBHOOK_CONCURRENCY: '0',
      WEBHOOK_PER_ENDPOINT: '0',
      STREAMS: '0',
      STREAMS_PER_WORKSPACE: '0',
      STREAM_LIFETIME_MS: '10',
      STREAM_PING_MS: '1',
      STREAM_STALL_MS: 'no',
      SMTP_URL: 'mail.example.com:25',
      SMTP_FROM: 'a\nBcc: b',
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
      'RATE_LIMIT must be a whole number from 0 to 1000000, not "-1"',
      'TRUSTED_PROXIES must be a whole number from 0 to 16, not "all"',
      'HOLDPOINT_SECRET_KEY must be 32 bytes as hex or base64 (`openssl rand -hex 32`), several by commas',
      'FILES_S3_ENDPOINT must be a URL that starts with http:// or https://',
      'FILES_S3_ACCESS_KEY_ID and FILES_S3_SECRET_ACCESS_KEY must be set together, or neither',
      'FILES_QUOTA_MB must be a whole number from 1 to 1000000000, not "0"',
      'FILES_PARALLEL_UPLOADS must be a whole number from 1 to 1000, not "0"',
      'CORS_ORIGINS must be origins without a path, https://app.example.com, separated by commas, or *',
      'HOLDPOINT_EGRESS_ALLOW must be hosts, host:port or CIDRs, separated by commas, without wildcards',
      'PUBLIC_URL must be a URL that starts with http:// or https://',
      'WEBHOOK_DELAYS_MS must be up to 50 numbers of milliseconds, separated by commas, not "5s,1000"',
      'WEBHOOK_TIMEOUT_MS must be a whole number from 100 to 120000, not "0"',
      'WEBHOOK_CONCURRENCY must be a whole number from 1 to 1000, not "0"',
      'WEBHOOK_PER_ENDPOINT must be a whole number from 1 to 1000, not "0"',
      'STREAMS must be a whole number from 1 to 100000, not "0"',
      'STREAMS_PER_WORKSPACE must be a whole number from 1 to 100000, not "0"',
      'STREAM_LIFETIME_MS must be a whole number from 100 to 86400000, not "10"',
      'STREAM_PING_MS must be a whole number from 50 to 600000, not "1"',
      'STREAM_STALL_MS must be a whole number from 100 to 600000, not "no"',
      'SMTP_URL must be a URL that starts with smtp:// or smtps://',
      'SMTP_FROM must be an address, as in "Holdpoint <no-reply@example.com>"',
    ]);
  });

  it('never repeat a secret that they refuse', () => {
    const secrets = {
      DATABASE_URL: 'postgre://holdpoint:hunter2hunter2@db/holdpoint',
      REDIS_URL: 'http://:hunter2hunter2@cache',
      HOLDPOINT_BOOTSTRAP_API_KEY: 'hunter2hunter2',
      HOLDPOINT_SECRET_KEY: 'hunter2hunter2',
    };
    const problems = findProblems(secrets);
    expect(problems).to.have.length(4);
    expect(problems.join()).not.to.include('hunter2');
  });

  it('ask for the bucket where the rest of S3 is named', () => {
    expect(findProblems({ FILES_S3_ENDPOINT: 'http://s3:9000' })).to.deep.equal([
      'FILES_S3_BUCKET must name the bucket when other FILES_S3_ settings are there',
    ]);
    expect(loadConfig({ FILES_S3_BUCKET: 'files' }).filesS3).to.deep.equal({
      bucket: 'files',
      endpoint: null,
      region: 'us-east-1',
      credentials: null,
    });
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
        names: [...variables.matchAll(/`([A-Z][A-Z0-9_]*)`/g)].map(([, name]) => name!),
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
