// The group commit: decisions of many runs, one statement. A decision is sent at once when nothing is in flight; while a
// batch is, the next ones collect and go together when it returns. There is no timer: while batches are large they wait
// for a turn of the event loop that brings no more, which costs nothing and makes them a fifth larger.
//
// In call order: `commit` queues a change → `flush` takes a batch → `send` runs the statement → each change is answered
// `committed` or `stale` (its run moved on, or is locked elsewhere; a start: its origin or id exists).
// * One bad decision never hurts its neighbours: when the statement is refused for what it carries, each is sent alone
//   and only the guilty one is rejected.
// * An error may mean "committed": after a lost reply the first event of each change is read back by its key; what is
//   not there is sent again with the same expected sequence number, so it can only ever apply once.

import pg from 'pg';
import {
  type Change,
  type EncodedChange,
  encodeBatch,
  encodeChange,
  encodeLone,
  type LoneShape,
  loneShapeOf,
} from './commit-rows.ts';
import { batchStatement, loneStatement } from './commit-statement.ts';
import { isAmbiguous, isPoison, isTransient } from './db.ts';

export type Committed = 'committed' | 'stale';

export interface Committer {
  /** Resolves once the change is known to be durable or refused; keeps trying through outages until `deadline` (epoch ms). */
  commit(change: Change, deadline: number): Promise<Committed>;
  /** Whether the next change goes at once and alone. */
  readonly isIdle: boolean;
  /** Runs `work` with the run's row locked, for a run that others keep changing first; what `work` answers counts once this resolves. */
  locked<Result>(
    runId: string,
    work: (commit: (change: Change) => Promise<Committed>) => Promise<Result>,
  ): Promise<Result>;
  close(): Promise<void>;
}

export interface CommitterOptions {
  url: string;
  leaseMs: number;
  name: string;
  onBatch(size: number): void;
  /** Told of deliveries that a commit has written; they are rows, so forgetting one costs a sweep. */
  onDeliveries?(ids: string[]): void;
  onError(error: Error): void;
}

/** What the statement answers: a number whose bits are places, and ids separated by blanks; null, or no row, when nothing was written. */
interface Written {
  won: string | null;
  deliveries: string | null;
}

interface Waiting {
  change: Change;
  /** Made when it is sent, and dropped after: cells that outlived a few milliseconds of waiting would cost a collection each. */
  encoded: EncodedChange | null;
  deadline: number;
  /** A reply to it was lost: before it counts as stale, its first event is looked for. */
  doubtful: boolean;
  resolve(result: Committed): void;
  reject(error: unknown): void;
}

/** The statement answers a bit for each. */
const MAX_BATCH = 64;
const MAX_BYTES = 2 * 1024 * 1024;
const IN_FLIGHT = 1;
const WATCHED_MS = 60_000;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1_000;
/** How often a lost COMMIT is looked for, a second apart, before its outcome is given up. */
const CONFIRM_LOOKS = 10;

/** The plan that is right for big tables is pinned: one made while they were small would scan or hash them (PERFORMANCE.md). */
const PINNED = [
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  'jit=off',
  'plan_cache_mode=force_generic_plan',
  'statement_timeout=10s',
  'lock_timeout=3s',
  'idle_in_transaction_session_timeout=15s',
  'timezone=UTC',
];

