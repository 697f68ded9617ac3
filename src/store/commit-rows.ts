// A decision as rows for the commit statement, and a batch of them as one array per column. The cells of a change are made
// once, when it joins the queue; only joining them into columns waits until the batch is known. This runs for every step:
// arrays cost Postgres less than the same rows as JSON, and in binary they need no escaping on this side either.

import type { Decision, PauseRow, StepRow } from '../core/draft.ts';
import { packMark, type RunEvent } from '../core/events.ts';
import { FINISHED } from '../core/run.ts';
import { ArrayWriter, type Cell, type ColumnType, sizeOf } from './binary-arrays.ts';

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
    'n int, id uuid, step_id text, visit int, status text, spec json, due_at float8, answer jsonb, answered_by text, command_id uuid',
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
    newSteps: encodeRows(steps, true, (row) => [...stepCells(row), row.seq, row.type, row.tool]),
    steps: encodeRows(steps, false, (row) => [...stepCells(row), row.redispatch ? true : null]),
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
  let bytes = 0;
  for (const change of batch) bytes += change.bytes;
  const writer = new ArrayWriter(bytes);
  const values: unknown[] = [leaseMs];
  for (const list of listsOf(full)) {
    COLUMNS[list].forEach(({ type }, column) => {
      values.push(writer.write(type, cellsOf(batch, list, column)));
    });
  }
  return values;
}

function cellsOf(batch: EncodedChange[], list: ListName, column: number): Cell[] {
  const cells: Cell[] = [];
  for (let index = 0; index < batch.length; index++) {
    for (const row of batch[index]![list]) cells.push(column === 0 ? index + 1 : row[column - 1]!);
  }
  return cells;
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
    json(state.visits),
    state.stepRuns,
    json(dataPatch),
    json(state.result),
    json(state.error),
    json(state.cancellation),
    json(state.interrupted?.map(packMark)),
    state.cancellation?.dueAt ?? null,
    state.startedAt,
    FINISHED.has(state.status) ? true : null,
  ];
}

function startCells({ state }: Decision, { trigger, owner, origin }: RunOrigin): Cell[] {
  const { workspaceId, definitionId, version, input, data, context } = state;
  const values = [json(input), json(data), json(context), trigger, owner, origin];
  return [workspaceId, definitionId, version, ...values];
}

/** What both lists of step runs begin with; initial values are left to the statement, so that their columns stay empty. */
function stepCells({ step, visit, status, ...row }: StepRow): Cell[] {
  return [
    step,
    visit,
    status,
    row.attempt === 1 ? null : row.attempt,
    row.fence === 0 ? null : row.fence,
    row.epoch === 0 ? null : row.epoch,
    row.lost === 0 ? null : row.lost,
    json(row.input),
    json(row.output),
    json(row.error),
    row.dueAt,
    row.ranMs ?? null,
  ];
}

function eventCells({ seq, type, step, visit, actor, data }: RunEvent, commandId: string | null): Cell[] {
  return [seq, type, step, visit, actor, json(data), commandId];
}

function newPauseCells(row: PauseRow, commandId: string): Cell[] {
  const { id, step, visit, status, spec, dueAt } = row;
  return [id, step, visit, status, json(spec), dueAt ?? null, ...answerCells(row, commandId)];
}

function answerCells({ answer, answeredBy, status }: PauseRow, commandId: string): Cell[] {
  return [json(answer), answeredBy ?? null, status === 'open' ? null : commandId];
}

function json(value: unknown): Cell {
  return value === undefined || value === null ? null : JSON.stringify(value);
}

function columns(list: string): { name: string; type: ColumnType }[] {
  return list.split(', ').map((column) => {
    const [name = '', type = ''] = column.split(' ');
    return { name, type: type as ColumnType };
  });
}
