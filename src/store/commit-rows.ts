// A decision as rows for the commit statement, and a batch of them as one array per column. The cells of a change are made
// once, when it joins the queue; only joining them into columns waits until the batch is known. This runs for every step:
// arrays cost Postgres less than the same rows as JSON, and in binary they need no escaping on this side either.

import { dueTimeOf } from '../core/clocks.ts';
import type { Decision, DeliveryRow, PauseRow, StepRow } from '../core/decision.ts';
import { packMark } from '../core/events.ts';
import { FINISHED } from '../core/run.ts';
import { packVisits } from '../core/visits.ts';
import { ArrayWriter, type Cell, type ColumnType, sizeOf } from './binary-arrays.ts';

/** What a run is created with beside its state. */
export interface RunOrigin {
  trigger: string;
  owner: string;
  podId: string;
  /** The run that this one replays. */
  replayOf?: string;
  /** Unique per workspace: a start whose origin exists already creates nothing. */
  origin: string | null;
  /** The definition's revision that the start was decided on: where it has moved on, nothing is created. Null: whatever it is. */
  revision: number | null;
}

/**
 * One decision to commit: `expectedSeq` is the run's sequence number it was made on, 0 for a start. While it waits to be sent its
 * decision may be replaced by one that goes further; once it `isTaken` no more.
 */
export interface Change {
  decision: Decision;
  expectedSeq: number;
  start?: RunOrigin;
  isTaken?: true;
}

/** The lists' columns in order; the first, `n`, is the place of the change in its batch, from 1. */
export const COLUMNS = {
  runs: columns(
    'n int, id uuid, seq bigint, workspace_id uuid, next_seq bigint, status text, open jsonb, visits jsonb, step_runs int, patch jsonb, result jsonb, error jsonb, cancellation jsonb, interrupted jsonb, due_at float8, started_at float8, finished bool',
  ),
  newSteps: columns(
    'n int, step_id text, visit int, status text, attempt int, fence int, epoch int, lost int, input jsonb, output jsonb, error jsonb, due_at float8, ran_ms float8, seq bigint, type text, tool text',
  ),
  steps: columns(
    'n int, step_id text, visit int, status text, attempt int, fence int, epoch int, lost int, input jsonb, output jsonb, error jsonb, due_at float8, ran_ms float8, redispatch bool',
  ),
  events: columns('n int, seq bigint, type text, step_id text, visit int, actor text, data jsonb, command_id uuid'),
  starts: columns(
    'n int, definition_id uuid, version int, input jsonb, data jsonb, context jsonb, trigger text, owner text, origin text, revision int, pod_id uuid, replay_of uuid',
  ),
  newPauses: columns(
    'n int, id uuid, step_id text, visit int, status text, spec json, due_at float8, answer jsonb, answered_by text, command_id uuid',
  ),
  pauses: columns('n int, id uuid, status text, answer jsonb, answered_by text, command_id uuid'),
  deliveries: columns('n int, id uuid, step_id text, visit int, epoch int, spec jsonb, endpoint text'),
};

export type ListName = keyof typeof COLUMNS;

const LEAN: readonly ListName[] = ['runs', 'newSteps', 'steps', 'events'];
const FULL: readonly ListName[] = [...LEAN, 'starts', 'newPauses', 'pauses', 'deliveries'];

/** The lists of the statement, in the order of its parameters. */
export function listsOf(full: boolean): readonly ListName[] {
  return full ? FULL : LEAN;
}

/** The cells of a change's rows without their place, row after row. */
export type EncodedChange = Record<ListName, readonly Cell[]> & {
  bytes: number;
  /** Needs the statement that also creates runs, writes pauses and sends something outside. */
  isRare: boolean;
};

const NO_CELLS: readonly Cell[] = [];

/** The rows of one change, ready to be placed in a batch. */
export function encodeChange(change: Change): EncodedChange {
  change.isTaken = true;
  const { decision, start } = change;
  const { commandId, steps, pauses, deliveries } = decision;
  const newSteps: Cell[] = [];
  const changedSteps: Cell[] = [];
  for (const row of steps) pushStep(row.isNew ? newSteps : changedSteps, row);
  const encoded = {
    runs: runCells(change),
    newSteps,
    steps: changedSteps,
    events: eventCells(decision),
    starts: start === undefined ? NO_CELLS : startCells(decision, start),
    newPauses:
      pauses.length === 0 ? NO_CELLS : pauses.flatMap((row) => (row.isNew ? newPauseCells(row, commandId) : [])),
    pauses: pauses.length === 0 ? NO_CELLS : pauses.flatMap((row) => (row.isNew ? [] : pauseCells(row, commandId))),
    deliveries: deliveries.length === 0 ? NO_CELLS : deliveries.flatMap(deliveryCells),
  };
  let bytes = 0;
  for (const list of FULL) for (const cell of encoded[list]) bytes += sizeOf(cell);
  return { ...encoded, bytes, isRare: start !== undefined || pauses.length > 0 || deliveries.length > 0 };
}

/** How many rows a lone decision has of each kind: one prepared statement each, so what is larger goes as a batch of one. */
export interface LoneShape {
  isStart: boolean;
  newSteps: number;
  steps: number;
  events: number;
}

/** A run that went on from pure step to pure step opens one after the other in one commit. */
const LONE_NEW_STEPS = 6;
const LONE_STEPS = 2;
const LONE_EVENTS = 8;

