// One reader of a run's events: where it is, what it was given, and whether it asks for more. It waits and is handed pages;
// where they come from, and when a reader's time is over, is engine/run-streams.ts.

import type { Actor } from '../core/run.ts';
import type { FollowedEvent } from '../store/followed-events.ts';

/** Events in their order; empty when there was nothing to tell for a while. */
export type EventPage = readonly FollowedEvent[];

export interface Reading {
  runId: string;
  /** Who reads: a credential that ends takes its readers along. */
  actor: Actor;
  /** Number of the last event that is known. */
  after: number;
}

type Step = IteratorResult<EventPage, undefined>;

const DONE: Step = { done: true, value: undefined };

export class RunReader implements AsyncIterableIterator<EventPage, undefined> {
  readonly runId: string;
  readonly actor: Actor;
  readonly openedAt = performance.now();
  /** When it last sent something, or was opened. */
  sentAt = this.openedAt;
  after: number;
  /** There may be more than it knows of. */
  isBehind = true;
  isLoading = false;
  /** When it was handed the page that it has not asked beyond yet. */
  busySince: number | null = null;
  /** What it holds, by its own account. */
  heldBytes = 0;
  /** Called when it is cut off in the middle of a page. */
  onCut: (() => void) | undefined;
  #asked: ((step: Step) => void) | null = null;
  #isLast = false;
  #isOver = false;
  readonly #onChange: (reader: RunReader) => void;

  /** `onChange` is called when it asks, when what it holds changes, and when it is over. */
  constructor({ runId, actor, after }: Reading, onChange: (reader: RunReader) => void) {
    this.runId = runId;
    this.actor = actor;
    this.after = after;
    this.#onChange = onChange;
  }

  get isAsking(): boolean {
    return this.#asked !== null;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step> {
    this.busySince = null;
    this.heldBytes = 0;
    if (this.#isLast) this.end();
    if (this.#isOver) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      this.#asked = resolve;
      this.#onChange(this);
    });
  }

  async return(): Promise<Step> {
    this.end();
    return DONE;
  }

  /** Hands over a page to a reader that asks; after the last one it is done. */
  give(page: EventPage, { isLast = false } = {}): void {
    const asked = this.#asked;
    if (asked === null) return;
    this.#asked = null;
    this.#isLast = isLast;
    this.after = page.at(-1)?.seq ?? this.after;
    this.busySince = performance.now();
    asked({ done: false, value: page });
  }

  /** The page, or what it became, has this size until more is asked for. */
  hold(bytes: number): void {
    this.sentAt = performance.now();
    this.heldBytes = bytes;
    this.#onChange(this);
  }

  /** Its time is over; a page that it has still counts. */
  finish(): void {
    if (this.isAsking) this.end();
    else this.#isLast = true;
  }

  /** There is no more to come. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#asked?.(DONE);
    this.#asked = null;
    this.heldBytes = 0;
    this.#onChange(this);
  }

  /** Ends it whether or not it gets rid of the page that it has. */
  cut(): void {
    const hasPage = !this.isAsking;
    this.end();
    if (hasPage) this.onCut?.();
  }
}
