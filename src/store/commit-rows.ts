// A decision as rows for the commit statement, and a batch of them as one array literal per column. The cells of a change are
// made once, when it joins the queue; only joining them into columns waits until the batch is known.
//
// Arrays cost Postgres half of what the same rows cost as JSON, and their text is made here with little more than
// concatenation: this runs for every step. A column that is empty in the whole batch is sent as an empty array, which
// `unnest` fills up with nulls.

import type { Decision, PauseRow, StepRow } from '../core/draft.ts';
import { packMark, type RunEvent } from '../core/events.ts';
import { FINISHED } from '../core/run.ts';

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

/** The lists' columns in order; the first, `n`, is the place of the change in its batch, from 1. */
export const COLUMNS = {
  runs: columns(
    'n int, id uuid, seq bigint, next_seq bigint, status text, open jsonb, visits jsonb, step_runs int, patch jsonb, result jsonb, error jsonb, cancellation jsonb, interrupted jsonb, due_at float8, started_at float8, finished bool',
  ),
  newSteps: columns(
    'n int, step_id text, visit int, status text, attempt int, fence int, epoch int, lost int, input jsonb, output jsonb, error jsonb, due_at float8, ran_ms float8, seq bigint, type text, tool text',
  ),
  steps: columns(
    'n int, step_id text, visit int, status text, attempt int, fence int, epoch int, lost int, input jsonb, output jsonb, error jsonb, due_at float8, ran_ms float8, redispatch bool',
  ),
  events: columns('n int, seq bigint, type text, step_id text, visit int, actor text, data jsonb, command_id uuid'),
  starts: columns(
    'n int, workspace_id uuid, definition_id uuid, version int, input jsonb, data jsonb, context jsonb, trigger text, owner text, origin text',
  ),
  newPauses: columns(
    'n int, id uuid, step_id text, visit int, status text, spec jsonb, due_at float8, answer jsonb, answered_by text, command_id uuid',
  ),
  pauses: columns('n int, id uuid, status text, answer jsonb, answered_by text, command_id uuid'),
};

export type ListName = keyof typeof COLUMNS;

const LEAN: readonly ListName[] = ['runs', 'newSteps', 'steps', 'events'];
const FULL: readonly ListName[] = [...LEAN, 'starts', 'newPauses', 'pauses'];

/** The lists of the statement, in the order of its parameters. */
export function listsOf(full: boolean): readonly ListName[] {
  return full ? FULL : LEAN;
}

/** An array literal's element as it is written there; null is left to the column. */
type Cell = string | number | null;

/** The cells of a change's rows, without their place. */
export type EncodedChange = Record<ListName, Cell[][]> & {
  bytes: number;
  /** Needs the statement that also creates runs and writes pauses. */
  isRare: boolean;
};

/** The rows of one change, ready to be placed in a batch. */
export function encodeChange(change: Change): EncodedChange {
  const { commandId, steps, pauses, events } = change.decision;
  const encoded = {
    runs: [runCells(change)],
    newSteps: encodeRows(steps, true, (row) => [...stepCells(row), row.seq, row.type, text(row.tool)]),
    steps: encodeRows(steps, false, (row) => [...stepCells(row), row.redispatch ? 't' : null]),
    events: events.map((event, index) => eventCells(event, index === 0 ? commandId : null)),
    starts: change.start === undefined ? [] : [startCells(change.decision, change.start)],
    newPauses: encodeRows(pauses, true, (row) => newPauseCells(row, commandId)),
    pauses: encodeRows(pauses, false, (row) => [row.id, row.status, ...answerCells(row, commandId)]),
  };
  let bytes = 0;
  for (const list of FULL) for (const row of encoded[list]) for (const cell of row) bytes += sizeOf(cell);
  return { ...encoded, bytes, isRare: change.start !== undefined || pauses.length > 0 };
}

