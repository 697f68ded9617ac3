// Times as every face shows them: ISO 8601 in UTC, to the millisecond. Inside they are milliseconds of the epoch.

export function presentTime(epochMs: number): string;
export function presentTime(epochMs: number | null): string | null;
export function presentTime(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString();
}
