// Fires at the nearest due time that this process knows of. Only haste: the sweep finds everything that is due anyway.

import type { Clock } from './clock.ts';

/** setTimeout holds at most 2^31 - 1 ms; what is due later is the sweep's. */
const LONGEST_MS = 3_600_000;

export class DueTimer {
  readonly #clock: Clock;
  #onDue: (() => void) | null = null;
  #at = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `onDue` from now on whenever something is due. */
  start(onDue: () => void): void {
    this.#onDue = onDue;
  }

  /** Makes sure that `onDue` is called at `dueAt` (epoch ms) at the latest. */
  arm(dueAt: number): void {
    if (!this.#onDue || dueAt >= this.#at) return;
    const delayMs = Math.max(0, dueAt - this.#clock.now());
    if (delayMs > LONGEST_MS) return;
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
