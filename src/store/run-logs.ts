// The logs of runs: lines that handlers wrote, as they are stored and read again, and what the history tells of attempts. The
// numbers of both only grow, so whoever has read all up to one has missed nothing before it (core/log-places.ts).

import type { JsonObject } from '../core/json.ts';
import type { LogLevel, LogLine } from '../core/log-lines.ts';
import type { FoundLines, LogPosition } from '../core/log-places.ts';
import { type Connection, READ_PATIENCE } from './db.ts';
import { isUuid } from './definitions.ts';

export interface NewLogLine extends LogLine {
  runId: string;
  stepId: string;
  visit: number;
  attempt: number;
  /** Epoch milliseconds. */
  at: number;
}

/** A run's log has so many lines and bytes at most, and one more that says so. */
export const MAX_LOG_LINES = 10_000;
const MAX_LOG_BYTES = 10 * 1_048_576;
const CUT = `The log is cut here: a run keeps ${MAX_LOG_LINES} lines and ${MAX_LOG_BYTES / 1_048_576} MB of it`;

/** Stores lines in their order, those of runs that exist; answers the runs that may log no more. */
export async function insertLogLines({ pool }: Connection, lines: readonly NewLogLine[]): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'insert-log-lines',
    text: `WITH given AS (
             SELECT g.*, r.workspace_id, octet_length(g.message) + coalesce(octet_length(g.data), 0) AS size
               FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::text[], $6::text[], $7::text[], $8::float8[])
                    WITH ORDINALITY AS g (run_id, step_id, visit, attempt, level, message, data, at, nth)
               JOIN runs r ON r.id = g.run_id
           ), sums AS (
             SELECT run_id, workspace_id, count(*)::int AS lines, sum(size) AS bytes FROM given GROUP BY 1, 2
           ), totals AS (
             INSERT INTO run_log_totals AS t (run_id, workspace_id, lines, bytes) SELECT * FROM sums ORDER BY run_id
                 ON CONFLICT (run_id) DO UPDATE SET lines = t.lines + EXCLUDED.lines, bytes = t.bytes + EXCLUDED.bytes
             RETURNING run_id, lines, bytes
           ), placed AS (
             SELECT g.*, t.lines - s.lines + row_number() OVER earlier AS seq, t.bytes - s.bytes + sum(g.size) OVER earlier AS bytes
               FROM given g JOIN sums s USING (run_id) JOIN totals t USING (run_id)
             WINDOW earlier AS (PARTITION BY g.run_id ORDER BY g.nth)
           ), told AS (
             INSERT INTO run_logs (run_id, seq, workspace_id, step_id, visit, attempt, level, message, data, at)
             SELECT run_id, seq, workspace_id, step_id, visit, attempt, CASE WHEN is_over THEN 'warn' ELSE level END,
                    CASE WHEN is_over THEN '${CUT}' ELSE message END, CASE WHEN NOT is_over THEN data::jsonb END,
                    to_timestamp(at / 1000)
               FROM placed, LATERAL (SELECT seq > ${MAX_LOG_LINES} OR bytes > ${MAX_LOG_BYTES} AS is_over) l
              WHERE seq - 1 <= ${MAX_LOG_LINES} AND bytes - size <= ${MAX_LOG_BYTES}
           )
           SELECT run_id AS id FROM totals WHERE lines > ${MAX_LOG_LINES} OR bytes > ${MAX_LOG_BYTES}`,
    values: [
      lines.map(({ runId }) => runId),
      lines.map(({ stepId }) => stepId),
      lines.map(({ visit }) => visit),
      lines.map(({ attempt }) => attempt),
      lines.map(({ level }) => level),
      lines.map(({ message }) => message),
      lines.map(({ data }) => data),
      lines.map(({ at }) => at),
    ],
  });
  return rows.map(({ id }) => id);
}

export interface LogFilter {
  workspaceId: string;
  runId: string;
  stepId?: string;
  level?: LogLevel;
  after: LogPosition;
  limit: number;
}

export interface StoredLogLine extends Omit<NewLogLine, 'runId' | 'data'> {
  seq: number;
  data: JsonObject | null;
}

