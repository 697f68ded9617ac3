// The times of schedules, as rows say when somebody has to look at one (`look_at`): claimed by one process, decided about in
// core/schedules.ts, and recorded where nothing has changed since. Which of a schedule's runs are not over is told by their
// origins.

import type { Connection } from './db.ts';
import { epochMs, type LastFire, SCHEDULE_COLUMNS, type ScheduleRow, timeOf } from './schedules.ts';

/** A schedule that this process may decide about, until its lease ends. */
export interface ClaimedSchedule extends ScheduleRow {
  /** What the decision is made for: kept from an earlier claim whose process did not carry it out. */
  plannedAt: number;
  /** All its runs for times before this are over; null: not known. */
  openSince: number | null;
}

/**
 * Takes schedules that somebody has to look at, the longest due first; nobody else takes them for `leaseMs`. Who takes one
 * again decides for the same moment, so it does not matter which of the two is the one to record it.
 */
export async function claimDueSchedules(
  { pool }: Connection,
  { limit, leaseMs }: { limit: number; leaseMs: number },
): Promise<ClaimedSchedule[]> {
  const { rows } = await pool.query<ClaimedSchedule>({
    name: 'claim-due-schedules',
    text: `WITH due AS (
             SELECT id FROM schedules WHERE look_at <= now() ORDER BY look_at LIMIT $1 FOR UPDATE SKIP LOCKED
           )
           UPDATE schedules s
              SET look_at = now() + $2 * interval '1 millisecond', planned_at = coalesce(s.planned_at, now())
             FROM due WHERE s.id = due.id
           RETURNING ${SCHEDULE_COLUMNS}, ${epochMs('s.planned_at')} AS "plannedAt", ${epochMs('s.open_since')} AS "openSince"`,
    values: [limit, leaseMs],
  });
  return rows;
}

/** What a run is known by that was started for a time of a schedule: in the order of the times, under any collation. */
export function originOfFire(scheduleId: string, at: number): string {
  return `${prefixOf(scheduleId)}${new Date(at).toISOString()}`;
}

function prefixOf(scheduleId: string): string {
  return `schedule:${scheduleId}:`;
}

/**
 * Of each schedule the earliest time whose run is not over, where there is one. Times that are still to be decided about do not
 * count, although a process that died may have started their runs: who goes on has to decide as that one did. Not part of
 * the claim, whose statement does not see what was committed while it waited.
 */
export async function findOpenFires(
  { pool }: Connection,
  schedules: readonly ClaimedSchedule[],
): Promise<Map<string, number>> {
  if (schedules.length === 0) return new Map();
  const { rows } = await pool.query<{ id: string; origin: string }>({
    name: 'find-open-fires',
    text: `SELECT s.id, o.origin
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS s (id, workspace_id, first, until)
            CROSS JOIN LATERAL (
              SELECT r.origin FROM runs r
               WHERE r.workspace_id = s.workspace_id AND r.origin >= s.first AND r.origin < s.until
                 AND r.finished_at IS NULL AND r.origin <> ALL ($5::text[])
               ORDER BY r.origin LIMIT 1) o`,
    values: [
      schedules.map(({ id }) => id),
      schedules.map(({ workspaceId }) => workspaceId),
      schedules.map(({ id, openSince }) => (openSince === null ? prefixOf(id) : originOfFire(id, openSince))),
      // Letters come after digits.
      schedules.map(({ id, nextAt }) => (nextAt === null ? `${prefixOf(id)}Z` : originOfFire(id, nextAt))),
      schedules.flatMap(({ id, waiting }) => waiting.map((at) => originOfFire(id, at))),
    ],
  });
  return new Map(rows.map(({ id, origin }) => [id, Date.parse(origin.slice(prefixOf(id).length))]));
}

/**
 * A run goes on that was over: where a schedule has started it, that schedule has to look for it again. The revision grows
 * also where nothing else changes, so that whoever has seen the run as over does not record it.
 */
export async function recallFire({ pool }: Connection, runId: string): Promise<void> {
  await pool.query(
    `UPDATE schedules s
        SET open_since = CASE WHEN s.open_since > f.at THEN f.at ELSE s.open_since END, revision = s.revision + 1
       FROM (SELECT workspace_id, split_part(origin, ':', 2)::uuid AS id, right(origin, 24)::timestamptz AS at
               FROM runs WHERE id = $1 AND origin LIKE 'schedule:%') f
      WHERE s.id = f.id AND s.workspace_id = f.workspace_id`,
    [runId],
  );
}

export interface SettledSchedule {
  nextAt: number | null;
  waiting: readonly number[];
  lookAt: number | null;
  openSince: number | null;
  /** Null: nothing became of any time. */
  last: LastFire | null;
  /** Null: no run was started. */
  runId: string | null;
}

/** Records what has become of a claim; false when the schedule has moved on, and nothing was recorded. */
export async function settleSchedule(
  { pool }: Connection,
  { id, revision }: Pick<ScheduleRow, 'id' | 'revision'>,
  { nextAt, waiting, lookAt, openSince, last, runId }: SettledSchedule,
): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'settle-schedule',
    text: `UPDATE schedules
              SET planned_at = NULL, revision = revision + 1, next_at = ${timeOf('$3')}, look_at = ${timeOf('$4')},
                  waiting = ARRAY(SELECT ${timeOf('w')} FROM unnest($5::float8[]) AS w),
                  last_at = coalesce(${timeOf('$6')}, last_at),
                  last_outcome = CASE WHEN $6::float8 IS NULL THEN last_outcome ELSE $7::text END,
                  last_error = CASE WHEN $6::float8 IS NULL THEN last_error ELSE $8::jsonb END,
                  last_run_id = coalesce($9, last_run_id), open_since = ${timeOf('$10')}
            WHERE id = $1 AND revision = $2`,
    values: [
      id,
      revision,
      nextAt,
      lookAt,
      waiting,
      last?.at ?? null,
      last?.outcome ?? null,
      last?.error == null ? null : JSON.stringify(last.error),
      runId,
      openSince,
    ],
  });
  return rowCount === 1;
}

/** In how many milliseconds somebody has to look at a schedule, by the database's clock; null: at none. */
export async function findNextLook({ pool }: Connection): Promise<number | null> {
  const { rows } = await pool.query<{ inMs: number }>({
    name: 'find-next-look',
    text: `SELECT (extract(epoch FROM look_at - clock_timestamp()) * 1000)::float8 AS "inMs"
             FROM schedules WHERE look_at IS NOT NULL ORDER BY look_at LIMIT 1`,
  });
  return rows[0]?.inMs ?? null;
}
