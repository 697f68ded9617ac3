// What the engine's verbs work with: the store, the queue, the step types, and what this process remembers of runs. Every
// verb takes it as its first argument; nothing here decides anything.

import { LRUCache } from 'lru-cache';
import type { WebhookSettings } from '../config.ts';
import type { Known, StepTypes } from '../core/step-type.ts';
import type { Wakeups } from '../core/wakeups.ts';
import type { Egress } from '../egress/egress.ts';
import type { Files } from '../files/storage.ts';
import type { Logger } from '../log.ts';
import type { HooksQueue } from '../queue/hooks-queue.ts';
import type { StepsQueue } from '../queue/steps-queue.ts';
import { type Committer, createCommitter } from '../store/commit.ts';
import type { Database } from '../store/db.ts';
import { type DefinitionRow, findDefinition } from '../store/definitions.ts';
import { loadRuns } from '../store/runs.ts';
import type { Sealer } from '../store/sealing.ts';
import type { Metrics } from '../telemetry.ts';
import { batchLoads, type Loader } from './batch-loads.ts';
import type { Mailbox } from './change-ahead.ts';
import { type Clock, createClock } from './clock.ts';
import { DueTimer } from './due-timer.ts';
import { createPlans, type Plans } from './plans.ts';
import { type RememberedRun, RememberedRuns } from './remembered-runs.ts';
import { RunAhead } from './run-ahead.ts';
import { RunLogs } from './run-logs.ts';
import { Turns } from './turns.ts';

export interface EngineOptions {
  db: Database;
  steps: StepsQueue;
  wakeups: Wakeups;
  types: StepTypes;
  known: Known;
  log: Logger;
  metrics: Metrics;
  name: string;
  leaseMs: number;
  /** Seals what must be read again; null where the operator gave no key. */
  sealer?: Sealer | null;
  /** Where files are kept; without it none are taken or lent. */
  files?: Files;
  /** What webhooks and callbacks are sent with; without it their rows wait for a process that has it. */
  hooks?: Hooks;
}

export interface Hooks {
  queue: HooksQueue;
  egress: Egress;
  settings: WebhookSettings;
}

export interface Engine extends Omit<EngineOptions, 'name'> {
  committer: Committer;
  clock: Clock;
  plans: Plans;
  /** The run as it is stored now, by id. */
  loadRun: Loader<RememberedRun>;
  /** A workflow as it is stored now, by `<workspace id>/<id or key>`. */
  loadDefinition: Loader<DefinitionRow>;
  /** Workflows as they were when they last were started, by the same key; a start checks that they have not changed since. */
  knownDefinitions: LRUCache<string, DefinitionRow>;
  /** Bounded by the size of what it holds, and never trusted: every decision is checked against the run's sequence number. */
  remembered: RememberedRuns;
  mailboxes: Map<string, Mailbox>;
  /** What a worker does before its commits have returned. */
  ahead: RunAhead;
  /** Armed for the nearest due time that this process knows. */
  dueTimer: DueTimer;
  /** What handlers log, on its way to the table. */
  runLogs: RunLogs;
  /** For reading histories that are long. */
  longReads: Turns;
  close(): Promise<void>;
}

const NO_STEPS: ReadonlySet<string> = new Set();
const REMEMBERED_BYTES = 16 * 1024 * 1024;
/** Each takes some tens of milliseconds for every thousand steps of its run. */
const MAX_LONG_READS_WAITING = 8;

export function createEngine({ name, ...options }: EngineOptions): Engine {
  const { db, metrics, log, leaseMs, types } = options;
  const clock = createClock(db);
  const committer = createCommitter({
    url: db.url,
    leaseMs,
    name,
    onBatch(size) {
      metrics.commits.inc();
      metrics.commitBatchSize.observe(size);
    },
    onDeliveries: (ids) => options.hooks?.queue.offer(ids.map((id) => ({ id, fence: 0 }))),
    onError: (error) => log.warn({ error: error.message }, 'Postgres did not take a commit; trying again'),
  });
  const dueTimer = new DueTimer(clock);
  return {
    ...options,
    committer,
    clock,
    plans: createPlans(db, types),
    loadRun: batchLoads((ids) => loadStates(db, ids)),
    loadDefinition: batchLoads((keys) => loadDefinitions(db, keys)),
    knownDefinitions: new LRUCache({ max: 1_000 }),
    remembered: new RememberedRuns(REMEMBERED_BYTES),
    mailboxes: new Map(),
    ahead: new RunAhead(),
    dueTimer,
    runLogs: new RunLogs({ db, log }),
    longReads: new Turns(MAX_LONG_READS_WAITING),
    async close() {
      dueTimer.stop();
      await committer.close();
    },
  };
}

async function loadStates(db: Database, ids: string[]): Promise<Map<string, RememberedRun>> {
  const states = await loadRuns(db.pool, ids);
  return new Map([...states].map(([id, state]) => [id, { state, outputsKnown: NO_STEPS }]));
}

/** Starts at the same moment are mostly of the same workflow, so one look-up serves them all. */
async function loadDefinitions(db: Database, keys: string[]): Promise<Map<string, DefinitionRow>> {
  const found = new Map<string, DefinitionRow>();
  const look = async (key: string) => {
    const [workspaceId = '', idOrKey = ''] = key.split(/\/(.*)/s);
    const row = await findDefinition(db, { workspaceId, idOrKey });
    if (row) found.set(key, row);
  };
  await Promise.all(keys.map(look));
  return found;
}
