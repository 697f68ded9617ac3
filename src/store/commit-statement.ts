// The one statement that writes a batch of decisions. Runs, step runs, pauses and events each come as one JSON list whose
// rows name their run by its place in the batch; a decision whose run is locked elsewhere or has moved on writes nothing
// and is not answered.
//
// It first locks the runs' rows in id order, skipping locked ones, where the sequence number is still the expected one:
// unordered, overlapping batches of several processes would deadlock, and waiting for one row would stall them all. `place`
// then holds the runs that were won, by place, in arrays: the other lists look them up there, which costs less than a join. Step changes are
// spelled out before they are joined (`step_changes`), or the planner would read every step run of a run to update one.

import type { Decision, PauseRow, StepRow } from '../core/draft.ts';
import { packMark, type RunEvent } from '../core/events.ts';
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

/** A change as JSON rows without their opening brace, so that each can be given its place when the batch is known. */
export interface EncodedChange {
  runs: string[];
  newSteps: string[];
  steps: string[];
  events: string[];
  newPauses: string[];
  pauses: string[];
  bytes: number;
  /** Needs the statement that also creates runs and writes pauses. */
  isRare: boolean;
}

export interface StatementKind {
  /** Also creates runs and writes pauses; most batches do neither, and the shorter statement costs less. */
  full: boolean;
  /** Wait for a run's lock instead of skipping it. */
  waitForLocks: boolean;
}

const FINISHED_STEP = `('completed', 'failed', 'skipped', 'cancelled')`;
const time = (column: string) => `to_timestamp(${column} / 1000.0)`;

/**
 * `$1` runs, `$2` new step runs, `$3` step changes, `$4` events (JSON arrays), `$5` the lease in ms; in full also `$6` new
 * pauses and `$7` pause changes. Answers the ids of the runs that were written.
 */
export function commitStatement({ full, waitForLocks }: StatementKind): string {
  return `
WITH given AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::json) AS g(
    n int, id uuid, seq bigint, next_seq bigint, workspace_id uuid, status text, open jsonb, visits jsonb, step_runs int,
    patch jsonb, result jsonb, error jsonb, cancellation jsonb, interrupted jsonb, due_at float8, started_at float8,
    finished bool${full ? ', start json' : ''})
), locked AS MATERIALIZED (
  SELECT g.* FROM given g JOIN runs r ON r.id = g.id AND r.seq = g.seq
  ORDER BY r.id FOR NO KEY UPDATE OF r ${waitForLocks ? '' : 'SKIP LOCKED'}
), ${full ? CREATED : ''}won AS MATERIALIZED (
  SELECT * FROM locked${full ? ' UNION ALL SELECT g.* FROM given g JOIN created c ON c.id = g.id WHERE g.seq = 0' : ''}
), place AS MATERIALIZED (
  SELECT array_agg(n) AS ns, array_agg(id) AS ids, array_agg(workspace_id) AS workspaces FROM won
), changed AS (
  UPDATE runs r SET
    seq = l.next_seq, status = l.status, open = l.open, visits = l.visits, step_runs = l.step_runs,
    data = CASE WHEN l.patch IS NULL THEN r.data ELSE r.data || l.patch END,
    result = l.result, error = l.error, cancellation = l.cancellation, interrupted = l.interrupted,
    due_at = ${time('l.due_at')}, started_at = ${time('l.started_at')},
    finished_at = CASE WHEN l.finished THEN now() END
  FROM locked l WHERE r.id = l.id
), opened_steps AS (
  INSERT INTO step_runs (run_id, step_id, visit, workspace_id, seq, type, tool, status, attempt, fence, epoch, lost, input,
                         output, error, offered_at, due_at, lease_until, started_at, finished_at)
  SELECT p.ids[array_position(p.ns, s.n)], s.step_id, s.visit, p.workspaces[array_position(p.ns, s.n)], s.seq, s.type, s.tool, s.status, coalesce(s.attempt, 1),
         coalesce(s.fence, 0), coalesce(s.epoch, 0), coalesce(s.lost, 0), s.input, s.output, s.error,
         CASE WHEN s.status = 'queued' THEN now() END, ${time('s.due_at')},
         CASE WHEN s.status = 'running' THEN now() + $5 * interval '1 ms' END,
         CASE WHEN s.status NOT IN ('pending', 'queued', 'cancelled') THEN now() - coalesce(s.ran_ms, 0) * interval '1 ms' END,
         CASE WHEN s.status IN ${FINISHED_STEP} THEN now() END
  FROM place p, json_to_recordset($2::json) AS s(n int, step_id text, visit int, seq bigint, type text, tool text, status text,
    attempt int, fence int, epoch int, lost int, input jsonb, output jsonb, error jsonb, due_at float8, ran_ms float8)
  WHERE p.ids[array_position(p.ns, s.n)] IS NOT NULL
), step_changes AS MATERIALIZED (
  SELECT p.ids[array_position(p.ns, s.n)] AS run_id, s.*
  FROM place p, json_to_recordset($3::json) AS s(n int, step_id text, visit int, status text, attempt int, fence int, epoch int,
    lost int, input jsonb, output jsonb, error jsonb, due_at float8, ran_ms float8, redispatch bool)
), changed_steps AS (
  UPDATE step_runs t SET
    status = s.status, attempt = coalesce(s.attempt, 1), fence = coalesce(s.fence, 0), epoch = coalesce(s.epoch, 0),
    lost = coalesce(s.lost, 0),
    input = CASE WHEN s.input IS NOT NULL THEN s.input WHEN s.epoch > t.epoch THEN NULL ELSE t.input END,
    output = coalesce(s.output, t.output),
    error = CASE WHEN s.status = 'completed' THEN NULL ELSE coalesce(s.error, t.error) END,
    due_at = ${time('s.due_at')},
    dispatch = t.dispatch + coalesce(s.redispatch, false)::int,
    offered_at = CASE WHEN s.redispatch THEN NULL WHEN s.status = 'queued' THEN now() ELSE t.offered_at END,
    lease_until = CASE WHEN s.status = 'running' THEN now() + $5 * interval '1 ms' END,
    started_at = CASE WHEN t.started_at IS NULL AND s.status NOT IN ('pending', 'queued', 'cancelled')
                      THEN now() - coalesce(s.ran_ms, 0) * interval '1 ms' ELSE t.started_at END,
    finished_at = CASE WHEN s.status IN ${FINISHED_STEP} THEN now() END
  FROM step_changes s WHERE t.run_id = s.run_id AND t.step_id = s.step_id AND t.visit = s.visit
), ${full ? PAUSES : ''}told AS (
  INSERT INTO events (run_id, seq, type, step_id, visit, actor, data, command_id)
  SELECT p.ids[array_position(p.ns, e.n)], e.seq, e.type, e.step_id, e.visit, e.actor, e.data, e.command_id
  FROM place p, json_to_recordset($4::json) AS e(n int, seq bigint, type text, step_id text, visit int, actor text, data jsonb,
    command_id uuid)
  WHERE p.ids[array_position(p.ns, e.n)] IS NOT NULL
)
SELECT id FROM won`;
}

