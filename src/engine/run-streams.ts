// Following runs live, many at once: each reader gets the events of its run in order, without a gap, from any number on. Hints
// wake a look at the table; one look a second for all that wait makes up for hints that got lost. Timers, looks and checks of
// credentials are shared: a reader that waits costs its memory only. What events look like outside is not known here.
//
// A reader asks for its next page when it has sent the one before, so it never holds more than one. Whoever asks too late is
// cut off, and so is whoever has held a page longest when all together hold too much; they lose nothing by coming back.

import type { StreamSettings } from '../config.ts';
import { AppError } from '../core/errors.ts';
import { type Actor, FINISHED } from '../core/run.ts';
import { isTransient } from '../store/db.ts';
import { type FollowedPage, findLastEvents, listFollowedEvents } from '../store/followed-events.ts';
import { listLapsedHolders } from '../store/holders.ts';
import { batchLoads, type Loader } from './batch-loads.ts';
import type { Engine } from './engine.ts';
import { type Reading, RunReader } from './run-reader.ts';

export interface OpenReading extends Reading {
  /** Ends the reader: it is gone, or the server stops. */
  signal: AbortSignal;
}

/** How long one may have to wait for what no hint has told. */
const LOOK_MS = 1_000;
/** A credential that has ended, or was revoked, ends its streams within 5 s, a look of up to 3 s included. */
const CHECK_MS = 1_500;
const MAX_HELD_BYTES = 64 * 1_048_576;

export class RunStreams {
  readonly #engine: Engine;
  readonly #settings: StreamSettings;
  readonly #loadPage: Loader<FollowedPage>;
  readonly #readers = new Set<RunReader>();
  readonly #byRun = new Map<string, Set<RunReader>>();
  /** Those that have a page, the one that has had it longest first. */
  readonly #busy = new Set<RunReader>();
  readonly #perWorkspace = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #stopListening = () => {};
  #isLooking = false;
  #isChecking = false;
  #lookedAt = 0;
  #checkedAt = 0;

  constructor(engine: Engine, settings: StreamSettings) {
    this.#engine = engine;
    this.#settings = settings;
    this.#loadPage = batchLoads((keys) => loadPages(engine, keys));
  }

  /** Follows a run that exists. Throws `rate_limit_exceeded` or `unavailable` where there are too many already. */
  open({ signal, ...reading }: OpenReading): RunReader {
    this.#checkRoom(reading.actor.workspaceId);
    const reader = new RunReader(reading, (changed) => this.#onChange(changed));
    this.#add(reader);
    if (signal.aborted) reader.end();
    else signal.addEventListener('abort', () => reader.end(), { once: true });
    return reader;
  }

  #checkRoom(workspaceId: string): void {
    const { max, perWorkspace } = this.#settings;
    if ((this.#perWorkspace.get(workspaceId) ?? 0) >= perWorkspace)
      throw new AppError(
        'rate_limit_exceeded',
        `the workspace has ${perWorkspace} streams open here, the most there may be; close some and come again`,
      );
    if (this.#readers.size >= max)
      throw new AppError('unavailable', `this server has ${max} streams open, the most it takes; come again shortly`);
  }

  #onChange(reader: RunReader): void {
    if (reader.isOver) {
      this.#remove(reader);
    } else if (reader.isAsking) {
      this.#busy.delete(reader);
      if (reader.isBehind) this.#load(reader);
    } else {
      this.#busy.add(reader);
      this.#boundMemory();
    }
  }

  #add(reader: RunReader): void {
    const { runId, actor } = reader;
    this.#readers.add(reader);
    const others = this.#byRun.get(runId);
    if (others) others.add(reader);
    else this.#byRun.set(runId, new Set([reader]));
    this.#perWorkspace.set(actor.workspaceId, (this.#perWorkspace.get(actor.workspaceId) ?? 0) + 1);
    this.#engine.metrics.openWaiters.inc();
    if (this.#readers.size === 1) this.#start();
  }

  #remove(reader: RunReader): void {
    if (!this.#readers.delete(reader)) return;
    const { runId, actor } = reader;
    this.#busy.delete(reader);
    const others = this.#byRun.get(runId);
    others?.delete(reader);
    if (others?.size === 0) this.#byRun.delete(runId);
    const left = (this.#perWorkspace.get(actor.workspaceId) ?? 1) - 1;
    if (left === 0) this.#perWorkspace.delete(actor.workspaceId);
    else this.#perWorkspace.set(actor.workspaceId, left);
    this.#engine.metrics.openWaiters.dec();
    if (this.#readers.size === 0) this.#stop();
  }

  #start(): void {
    const { pingMs, lifetimeMs, stallMs } = this.#settings;
    this.#timer = setInterval(() => this.#tick(), Math.min(LOOK_MS, pingMs / 2, lifetimeMs / 4, stallMs / 2));
    this.#timer.unref();
    this.#stopListening = this.#engine.wakeups.subscribe(({ runId }) => {
      for (const reader of this.#byRun.get(runId) ?? []) this.#wake(reader);
    });
  }

  #stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#stopListening();
  }

  #wake(reader: RunReader): void {
    reader.isBehind = true;
    if (reader.isAsking) this.#load(reader);
  }

