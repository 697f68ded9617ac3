// The one statement that writes a batch of decisions. Each decision is one JSON document holding its run, step runs,
// pauses and events; a document whose run is locked elsewhere or has moved on writes nothing and is not answered.
//
// It first locks the runs' rows in id order, skipping locked ones, where the sequence number is still the expected one:
// unordered, overlapping batches of several processes would deadlock, and waiting for one row would stall them all. Rows
// are then written from the documents of the runs that were won, so no join but the first has to match anything.

import type { Decision, PauseRow, StepRow } from '../core/draft.ts';
import { packMark } from '../core/events.ts';
import { FINISHED, type RunState } from '../core/run.ts';

/** What a run is created with beside its state. */
export interface RunOrigin {
  trigger: string;
  owner: string;
  /** Unique per workspace: a start whose origin exists already creates nothing. */
  origin: string | null;
}

/** One decision to commit: `expectedSeq` is the run's sequence number it was made on, 0 for a start. */
export interface Change {
  decision: Decision;
  expectedSeq: number;
  start?: RunOrigin;
}

const FINISHED_STEP = `('completed', 'failed', 'skipped', 'cancelled')`;
const time = (column: string) => `to_timestamp(${column} / 1000.0)`;

/** `$1`: the documents as a JSON array; `$2`: the lease in ms. Answers the ids of the runs that were written. */
export function commitStatement({ waitForLocks }: { waitForLocks: boolean }): string {
  return `
WITH given AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::json) AS g(
    id uuid, seq bigint, next_seq bigint, workspace_id uuid, status text, open jsonb, visits jsonb, step_runs int,
    patch jsonb, result jsonb, error jsonb, cancellation jsonb, interrupted jsonb, due_at float8, started_at float8,
    finished bool, start json, new_steps json, steps json, new_pauses json, pauses json, events json)
), locked AS MATERIALIZED (
  SELECT r.id FROM given g JOIN runs r ON r.id = g.id AND r.seq = g.seq
  ORDER BY r.id FOR NO KEY UPDATE OF r ${waitForLocks ? '' : 'SKIP LOCKED'}
), created AS (
  INSERT INTO runs (id, workspace_id, definition_id, version, status, seq, open, visits, step_runs, input, data, context,
                    result, error, trigger, owner, origin, started_at, finished_at)
  SELECT g.id, g.workspace_id, s.definition_id, s.version, g.status, g.next_seq, g.open, g.visits, g.step_runs, s.input,
         s.data, s.context, g.result, g.error, s.trigger, s.owner, s.origin, ${time('g.started_at')},
         CASE WHEN g.finished THEN now() END
  FROM given g, json_to_record(g.start) AS s(definition_id uuid, version int, input jsonb, data jsonb, context jsonb,
                                             trigger text, owner text, origin text)
  WHERE g.seq = 0
  ON CONFLICT DO NOTHING RETURNING id
), won AS MATERIALIZED (
  SELECT g.* FROM given g JOIN (SELECT id FROM locked UNION ALL SELECT id FROM created) w ON w.id = g.id
), changed AS (
  UPDATE runs r SET
    seq = w.next_seq, status = w.status, open = w.open, visits = w.visits, step_runs = w.step_runs,
    data = CASE WHEN w.patch IS NULL THEN r.data ELSE r.data || w.patch END,
    result = w.result, error = w.error, cancellation = w.cancellation, interrupted = w.interrupted,
    due_at = ${time('w.due_at')}, started_at = ${time('w.started_at')},
    finished_at = CASE WHEN w.finished THEN now() END
  FROM won w WHERE r.id = w.id AND w.seq > 0
), opened_steps AS (
  INSERT INTO step_runs (run_id, step_id, visit, workspace_id, seq, type, tool, status, attempt, fence, epoch, lost, input,
                         output, error, offered_at, due_at, lease_until, started_at, finished_at)
  SELECT w.id, s.step_id, s.visit, w.workspace_id, s.seq, s.type, s.tool, s.status, s.attempt, s.fence, s.epoch, s.lost,
         s.input, s.output, s.error, CASE WHEN s.status = 'queued' THEN now() END, ${time('s.due_at')},
         CASE WHEN s.status = 'running' THEN now() + $2 * interval '1 ms' END,
         CASE WHEN s.status NOT IN ('pending', 'queued', 'cancelled') THEN now() - coalesce(s.ran_ms, 0) * interval '1 ms' END,
         CASE WHEN s.status IN ${FINISHED_STEP} THEN now() END
  FROM won w, json_to_recordset(w.new_steps) AS s(step_id text, visit int, seq bigint, type text, tool text, status text,
    attempt int, fence int, epoch int, lost int, input jsonb, output jsonb, error jsonb, due_at float8, ran_ms float8)
), changed_steps AS (
  UPDATE step_runs t SET
    status = s.status, attempt = s.attempt, fence = s.fence, epoch = s.epoch, lost = s.lost,
    input = CASE WHEN s.input IS NOT NULL THEN s.input WHEN s.epoch > t.epoch THEN NULL ELSE t.input END,
    output = coalesce(s.output, t.output),
    error = CASE WHEN s.status = 'completed' THEN NULL ELSE coalesce(s.error, t.error) END,
    due_at = ${time('s.due_at')},
    dispatch = t.dispatch + s.redispatch::int,
    offered_at = CASE WHEN s.redispatch THEN NULL WHEN s.status = 'queued' THEN now() ELSE t.offered_at END,
    lease_until = CASE WHEN s.status = 'running' THEN now() + $2 * interval '1 ms' END,
    started_at = CASE WHEN t.started_at IS NULL AND s.status NOT IN ('pending', 'queued', 'cancelled')
                      THEN now() - coalesce(s.ran_ms, 0) * interval '1 ms' ELSE t.started_at END,
    finished_at = CASE WHEN s.status IN ${FINISHED_STEP} THEN now() END
  FROM won w, json_to_recordset(w.steps) AS s(step_id text, visit int, status text, attempt int, fence int, epoch int,
    lost int, input jsonb, output jsonb, error jsonb, due_at float8, ran_ms float8, redispatch bool)
  WHERE t.run_id = w.id AND t.step_id = s.step_id AND t.visit = s.visit
), opened_pauses AS (
  INSERT INTO pauses (id, run_id, workspace_id, step_id, visit, type, status, spec, due_at, answer, answered_by, command_id, closed_at)
  SELECT p.id, w.id, w.workspace_id, p.step_id, p.visit, p.spec ->> 'type', p.status, p.spec, ${time('p.due_at')}, p.answer,
         p.answered_by, p.command_id, CASE WHEN p.status <> 'open' THEN now() END
  FROM won w, json_to_recordset(w.new_pauses) AS p(id uuid, step_id text, visit int, status text, spec jsonb,
    due_at float8, answer jsonb, answered_by text, command_id uuid)
), closed_pauses AS (
  UPDATE pauses t SET status = p.status, answer = p.answer, answered_by = p.answered_by, command_id = p.command_id,
                      closed_at = now()
  FROM won w, json_to_recordset(w.pauses) AS p(id uuid, status text, answer jsonb, answered_by text, command_id uuid)
  WHERE t.id = p.id
), told AS (
  INSERT INTO events (run_id, seq, type, step_id, visit, actor, data, command_id)
  SELECT w.id, e.seq, e.type, e.step_id, e.visit, e.actor, e.data, e.command_id
  FROM won w, json_to_recordset(w.events) AS e(seq bigint, type text, step_id text, visit int, actor text, data jsonb,
    command_id uuid)
)
SELECT id FROM won`;
}

