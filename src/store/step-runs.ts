// Delivery state of step runs: leases, offers and due times. Nothing here changes what a run is, so none of it carries a
// revision or an event; statements that lock several rows skip those that a commit holds, so the two can never deadlock.

import type pg from 'pg';
import type { StepRef } from '../core/run.ts';

type Queryable = Pick<pg.Pool, 'query'>;

export interface Claim extends StepRef {
  runId: string;
  fence: number;
}

export interface DueStep extends StepRef {
  runId: string;
  workspaceId: string;
  dispatch: number;
}

/** What this process can run: rows of other types and tools are another process' business. */
export interface Handled {
  types: string[];
  tools: string[];
}

const MINE = `(type = ANY ($1) AND (tool IS NULL OR tool = ANY ($2)))`;

/** Extends the leases of `claims` by `leaseMs` from now; one statement for all that a process runs. */
export async function renewLeases(client: Queryable, claims: Claim[], leaseMs: number): Promise<void> {
  await client.query({
    name: 'renew-leases',
    text: `UPDATE step_runs t SET lease_until = now() + $5 * interval '1 ms'
           FROM (SELECT s.run_id, s.step_id, s.visit FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[]) AS c(run_id, step_id, visit, fence)
                 JOIN step_runs s ON s.run_id = c.run_id AND s.step_id = c.step_id AND s.visit = c.visit
                 WHERE s.status = 'running' AND s.fence = c.fence
                 FOR NO KEY UPDATE OF s SKIP LOCKED) mine
           WHERE t.run_id = mine.run_id AND t.step_id = mine.step_id AND t.visit = mine.visit`,
    values: [...columns(claims), leaseMs],
  });
}

/** `lost`: another fence, or no longer running; `cancelled`: its run is asked to stop, and the step may finish. */
export type ClaimFate = 'lost' | 'cancelled';

/** Those of `claims` that were taken away, or whose run is being cancelled. */
export async function findEndangeredClaims<Held extends Claim>(
  client: Queryable,
  claims: Held[],
): Promise<{ claim: Held; fate: ClaimFate }[]> {
  const { rows } = await client.query<{ n: number; fate: ClaimFate }>({
    name: 'find-endangered-claims',
    text: `SELECT * FROM (
             SELECT c.n::int AS n, CASE WHEN s.status IS DISTINCT FROM 'running' OR s.fence <> c.fence THEN 'lost'
                                        WHEN r.cancellation ->> 'stage' = 'stopping' THEN 'cancelled' END AS fate
             FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[]) WITH ORDINALITY AS c(run_id, step_id, visit, fence, n)
             LEFT JOIN step_runs s ON s.run_id = c.run_id AND s.step_id = c.step_id AND s.visit = c.visit
             LEFT JOIN runs r ON r.id = c.run_id) AS fates WHERE fate IS NOT NULL`,
    values: columns(claims),
  });
  return rows.map(({ n, fate }) => ({ claim: claims[n - 1]!, fate }));
}

/** Running step runs of this process' types whose lease is over, oldest first. */
export async function listExpiredLeases(client: Queryable, handled: Handled, limit: number): Promise<Claim[]> {
  const { rows } = await client.query<{ run_id: string; step_id: string; visit: number; fence: number }>({
    name: 'list-expired-leases',
    text: `SELECT run_id, step_id, visit, fence FROM step_runs WHERE ${MINE} AND status = 'running' AND lease_until < now()
           ORDER BY lease_until LIMIT $3`,
    values: [handled.types, handled.tools, limit],
  });
  return rows.map((row) => ({ runId: row.run_id, step: row.step_id, visit: row.visit, fence: row.fence }));
}

/** Waiting step runs (timers, pauses) that are due; those of held runs wait for the release. */
export async function listDueWaits(
  client: Queryable,
  now: number,
  limit: number,
): Promise<(StepRef & { runId: string })[]> {
  const { rows } = await client.query<{ run_id: string; step_id: string; visit: number }>({
    name: 'list-due-waits',
    text: `SELECT run_id, step_id, visit FROM step_runs s WHERE status = 'waiting' AND due_at <= to_timestamp($2 / 1000.0)
             AND NOT EXISTS (SELECT FROM runs r WHERE r.id = s.run_id AND r.status = 'held')
           ORDER BY due_at LIMIT $1`,
    values: [limit, now],
  });
  return rows.map((row) => ({ runId: row.run_id, step: row.step_id, visit: row.visit }));
}

/** When the next wait or run is due that was not due at `now`, in epoch milliseconds. */
export async function findNextDue(client: Queryable, now: number): Promise<number | null> {
  const { rows } = await client.query<{ due_ms: number | null }>({
    name: 'find-next-due',
    text: `SELECT (extract(epoch FROM least(
             (SELECT min(due_at) FROM step_runs WHERE status = 'waiting' AND due_at > to_timestamp($1 / 1000.0)),
             (SELECT min(due_at) FROM runs WHERE due_at > to_timestamp($1 / 1000.0)))) * 1000)::float8 AS due_ms`,
    values: [now],
  });
  return rows[0]!.due_ms;
}

