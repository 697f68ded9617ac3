// What there is to know about why a run does not move: the run, its last operator and its open step runs, read by one
// statement; and how many step runs of whomever were offered to workers before it. What it means is core/explain.ts.

import { type Mark, unpackMark } from '../core/events.ts';
import { type Hold, MANY_AHEAD } from '../core/explain.ts';
import type { Cancellation, OpenStep, RunError, RunStatus } from '../core/run.ts';
import type { Connection, Database } from './db.ts';
import { isUuid } from './definitions.ts';

/** An open step run; times are epoch milliseconds. */
export interface OpenStepView {
  mark: OpenStep;
  since: number;
  type: string;
  tool: string | null;
  /** When it was offered to workers, as Postgres writes it; null when it is not queued. */
  offeredAt: string | null;
}

export interface OpenRunView {
  id: string;
  definitionId: string;
  version: number;
  status: RunStatus;
  now: number;
  finishedAt: number | null;
  error: RunError | null;
  cancellation: Cancellation | null;
  hold: Hold | null;
  /** In order of arrival. */
  steps: OpenStepView[];
}

/** Open step runs explained at once; a fan-out has more, of which the rest says nothing new. */
const MAX_STEPS = 100;

const ms = (column: string) => `floor(extract(epoch FROM ${column}) * 1000)::bigint`;

/** A step run has been as it is since it was due, at work or made, or since an operator let its run go on. */
const SINCE = `CASE s.status WHEN 'running' THEN s.started_at
                             WHEN 'queued' THEN greatest(s.created_at, s.due_at, o.at) ELSE s.created_at END`;

interface Row extends Omit<OpenRunView, 'steps'> {
  steps: (Omit<OpenStepView, 'mark'> & { mark: Mark })[];
}

/** The run with its open step runs, or null when the workspace, or its owner where one is named, has no such run. */
export async function findOpenRun(
  { pool }: Connection,
  { workspaceId, runId, owner }: { workspaceId: string; runId: string; owner?: string },
): Promise<OpenRunView | null> {
  if (!isUuid(runId)) return null;
  const { rows } = await pool.query<Row>({
    name: 'open-run',
    text: `
      SELECT r.id, r.definition_id AS "definitionId", r.version, r.status, ${ms('now()')} AS now, r.error, r.cancellation,
             ${ms('r.finished_at')} AS "finishedAt",
             CASE WHEN r.status = 'held' AND o.type = 'run.held'
                  THEN json_build_object('by', o.actor, 'at', ${ms('o.at')}, 'reason', o.data -> 'detail' ->> 'reason') END AS hold,
             (SELECT coalesce(json_agg(row_to_json(one) ORDER BY one.place), '[]') FROM (
                SELECT m.place, m.mark, ${ms(SINCE)} AS since, s.type, s.tool,
                       CASE WHEN s.status = 'queued' THEN s.offered_at::text END AS "offeredAt"
                  FROM jsonb_array_elements(r.open) WITH ORDINALITY AS m(mark, place)
                  JOIN step_runs s ON s.run_id = r.id AND s.step_id = m.mark ->> 'step' AND s.visit = (m.mark ->> 'visit')::int
                 ORDER BY m.place LIMIT ${MAX_STEPS}) one) AS steps
        FROM runs r LEFT JOIN LATERAL (
          SELECT type, actor, at, data FROM events
           WHERE run_id = r.id AND type IN ('run.held', 'run.released', 'run.retried', 'run.rolled_back')
           ORDER BY seq DESC LIMIT 1) o ON true
       WHERE r.id = $1 AND r.workspace_id = $2 AND ($3::text IS NULL OR r.owner = $3)`,
    values: [runId, workspaceId, owner ?? null],
  });
  const row = rows[0];
  if (row === undefined) return null;
  return { ...row, steps: row.steps.map((step) => ({ ...step, mark: unpackMark(step.mark) })) };
}

/**
 * How many due step runs of all workspaces were offered before each of these moments, counted no further than anybody
 * reads. Not for readers, who see one workspace.
 */
export async function countAhead({ pool }: Database, offeredAt: readonly string[]): Promise<number[]> {
  if (offeredAt.length === 0) return [];
  const { rows } = await pool.query<{ ahead: number }>({
    name: 'count-ahead',
    text: `SELECT (SELECT count(*)::int FROM (
                     SELECT FROM step_runs q
                      WHERE q.status = 'queued' AND q.offered_at < o.at AND (q.due_at IS NULL OR q.due_at <= now())
                      LIMIT ${MANY_AHEAD + 1}) counted) AS ahead
             FROM unnest($1::timestamptz[]) WITH ORDINALITY AS o (at, place) ORDER BY o.place`,
    values: [offeredAt],
  });
  return rows.map(({ ahead }) => ahead);
}
