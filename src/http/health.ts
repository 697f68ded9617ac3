// Whether this process lives, whether it can serve, and its metrics. Parts are asked through probes that somebody else
// provides; which of them are vital is decided by whoever wires the process.

import type { Json, JsonObject } from '../core/json.ts';
import type { Metrics } from '../telemetry.ts';
import { defineRoute, type Reply, type Route } from './route.ts';

export type Probe = () => Promise<{ ok: boolean; message?: string }>;

export interface HealthOptions {
  /** By the name that an operator is shown. */
  probes: Readonly<Record<string, Probe>>;
  /** Parts without which requests fail: one that is not ready makes the process not ready. */
  vital: readonly string[];
  metrics: Metrics;
  /** Aborts when the server stops. */
  stopping: AbortSignal;
}

const TAG = 'About this server';
const LIVE: JsonObject = { type: 'object', properties: { status: { const: 'ok' } }, required: ['status'] };
const READINESS: JsonObject = {
  type: 'object',
  properties: {
    status: { enum: ['ready', 'degraded', 'stopping', 'unavailable'] },
    parts: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        properties: { status: { enum: ['ok', 'error'] }, message: { type: 'string' } },
        required: ['status'],
      },
    },
  },
  required: ['status', 'parts'],
};

const fine = { status: 'ok' };
const READY: JsonObject = { status: 'ready', parts: { postgres: fine, migrations: fine, redis: fine, files: fine } };
const SOME_METRICS = `# TYPE holdpoint_commits_total counter
holdpoint_commits_total 1290
# TYPE holdpoint_open_waiters gauge
holdpoint_open_waiters 3
`;

/** A part that does not answer in this time is not ready. */
const PROBE_TIMEOUT_MS = 2_500;
/** Anybody may ask, so many askers share one answer for this long. */
const SHARED_MS = 500;

type Parts = Record<string, { ok: boolean; message?: string }>;

/** Routes of health and metrics; the worker serves the same. */
export function createSystemRoutes({ probes, vital, metrics, stopping }: HealthOptions): Route[] {
  const probeAll = shareFor(SHARED_MS, () => askAll(probes));
  return [
    defineRoute({
      method: 'GET',
      path: '/health/live',
      role: 'public',
      tag: TAG,
      summary: 'Whether the process lives',
      responses: { 200: { description: 'It does.', schema: LIVE } },
      examples: [{ name: 'lives', answer: { status: 'ok' } }],
      handler: async () => ({ body: { status: 'ok' } }),
    }),
    defineRoute({
      method: 'GET',
      path: '/health/ready',
      role: 'public',
      tag: TAG,
      summary: 'Whether it can serve, and which part is not ready',
      responses: {
        200: { description: 'It can, perhaps without parts that requests can do without.', schema: READINESS },
        503: { description: 'It cannot at the moment.', schema: READINESS },
      },
      examples: [{ name: 'ready', answer: READY }],
      handler: async () => presentReadiness(await probeAll(), { vital, isStopping: stopping.aborted }),
    }),
    defineRoute({
      method: 'GET',
      path: '/metrics',
      role: 'admin',
      tag: TAG,
      summary: 'Metrics for Prometheus',
      responses: { 200: { description: 'Prometheus’ text format.', contentType: 'text/plain' } },
      examples: [{ name: 'some', answer: SOME_METRICS, isExcerpt: true }],
      handler: async () => ({
        body: await metrics.registry.metrics(),
        headers: { 'content-type': metrics.registry.contentType },
      }),
    }),
  ];
}

function presentReadiness(
  parts: Parts,
  { vital, isStopping }: { vital: readonly string[]; isStopping: boolean },
): Reply {
  const broken = Object.keys(parts).filter((name) => !parts[name]!.ok);
  const isServing = !isStopping && !broken.some((name) => vital.includes(name));
  const overall = isServing ? (broken.length === 0 ? 'ready' : 'degraded') : isStopping ? 'stopping' : 'unavailable';
  const body: JsonObject = { status: overall, parts: mapParts(parts) };
  return isServing ? { body } : { status: 503, body, headers: { 'retry-after': '2' } };
}

function mapParts(parts: Parts): JsonObject {
  const entries = Object.entries(parts).map(([name, { ok, message }]): [string, Json] => [
    name,
    { status: ok ? 'ok' : 'error', ...(message === undefined ? {} : { message }) },
  ]);
  return Object.fromEntries(entries);
}

async function askAll(probes: HealthOptions['probes']): Promise<Parts> {
  const names = Object.keys(probes);
  const answers = await Promise.all(names.map((name) => ask(probes[name]!)));
  return Object.fromEntries(names.map((name, index) => [name, answers[index]!]));
}

async function ask(probe: Probe): Promise<{ ok: boolean; message?: string }> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<{ ok: boolean; message: string }>((resolve) => {
    timer = setTimeout(
      () => resolve({ ok: false, message: `did not answer in ${PROBE_TIMEOUT_MS} ms` }),
      PROBE_TIMEOUT_MS,
    );
  });
  // What a probe throws may name hosts and users, and anybody may read this answer.
  const answer = probe().catch(() => ({ ok: false, message: 'cannot be reached' }));
  return Promise.race([answer, timeout]).finally(() => clearTimeout(timer));
}

/** Runs `load` at most once at a time, and hands its result out until it is `ms` old. */
function shareFor<T>(ms: number, load: () => Promise<T>): () => Promise<T> {
  let current: { promise: Promise<T>; until: number } | undefined;
  return () => {
    if (current !== undefined && performance.now() < current.until) return current.promise;
    const shared = { promise: load(), until: Number.POSITIVE_INFINITY };
    current = shared;
    shared.promise.finally(() => {
      shared.until = performance.now() + ms;
    });
    return shared.promise;
  };
}
