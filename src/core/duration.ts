// Lengths of time and points in time as people write them: ISO 8601, turned into milliseconds.

const DURATION =
  /^P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
const UNITS_MS = [604_800_000, 86_400_000, 3_600_000, 60_000, 1_000];
const INSTANT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d))?$/;

export const DURATION_HINT =
  'write weeks, days, hours, minutes and seconds as in P1D, PT5M or P1DT12H; months and years have no fixed length';
export const INSTANT_HINT = 'write a time with its zone, as in 2026-01-31T13:45:00Z';

/** Milliseconds of an ISO 8601 duration without months and years, or null. */
export function parseDurationMs(text: string): number | null {
  const parts = DURATION.exec(text)?.slice(1);
  if (!parts || parts.every((part) => part === undefined) || text.endsWith('T')) return null;
  return parts.reduce((total, part, index) => total + Number(part ?? 0) * UNITS_MS[index]!, 0);
}

/** Epoch milliseconds of an ISO 8601 date (UTC) or a time with its zone, or null. */
export function parseInstantMs(text: string): number | null {
  const time = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? null : time;
}
