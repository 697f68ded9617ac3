// Every metric of Holdpoint, by name, in a registry of its own (so a test can have one to itself). Whoever counts
// something imports the type from here; nobody else registers metrics.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  registry: Registry;
  /** Step runs that ended, by step type and outcome (`completed`, `failed`, `cancelled`, `retried`, `lost`). */
  stepsFinished: Counter<'type' | 'outcome'>;
  /** Flushes of the group commit. */
  commits: Counter;
  /** Decisions per flush of the group commit. */
  commitBatchSize: Histogram;
  /** Decisions that found the run moved on and were made again. */
  staleDecisions: Counter;
  /** Jobs the queue did not take; the sweep adds them later. */
  queueAddFailures: Counter;
  /** Claims taken away from workers that stopped renewing them. */
  lostLeases: Counter;
  /** Calls of steps to the outside, by how they ended: `answered`, or an error's code such as `egress_blocked`. */
  egressCalls: Counter<'outcome'>;
  /** Tries to deliver a webhook or callback, by what came of them: `delivered`, `retried`, `dead`, `cancelled`. */
  deliveries: Counter<'outcome'>;
  /** Due step runs whose type or tool this process does not have, at the last sweep. */
  noHandler: Gauge;
  sweepDuration: Histogram;
  httpDuration: Histogram<'method' | 'route' | 'status'>;
  /** Requests and streams that wait for a run to move. */
  openWaiters: Gauge;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

/** Creates all metrics; `processMetrics` adds Node's own (event loop lag, heap, handles), once per process. */
export function createMetrics({ processMetrics = false } = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (processMetrics) collectDefaultMetrics({ register: registry });
  return {
    registry,
    stepsFinished: new Counter({
      name: 'holdpoint_steps_finished_total',
      help: 'Step runs that ended, by step type and outcome',
      labelNames: ['type', 'outcome'],
      registers,
    }),
    commits: new Counter({ name: 'holdpoint_commits_total', help: 'Flushes of the group commit', registers }),
    commitBatchSize: new Histogram({
      name: 'holdpoint_commit_batch_size',
      help: 'Decisions per flush of the group commit',
      buckets: [1, 2, 4, 8, 16, 32, 64],
      registers,
    }),
    staleDecisions: new Counter({
      name: 'holdpoint_stale_decisions_total',
      help: 'Decisions made again because the run had moved on',
      registers,
    }),
    queueAddFailures: new Counter({
      name: 'holdpoint_queue_add_failures_total',
      help: 'Jobs the queue did not take and the sweep adds later',
      registers,
    }),
    lostLeases: new Counter({
      name: 'holdpoint_lost_leases_total',
      help: 'Claims taken away from workers that stopped renewing them',
      registers,
    }),
    egressCalls: new Counter({
      name: 'holdpoint_egress_calls_total',
      help: 'Calls of steps to the outside, by how they ended',
      labelNames: ['outcome'],
      registers,
    }),
    deliveries: new Counter({
      name: 'holdpoint_deliveries_total',
      help: 'Tries to deliver a webhook or callback, by what came of them',
      labelNames: ['outcome'],
      registers,
    }),
    noHandler: new Gauge({
      name: 'holdpoint_no_handler',
      help: 'Due step runs whose type or tool this process does not have',
      registers,
    }),
    sweepDuration: new Histogram({
      name: 'holdpoint_sweep_duration_seconds',
      help: 'Time one sweep took',
      buckets: SECONDS,
      registers,
    }),
    httpDuration: new Histogram({
      name: 'holdpoint_http_request_duration_seconds',
      help: 'Time from request to answer, by method, route and status',
      labelNames: ['method', 'route', 'status'],
      buckets: SECONDS,
      registers,
    }),
    openWaiters: new Gauge({
      name: 'holdpoint_open_waiters',
      help: 'Requests and streams that wait for a run to move',
      registers,
    }),
  };
}
