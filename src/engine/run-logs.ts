// What handlers log, gathered and stored many lines at a time: when a step is over, when there are many, and in any case a
// moment later. Nobody waits for it. Bounded in memory and, by the table, for each run; lines that are too many are left out,
// and a line says so.

import { LRUCache } from 'lru-cache';
import { type Logger, redactSecrets } from '../log.ts';
import { type Connection, isTransient } from '../store/db.ts';
import { insertLogLines, type NewLogLine } from '../store/run-logs.ts';

const FLUSH_MS = 250;
const MAX_BATCH = 500;
/** What waits while the database is away or slow. */
const MAX_WAITING = 5_000;
const MAX_WAITING_CHARS = 8 * 1_048_576;
const RETRY_MS = 1_000;

export class RunLogs {
  readonly #db: Connection;
  readonly #log: Logger;
  #waiting: NewLogLine[] = [];
  #waitingChars = 0;
  /** How many lines of a run were left out since the last that was not, and where. */
  readonly #lost = new Map<string, { line: NewLogLine; count: number }>();
  /** Runs that have logged all that they may. */
  readonly #full = new LRUCache<string, true>({ max: 10_000 });
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> | null = null;

  constructor({ db, log }: { db: Connection; log: Logger }) {
    this.#db = db;
    this.#log = log;
  }

  add(line: NewLogLine): void {
    if (this.#full.has(line.runId)) return;
    const kept = { ...line, message: redactSecrets(line.message), data: line.data && redactSecrets(line.data) };
    const chars = sizeOf(kept);
    if (this.#waiting.length < MAX_WAITING && this.#waitingChars + chars <= MAX_WAITING_CHARS) this.#keep(kept, chars);
    else this.#lose(kept);
  }

  #keep(line: NewLogLine, chars: number): void {
    this.#waiting.push(line);
    this.#waitingChars += chars;
    if (this.#waiting.length >= MAX_BATCH) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  /** Stores what waits; resolves when it is stored, or cannot be for now. Never rejects. */
  flush(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  #lose(line: NewLogLine): void {
    const lost = this.#lost.get(line.runId);
    if (lost) lost.count += 1;
    else this.#lost.set(line.runId, { line, count: 1 });
  }

  async #write(): Promise<void> {
    // Steps that end in the same turn go together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, MAX_BATCH);
      try {
        for (const runId of await insertLogLines(this.#db, batch)) this.#full.set(runId, true);
      } catch (error) {
        if (isTransient(error)) {
          this.#timer ??= setTimeout(() => void this.flush(), RETRY_MS).unref();
          return;
        }
        this.#log.error({ err: error, lines: batch.length }, 'lines that handlers logged could not be stored');
      }
      this.#waiting = this.#waiting.slice(batch.length);
      this.#waitingChars -= batch.reduce((sum, line) => sum + sizeOf(line), 0);
      this.#tellLost();
    }
  }

  #tellLost(): void {
    for (const { line, count } of this.#lost.values()) {
      const message = `${count} lines are missing here: they came faster than they could be stored`;
      this.#waiting.push({ ...line, level: 'warn', message, data: null });
      this.#waitingChars += message.length;
    }
    this.#lost.clear();
  }
}

function sizeOf({ message, data }: NewLogLine): number {
  return message.length + (data?.length ?? 0);
}
