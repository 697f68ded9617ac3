// How long a caller is ready to wait: `Prefer: wait=N` (RFC 7240), within our bounds.

const DEFAULT_WAIT_S = 60;
const MAX_WAIT_S = 300;

/** The wait in milliseconds, and the header that tells the caller it was heard; what cannot be read is ignored. */
export function readPreferredWait(prefer: string): { timeoutMs: number; headers: Record<string, string> } {
  const asked = /(?:^|,|;)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:$|,|;)/i.exec(prefer)?.[1];
  if (asked === undefined) return { timeoutMs: DEFAULT_WAIT_S * 1_000, headers: {} };
  const seconds = Math.min(MAX_WAIT_S, Math.max(1, Number(asked)));
  return { timeoutMs: seconds * 1_000, headers: { 'preference-applied': `wait=${seconds}` } };
}