export function createCommitter(options: CommitterOptions): Committer {
  const { url, leaseMs, name, onBatch, onDeliveries, onError } = options;
  const pool = new pg.Pool({
    connectionString: url,
    application_name: `${name} commit`,
    options: PINNED.map((setting) => `-c ${setting}`).join(' '),
    max: IN_FLIGHT + 1,
    keepAlive: true,
    connectionTimeoutMillis: 2_000,
    query_timeout: 12_000,
  });
  pool.on('error', onError);
  const queue: Waiting[] = [];
  let inFlight = 0;
  let lastSize = 0;
  let isGathering = false;
  let pauseMs = 0;
  /** Workspaces that seem to subscribe to events, and until when: their decisions go as batches, which write deliveries. */
  const watched = new Map<string, number>();

  /** A lone decision goes at once; where there were more last time, more are on their way. */
  function flushSoon(): void {
    if (lastSize <= 1) flush();
    else if (!isGathering) gather(queue.length);
  }

  function gather(seen: number): void {
    isGathering = true;
    setImmediate(() => {
      isGathering = false;
      if (queue.length > seen && queue.length < MAX_BATCH) gather(queue.length);
      else flush();
    });
  }

  function flush(): void {
    while (queue.length > 0 && inFlight < IN_FLIGHT) {
      const batch = takeBatch(queue);
      if (batch.length === 0) return;
      inFlight += 1;
      lastSize = batch.length;
      onBatch(batch.length);
      void send(batch).finally(() => {
        inFlight -= 1;
        if (queue.length > 0) flushSoon();
      });
    }
  }

  async function send(batch: Waiting[]): Promise<void> {
    try {
      const won = await run(pool, batch);
      pauseMs = 0;
      for (const place of won) batch[place]!.resolve('committed');
      if (won.size < batch.length) await answerLost(batch.filter((_, place) => !won.has(place)));
    } catch (error) {
      await recover(batch, error);
    }
  }

  async function answerLost(lost: Waiting[]): Promise<void> {
    for (const item of lost) if (!item.doubtful) item.resolve('stale');
    const doubtful = lost.filter((item) => item.doubtful);
    if (doubtful.length === 0) return;
    const found = await readBack(doubtful);
    for (const item of doubtful) item.resolve(found.has(item.change.decision.commandId) ? 'committed' : 'stale');
  }

  async function recover(batch: Waiting[], error: unknown): Promise<void> {
    if (isPoison(error) && batch.length > 1) {
      for (const item of batch) await send([item]);
    } else if (isTransient(error)) {
      if (isAmbiguous(error)) for (const item of batch) item.doubtful = true;
      await retryLater(batch, error);
    } else {
      for (const item of batch) item.reject(error);
    }
  }

  /** Waits, finds out what did arrive, and puts the rest back in front of the queue. */
  async function retryLater(batch: Waiting[], error: unknown): Promise<void> {
    onError(error instanceof Error ? error : new Error(String(error)));
    pauseMs = Math.min(Math.max(FIRST_PAUSE_MS, pauseMs * 2), LONGEST_PAUSE_MS);
    await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.75 + Math.random() / 2)));
    let left = batch;
    const doubtful = batch.filter((item) => item.doubtful);
    if (doubtful.length > 0) {
      const found = await readBack(doubtful).catch(() => new Set<string>());
      for (const item of doubtful) if (found.has(item.change.decision.commandId)) item.resolve('committed');
      if (found.size > 0) pauseMs = 0;
      left = batch.filter((item) => !found.has(item.change.decision.commandId));
    }
    const now = Date.now();
    for (const item of left) if (item.deadline <= now) item.reject(error);
    queue.unshift(...left.filter((item) => item.deadline > now));
  }

  /** The indexes of what was written. */
  async function run(
    client: pg.Pool | pg.PoolClient,
    batch: Waiting[],
    waitForLocks = false,
  ): Promise<ReadonlySet<number>> {
    const encoded = batch.map((item) => item.encoded ?? encodeChange(item.change));
    for (const item of batch) item.encoded = null;
    const { workspaceId } = batch[0]!.change.decision.state;
    const isLone = batch.length === 1 && !waitForLocks && (watched.get(workspaceId) ?? 0) < Date.now();
    const lone = isLone ? describeLone(encoded[0]!, leaseMs) : null;
    if (lone && (await client.query<Written>(lone)).rows.length > 0) return FIRST;
    // What a lone statement leaves unwritten is stale, or somebody subscribes to it.
    const { rows } = await client.query<Written>(describe(encoded, leaseMs, waitForLocks));
    const { won, deliveries } = rows[0] ?? NOTHING;
    if (lone && won !== null) watched.set(workspaceId, Date.now() + WATCHED_MS);
    if (deliveries !== null) onDeliveries?.(deliveries.split(' '));
    return won === null ? NONE : placesOf(BigInt(won));
  }

  async function readBack(items: Waiting[]): Promise<Set<string>> {
    const ids = items.map((item) => item.change.decision.state.id);
    const seqs = items.map((item) => item.change.expectedSeq + 1);
    const { rows } = await pool.query<{ command_id: string }>({
      name: 'read-back',
      text: `SELECT e.command_id FROM unnest($1::uuid[], $2::bigint[]) AS k(run_id, seq)
             JOIN events e ON e.run_id = k.run_id AND e.seq = k.seq WHERE e.command_id IS NOT NULL`,
      values: [ids, seqs],
    });
    return new Set(rows.map((row) => row.command_id));
  }

  /** A COMMIT whose reply was lost may have arrived; throws when it did not, or when nobody can tell. */
  async function confirm(item: Waiting | null, error: unknown): Promise<void> {
    if (item === null || !isAmbiguous(error)) throw error;
    for (let look = 1; ; look++) {
      const found = await readBack([item]).catch(() => null);
      if (found?.has(item.change.decision.commandId)) return;
      if (found !== null || look === CONFIRM_LOOKS) throw error;
      await new Promise((resolve) => setTimeout(resolve, LONGEST_PAUSE_MS));
    }
  }

  return {
    get isIdle() {
      return inFlight === 0 && queue.length === 0 && lastSize <= 1;
    },
    commit(change, deadline) {
      return new Promise((resolve, reject) => {
        queue.push({ change, encoded: null, deadline, doubtful: false, resolve, reject });
        flushSoon();
      });
    },
    async locked(runId, work) {
      const client = await pool.connect();
      // A client that is in use has no listener of the pool's; without one, a lost connection would end the process.
      client.on('error', onError);
      let sent: Waiting | null = null;
      let broken: Error | undefined;
      try {
        await client.query('BEGIN');
        await client.query('SELECT 1 FROM runs WHERE id = $1 FOR UPDATE', [runId]);
        const result = await work(async (change) => {
          sent = { change, encoded: null, deadline: 0, doubtful: true, resolve() {}, reject() {} };
          return (await run(client, [sent], true)).size === 1 ? 'committed' : 'stale';
        });
        await client.query('COMMIT').catch((error) => confirm(sent, error));
        return result;
      } catch (error) {
        broken = error instanceof Error ? error : new Error(String(error));
        await client.query('ROLLBACK').catch(() => {});
        throw error;
      } finally {
        client.off('error', onError);
        client.release(broken && isTransient(broken) ? broken : undefined);
      }
    },
    close: () => pool.end(),
  };
}

