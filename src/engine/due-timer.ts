// Fires at the nearest due time that this process knows of. Only haste: the sweep finds everything that is due anyway.

import type { Clock } from './clock.ts';

/** setTimeout holds at most 2^31 - 1 ms; what is due later is the sweep's. */
const LONGEST_MS = 3_600_000;

export class DueTimer {
  readonly #clock: Clock;
  #onDue: (() => void) | null = null;
  #withinMs = LONGEST_MS;
  #at = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `onDue` from now on whenever something is due that was armed no more than `withinMs` before. */
  start(onDue: () => void, withinMs = LONGEST_MS): void {
    this.#onDue = onDue;
    this.#withinMs = Math.min(withinMs, LONGEST_MS);
  }

  /** Makes sure that `onDue` is called at `dueAt` (epoch ms) at the latest. */
  arm(dueAt: number): void {
    if (!this.#onDue || dueAt >= this.#at) return;
    const delayMs = Math.max(0, dueAt - this.#clock.now());
    if (delayMs > this.#withinMs) return;
    this.stop();
    this.#at = dueAt;
    this.#timer = setTimeout(() => {
      this.#at = Number.POSITIVE_INFINITY;
      this.#onDue?.();
    }, delayMs + 1);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#at = Number.POSITIVE_INFINITY;
  }
}