/** The JSON document of one change, as the statement reads it. */
export function encodeChange({ decision, expectedSeq, start }: Change): string {
  const { state, commandId } = decision;
  return JSON.stringify({
    id: state.id,
    seq: expectedSeq,
    next_seq: state.seq,
    workspace_id: state.workspaceId,
    status: state.status,
    open: state.open.map(packMark),
    visits: state.visits,
    step_runs: state.stepRuns,
    patch: decision.dataPatch ?? undefined,
    result: state.result ?? undefined,
    error: state.error ?? undefined,
    cancellation: state.cancellation ?? undefined,
    interrupted: state.interrupted?.map(packMark),
    due_at: state.cancellation?.dueAt,
    started_at: state.startedAt ?? undefined,
    finished: FINISHED.has(state.status),
    start: start && encodeStart(state, start),
    new_steps: rows(decision.steps, true, encodeStep),
    steps: rows(decision.steps, false, encodeStep),
    new_pauses: rows(decision.pauses, true, (pause) => encodePause(pause, commandId)),
    pauses: rows(decision.pauses, false, (pause) => encodePause(pause, commandId)),
    events: decision.events.map(({ seq, type, step, visit, actor, data }, index) => ({
      seq,
      type,
      step_id: step ?? undefined,
      visit: visit ?? undefined,
      actor,
      data,
      command_id: index === 0 ? commandId : undefined,
    })),
  });
}

/** An empty list is left out: expanding nothing is cheaper than expanding an empty array. */
function rows<Row extends { isNew: boolean }>(all: Row[], isNew: boolean, encode: (row: Row) => object): object[] | undefined {
  const found = all.filter((row) => row.isNew === isNew).map(encode);
  return found.length > 0 ? found : undefined;
}

function encodeStart(state: RunState, { trigger, owner, origin }: RunOrigin): object {
  const { definitionId, version, input, data, context } = state;
  return { definition_id: definitionId, version, input, data, context, trigger, owner, origin };
}

function encodeStep({ step, visit, seq, type, tool, status, attempt, fence, epoch, lost, input, output, error, dueAt, ranMs, redispatch }: StepRow): object {
  const fields = { status, attempt, fence, epoch, lost, input: input ?? undefined, output: output ?? undefined, error: error ?? undefined };
  return { step_id: step, visit, seq, type, tool, ...fields, due_at: dueAt ?? undefined, ran_ms: ranMs, redispatch };
}

function encodePause({ id, step, visit, status, spec, dueAt, answer, answeredBy }: PauseRow, commandId: string): object {
  return { id, step_id: step, visit, status, spec, due_at: dueAt, answer, answered_by: answeredBy, command_id: status === 'open' ? undefined : commandId };
}