/** The places of the bits that are set, from 0; Postgres' number is signed. */
function placesOf(won: bigint): Set<number> {
  const places = new Set<number>();
  let bits = BigInt.asUintN(MAX_BATCH, won);
  for (let place = 0; bits > 0n; place++) {
    if (bits & 1n) places.add(place);
    bits >>= 1n;
  }
  return places;
}

const NONE: ReadonlySet<number> = new Set();
const FIRST: ReadonlySet<number> = new Set([0]);
const NOTHING: Written = { won: null, deliveries: null };
const LEAN = { name: 'commit', text: batchStatement({ full: false, waitForLocks: false }), full: false };
const FULL = { name: 'commit-full', text: batchStatement({ full: true, waitForLocks: false }), full: true };
const LOCKED = { name: 'commit-locked', text: batchStatement({ full: true, waitForLocks: true }), full: true };

/** The prepared statement for a batch of changes, with its arguments. */
function describe(batch: EncodedChange[], leaseMs: number, waitForLocks: boolean): pg.QueryConfig {
  const { name, text, full } = waitForLocks ? LOCKED : batch.some((change) => change.isRare) ? FULL : LEAN;
  return { name, text, values: encodeBatch(batch, leaseMs, full) };
}

/** Null for a change that has too many rows to go alone. */
function describeLone(change: EncodedChange, leaseMs: number): pg.QueryConfig | null {
  const shape = loneShapeOf(change);
  return shape && { ...findLone(shape), values: encodeLone(change, leaseMs) };
}

const loneTexts = new Map<string, string>();

function findLone(shape: LoneShape): { name: string; text: string } {
  const name = `commit-${shape.isStart ? 'start' : 'lone'}-${shape.newSteps}-${shape.steps}-${shape.events}`;
  let text = loneTexts.get(name);
  if (text === undefined) {
    text = loneStatement(shape);
    loneTexts.set(name, text);
  }
  return { name, text };
}

/** From the front of the queue; what cannot be encoded is rejected. */
function takeBatch(queue: Waiting[]): Waiting[] {
  const batch: Waiting[] = [];
  let bytes = 0;
  for (let item = queue[0]; item && batch.length < MAX_BATCH; item = queue[0]) {
    try {
      item.encoded ??= encodeChange(item.change);
      bytes += item.encoded.bytes;
      if (batch.length > 0 && bytes > MAX_BYTES) break;
      batch.push(item);
    } catch (error) {
      item.reject(error);
    }
    queue.shift();
  }
  return batch;
}
