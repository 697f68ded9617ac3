// Reading runs for decisions: the state of many runs in one statement, and the outputs that the expressions at hand name.
// Writing them is store/commit.ts; lists and histories for the faces are store/run-views.ts.

import type pg from 'pg';
import { type Mark, unpackMark } from '../core/events.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { Cancellation, RunError, RunState, RunStatus } from '../core/run.ts';
import { type StoredVisits, unpackVisits } from '../core/visits.ts';

interface RunRow {
  id: string;
  workspace_id: string;
  definition_id: string;
  version: number;
  status: RunStatus;
  seq: number;
  open: Mark[];
  visits: StoredVisits;
  step_runs: number;
  input: JsonObject;
  data: JsonObject;
  context: JsonObject;
  result: Json;
  error: RunError | null;
  cancellation: Cancellation | null;
  interrupted: Mark[] | null;
  created_at: Date;
  started_at: Date | null;
}

type Queryable = Pick<pg.Pool, 'query'>;

/** The states of those of `ids` that exist, without outputs. */
export async function loadRuns(client: Queryable, ids: string[]): Promise<Map<string, RunState>> {
  const { rows } = await client.query<RunRow>({
    name: 'load-runs',
    text: `SELECT id, workspace_id, definition_id, version, status, seq, open, visits, step_runs, input, data, context, result,
                  error, cancellation, interrupted, created_at, started_at
           FROM runs WHERE id = ANY ($1::uuid[])`,
    values: [ids],
  });
  return new Map(rows.map((row) => [row.id, readRun(row)]));
}

/** The latest output of each of `steps` (all of them for `'all'`) that has completed in the run. */
export async function loadOutputs(
  client: Queryable,
  runId: string,
  steps: ReadonlySet<string> | 'all',
): Promise<Record<string, { output: Json }>> {
  const { rows } = await client.query<{ step_id: string; output: Json }>({
    name: 'load-outputs',
    text: `SELECT DISTINCT ON (step_id) step_id, output FROM step_runs
           WHERE run_id = $1 AND status = 'completed' AND ($2::text[] IS NULL OR step_id = ANY ($2))
           ORDER BY step_id, visit DESC`,
    values: [runId, steps === 'all' ? null : [...steps]],
  });
  return Object.fromEntries(rows.map((row) => [row.step_id, { output: row.output }]));
}

/** The stored input of a step run: what its handler was given before, kept while its effect key is the same. */
export async function findStepInput(
  client: Queryable,
  runId: string,
  step: string,
  visit: number,
): Promise<JsonObject | null> {
  const { rows } = await client.query<{ input: JsonObject | null }>({
    name: 'find-step-input',
    text: 'SELECT input FROM step_runs WHERE run_id = $1 AND step_id = $2 AND visit = $3',
    values: [runId, step, visit],
  });
  return rows[0]?.input ?? null;
}

/** The run that a start with this origin created. */
export async function findRunByOrigin(client: Queryable, workspaceId: string, origin: string): Promise<string | null> {
  const { rows } = await client.query<{ id: string }>('SELECT id FROM runs WHERE workspace_id = $1 AND origin = $2', [
    workspaceId,
    origin,
  ]);
  return rows[0]?.id ?? null;
}

/** Status and sequence number of a run, for those who wait for it to change. */
export async function findRunStatus(
  client: Queryable,
  workspaceId: string,
  runId: string,
): Promise<{ status: RunStatus; seq: number } | null> {
  const { rows } = await client.query<{ status: RunStatus; seq: number }>({
    name: 'find-run-status',
    text: 'SELECT status, seq FROM runs WHERE id = $1 AND workspace_id = $2',
    values: [runId, workspaceId],
  });
  return rows[0] ?? null;
}

function readRun(row: RunRow): RunState {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    definitionId: row.definition_id,
    version: row.version,
    status: row.status,
    seq: row.seq,
    open: row.open.map(unpackMark),
    ...unpackVisits(row.visits),
    stepRuns: row.step_runs,
    input: row.input,
    data: row.data,
    context: row.context,
    outputs: {},
    result: row.result,
    error: row.error,
    cancellation: row.cancellation,
    interrupted: row.interrupted?.map(unpackMark) ?? null,
    createdAt: row.created_at.getTime(),
    startedAt: row.started_at?.getTime() ?? null,
  };
}