/** Lines that handlers wrote: the rest of those that are being read, and what has come since, each in the order of time. */
export async function listLogLines({ pool }: Connection, filter: LogFilter): Promise<FoundLines<StoredLogLine>> {
  const { workspaceId, runId, stepId, level, after, limit } = filter;
  if (!isUuid(runId)) return { lines: [], newest: 0 };
  const { rows } = await pool.query<StoredLogLine & { newest: number }>({
    ...READ_PATIENCE,
    name: 'list-log-lines',
    text: `SELECT seq, step_id AS "stepId", visit, attempt, level, message, data, ${ms('at')} AS at,
                  (SELECT max(seq) FROM run_logs WHERE run_id = $2) AS newest
             FROM run_logs
            WHERE workspace_id = $1 AND run_id = $2 AND seq > $3 AND ($6::text IS NULL OR step_id = $6)
              AND ($7::text IS NULL OR level = $7)
              AND (seq > $4 OR (at, seq) > (SELECT at, seq FROM run_logs WHERE run_id = $2 AND seq = $5))
            ORDER BY seq > $4, run_logs.at, seq LIMIT $8`,
    values: [
      workspaceId,
      runId,
      after.line,
      after.reading?.upTo ?? after.line,
      after.reading?.last ?? 0,
      stepId ?? null,
      level ?? null,
      limit,
    ],
  });
  return { lines: rows.map(({ newest: _, ...line }) => line), newest: rows[0]?.newest ?? 0 };
}

/** How an attempt at a step ended, or a step that needs none. */
export interface AttemptEnd {
  /** Number of the event. */
  seq: number;
  type: 'step.completed' | 'step.failed' | 'attempt.failed' | 'lease.expired';
  stepId: string;
  visit: number;
  attempt: number;
  level: LogLevel;
  detail: JsonObject;
  durationMs: number | null;
  /** Epoch milliseconds. */
  at: number;
}

/** Ends of attempts after the event with the number `after.end`, oldest first. */
export async function listAttemptEnds({ pool }: Connection, filter: LogFilter): Promise<AttemptEnd[]> {
  if (!isUuid(filter.runId)) return [];
  const { rows } = await pool.query<AttemptEnd>({
    ...READ_PATIENCE,
    name: 'list-attempt-ends',
    text: `SELECT e.seq, e.type, e.step_id AS "stepId", e.visit, e.level, e.detail, ${ms('e.at')} AS at,
                  coalesce((e.detail ->> 'attempt')::int, s.attempt) AS attempt,
                  ${ms(`coalesce(e.at - (${LAST_START}), CASE WHEN e.type LIKE 'step.%' THEN s.finished_at - s.started_at END)`)}
                    AS "durationMs"
             FROM (${ENDS}) e JOIN step_runs s ON s.run_id = $2 AND s.step_id = e.step_id AND s.visit = e.visit
            ORDER BY e.seq`,
    values: valuesOf(filter),
  });
  return rows;
}

/** A step that fails because its last attempt did has been told by that one. */
const ENDS = `
  SELECT * FROM (
    SELECT e.seq, e.type, e.step_id, e.visit, e.at, coalesce(e.data -> 'detail', '{}') AS detail,
           CASE WHEN e.type = 'step.completed' OR e.data @@ '$.detail.released == true' THEN 'info'
                WHEN e.type = 'lease.expired' OR e.data @@ 'exists($.detail.retryInMs)' THEN 'warn'
                ELSE 'error' END AS level
      FROM events e JOIN runs r ON r.id = e.run_id AND r.workspace_id = $1
     WHERE e.run_id = $2 AND e.seq > $3 AND ($4::text IS NULL OR e.step_id = $4)
       AND e.type IN ('step.completed', 'step.failed', 'attempt.failed', 'lease.expired')
       AND NOT coalesce(e.data @@ 'exists($.detail.replayed)', false)
       AND NOT (e.type = 'step.failed' AND EXISTS (
             SELECT FROM events p WHERE p.run_id = e.run_id AND p.seq = e.seq - 1 AND p.step_id = e.step_id
                AND p.visit = e.visit AND p.type IN ('attempt.failed', 'lease.expired')))
  ) ends WHERE $5::text IS NULL OR level = $5 ORDER BY seq LIMIT $6`;

/** The row knows only the first start of its step run. */
const LAST_START = `
  SELECT p.at FROM events p
   WHERE p.run_id = $2 AND p.seq >= s.seq AND p.seq < e.seq AND p.type = 'step.started' AND p.step_id = e.step_id
     AND p.visit = e.visit ORDER BY p.seq DESC LIMIT 1`;

function ms(column: string): string {
  return `floor(extract(epoch FROM ${column}) * 1000)::bigint`;
}

function valuesOf({ workspaceId, runId, after, stepId, level, limit }: LogFilter): unknown[] {
  return [workspaceId, runId, after.end, stepId ?? null, level ?? null, limit];
}
