// The histories of many runs as those who follow them read on: from each the events after the last one that is known, with
// what the rows say of them beyond it. A page is bounded by its size, since outputs may have a megabyte each.

import type { Json } from '../core/json.ts';
import type { RunStatus } from '../core/run.ts';
import type { PauseSpec } from '../core/step-type.ts';
import { type Connection, READ_PATIENCE } from './db.ts';
import { isUuid } from './definitions.ts';
import type { EventRow } from './events.ts';

export interface Followed {
  runId: string;
  workspaceId: string;
  /** Number of the last event that is known; 0 for none. */
  after: number;
}

/** An event, and what the rows that it tells of say when it is read. Times and durations in milliseconds. */
export interface FollowedEvent extends EventRow {
  /** Of a completed step, what it returned; of a completed run, its result. */
  output: Json;
  /** Of a step that has completed or failed, from its first start. */
  durationMs: number | null;
  /** What somebody is asked for. */
  pause: { id: string; spec: PauseSpec; dueAt: number | null; openedAt: number } | null;
}

export interface FollowedPage {
  /** The run as it is after its last event, which has the number `seq`. */
  status: RunStatus;
  seq: number;
  /** Oldest first; there may be more of them. */
  events: FollowedEvent[];
}

const MAX_EVENTS = 100;
/** As stored: compressed, where values are large. */
const MAX_BYTES = 16_384;

type Row = Omit<FollowedEvent, 'seq'> & { nth: number; status: RunStatus; last: number; seq: number | null };

const ms = (column: string) => `floor(extract(epoch FROM ${column}) * 1000)::bigint`;

/** One page of each, by its place in `followed`; none where the workspace has no such run. */
export async function listFollowedEvents(
  { pool }: Connection,
  followed: readonly Followed[],
): Promise<Map<number, FollowedPage>> {
  const { rows } = await pool.query<Row>({
    ...READ_PATIENCE,
    name: 'list-followed-events',
    text: `SELECT w.nth - 1 AS nth, r.status, r.seq AS last, e.seq, e.type, e.step_id AS step, e.visit, e.actor,
                  coalesce(e.data, '{}') AS data, ${ms('e.at')} AS at, e."durationMs", e.pause,
                  CASE WHEN e.type = 'run.completed' THEN r.result ELSE e.output END AS output
             FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) WITH ORDINALITY AS w (run_id, workspace_id, after, nth)
             JOIN runs r ON r.id = w.run_id AND r.workspace_id = w.workspace_id
             LEFT JOIN LATERAL (${PAGE}) e ON true
            ORDER BY w.nth, e.seq`,
    values: [
      followed.map(({ runId }) => runId),
      followed.map(({ workspaceId }) => workspaceId),
      followed.map(({ after }) => after),
    ],
  });
  const pages = new Map<number, FollowedPage>();
  for (const { nth, status, last, seq, ...event } of rows) {
    const page = pages.get(nth) ?? { status, seq: last, events: [] };
    pages.set(nth, page);
    if (seq !== null) page.events.push({ seq, ...event });
  }
  return pages;
}

/** The first event is always there, whatever it weighs; without large values nothing is unpacked to find that out. */
const PAGE = `
  SELECT * FROM (
    SELECT e.*, s.output, ${ms('(s.finished_at - s.started_at)')} AS "durationMs",
           CASE WHEN p.id IS NOT NULL THEN json_build_object('id', p.id, 'spec', p.spec, 'dueAt', ${ms('p.due_at')},
                                                             'openedAt', ${ms('p.opened_at')}) END AS pause,
           sum(coalesce(pg_column_size(e.data), 0) + coalesce(pg_column_size(s.output), 0) + coalesce(pg_column_size(p.spec), 0))
             OVER (ORDER BY e.seq ROWS UNBOUNDED PRECEDING) AS bytes, row_number() OVER (ORDER BY e.seq) AS place
      FROM (SELECT * FROM events WHERE run_id = r.id AND seq > w.after ORDER BY seq LIMIT ${MAX_EVENTS}) e
      LEFT JOIN step_runs s ON e.type IN ('step.completed', 'step.failed')
                           AND s.run_id = e.run_id AND s.step_id = e.step_id AND s.visit = e.visit
      LEFT JOIN pauses p ON e.type = 'step.paused' AND p.id = (e.data #>> '{detail,pauseId}')::uuid
  ) weighed WHERE place = 1 OR bytes <= ${MAX_BYTES}`;

/** The number of the last event of each of `runIds` that exists. */
export async function findLastEvents({ pool }: Connection, runIds: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ id: string; seq: number }>({
    ...READ_PATIENCE,
    name: 'find-last-events',
    text: 'SELECT id, seq FROM runs WHERE id = ANY ($1::uuid[])',
    values: [runIds],
  });
  return new Map(rows.map(({ id, seq }) => [id, seq]));
}

/** A run before it is followed. */
export async function findRunHead(
  { pool }: Connection,
  { workspaceId, podId, runId }: { workspaceId: string; podId: string; runId: string },
): Promise<{ status: RunStatus; seq: number } | null> {
  if (!isUuid(runId)) return null;
  const { rows } = await pool.query<{ status: RunStatus; seq: number }>({
    name: 'find-run-head',
    text: 'SELECT status, seq FROM runs WHERE workspace_id = $1 AND pod_id = $2 AND id = $3',
    values: [workspaceId, podId, runId],
  });
  return rows[0] ?? null;
}
