// Runs as they are read by their pod: lists of them, and a run with the latest visit of each step, its open pauses, and what
// it replays or is replayed by; one statement each, so that the parts cannot disagree.

import type { Json, JsonObject } from '../core/json.ts';
import type { Cancellation, RunError, RunStatus, StepRunStatus } from '../core/run.ts';
import type { Connection } from './db.ts';
import { isUuid } from './definitions.ts';
import type { PauseView } from './run-views.ts';

/** A run as lists show it; times are epoch milliseconds. */
export interface PodRunSummary {
  id: string;
  workspaceId: string;
  podId: string;
  definitionId: string;
  version: number;
  status: RunStatus;
  trigger: string;
  error: RunError | null;
  cancellation: Cancellation | null;
  replayOf: string | null;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
}

/** The latest visit of a step that was not undone. */
export interface NodeView {
  stepId: string;
  type: string;
  visit: number;
  status: StepRunStatus;
  /** 0 where it was not run here, but copied from the run that this one replays. */
  attempt: number;
  output: Json;
  error: RunError | null;
  /** Between its start and its end; null while it has none. */
  durationMs: number | null;
}

export interface PodRun extends PodRunSummary {
  input: JsonObject;
  data: JsonObject;
  result: Json;
  /** Why it is held, if that was said. */
  holdReason: string | null;
  /** Open ones, oldest first. */
  pauses: PauseView[];
  /** In the order in which they were entered; of very many, or very large ones, the newest. */
  nodes: NodeView[];
  nodesTruncated: boolean;
  /** Ids of runs that replay this one, newest first. */
  replays: string[];
}

export interface PodRunFilter {
  workspaceId: string;
  podId: string;
  statuses?: readonly RunStatus[];
  definitionId?: string;
  limit: number;
  /** Only runs that are older than this one. */
  after?: string;
}

/** Bounds of one answer: steps, and bytes of their outputs (one step is always there). */
const MAX_NODES = 1_000;
const MAX_BYTES = 16 * 1_048_576;
const MAX_PAUSES = 200;
const MAX_REPLAYS = 100;

const ms = (column: string) => `floor(extract(epoch FROM ${column}) * 1000)::bigint`;

/** Its creation is timed by the database and its start by a process, whose clock may be behind: none starts before it is there. */
const SUMMARY = `
  r.id, r.workspace_id AS "workspaceId", r.pod_id AS "podId", r.definition_id AS "definitionId", r.version, r.status,
  r.trigger, r.error, r.cancellation, r.replay_of AS "replayOf", ${ms('r.created_at')} AS "createdAt",
  ${ms('CASE WHEN r.started_at IS NOT NULL THEN greatest(r.started_at, r.created_at) END')} AS "startedAt",
  ${ms('r.finished_at')} AS "finishedAt"`;

/** One page of a pod's runs, newest first. */
export async function listPodRuns(
  { pool }: Connection,
  { workspaceId, podId, statuses, definitionId, limit, after }: PodRunFilter,
): Promise<PodRunSummary[]> {
  const { rows } = await pool.query<PodRunSummary>(
    `SELECT ${SUMMARY} FROM runs r
      WHERE r.workspace_id = $1 AND r.pod_id = $2
        AND ($3::text[] IS NULL OR r.status = ANY ($3)) AND ($4::uuid IS NULL OR r.definition_id = $4)
        AND ($5::uuid IS NULL OR r.id < $5)
      ORDER BY r.id DESC LIMIT $6`,
    [workspaceId, podId, statuses ?? null, definitionId ?? null, after ?? null, limit],
  );
  return rows;
}

interface Named {
  workspaceId: string;
  podId: string;
  runId: string;
}

/** Whether the run is in the pod: it stays there, so what is found out before a change holds for the change too. */
export async function isPodRun({ pool }: Connection, { workspaceId, podId, runId }: Named): Promise<boolean> {
  if (!isUuid(runId)) return false;
  const { rowCount } = await pool.query({
    name: 'is-pod-run',
    text: 'SELECT FROM runs WHERE id = $1 AND workspace_id = $2 AND pod_id = $3',
    values: [runId, workspaceId, podId],
  });
  return rowCount === 1;
}

/** The run, or null when the pod has no such run. */
export async function findPodRun({ pool }: Connection, { workspaceId, podId, runId }: Named): Promise<PodRun | null> {
  if (!isUuid(runId)) return null;
  const { rows } = await pool.query<Omit<PodRun, 'nodesTruncated'> & { nodeCount: number }>({
    name: 'pod-run',
    text: `SELECT ${SUMMARY}, r.input, r.data, r.result, (${NODES}) AS nodes, (${NODE_COUNT}) AS "nodeCount",
                  (${PAUSES}) AS pauses, (${REPLAYS}) AS replays, ${HOLD_REASON} AS "holdReason"
             FROM runs r WHERE r.id = $1 AND r.workspace_id = $2 AND r.pod_id = $3`,
    values: [runId, workspaceId, podId],
  });
  const row = rows[0];
  if (row === undefined) return null;
  const { nodeCount, ...run } = row;
  return { ...run, nodesTruncated: nodeCount > run.nodes.length };
}

const SHOWN = `s.run_id = r.id AND s.status NOT IN ('pending', 'undone')`;

/** `bytes` is what all outputs up to this one weigh: a thousand of a megabyte each must not become one answer. */
const NODES = `
  SELECT coalesce(json_agg(json_build_object(
           'stepId', n.step_id, 'type', n.type, 'visit', n.visit, 'status', n.status, 'attempt', n.attempt,
           'output', n.output, 'error', n.error,
           'durationMs', ${ms('n.finished_at')} - ${ms('n.started_at')}) ORDER BY n.seq, n.step_id), '[]')
    FROM (
      SELECT newest.*, row_number() OVER latest AS nth,
             sum(coalesce(octet_length(output::text), 0)) OVER (latest ROWS UNBOUNDED PRECEDING) AS bytes
        FROM (
          SELECT * FROM (
            SELECT DISTINCT ON (s.step_id) s.* FROM step_runs s WHERE ${SHOWN} ORDER BY s.step_id, s.visit DESC
          ) visits ORDER BY seq DESC, step_id DESC LIMIT ${MAX_NODES}
        ) newest WINDOW latest AS (ORDER BY seq DESC, step_id DESC)
    ) n WHERE n.nth = 1 OR n.bytes <= ${MAX_BYTES}`;

const NODE_COUNT = `SELECT count(DISTINCT s.step_id) FROM step_runs s WHERE ${SHOWN}`;

const PAUSES = `
  SELECT coalesce(json_agg(row_to_json(p)), '[]') FROM (
    SELECT id, step_id AS "stepId", spec, ${ms('due_at')} AS "dueAt", ${ms('opened_at')} AS "openedAt"
      FROM pauses WHERE run_id = r.id AND status = 'open' ORDER BY opened_at, id LIMIT ${MAX_PAUSES}) p`;

const REPLAYS = `
  SELECT coalesce(json_agg(p.id), '[]') FROM (
    SELECT o.id FROM runs o WHERE o.replay_of = r.id AND o.workspace_id = r.workspace_id
     ORDER BY o.id DESC LIMIT ${MAX_REPLAYS}) p`;

const HOLD_REASON = `
  CASE WHEN r.status = 'held' THEN (
    SELECT e.data -> 'detail' ->> 'reason' FROM events e WHERE e.run_id = r.id AND e.type = 'run.held'
     ORDER BY e.seq DESC LIMIT 1) END`;
