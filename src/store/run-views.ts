// Runs as readers see them: the run, its open pauses and a page of its history, read by one statement so that the parts
// cannot disagree. Scoped by workspace; another workspace's run is not found. Writes nothing.

import type { Mark } from '../core/events.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { Cancellation, RunError, RunStatus, StepRunStatus } from '../core/run.ts';
import type { PauseSpec } from '../core/step-type.ts';
import type { Connection } from './db.ts';
import { isUuid } from './definitions.ts';

/** An open pause; times are epoch milliseconds. */
export interface PauseView {
  id: string;
  stepId: string;
  spec: PauseSpec;
  dueAt: number | null;
  openedAt: number;
}

/** One visit of one step; times are epoch milliseconds. */
export interface StepView {
  stepId: string;
  visit: number;
  type: string;
  status: StepRunStatus;
  attempt: number;
  input: Json;
  output: Json;
  error: RunError | null;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  /** Place in the history; `after` takes it. */
  position: string;
}

export interface RunView {
  id: string;
  definitionId: string;
  definitionKey: string;
  version: number;
  status: RunStatus;
  open: Mark[];
  data: JsonObject;
  result: Json;
  error: RunError | null;
  cancellation: Cancellation | null;
  /** Why it is held, if that was said. */
  holdReason: string | null;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  /** Oldest first. */
  pauses: PauseView[];
}

export interface RunHistory {
  /** In the order in which the step runs were entered. */
  steps: StepView[];
  /** There are more entries than these: older ones, or with `after` newer ones. */
  truncated: boolean;
  /** The `after` that leads to what was left out; following it until it is null reads the whole history. */
  next: string | null;
  /** The step entered last, whatever page this is. */
  lastStepId: string | null;
}

/** Bounds of one page of history: entries, and bytes of inputs and outputs (one entry is always there). */
const MAX_ENTRIES = 1_000;
const MAX_BYTES = 16 * 1_048_576;
/** Open pauses shown at once; a run with more still answers each by its id. */
const MAX_PAUSES = 200;

const ms = (column: string) => `floor(extract(epoch FROM ${column}) * 1000)::bigint`;

const RUN_COLUMNS = `
  r.id, r.definition_id AS "definitionId", coalesce(d.key, r.definition_id::text) AS "definitionKey", r.version, r.status, r.open, r.data, r.result,
  r.error, r.cancellation, ${ms('r.created_at')} AS "createdAt", ${ms('r.started_at')} AS "startedAt",
  ${ms('r.finished_at')} AS "finishedAt",
  CASE WHEN r.status = 'held' THEN (
     SELECT data -> 'detail' ->> 'reason' FROM events WHERE run_id = r.id AND type = 'run.held' ORDER BY seq DESC LIMIT 1
   ) END AS "holdReason",
  (SELECT coalesce(json_agg(row_to_json(p)), '[]') FROM (
     SELECT id, step_id AS "stepId", spec, ${ms('due_at')} AS "dueAt", ${ms('opened_at')} AS "openedAt"
       FROM pauses WHERE run_id = r.id AND status = 'open' ORDER BY opened_at, id LIMIT ${MAX_PAUSES}
   ) p) AS pauses`;
const FROM_RUN = `
  FROM runs r LEFT JOIN definitions d ON d.id = r.definition_id
  WHERE r.id = $1 AND r.workspace_id = $2`;

/** The run and its open pauses, without history. */
export async function findRunView(
  db: Connection,
  { workspaceId, runId }: { workspaceId: string; runId: string },
): Promise<RunView | null> {
  if (!isUuid(runId)) return null;
  const { rows } = await db.pool.query<RunView>({
    name: 'run-view',
    text: `SELECT ${RUN_COLUMNS} ${FROM_RUN}`,
    values: [runId, workspaceId],
  });
  return rows[0] ?? null;
}

/** Where a page of history starts: after the entry whose `position` this is, or at the beginning (`0`). */
export const HISTORY_POSITION = '^(0|[0-9]{1,15}\\.[A-Za-z0-9_-]{1,64}\\.[0-9]{1,9})$';

/** The run with its newest 1,000 history entries, or the first 1,000 after the position `after`. */
export async function findRunWithHistory(
  db: Connection,
  { workspaceId, runId, after }: { workspaceId: string; runId: string; after?: string },
): Promise<(RunView & RunHistory) | null> {
  if (!isUuid(runId)) return null;
  const [seq, stepId = '', visit = 0] = after?.split('.') ?? [];
  const { rows } = await db.pool.query<RunView & HistoryPage>({
    name: after === undefined ? 'run-history-newest' : 'run-history-after',
    text: `SELECT ${RUN_COLUMNS}, (${historyPage(after !== undefined)}) AS steps, ${LAST_STEP} ${FROM_RUN}`,
    values: after === undefined ? [runId, workspaceId] : [runId, workspaceId, Number(seq), stepId, Number(visit)],
  });
  const row = rows[0];
  if (row === undefined) return null;
  const { steps, truncated } = cutPage(row.steps);
  if (after === undefined) return { ...row, steps: steps.reverse(), truncated, next: truncated ? '0' : null };
  return { ...row, steps, truncated, next: truncated ? steps.at(-1)!.position : null };
}

/** An entry of a page as its statement answers it. */
export type PagedStep = StepView & { candidates: number };

interface HistoryPage {
  steps: PagedStep[];
  lastStepId: string | null;
}

/** The entries that a page shows, and whether there are more. */
export function cutPage(page: PagedStep[]): { steps: StepView[]; truncated: boolean } {
  const steps = page.slice(0, MAX_ENTRIES);
  return { steps, truncated: (page[0]?.candidates ?? 0) > steps.length };
}

const SHOWN = `s.run_id = r.id AND s.status <> 'pending'`;
const NEWEST_FIRST = 's.seq DESC, s.step_id DESC, s.visit DESC';
const LAST_STEP = `
  (SELECT s.step_id FROM step_runs s WHERE ${SHOWN} ORDER BY ${NEWEST_FIRST} LIMIT 1) AS "lastStepId"`;

/**
 * One page of the step runs of the run `r`, and in `candidates` up to one entry more than a page may hold, so that a cut can be told. `bytes` is what all
 * entries up to this one weigh: a thousand outputs of a megabyte each must not become one answer.
 */
export function historyPage(fromPosition: boolean): string {
  const order = fromPosition ? 's.seq, s.step_id, s.visit' : NEWEST_FIRST;
  return `
    SELECT coalesce(json_agg(row_to_json(page) ORDER BY page.nth), '[]') FROM (
      SELECT * FROM (
        SELECT s.step_id AS "stepId", s.visit, s.type, s.status, s.attempt, s.input, s.output, s.error,
               ${ms('s.created_at')} AS "createdAt", ${ms('s.started_at')} AS "startedAt",
               ${ms('s.finished_at')} AS "finishedAt", concat_ws('.', s.seq, s.step_id, s.visit) AS position,
               row_number() OVER (ORDER BY ${order}) AS nth, count(*) OVER () AS candidates,
               sum(coalesce(octet_length(s.input::text), 0) + coalesce(octet_length(s.output::text), 0))
                 OVER (ORDER BY ${order} ROWS UNBOUNDED PRECEDING) AS bytes
          FROM (
            SELECT * FROM step_runs s
             WHERE ${SHOWN}
               ${fromPosition ? 'AND (s.seq, s.step_id, s.visit) > ($3, $4, $5)' : ''}
             ORDER BY ${order} LIMIT ${MAX_ENTRIES + 1}
          ) s
      ) weighed WHERE nth = 1 OR bytes <= ${MAX_BYTES}
    ) page`;
}
