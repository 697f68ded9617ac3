// What a server means by `Retry-After` (RFC 9110 §10.2.3), for steps and deliveries alike.

/** Nobody's word holds anything up for longer. */
const MAX_RETRY_AFTER_MS = 86_400_000;

/** Seconds or a date, in milliseconds from `now`, a day at most; null when it is neither, or not there. */
export function readRetryAfter(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  const text = header.trim();
  // Dates of HTTP begin with a day's name; the parser takes much else for a date.
  const date = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) - now : Number.NaN;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : date;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