const CREATED = `created AS (
  INSERT INTO runs (id, workspace_id, definition_id, version, status, seq, open, visits, step_runs, input, data, context,
                    result, error, trigger, owner, origin, started_at, finished_at)
  SELECT g.id, g.workspace_id, s.definition_id, s.version, g.status, g.next_seq, g.open, g.visits, g.step_runs, s.input,
         s.data, s.context, g.result, g.error, s.trigger, s.owner, s.origin, ${time('g.started_at')},
         CASE WHEN g.finished THEN now() END
  FROM given g, json_to_record(g.start) AS s(definition_id uuid, version int, input jsonb, data jsonb, context jsonb,
                                             trigger text, owner text, origin text)
  WHERE g.seq = 0
  ON CONFLICT DO NOTHING RETURNING id
), `;

const PAUSES = `opened_pauses AS (
  INSERT INTO pauses (id, run_id, workspace_id, step_id, visit, type, status, spec, due_at, answer, answered_by, command_id, closed_at)
  SELECT s.id, p.ids[array_position(p.ns, s.n)], p.workspaces[array_position(p.ns, s.n)], s.step_id, s.visit, s.spec ->> 'type', s.status, s.spec, ${time('s.due_at')},
         s.answer, s.answered_by, s.command_id, CASE WHEN s.status <> 'open' THEN now() END
  FROM place p, json_to_recordset($6::json) AS s(n int, id uuid, step_id text, visit int, status text, spec json,
    due_at float8, answer jsonb, answered_by text, command_id uuid)
  WHERE p.ids[array_position(p.ns, s.n)] IS NOT NULL
), closed_pauses AS (
  UPDATE pauses t SET status = s.status, answer = s.answer, answered_by = s.answered_by, command_id = s.command_id,
                      closed_at = now()
  FROM place p, json_to_recordset($7::json) AS s(n int, id uuid, status text, answer jsonb, answered_by text, command_id uuid)
  WHERE t.id = s.id AND p.ids[array_position(p.ns, s.n)] IS NOT NULL
), `;

/** The rows of one change, ready to be placed in a batch. */
export function encodeChange(change: Change): EncodedChange {
  const { commandId, steps, pauses, events } = change.decision;
  const encoded = {
    runs: [encodeRun(change)],
    newSteps: encodeRows(steps, true, encodeNewStep),
    steps: encodeRows(steps, false, encodeStep),
    events: events.map((event, index) => encodeEvent(event, index === 0 ? commandId : undefined)),
    newPauses: encodeRows(pauses, true, (row) => encodePause(row, commandId)),
    pauses: encodeRows(pauses, false, (row) => encodePause(row, commandId)),
  };
  let bytes = 0;
  for (const rows of Object.values(encoded)) for (const row of rows) bytes += row.length;
  return { ...encoded, bytes, isRare: change.start !== undefined || pauses.length > 0 };
}

