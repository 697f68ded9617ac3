// How many uploads are in memory at once, in this process and of one workspace: so many files times their largest size is
// what uploads can cost. Whoever finds no room is told to come again, before a byte of the upload is kept.

import type { Context } from 'koa';
import { AppError } from '../core/errors.ts';

const RETRY_AFTER_S = 1;

export class UploadSlots {
  readonly #parallel: number;
  readonly #perWorkspace: number;
  readonly #held = new Map<string, number>();
  #total = 0;

  /** One workspace may have half of the slots, so that it cannot shut out the others. */
  constructor(parallel: number) {
    this.#parallel = parallel;
    this.#perWorkspace = Math.ceil(parallel / 2);
  }

  /** Takes a slot and answers how to give it back. Throws `rate_limit_exceeded`. */
  take(context: Context, workspaceId: string): () => void {
    const held = this.#held.get(workspaceId) ?? 0;
    if (this.#total >= this.#parallel || held >= this.#perWorkspace) {
      context.set('retry-after', String(RETRY_AFTER_S));
      throw new AppError('rate_limit_exceeded', `too many files are being uploaded at once; wait ${RETRY_AFTER_S} s`);
    }
    this.#total += 1;
    this.#held.set(workspaceId, held + 1);
    let isHeld = true;
    return () => {
      if (isHeld) this.#giveBack(workspaceId);
      isHeld = false;
    };
  }

  #giveBack(workspaceId: string): void {
    this.#total -= 1;
    const left = (this.#held.get(workspaceId) ?? 1) - 1;
    if (left === 0) this.#held.delete(workspaceId);
    else this.#held.set(workspaceId, left);
  }
}
