// Waiting for what must come true, with a bound: tests look again and again instead of sleeping for as long as they guess.

import { setTimeout as delay } from 'node:timers/promises';

const LOOK_EVERY_MS = 20;
/** Long, since it costs time only where a test fails: a busy machine may stand still for seconds. */
export const PATIENCE_MS = 25_000;

/** The first thing `look` answers that is not null, undefined or false; its last error, or `what`, after `withinMs`. */
export async function eventually<Found>(
  look: () => Promise<Found | null | undefined | false> | Found | null | undefined | false,
  { withinMs = PATIENCE_MS, what = 'it' }: { withinMs?: number; what?: string | (() => string | Promise<string>) } = {},
): Promise<Found> {
  const deadline = performance.now() + withinMs;
  let failure: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== null && found !== undefined && found !== false) return found;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadline) break;
    await delay(LOOK_EVERY_MS);
  }
  if (failure) throw failure;
  throw new Error(`${typeof what === 'string' ? what : await what()} did not come true within ${withinMs} ms`);
}