/** Null for a decision with many rows, or with pauses or deliveries. */
export function loneShapeOf(change: EncodedChange): LoneShape | null {
  const [newSteps, steps, events] = [rowsOf(change, 'newSteps'), rowsOf(change, 'steps'), rowsOf(change, 'events')];
  if (newSteps > LONE_NEW_STEPS || steps > LONE_STEPS || events > LONE_EVENTS) return null;
  if (change.newPauses.length > 0 || change.pauses.length > 0 || change.deliveries.length > 0) return null;
  return { isStart: change.starts.length > 0, newSteps, steps, events };
}

function rowsOf(change: EncodedChange, list: ListName): number {
  return change[list].length / widthOf(list);
}

/** Cells of a row. */
function widthOf(list: ListName): number {
  return COLUMNS[list].length - 1;
}

/** The statement's arguments for a lone decision. */
export function encodeLone({ runs, starts, newSteps, steps, events }: EncodedChange, leaseMs: number): unknown[] {
  return [leaseMs, ...runs, ...starts, ...newSteps, ...steps, ...events];
}

/** The statement's arguments for a batch. */
export function encodeBatch(batch: EncodedChange[], leaseMs: number, full: boolean): unknown[] {
  let bytes = 0;
  for (const change of batch) bytes += change.bytes;
  const writer = new ArrayWriter(bytes);
  const values: unknown[] = [leaseMs];
  for (const list of listsOf(full)) {
    values.push(writer.write('int', placesOf(batch, list)));
    for (let column = 0; column < widthOf(list); column++) {
      values.push(writer.write(COLUMNS[list][column + 1]!.type, cellsOf(batch, list, column)));
    }
  }
  return values;
}

/** For each row of the list, the place of its change, from 1. */
function placesOf(batch: EncodedChange[], list: ListName): Cell[] {
  const places: Cell[] = [];
  for (let index = 0; index < batch.length; index++) {
    const rows = rowsOf(batch[index]!, list);
    for (let row = 0; row < rows; row++) places.push(index + 1);
  }
  return places;
}

function cellsOf(batch: EncodedChange[], list: ListName, column: number): Cell[] {
  const width = widthOf(list);
  const cells: Cell[] = [];
  for (const change of batch) {
    const all = change[list];
    for (let at = column; at < all.length; at += width) cells.push(all[at]!);
  }
  return cells;
}

/** A patch in brackets stands in the place of the data, instead of being merged into it. */
function runCells({ decision: { state, dataPatch, rewritesData }, expectedSeq }: Change): Cell[] {
  return [
    state.id,
    expectedSeq,
    state.workspaceId,
    state.seq,
    state.status,
    json(state.open.map(packMark)),
    jsonOrNothing(packVisits(state)),
    state.stepRuns,
    rewritesData ? json([state.data]) : json(dataPatch),
    json(state.result),
    json(state.error),
    json(state.cancellation),
    json(state.interrupted?.map(packMark)),
    dueTimeOf(state),
    state.startedAt,
    FINISHED.has(state.status) ? true : null,
  ];
}

function startCells({ state }: Decision, { trigger, owner, podId, replayOf, origin, revision }: RunOrigin): Cell[] {
  const { definitionId, version, input, data, context } = state;
  const values = [json(input), json(data), json(context), trigger, owner, origin, revision, podId, replayOf ?? null];
  return [definitionId, version, ...values];
}

/** Initial values are left to the statement, so that their columns stay empty. */
function pushStep(cells: Cell[], row: StepRow): void {
  cells.push(
    row.step,
    row.visit,
    row.status,
    row.attempt === 1 ? null : row.attempt,
    row.fence === 0 ? null : row.fence,
    row.epoch === 0 ? null : row.epoch,
    row.lost === 0 ? null : row.lost,
    json(row.input),
    row.output === null ? 'null' : json(row.output),
    json(row.error),
    row.dueAt,
    row.ranMs ?? null,
  );
  if (row.isNew) cells.push(row.seq, row.type, row.tool);
  else cells.push(row.redispatch ? true : null);
}

/** The command's id stands on the first. */
function eventCells({ events, commandId }: Decision): Cell[] {
  const cells: Cell[] = [];
  let id: string | null = commandId;
  for (const { seq, type, step, visit, actor, data } of events) {
    cells.push(seq, type, step, visit, actor, json(data), id);
    id = null;
  }
  return cells;
}

function newPauseCells(row: PauseRow, commandId: string): Cell[] {
  const { id, step, visit, status, spec, dueAt } = row;
  return [id, step, visit, status, json(spec), dueAt ?? null, ...answerCells(row, commandId)];
}

function pauseCells(row: PauseRow, commandId: string): Cell[] {
  return [row.id, row.status, ...answerCells(row, commandId)];
}

function answerCells({ answer, answeredBy, status }: PauseRow, commandId: string): Cell[] {
  return [json(answer), answeredBy ?? null, status === 'open' ? null : commandId];
}

function deliveryCells({ id, step, visit, epoch, spec }: DeliveryRow): Cell[] {
  return [id, step, visit, epoch, json(spec), endpointOf(spec['url'])];
}

/** Deliveries to one server share a bound on how many go at once. */
function endpointOf(url: unknown): string {
  return typeof url === 'string' && URL.canParse(url) ? new URL(url).origin : 'nowhere';
}

function json(value: unknown): Cell {
  return value === undefined || value === null ? null : JSON.stringify(value);
}

/** An empty object is left to the statement, so that its column stays empty where all are. */
function jsonOrNothing(value: object): Cell {
  for (const _key in value) return JSON.stringify(value);
  return null;
}

function columns(list: string): { name: string; type: ColumnType }[] {
  return list.split(', ').map((column) => {
    const [name = '', type = ''] = column.split(' ');
    return { name, type: type as ColumnType };
  });
}
