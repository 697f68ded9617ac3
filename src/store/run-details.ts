// Runs with everything that one answer says of them, read by one statement each so that the parts cannot disagree: lists of
// runs, and a run with its newest step runs and approvals. Scoped by workspace and, where one is named, by owner.

import type { Mark } from '../core/events.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { Cancellation, RunError, RunStatus } from '../core/run.ts';
import type { Connection } from './db.ts';
import { isUuid } from './definitions.ts';
import type { PauseRow } from './pauses.ts';
import { cutPage, historyPage, type PagedStep, type StepView } from './run-views.ts';

/** A run as lists show it; times are epoch milliseconds. */
export interface RunSummary {
  id: string;
  definitionId: string;
  definitionName: string;
  version: number;
  status: RunStatus;
  trigger: string;
  owner: string;
  open: Mark[];
  error: RunError | null;
  cancellation: Cancellation | null;
  /** How often it was retried. */
  retries: number;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
}

/** An approval: a pause that asks for a choice. */
export interface ApprovalView extends PauseRow {
  stepId: string;
  visit: number;
  dueAt: number | null;
  openedAt: number;
  closedAt: number | null;
}

export interface RunDetails extends RunSummary {
  /** Number of its last event. */
  seq: number;
  input: JsonObject;
  data: JsonObject;
  result: Json;
  /** The newest, in the order in which they were entered. */
  steps: StepView[];
  stepsTruncated: boolean;
  /** In order of opening; of very many, those that are open and the newest. */
  approvals: ApprovalView[];
  /** Steps of the definition, without its `onCancel`; and those that have completed. */
  stepCount: number;
  stepsDone: number;
}

export interface RunScope {
  workspaceId: string;
  owner?: string;
}

export interface RunFilter extends RunScope {
  statuses?: readonly RunStatus[];
  /** Only runs that are older than this one. */
  before?: string;
  limit: number;
  offset: number;
}

const MAX_APPROVALS = 200;

const ms = (column: string) => `floor(extract(epoch FROM ${column}) * 1000)::bigint`;

const SUMMARY = `
  r.id, r.definition_id AS "definitionId", d.name AS "definitionName", r.version, r.status, r.trigger, r.owner, r.open,
  r.error, r.cancellation, ${ms('r.created_at')} AS "createdAt", ${ms('r.started_at')} AS "startedAt",
  ${ms('r.finished_at')} AS "finishedAt",
  coalesce((r.visits ->> '$retries')::int, 0) AS retries`;
const FROM = 'runs r JOIN definitions d ON d.id = r.definition_id';

/** One page of runs, newest first; how many there are in all; and whether there are older ones. */
export async function listRuns(
  { pool }: Connection,
  { workspaceId, owner, statuses, before, limit, offset }: RunFilter,
): Promise<{ rows: RunSummary[]; total: number; hasMore: boolean }> {
  const filter = [workspaceId, owner ?? null, statuses ?? null];
  const where =
    'r.workspace_id = $1 AND ($2::text IS NULL OR r.owner = $2) AND ($3::text[] IS NULL OR r.status = ANY ($3))';
  const [page, count] = await Promise.all([
    pool.query<RunSummary>(
      `SELECT ${SUMMARY} FROM ${FROM} WHERE ${where} AND ($4::uuid IS NULL OR r.id < $4)
        ORDER BY r.id DESC LIMIT $5 OFFSET $6`,
      [...filter, before ?? null, limit + 1, offset],
    ),
    pool.query<{ total: number }>(`SELECT count(*) AS total FROM runs r WHERE ${where}`, filter),
  ]);
  return { rows: page.rows.slice(0, limit), total: count.rows[0]?.total ?? 0, hasMore: page.rows.length > limit };
}

interface DetailsRow extends Omit<RunDetails, 'steps' | 'stepsTruncated'> {
  steps: PagedStep[];
}

/** The run, or null when there is no such run in this scope. */
export async function findRunDetails(
  { pool }: Connection,
  { workspaceId, owner, runId }: RunScope & { runId: string },
): Promise<RunDetails | null> {
  if (!isUuid(runId)) return null;
  const { rows } = await pool.query<DetailsRow>({
    name: 'run-details',
    text: `SELECT ${SUMMARY}, r.seq, r.input, r.data, r.result, (${historyPage(false)}) AS steps, (${APPROVALS}) AS approvals,
                  json_array_length(v.body -> 'steps') - (v.body ->> 'onCancel' IS NOT NULL)::int AS "stepCount",
                  (SELECT count(DISTINCT s.step_id) FROM step_runs s WHERE s.run_id = r.id AND s.status = 'completed') AS "stepsDone"
             FROM ${FROM} JOIN definition_versions v ON v.definition_id = d.id AND v.version = r.version
            WHERE r.id = $1 AND r.workspace_id = $2 AND ($3::text IS NULL OR r.owner = $3)`,
    values: [runId, workspaceId, owner ?? null],
  });
  const row = rows[0];
  if (row === undefined) return null;
  const { steps, truncated } = cutPage(row.steps);
  return { ...row, steps: steps.reverse(), stepsTruncated: truncated };
}

const APPROVALS = `
  SELECT coalesce(json_agg(row_to_json(a) ORDER BY a."openedAt", a.id), '[]') FROM (
    SELECT id, step_id AS "stepId", visit, status, spec, answer, answered_by AS "answeredBy", ${ms('due_at')} AS "dueAt",
           ${ms('opened_at')} AS "openedAt", ${ms('closed_at')} AS "closedAt"
      FROM pauses WHERE run_id = r.id AND type = 'request_user_action'
     ORDER BY status = 'open' DESC, opened_at DESC, id DESC LIMIT ${MAX_APPROVALS}) a`;