  #load(reader: RunReader): void {
    if (reader.isLoading) return;
    reader.isLoading = true;
    reader.isBehind = false;
    const { actor, runId, after } = reader;
    this.#loadPage(`${actor.workspaceId}/${runId}/${after}`).then(
      (page) => {
        reader.isLoading = false;
        this.#take(reader, page);
      },
      (error: unknown) => {
        reader.isLoading = false;
        // The next look tries again.
        if (isTransient(error)) return;
        this.#engine.log.error({ err: error, runId }, 'a run cannot be followed');
        reader.end();
      },
    );
  }

  #take(reader: RunReader, page: FollowedPage | null): void {
    // It was told meanwhile that it is still there, and looks again when it asks.
    if (!reader.isAsking) reader.isBehind = true;
    else if (page === null) reader.end();
    else this.#give(reader, page);
  }

  #give(reader: RunReader, page: FollowedPage): void {
    const last = page.events.at(-1)?.seq ?? reader.after;
    const isAll = last >= page.seq;
    const isLast = isAll && FINISHED.has(page.status);
    reader.isBehind ||= !isAll;
    if (page.events.length > 0) reader.give(page.events, { isLast });
    else if (isLast) reader.end();
    else if (reader.isBehind) this.#load(reader);
  }

  #tick(): void {
    const { lifetimeMs, pingMs, stallMs } = this.#settings;
    const now = performance.now();
    for (const reader of this.#readers) {
      if (reader.busySince !== null && now - reader.busySince >= stallMs) reader.cut();
      else if (now - reader.openedAt >= lifetimeMs) reader.finish();
      else if (now - reader.sentAt >= pingMs) reader.give([]);
    }
    if (now - this.#lookedAt >= LOOK_MS && !this.#isLooking) {
      this.#lookedAt = now;
      void this.#look();
    }
    if (now - this.#checkedAt >= CHECK_MS && !this.#isChecking) {
      this.#checkedAt = now;
      void this.#checkHolders();
    }
  }

  /** Finds out who is behind without a hint having come. */
  async #look(): Promise<void> {
    const waiting = [...this.#readers].filter((reader) => reader.isAsking && !reader.isLoading);
    if (waiting.length === 0) return;
    this.#isLooking = true;
    try {
      const last = await findLastEvents(this.#engine.db, [...new Set(waiting.map(({ runId }) => runId))]);
      for (const reader of waiting) if (last.get(reader.runId) !== reader.after) this.#wake(reader);
    } catch (error) {
      this.#noteFailure(error);
    } finally {
      this.#isLooking = false;
    }
  }

  async #checkHolders(): Promise<void> {
    this.#isChecking = true;
    try {
      for (const reader of await findLapsed(this.#engine, [...this.#readers])) reader.cut();
    } catch (error) {
      this.#noteFailure(error);
    } finally {
      this.#isChecking = false;
    }
  }

  /** Streams outlast a database that is away for a moment. */
  #noteFailure(error: unknown): void {
    if (!isTransient(error))
      this.#engine.log.error({ err: error }, 'the streams of this process cannot be looked after');
  }

  #boundMemory(): void {
    let held = 0;
    for (const reader of this.#busy) held += reader.heldBytes;
    for (const reader of this.#busy) {
      if (held <= MAX_HELD_BYTES) return;
      held -= reader.heldBytes;
      reader.cut();
    }
  }
}

async function loadPages({ db }: Engine, keys: readonly string[]): Promise<Map<string, FollowedPage>> {
  const followed = keys.map((key) => {
    const [workspaceId = '', runId = '', after] = key.split('/');
    return { workspaceId, runId, after: Number(after) };
  });
  const pages = await listFollowedEvents(db, followed);
  return new Map([...pages].map(([place, page]) => [keys[place]!, page]));
}

/** Those whose credential is good no more. */
async function findLapsed({ db, clock }: Engine, readers: readonly RunReader[]): Promise<RunReader[]> {
  const nameOf = ({ keyId, workspaceId, userId }: Actor) => `${keyId} ${workspaceId} ${userId}`;
  const holders = new Map(readers.map(({ actor }) => [nameOf(actor), actor]));
  const lapsed = await listLapsedHolders(db, [...holders.values()]);
  const names = new Set(lapsed.map(nameOf));
  const now = clock.now();
  return readers.filter(({ actor }) => names.has(nameOf(actor)) || (actor.endsAt ?? now + 1) <= now);
}
