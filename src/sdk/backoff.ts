// How long to wait before trying again, and waiting.

const BASE_MS = 250;
const CAP_MS = 10_000;
/** Longer than this is not waited for; whoever asked is told instead. */
const PATIENCE_MS = 60_000;

/** Half of it is chance: many clients that lost one server do not come back to it at the same moment. */
export function backoffMs(failures: number, chance: number, baseMs = BASE_MS): number {
  const most = Math.min(CAP_MS, baseMs * 2 ** Math.max(0, failures - 1));
  return Math.round((most / 2) * (1 + chance));
}

/** What a `Retry-After` asks for: seconds or a date; null when there is none that makes sense or patience ends before. */
export function readRetryAfter(header: string | null, now: number): number | null {
  if (header === null) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(ms) || ms > PATIENCE_MS ? null : Math.max(0, ms);
}

/** Throws the signal's reason when it aborts first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
