// Settings: environment → one validated, typed object. The only reader of `process.env`; every variable here stands in
// the README's table.

import { resolve } from 'node:path';
import { type Failpoint, parseFailpoints } from './failpoints.ts';

export interface Config {
  port: number;
  host: string;
  databaseUrl: string | null;
  redisUrl: string | null;
  /** Where standalone keeps its database and credentials. */
  dataDir: string;
  bootstrapApiKey: string | null;
  bootstrapWorkspace: string | null;
  /** Number of step queues; runs are spread over them by id. */
  stepQueues: number;
  /** Key prefix of every queue; tests use one each. */
  queuePrefix: string;
  workerConcurrency: number;
  leaseMs: number;
  heartbeatMs: number;
  sweepMs: number;
  /** Modules that export tools made with `defineTool`. */
  toolModules: string[];
  logLevel: string;
  /** Open connections to Postgres per process and purpose. */
  databasePool: number;
  /** Where a worker answers health and metrics; null: nowhere. */
  workerPort: number | null;
  /** How long a stopping process lets running steps finish. */
  drainMs: number;
  /** How many requests a minute a credential may make, how many of them may start runs; 0 is no limit. */
  rateLimit: number;
  rateLimitStarts: number;
  /** How many wrong credentials a minute an address may show before it is told to wait. */
  rateLimitFailures: number;
  /** Proxies in front whose X-Forwarded-For is believed. */
  trustedProxies: number;
  /** Keys that seal secrets (store/sealing.ts): the first seals, the others still open. */
  secretKeys: Buffer[];
  /** Where files go; null: to the disk, below `dataDir`. */
  filesS3: S3Settings | null;
  /** How many bytes of files a workspace may store. */
  filesQuota: number;
  /** Files that this process takes at once. */
  parallelUploads: number;
  /** Hosts, `host:port` and CIDRs that steps may call beside public hosts. */
  egressAllow: string[];
  /** Web pages that may call the API from a browser: origins, or `*`. */
  corsOrigins: string[];
  /** How webhooks and callbacks are sent. */
  webhooks: WebhookSettings;
  /** Live streams of runs. */
  streams: StreamSettings;
  /** The mail server of the send-email tool, and who sends when a step does not say. */
  smtpUrl: string | null;
  smtpFrom: string | null;
  /** Where a test makes this process fail; always empty without HOLDPOINT_TEST=1. */
  failpoints: Failpoint[];
}

export interface WebhookSettings {
  /** Delays between tries; there is one try more than there are delays. */
  delaysMs: number[];
  /** One try, from the first look-up to the last byte. */
  timeoutMs: number;
  /** Deliveries that a worker sends at once, and how many of all workers' may go to one endpoint. */
  concurrency: number;
  perEndpoint: number;
  /** Where receivers reach this server, without a final slash. */
  publicUrl: string;
}

export interface StreamSettings {
  /** Streams of this process at once, and how many of them one workspace may have. */
  max: number;
  perWorkspace: number;
  /** A stream ends after this time; whoever reads comes again. */
  lifetimeMs: number;
  /** After so long without an event a stream says that it is there. */
  pingMs: number;
  /** A reader that has not taken what it was sent after this time is cut off. */
  stallMs: number;
}

/** A bucket of S3, or of anything that speaks its protocol. */
export interface S3Settings {
  bucket: string;
  /** Null: the provider is AWS. */
  endpoint: string | null;
  region: string;
  /** Null: as the AWS SDK finds them (environment, instance role). */
  credentials: { accessKeyId: string; secretAccessKey: string } | null;
}