/** The statement's arguments for a batch. */
export function encodeBatch(batch: EncodedChange[], leaseMs: number, full: boolean): unknown[] {
  const values: unknown[] = [leaseMs];
  for (const list of listsOf(full)) {
    for (let column = 0; column < COLUMNS[list].length; column++) values.push(encodeColumn(batch, list, column));
  }
  return values;
}

function encodeColumn(batch: EncodedChange[], list: ListName, column: number): string {
  let literal = '';
  let isEmpty = true;
  for (let place = 1; place <= batch.length; place++) {
    for (const row of batch[place - 1]![list]) {
      const cell = column === 0 ? place : row[column - 1]!;
      if (cell !== null) isEmpty = false;
      literal += literal === '' ? `{${cell ?? 'NULL'}` : `,${cell ?? 'NULL'}`;
    }
  }
  return isEmpty ? '{}' : `${literal}}`;
}

function encodeRows<Row extends { isNew: boolean }>(
  rows: Row[],
  isNew: boolean,
  encode: (row: Row) => Cell[],
): Cell[][] {
  const encoded: Cell[][] = [];
  for (const row of rows) if (row.isNew === isNew) encoded.push(encode(row));
  return encoded;
}

function runCells({ decision: { state, dataPatch }, expectedSeq }: Change): Cell[] {
  return [
    state.id,
    expectedSeq,
    state.seq,
    state.status,
    json(state.open.map(packMark)),
    isEmpty(state.visits) ? EMPTY : json(state.visits),
    state.stepRuns,
    json(dataPatch),
    json(state.result),
    json(state.error),
    json(state.cancellation),
    json(state.interrupted?.map(packMark)),
    state.cancellation?.dueAt ?? null,
    state.startedAt,
    FINISHED.has(state.status) ? 't' : null,
  ];
}

function startCells({ state }: Decision, { trigger, owner, origin }: RunOrigin): Cell[] {
  const { workspaceId, definitionId, version, input, data, context } = state;
  const values = [json(input), json(data), json(context), text(trigger), text(owner), text(origin)];
  return [workspaceId, definitionId, version, ...values];
}

/** What both lists of step runs begin with; initial values are left to the statement, so that their columns stay empty. */
function stepCells({ step, visit, status, ...row }: StepRow): Cell[] {
  return [
    text(step),
    visit,
    status,
    row.attempt === 1 ? null : row.attempt,
    row.fence === 0 ? null : row.fence,
    row.epoch === 0 ? null : row.epoch,
    row.lost === 0 ? null : row.lost,
    json(row.input),
    isEmpty(row.output) ? EMPTY : json(row.output),
    json(row.error),
    row.dueAt,
    row.ranMs ?? null,
  ];
}

function eventCells({ seq, type, step, visit, actor, data }: RunEvent, commandId: string | null): Cell[] {
  return [seq, type, text(step), visit, text(actor), json(data), commandId];
}

function newPauseCells(row: PauseRow, commandId: string): Cell[] {
  const { id, step, visit, status, spec, dueAt } = row;
  return [id, text(step), visit, status, json(spec), dueAt ?? null, ...answerCells(row, commandId)];
}

function answerCells({ answer, answeredBy, status }: PauseRow, commandId: string): Cell[] {
  return [json(answer), text(answeredBy), status === 'open' ? null : commandId];
}

/** An empty object as an element. */
const EMPTY = '"{}"';

function isEmpty(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  for (const _ in value) return false;
  return true;
}

function json(value: unknown): Cell {
  return value === undefined || value === null ? null : text(JSON.stringify(value));
}

const ESCAPED = /["\\]/g;

/** Always in quotes: unquoted, a step called `null` would be one. */
function text(value: string | null | undefined): Cell {
  return value === undefined || value === null ? null : `"${value.replace(ESCAPED, '\\$&')}"`;
}

function sizeOf(cell: Cell): number {
  return typeof cell === 'string' ? cell.length : 8;
}

function columns(list: string): { name: string; type: string }[] {
  return list.split(', ').map((column) => {
    const [name = '', type = ''] = column.split(' ');
    return { name, type };
  });
}