/** The statement's arguments for a batch; rows are numbered by the place (from 1) of their change in it. */
export function encodeBatch(batch: EncodedChange[], leaseMs: number, full: boolean): unknown[] {
  const list = (pick: (change: EncodedChange) => string[]) => {
    let json = '';
    batch.forEach((change, index) => {
      for (const row of pick(change)) json += `${json === '' ? '[' : ','}{"n":${index + 1},${row}`;
    });
    return json === '' ? '[]' : `${json}]`;
  };
  const common = [
    list((change) => change.runs),
    list((change) => change.newSteps),
    list((change) => change.steps),
    list((change) => change.events),
    leaseMs,
  ];
  return full ? [...common, list((change) => change.newPauses), list((change) => change.pauses)] : common;
}

function encodeRows<Row extends { isNew: boolean }>(
  rows: Row[],
  isNew: boolean,
  encode: (row: Row) => string,
): string[] {
  const encoded: string[] = [];
  for (const row of rows) if (row.isNew === isNew) encoded.push(encode(row));
  return encoded;
}

// The rows below are JSON without its opening brace, put together by hand: this runs for every step, and serializing an
// object per row took half as long again (10 against 6.5 µs a decision). What goes in unquoted or unescaped is ours: ids, step ids and types (checked
// by a pattern when the definition was), statuses, numbers. Nulls and initial values are left out; the statement fills them in.

/** A further field, or nothing where there is no value. */
function field(name: string, value: unknown): string {
  return value === undefined || value === null ? '' : `,"${name}":${JSON.stringify(value)}`;
}

function encodeRun({ decision: { state, dataPatch }, expectedSeq, start }: Change): string {
  const open = JSON.stringify(state.open.map(packMark));
  return (
    `"id":"${state.id}","seq":${expectedSeq},"next_seq":${state.seq},"workspace_id":"${state.workspaceId}",` +
    `"status":"${state.status}","open":${open},"visits":${JSON.stringify(state.visits)},"step_runs":${state.stepRuns}` +
    field('patch', dataPatch) +
    field('result', state.result) +
    field('error', state.error) +
    field('cancellation', state.cancellation) +
    field('interrupted', state.interrupted?.map(packMark)) +
    field('due_at', state.cancellation?.dueAt) +
    field('started_at', state.startedAt) +
    (FINISHED.has(state.status) ? ',"finished":true' : '') +
    field('start', start && describeStart(state, start)) +
    '}'
  );
}

function describeStart(state: RunState, { trigger, owner, origin }: RunOrigin): object {
  const { definitionId, version, input, data, context } = state;
  return { definition_id: definitionId, version, input, data, context, trigger, owner, origin };
}

function encodeEvent({ seq, type, step, visit, actor, data }: RunEvent, commandId: string | undefined): string {
  const about = step === null ? '' : `,"step_id":"${step}","visit":${visit}`;
  const told = `"seq":${seq},"type":"${type}"${about},"actor":${JSON.stringify(actor)},"data":${JSON.stringify(data)}`;
  return `${told}${commandId === undefined ? '' : `,"command_id":"${commandId}"`}}`;
}

function encodeNewStep(row: StepRow): string {
  const { step, visit, seq, status, type, tool } = row;
  return `"step_id":"${step}","visit":${visit},"seq":${seq},"status":"${status}","type":"${type}"${field('tool', tool)}${encodeProgress(row)}}`;
}

function encodeStep(row: StepRow): string {
  const redispatch = row.redispatch ? ',"redispatch":true' : '';
  return `"step_id":"${row.step}","visit":${row.visit},"status":"${row.status}"${encodeProgress(row)}${redispatch}}`;
}

function encodeProgress({ attempt, fence, epoch, lost, input, output, error, dueAt, ranMs }: StepRow): string {
  return (
    (attempt === 1 ? '' : `,"attempt":${attempt}`) +
    (fence === 0 ? '' : `,"fence":${fence}`) +
    (epoch === 0 ? '' : `,"epoch":${epoch}`) +
    (lost === 0 ? '' : `,"lost":${lost}`) +
    field('input', input) +
    field('output', output) +
    field('error', error) +
    field('due_at', dueAt) +
    field('ran_ms', ranMs)
  );
}

function encodePause(
  { id, step, visit, status, spec, dueAt, answer, answeredBy }: PauseRow,
  commandId: string,
): string {
  return (
    `"id":"${id}","step_id":"${step}","visit":${visit},"status":"${status}"` +
    field('spec', spec) +
    field('due_at', dueAt) +
    field('answer', answer) +
    field('answered_by', answeredBy) +
    (status === 'open' ? '' : `,"command_id":"${commandId}"`) +
    '}'
  );
}
