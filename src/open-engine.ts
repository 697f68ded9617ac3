// An engine with all that it stands on, from the settings: database, queues, wake-ups, files, step types. The web and the
// worker process open it alike; what they do with it is their own.

import type { Config } from './config.ts';
import { createEgress } from './egress/egress.ts';
import { createEngine, type Engine } from './engine/engine.ts';
import { openFiles } from './files/storage.ts';
import type { Logger } from './log.ts';
import { openQueues, type Queues } from './queue/connection.ts';
import { loadSteps } from './steps/load-steps.ts';
import type { Tools } from './steps/tools.ts';
import { openDatabase } from './store/db.ts';
import { createSealer } from './store/sealing.ts';
import { openPostgresWakeups } from './store/wakeups.ts';
import { createMetrics } from './telemetry.ts';

export interface OpenOptions {
  /** Shown by Postgres for each of its connections. */
  name: string;
  log: Logger;
  /** Instead of those that the settings name. */
  tools?: Tools | undefined;
}

export interface OpenedEngine {
  engine: Engine;
  queues: Queues;
  /** Lets go of everything at once, also where one of them fails to close. */
  close(): Promise<unknown>;
}

/** Waits for no server; throws when a tool module, an allowed address or a secret key of the settings cannot be used. */
export async function openEngine(
  config: Config & { databaseUrl: string },
  { name, log, tools: given }: OpenOptions,
): Promise<OpenedEngine> {
  const metrics = createMetrics({ processMetrics: true });
  const onCall = (outcome: string) => metrics.egressCalls.inc({ outcome });
  const steps = await loadSteps(config, { onCall, tools: given });
  const onError = (error: Error) => log.warn({ error: error.message }, 'Postgres connection');
  const db = openDatabase({ url: config.databaseUrl, max: config.databasePool, name, onError });
  const queues = await openQueues(config, { log, onAddFailed: () => metrics.queueAddFailures.inc() });
  const wakeups = queues.wakeups ?? openPostgresWakeups(db, `${config.queuePrefix}_wakeups`);
  const files = await openFiles(config);
  const egress = createEgress({ allow: config.egressAllow, totalMs: config.webhooks.timeoutMs, onCall });
  const engine = createEngine({
    db,
    steps: queues.steps,
    wakeups,
    types: steps.types,
    known: { tools: steps.tools },
    log,
    metrics,
    name,
    leaseMs: config.leaseMs,
    sealer: createSealer(config.secretKeys),
    files,
    hooks: { queue: queues.hooks, egress, settings: config.webhooks },
  });
  const close = () =>
    Promise.allSettled([
      queues.close(),
      wakeups.close(),
      engine.close(),
      files.storage.close(),
      steps.close(),
      egress.close(),
      db.close(),
    ]);
  return { engine, queues, close };
}