/** Ten tries over three days: 5 s, 5 and 30 min, 2, 5, 10, 14, 20 and 24 h. */
const WEBHOOK_DELAYS_MS = [
  5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000,
];

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads and checks the settings; throws one error that names every bad variable and what it may be. */
export function loadConfig(env: Environment = process.env): Config {
  const problems: string[] = [];
  const text = (name: string) => env[name]?.trim() || null;

  const integer = (name: string, fallback: number, min: number, max: number): number => {
    const raw = text(name);
    if (raw === null) return fallback;
    const value = Number(raw);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    problems.push(`${name} must be a whole number from ${min} to ${max}, not "${raw}"`);
    return fallback;
  };

  /** Nobody needs protection from whoever tries Holdpoint on a database that it brought itself. */
  const perMinute = (name: string, fallback: number): number =>
    integer(name, text('DATABASE_URL') === null ? 0 : fallback, 0, 1_000_000);

  const url = (name: string, protocols: string[]): string | null => {
    const raw = text(name);
    if (raw === null) return null;
    if (URL.canParse(raw) && protocols.includes(new URL(raw).protocol)) return raw;
    problems.push(`${name} must be a URL that starts with ${protocols.map((p) => `${p}//`).join(' or ')}`);
    return null;
  };

  const pattern = (name: string, expected: RegExp, says: string): string | null => {
    const raw = text(name);
    if (raw === null || expected.test(raw)) return raw;
    problems.push(`${name} ${says}`);
    return null;
  };

  const secretKeys = (): Buffer[] => {
    const keys = (text('HOLDPOINT_SECRET_KEY') ?? '').split(',').map((part) => part.trim());
    const named = keys.filter(Boolean);
    if (named.every((key) => /^([0-9a-f]{64}|[A-Za-z0-9+/_-]{43}=?)$/i.test(key)))
      return named.map((key) => Buffer.from(key, key.length === 64 ? 'hex' : 'base64'));
    problems.push('HOLDPOINT_SECRET_KEY must be 32 bytes as hex or base64 (`openssl rand -hex 32`), several by commas');
    return [];
  };

  const filesS3 = (): S3Settings | null => {
    const bucket = text('FILES_S3_BUCKET');
    const endpoint = url('FILES_S3_ENDPOINT', ['http:', 'https:']);
    const accessKeyId = text('FILES_S3_ACCESS_KEY_ID');
    const secretAccessKey = text('FILES_S3_SECRET_ACCESS_KEY');
    const region = text('FILES_S3_REGION') ?? 'us-east-1';
    if ((accessKeyId === null) !== (secretAccessKey === null))
      problems.push('FILES_S3_ACCESS_KEY_ID and FILES_S3_SECRET_ACCESS_KEY must be set together, or neither');
    if (bucket === null && (endpoint ?? accessKeyId) !== null)
      problems.push('FILES_S3_BUCKET must name the bucket when other FILES_S3_ settings are there');
    const credentials = accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : null;
    return bucket === null ? null : { bucket, endpoint, region, credentials };
  };

  const egressAllow = (): string[] => {
    const entries = (text('HOLDPOINT_EGRESS_ALLOW') ?? '').split(',').map((part) => part.trim());
    const listed = entries.filter(Boolean);
    const host = /^(\[[0-9a-f:.]+\]|[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*\.?)(:\d{1,5})?$/iu;
    const address = /^[0-9a-f:.]+(\/\d{1,3})?$/i;
    if (!listed.every((entry) => host.test(entry) || address.test(entry)))
      problems.push('HOLDPOINT_EGRESS_ALLOW must be hosts, host:port or CIDRs, separated by commas, without wildcards');
    return listed;
  };

  const corsOrigins = (): string[] => {
    const listed = (text('CORS_ORIGINS') ?? '').split(',').map((part) => part.trim());
    const origins = listed.filter(Boolean);
    const isOrigin = (one: string) => /^https?:/.test(one) && URL.canParse(one) && new URL(one).origin === one;
    if (!origins.every((one) => one === '*' || isOrigin(one)))
      problems.push('CORS_ORIGINS must be origins without a path, https://app.example.com, separated by commas, or *');
    return origins;
  };

  const delays = (name: string, fallback: number[]): number[] => {
    const raw = text(name);
    if (raw === null) return fallback;
    const delaysMs = raw.split(',').map((part) => (/^\s*\d{1,8}\s*$/.test(part) ? Number(part) : Number.NaN));
    if (delaysMs.length <= 50 && !delaysMs.some((delay) => Number.isNaN(delay))) return delaysMs;
    problems.push(`${name} must be up to 50 numbers of milliseconds, separated by commas, not "${raw}"`);
    return fallback;
  };

  const failpoints = (): Failpoint[] => {
    const raw = text('HOLDPOINT_TEST') === '1' ? text('FP') : null;
    const parsed = raw === null ? [] : parseFailpoints(raw);
    if (parsed === null)
      problems.push(`FP must be name:kill|stop|throw|sleep:ms[@nth], separated by commas, not "${raw}"`);
    return parsed ?? [];
  };

  const leaseMs = integer('LEASE_MS', 7_000, 500, 600_000);
  const port = integer('PORT', 3000, 0, 65_535);
  const config: Config = {
    port,
    host: text('HOST') ?? '0.0.0.0',
    databaseUrl: url('DATABASE_URL', ['postgres:', 'postgresql:']),
    redisUrl: url('REDIS_URL', ['redis:', 'rediss:']),
    dataDir: resolve(text('HOLDPOINT_DATA_DIR') ?? '.holdpoint'),
    bootstrapApiKey: pattern(
      'HOLDPOINT_BOOTSTRAP_API_KEY',
      /^sk_[A-Za-z0-9_-]{20,200}$/,
      'must be "sk_" and at least 20 letters, digits, "_" or "-"; `openssl rand -hex 32` makes a good one',
    ),
    bootstrapWorkspace: pattern(
      'HOLDPOINT_BOOTSTRAP_WORKSPACE',
      /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      'must be a slug: lower-case letters, digits and inner hyphens, at most 63',
    ),
    stepQueues: integer('STEP_QUEUES', 1, 1, 256),
    queuePrefix:
      pattern('HOLDPOINT_QUEUE_PREFIX', /^[A-Za-z0-9_-]{1,32}$/, 'must be 1 to 32 letters, digits, "_" or "-"') ?? 'hp',
    workerConcurrency: integer('WORKER_CONCURRENCY', 100, 1, 1_000),
    leaseMs,
    heartbeatMs: integer('HEARTBEAT_MS', Math.max(100, Math.floor(leaseMs / 3.5)), 50, 600_000),
    sweepMs: integer('SWEEP_MS', 2_000, 100, 600_000),
    toolModules: (text('HOLDPOINT_TOOLS') ?? '')
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean),
    logLevel:
      pattern(
        'LOG_LEVEL',
        /^(trace|debug|info|warn|error|fatal|silent)$/,
        'must be trace, debug, info, warn, error, fatal or silent',
      ) ?? 'info',
    databasePool: integer('DATABASE_POOL', 10, 2, 200),
    workerPort: text('WORKER_PORT') === null ? null : integer('WORKER_PORT', 0, 0, 65_535),
    drainMs: integer('DRAIN_MS', 20_000, 0, 600_000),
    rateLimit: perMinute('RATE_LIMIT', 600),
    rateLimitStarts: perMinute('RATE_LIMIT_STARTS', 300),
    rateLimitFailures: perMinute('RATE_LIMIT_FAILURES', 60),
    trustedProxies: integer('TRUSTED_PROXIES', 0, 0, 16),
    secretKeys: secretKeys(),
    filesS3: filesS3(),
    filesQuota: integer('FILES_QUOTA_MB', 10_240, 1, 1_000_000_000) * 1_048_576,
    parallelUploads: integer('FILES_PARALLEL_UPLOADS', 16, 1, 1_000),
    egressAllow: egressAllow(),
    corsOrigins: corsOrigins(),
    webhooks: {
      delaysMs: delays('WEBHOOK_DELAYS_MS', WEBHOOK_DELAYS_MS),
      timeoutMs: integer('WEBHOOK_TIMEOUT_MS', 20_000, 100, 120_000),
      concurrency: integer('WEBHOOK_CONCURRENCY', 20, 1, 1_000),
      perEndpoint: integer('WEBHOOK_PER_ENDPOINT', 5, 1, 1_000),
      publicUrl: (url('PUBLIC_URL', ['http:', 'https:']) ?? `http://localhost:${port}`).replace(/\/+$/, ''),
    },
    streams: {
      max: integer('STREAMS', 5_000, 1, 100_000),
      perWorkspace: integer('STREAMS_PER_WORKSPACE', 2_000, 1, 100_000),
      lifetimeMs: integer('STREAM_LIFETIME_MS', 600_000, 100, 86_400_000),
      pingMs: integer('STREAM_PING_MS', 15_000, 50, 600_000),
      stallMs: integer('STREAM_STALL_MS', 30_000, 100, 600_000),
    },
    smtpUrl: url('SMTP_URL', ['smtp:', 'smtps:']),
    smtpFrom: pattern('SMTP_FROM', /^[^\r\n]{3,300}$/, 'must be an address, as in "Holdpoint <no-reply@example.com>"'),
    failpoints: failpoints(),
  };
  if (config.heartbeatMs * 2 > config.leaseMs)
    problems.push('HEARTBEAT_MS must be at most half of LEASE_MS, or leases end while their worker lives');
  if (problems.length > 0)
    throw new Error(`Holdpoint cannot start with these settings:\n${problems.map((p) => `  * ${p}`).join('\n')}`);
  return config;
}
