// Schedules as stored: what people make of them, and what is shown. What becomes of their times is schedule-fires.ts.

import type { JsonObject } from '../core/json.ts';
import type { FireOutcome, ScheduleRule } from '../core/schedules.ts';
import type { Page } from './access-api-keys.ts';
import type { Connection } from './db.ts';

/** Times are epoch milliseconds. */
export interface ScheduleRow extends ScheduleRule {
  id: string;
  workspaceId: string;
  podId: string;
  definitionId: string;
  /** A selector: `latest`, `published`, `3`. */
  version: string;
  name: string;
  input: JsonObject;
  enabled: boolean;
  nextAt: number | null;
  /** Times whose runs wait for the run before them. */
  waiting: number[];
  revision: number;
  last: LastFire | null;
  lastRunId: string | null;
  createdBy: string;
  createdAt: number;
  updatedAt: number;
}

export type ScheduleSummary = Omit<ScheduleRow, 'input'>;

/** The latest time that something became of. */
export interface LastFire {
  at: number;
  outcome: FireOutcome | 'failed';
  error: { code: string; message: string } | null;
}

/** Also how many a list could ever have to show. */
export const MAX_SCHEDULES = 1_000;

const SUMMARY = `s.id, s.workspace_id AS "workspaceId", s.pod_id AS "podId", s.definition_id AS "definitionId",
  s.version, s.name, s.cron_expression AS "cronExpression", s.timezone, s.enabled, s.overlap,
  s.catch_up AS "catchUp", ${epochMs('s.next_at')} AS "nextAt",
  ARRAY(SELECT ${epochMs('w')} FROM unnest(s.waiting) AS w) AS waiting, s.revision,
  CASE WHEN s.last_at IS NOT NULL
       THEN jsonb_build_object('at', ${epochMs('s.last_at')}, 'outcome', s.last_outcome, 'error', s.last_error) END AS last,
  s.last_run_id AS "lastRunId", s.created_by AS "createdBy", ${epochMs('s.created_at')} AS "createdAt",
  ${epochMs('s.updated_at')} AS "updatedAt"`;
/** Of `schedules s`. */
export const SCHEDULE_COLUMNS = `${SUMMARY}, s.input`;

export function epochMs(value: string): string {
  return `floor(extract(epoch FROM ${value}) * 1000)::float8`;
}

export function timeOf(parameter: string): string {
  return `to_timestamp(${parameter}::float8 / 1000)`;
}

/** Newest first, without inputs, which may be large. */
export async function listSchedules(
  { pool }: Connection,
  { workspaceId, podId, limit, after }: Page & { podId: string },
): Promise<ScheduleSummary[]> {
  const { rows } = await pool.query<ScheduleSummary>(
    `SELECT ${SUMMARY} FROM schedules s
      WHERE s.workspace_id = $1 AND s.pod_id = $2 AND ($3::uuid IS NULL OR s.id < $3) ORDER BY s.id DESC LIMIT $4`,
    [workspaceId, podId, after ?? null, limit],
  );
  return rows;
}

export interface ScheduleRef {
  workspaceId: string;
  podId: string;
  id: string;
}

export async function findSchedule(
  { pool }: Connection,
  { workspaceId, podId, id }: ScheduleRef,
): Promise<ScheduleRow | null> {
  const { rows } = await pool.query<ScheduleRow>(
    `SELECT ${SCHEDULE_COLUMNS} FROM schedules s WHERE s.workspace_id = $1 AND s.pod_id = $2 AND s.id = $3`,
    [workspaceId, podId, id],
  );
  return rows[0] ?? null;
}

export type NewSchedule = Omit<ScheduleRow, 'waiting' | 'revision' | 'last' | 'lastRunId' | 'createdAt' | 'updatedAt'>;

/** `exists`: one with its id is there already; `full`: the workspace has as many as it may. */
export async function insertSchedule(db: Connection, row: NewSchedule): Promise<'inserted' | 'exists' | 'full'> {
  // Two that are made at the same moment are made one after the other, or both would be the last that fits.
  await db.pool.query('SELECT FROM workspaces WHERE id = $1 FOR NO KEY UPDATE', [row.workspaceId]);
  const { rows } = await db.pool.query<{ isThere: boolean; count: number }>(
    `SELECT coalesce(bool_or(id = $2), false) AS "isThere", count(*)::int AS count FROM schedules WHERE workspace_id = $1`,
    [row.workspaceId, row.id],
  );
  if (rows[0]!.isThere) return 'exists';
  if (rows[0]!.count >= MAX_SCHEDULES) return 'full';
  await db.pool.query(
    `INSERT INTO schedules (id, workspace_id, pod_id, definition_id, version, name, cron_expression, timezone, input,
                            enabled, overlap, catch_up, created_by, next_at, look_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, ${timeOf('$14')}, ${timeOf('$14')})`,
    [
      row.id,
      row.workspaceId,
      row.podId,
      row.definitionId,
      row.version,
      row.name,
      row.cronExpression,
      row.timezone,
      JSON.stringify(row.input),
      row.enabled,
      row.overlap,
      row.catchUp,
      row.createdBy,
      row.nextAt,
    ],
  );
  return 'inserted';
}

/** What people may change; null for what stays. */
export interface ScheduleChange {
  version: string;
  name: string;
  cronExpression: string;
  timezone: string;
  input: JsonObject;
  enabled: boolean;
  overlap: ScheduleRule['overlap'];
  catchUp: ScheduleRule['catchUp'];
  /** Since when the schedule counts anew: what was due, or waited, before is forgotten. */
  restart: { nextAt: number | null } | null;
}

/** Null when the schedule has moved on since it was read. */
export async function updateSchedule(
  { pool }: Connection,
  { id, revision }: Pick<ScheduleRow, 'id' | 'revision'>,
  change: ScheduleChange,
): Promise<ScheduleRow | null> {
  const { version, name, cronExpression, timezone, input, enabled, overlap, catchUp, restart } = change;
  const { rows } = await pool.query<ScheduleRow>(
    `UPDATE schedules s
        SET version = $3, name = $4, cron_expression = $5, timezone = $6, input = $7, enabled = $8, overlap = $9,
            catch_up = $10, updated_at = now(), revision = revision + 1,
            next_at = CASE WHEN $11::boolean THEN ${timeOf('$12')} ELSE next_at END,
            look_at = CASE WHEN $11::boolean THEN ${timeOf('$12')} ELSE look_at END,
            planned_at = CASE WHEN $11::boolean THEN NULL ELSE planned_at END,
            waiting = CASE WHEN $11::boolean THEN '{}' ELSE waiting END
      WHERE id = $1 AND revision = $2
      RETURNING ${SCHEDULE_COLUMNS}`,
    [
      id,
      revision,
      version,
      name,
      cronExpression,
      timezone,
      JSON.stringify(input),
      enabled,
      overlap,
      catchUp,
      restart !== null,
      restart?.nextAt ?? null,
    ],
  );
  return rows[0] ?? null;
}

/** Whether there was one. Its runs go on. */
export async function deleteSchedule(
  { pool }: Connection,
  { workspaceId, podId, id }: ScheduleRef,
): Promise<{ name: string } | null> {
  const { rows } = await pool.query<{ name: string }>(
    'DELETE FROM schedules WHERE workspace_id = $1 AND pod_id = $2 AND id = $3 RETURNING name',
    [workspaceId, podId, id],
  );
  return rows[0] ?? null;
}
