// The events of one execution, each exactly once and in order, however often the connection ends: after ten minutes by the
// server, by a restart, by a network. What it resumes from is the number of the last event that it gave away.

import { createParser } from 'eventsource-parser';
import type { ExecutionEvent } from './api-types.ts';
import { backoffMs, pause } from './backoff.ts';
import { ApiError } from './errors.ts';

/** An event with its number in the execution's history; numbers ascend, and some are missing. */
export type StreamedEvent = ExecutionEvent & { sequence: number };

export interface StreamOptions {
  signal?: AbortSignal | undefined;
  /** Only what came after the event with this number. */
  after?: number | undefined;
  /** Is told why there is no connection, each time before the next one is tried. */
  onRetry?: ((error: ApiError) => void) | undefined;
}

export interface Source {
  /** Opens a connection that begins after this event; null: at the start. Throws `ApiError`. */
  connect(lastEventId: string | null, signal: AbortSignal): Promise<Response>;
  /** Whether the execution has ended, as far as is known now. */
  hasEnded(signal: AbortSignal | undefined): Promise<boolean>;
  /** A connection that says nothing for so long has died unnoticed. */
  silenceMs: number;
}

/** What a connection brings: events, how long to wait before the next one, its orderly end, word that nothing is left. */
type Arrival = { event: StreamedEvent } | { retryMs: number } | 'end' | 'nothing left';

/** One that lived this long was a good one, and the next need not wait for the failures before it. */
const STEADY_MS = 5_000;
/** Refusals that trying again does not change; 408, 425 and 429 are not among them. */
const FINAL = new Set([400, 401, 403, 404, 405, 406, 409, 410, 422]);
const TERMINAL: ReadonlySet<string> = new Set(['execution_complete', 'execution_failed', 'execution_cancelled']);

/** Ends with the execution. Throws `ApiError` for a refusal that lasts, or the signal's reason. */
export async function* followEvents(
  source: Source,
  { signal, after = 0, onRetry }: StreamOptions,
): AsyncGenerator<StreamedEvent> {
  const progress = { last: after, isOver: false, isKnownToEnd: false };
  let retryMs: number | undefined;
  for (let failures = 0; ; failures++) {
    // The first time soon, since most connections end in good order; then as patiently as the server asks.
    if (failures > 0) await pause(backoffMs(failures, Math.random(), failures > 1 ? retryMs : undefined), signal);
    const [opened, before] = [Date.now(), progress.last];
    try {
      for await (const arrival of readConnection(source, before, signal)) {
        if (arrival === 'nothing left') return;
        if (arrival === 'end') {
          if (progress.last === before && (await endsHere(source, progress, signal))) return;
        } else if ('retryMs' in arrival) {
          retryMs = arrival.retryMs;
        } else if (arrival.event.sequence > progress.last) {
          progress.last = arrival.event.sequence;
          progress.isOver = TERMINAL.has(arrival.event.type);
          yield arrival.event;
        }
      }
    } catch (error) {
      if (!(error instanceof ApiError) || FINAL.has(error.status)) throw error;
      onRetry?.(error);
    }
    if (progress.isOver) return;
    if (progress.last > before || Date.now() - opened > STEADY_MS) failures = 0;
  }
}

/**
 * Whether a connection that brought nothing was the last: the execution had ended before it was opened. One that ended
 * meanwhile may have left an event that only the next connection brings.
 */
async function endsHere(
  source: Source,
  progress: { isKnownToEnd: boolean },
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (progress.isKnownToEnd) return true;
  progress.isKnownToEnd = await source.hasEnded(signal);
  return false;
}

/** One connection, to its end; without `'end'` it was cut. */
async function* readConnection(source: Source, last: number, signal: AbortSignal | undefined): AsyncGenerator<Arrival> {
  const own = new AbortController();
  const both = signal === undefined ? own.signal : AbortSignal.any([signal, own.signal]);
  const arrived: Arrival[] = [];
  const parser = createParser({
    onEvent: ({ id, data }) => {
      if (id !== undefined) arrived.push({ event: { ...JSON.parse(data), sequence: Number(id) } });
    },
    onRetry: (retryMs) => void arrived.push({ retryMs }),
  });
  const decoder = new TextDecoder();
  try {
    const response = await orCut(own, source.silenceMs, () => source.connect(last === 0 ? null : String(last), both));
    if (response === 'cut') return;
    if (response.status === 204) return yield 'nothing left';
    const reader = response.body?.getReader();
    for (;;) {
      const read = async () => (await reader?.read().catch(() => 'cut' as const)) ?? 'cut';
      const chunk = await orCut(own, source.silenceMs, read);
      if (signal?.aborted) throw signal.reason;
      if (chunk === 'cut') return;
      if (chunk.value === undefined) return yield 'end';
      parser.feed(decoder.decode(chunk.value, { stream: true }));
      yield* arrived.splice(0);
    }
  } finally {
    own.abort();
  }
}

/** Gives the connection up when `work` takes too long. Whoever takes long over an event meanwhile has not lost it. */
async function orCut<Result>(
  connection: AbortController,
  silenceMs: number,
  work: () => Promise<Result>,
): Promise<Result | 'cut'> {
  const silence = setTimeout(() => connection.abort(), silenceMs);
  try {
    return await work();
  } catch (error) {
    if (connection.signal.aborted) return 'cut';
    throw error;
  } finally {
    clearTimeout(silence);
  }
}
