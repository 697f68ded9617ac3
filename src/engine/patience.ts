// How long a caller waits for Postgres. What was asked may still happen after the caller was told that it is unavailable.

import { AppError } from '../core/errors.ts';
import { isTransient } from '../store/db.ts';

/** What a caller is told while Postgres is away. */
export function unavailable(cause?: unknown): AppError {
  return new AppError('unavailable', 'The database is away; try again', [], { cause });
}

/** Settles as `work` does, or throws `unavailable`: when Postgres is away, or does not answer within `patienceMs`. */
export async function withPatience<Result>(work: Promise<Result>, patienceMs: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable()), patienceMs);
  });
  try {
    return await Promise.race([work, silence]);
  } catch (error) {
    throw isTransient(error) ? unavailable(error) : error;
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for `work`, but no longer than `timeoutMs`; its failure is nobody's business any more. */
export async function settleWithin(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work.catch(() => {}), timeUp]);
  clearTimeout(timer);
}
