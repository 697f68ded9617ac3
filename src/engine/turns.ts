// Turns for work that keeps its process busy: one at a time, in the order in which it was asked for, and few wait. What the
// work is, is for whoever asks to know.

import { AppError } from '../core/errors.ts';

export class Turns {
  readonly #maxWaiting: number;
  #last: Promise<unknown> = Promise.resolve();
  #taken = 0;

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  /** Does the work when it is its turn. Throws `rate_limit_exceeded` when too many wait. */
  async take<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#taken > this.#maxWaiting)
      throw new AppError('rate_limit_exceeded', 'too many long histories are being read at once; try again shortly');
    this.#taken += 1;
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    try {
      return await result;
    } finally {
      this.#taken -= 1;
    }
  }
}