/** Runs with a due time of their own: a cancellation whose patience is over. */
export async function listDueRuns(client: Queryable, now: number, limit: number): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>({
    name: 'list-due-runs',
    text: 'SELECT id FROM runs WHERE due_at <= to_timestamp($2 / 1000.0) ORDER BY due_at LIMIT $1',
    values: [limit, now],
  });
  return rows.map((row) => row.id);
}

export interface Backlog {
  /** Queued step runs that are due and that this process could run, and those running. */
  due: number;
  /** Those of them that were given back by a lost worker: they have no job for certain. */
  givenBack: number;
  /** Due step runs of types or tools that this process does not have. */
  noHandler: number;
}

export async function countBacklog(client: Queryable, handled: Handled): Promise<Backlog> {
  const { rows } = await client.query<{ due: number; given_back: number; no_handler: number }>({
    name: 'count-backlog',
    text: `SELECT count(*) FILTER (WHERE ${MINE})::int AS due, count(*) FILTER (WHERE NOT ${MINE})::int AS no_handler,
                  count(*) FILTER (WHERE ${MINE} AND unoffered)::int AS given_back FROM (
             SELECT type, tool, offered_at IS NULL AS unoffered FROM step_runs WHERE status = 'queued' AND (due_at IS NULL OR due_at <= now())
             UNION ALL SELECT type, tool, false FROM step_runs WHERE status = 'running') AS open`,
    values: [handled.types, handled.tools],
  });
  return { due: rows[0]!.due, givenBack: rows[0]!.given_back, noHandler: rows[0]!.no_handler };
}

/**
 * Takes up to `limit` due queued step runs that were last offered more than `olderThanMs` ago, oldest offer first, and
 * marks them offered now. The caller then adds their jobs. Those given back by a lost worker were never offered again:
 * they come first, whatever `olderThanMs`.
 */
export async function takeForOffer(
  client: Queryable,
  handled: Handled,
  limit: number,
  olderThanMs: number,
): Promise<DueStep[]> {
  const { rows } = await client.query<{
    run_id: string;
    step_id: string;
    visit: number;
    workspace_id: string;
    dispatch: number;
  }>({
    name: 'take-for-offer',
    text: `UPDATE step_runs t SET offered_at = now()
           FROM (SELECT run_id, step_id, visit FROM step_runs
                 WHERE ${MINE} AND status = 'queued' AND (due_at IS NULL OR due_at <= now())
                   AND (offered_at IS NULL OR offered_at <= now() - $4 * interval '1 ms')
                 ORDER BY offered_at NULLS FIRST LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED) due
           WHERE t.run_id = due.run_id AND t.step_id = due.step_id AND t.visit = due.visit
           RETURNING t.run_id, t.step_id, t.visit, t.workspace_id, t.dispatch`,
    values: [handled.types, handled.tools, limit, olderThanMs],
  });
  return rows.map((row) => ({
    runId: row.run_id,
    step: row.step_id,
    visit: row.visit,
    workspaceId: row.workspace_id,
    dispatch: row.dispatch,
  }));
}

/** Takes due queued step runs of one run that were never offered under their dispatch numbers, and marks them offered. */
export async function takeRunForOffer(client: Queryable, runId: string, limit: number): Promise<DueStep[]> {
  const { rows } = await client.query<DueStep>({
    name: 'take-run-for-offer',
    text: `UPDATE step_runs t SET offered_at = now()
           FROM (SELECT step_id, visit FROM step_runs
                 WHERE run_id = $1 AND status = 'queued' AND offered_at IS NULL AND (due_at IS NULL OR due_at <= now())
                 LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED) due
           WHERE t.run_id = $1 AND t.step_id = due.step_id AND t.visit = due.visit
           RETURNING t.run_id AS "runId", t.step_id AS step, t.visit, t.workspace_id AS "workspaceId", t.dispatch`,
    values: [runId, limit],
  });
  return rows;
}

/** Pending step runs of one run that have been offered: a hold has put them back, and their jobs may still be there. */
export async function listPutBack(client: Queryable, runId: string, limit: number): Promise<DueStep[]> {
  const { rows } = await client.query<DueStep>({
    name: 'list-put-back',
    text: `SELECT run_id AS "runId", step_id AS step, visit, workspace_id AS "workspaceId", dispatch FROM step_runs
           WHERE run_id = $1 AND status = 'pending' AND offered_at IS NOT NULL LIMIT $2`,
    values: [runId, limit],
  });
  return rows;
}

/** Gives a queued step run the next dispatch number, because the job of the last one cannot be used any more. */
export async function nextDispatch(
  client: Queryable,
  { runId, step, visit, dispatch }: DueStep,
): Promise<number | null> {
  const { rows } = await client.query<{ dispatch: number }>({
    name: 'next-dispatch',
    text: `UPDATE step_runs SET dispatch = dispatch + 1, offered_at = now()
           WHERE run_id = $1 AND step_id = $2 AND visit = $3 AND dispatch = $4 AND status = 'queued' RETURNING dispatch`,
    values: [runId, step, visit, dispatch],
  });
  return rows[0]?.dispatch ?? null;
}

function columns(claims: Claim[]): [string[], string[], number[], number[]] {
  return [
    claims.map((c) => c.runId),
    claims.map((c) => c.step),
    claims.map((c) => c.visit),
    claims.map((c) => c.fence),
  ];
}
