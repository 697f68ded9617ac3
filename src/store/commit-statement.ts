// The statements that write decisions. For a batch, runs, step runs, pauses and events each come as one array per
// column (commit-rows.ts), whose rows name their run by its place in the batch. A lone decision of few rows has them as
// plain parameters: the same write for two thirds of the work, which is what a run on an idle system waits for. A
// decision whose run is locked elsewhere or has moved on writes nothing and is not answered.
//
// A batch changes each run whose row it can lock and whose sequence number is still the expected one: waiting for one row
// would stall all others, and skipping it also rules out deadlocks between overlapping batches. What was won is one number,
// a bit for each place: the other lists test theirs, which costs less than joining what was won, or looking it up in a list.
//
// Step changes are spelled out before they are joined (`step_changes`), or the planner would read every step run of a run
// to update one.
//
// What somebody subscribes to becomes a delivery of the same commit (`hooked`): one probe for all workspaces of the batch,
// and the events are only looked at where it finds something; OFFSET 0 keeps the planner from turning that round. A lone
// decision has no such part: where its workspace has a subscription it writes nothing, and goes as a batch of one.

import { COLUMNS, type ListName, type LoneShape, listsOf } from './commit-rows.ts';

export interface StatementKind {
  /** Also creates runs and writes pauses; most batches do neither, and the shorter statement costs less. */
  full: boolean;
  /** Wait for a run's lock instead of skipping it. */
  waitForLocks: boolean;
}

const FINISHED_STEP = `('completed', 'failed', 'undone', 'cancelled')`;
const time = (column: string) => `to_timestamp(${column} / 1000.0)`;

/**
 * `$1` is the lease in ms, the lists' columns follow in order. Answers one row: which changes were written, as the number
 * whose bits are their places, and the ids of the deliveries that came of them, separated by blanks (a row for each would
 * cost more to send and read than the answer is worth).
 */
export function batchStatement({ full, waitForLocks }: StatementKind): string {
  const { from, parameter } = listSources(full);
  const ids = parameter('runs', 'id');
  const workspaces = parameter('runs', 'workspace_id');
  const own = (list: Exclude<ListName, 'runs' | 'starts'>, alias: string): Source => ({
    from: `place p, ${from(list, alias)}`,
    run: `(${ids})[${alias}.n]`,
    workspace: `(${workspaces})[${alias}.n]`,
    where: `WHERE ${isWon(alias)}`,
  });
  const mine = lockRun('l.id', 'l.seq', waitForLocks ? '' : 'SKIP LOCKED');
  const events = own('events', 'e');
  return `
WITH changed AS (
  ${changeRuns(`${from('runs', 'l')} WHERE r.id = ${mine}`)} RETURNING l.n
), ${full ? `created AS (${createRuns(`${from('runs', 'g')} JOIN ${from('starts', 's')} ON s.n = g.n`)}), ` : ''}place AS MATERIALIZED (
  SELECT bit_or(1::bigint << n - 1) AS won FROM ${full ? `(SELECT n FROM changed UNION ALL SELECT array_position(${ids}, id) FROM created) AS w` : 'changed'}
), opened_steps AS (
  ${openSteps(own('newSteps', 's'))}
), step_changes AS MATERIALIZED (
  SELECT (${ids})[s.n] AS run_id, s.* FROM place p, ${from('steps', 's')} WHERE ${isWon('s')}
), changed_steps AS (
  ${changeSteps('step_changes s', 's.run_id')}
), ${full ? `opened_pauses AS (${openPauses(own('newPauses', 's'))}), closed_pauses AS (${closePauses(own('pauses', 's'))}), ` : ''}told AS (
  ${tell(events)}
), ${full ? `sent AS (${send(own('deliveries', 's'))}), ` : ''}hooked AS (
  ${hook('place p', `ANY (${workspaces})`, { ...events, from: from('events', 'e', HOOKED_COLUMNS), where: `WHERE ${events.workspace} = h.workspace_id AND ${isWon('e')}` })}
)
SELECT won::text AS won, (SELECT string_agg(id::text, ' ') FROM ${full ? '(SELECT id FROM hooked UNION ALL SELECT id FROM sent) AS written' : 'hooked'}) AS deliveries
FROM place`;
}

/** The run's id, locked, when nobody else has locked it and its sequence number is the expected one. */
const lockRun = (id: string, seq: string, skip: string, and = '') =>
  `(SELECT o.id FROM runs o WHERE o.id = ${id} AND o.seq = ${seq} ${and} FOR NO KEY UPDATE OF o ${skip})`;

/** Whether nobody subscribes to what happens in a workspace. */
const unwatched = (workspace: string) =>
  `NOT EXISTS (SELECT FROM webhook_subscriptions h WHERE h.workspace_id = ${workspace})`;

/** Whether the run that a row belongs to was won: a bit for each place. */
const isWon = (alias: string) => `p.won >> (${alias}.n - 1) & 1 = 1`;

/**
 * `$1` is the lease in ms, `$2` the run's id: the cells of the run come first, then those of its start, then its rows, list by list.
 * Answers one row; none also where the workspace subscribes to events. Steps are looked for by `$2` and not by what was won, so that the whole key is known beforehand.
 */
export function loneStatement(shape: LoneShape): string {
  let count = 1;
  const rows = (list: ListName, length: number, alias: string) => {
    const columns = COLUMNS[list].slice(1);
    const row = () => `(${columns.map(({ type }) => `$${++count}::${type}`).join(', ')})`;
    const values = Array.from({ length }, row).join(', ');
    return `(VALUES ${values}) AS ${alias}(${columns.map(({ name }) => name).join(', ')})`;
  };
  const own = (list: ListName, length: number, alias: string): Source => ({
    from: `won p, ${rows(list, length, alias)}`,
    run: '$2',
    workspace: 'p.workspace_id',
    where: '',
  });
  const run = rows('runs', 1, 'l');
  const parts = [
    shape.isStart
      ? `won AS (${createRuns(`${run.replace(' AS l(', ' AS g(')}, ${rows('starts', 1, 's')}`, `AND ${unwatched('$4')}`)})`
      : `won AS (${changeRuns(`${run} WHERE r.id = ${lockRun('$2', '$3', 'SKIP LOCKED', `AND ${unwatched('$4')}`)}`)}
                RETURNING r.id, r.workspace_id)`,
  ];
  if (shape.newSteps > 0) parts.push(`opened_steps AS (${openSteps(own('newSteps', shape.newSteps, 's'))})`);
  if (shape.steps > 0) {
    const { from } = own('steps', shape.steps, 's');
    parts.push(`changed_steps AS (${changeSteps(from, '$2')})`);
  }
  const events = rows('events', shape.events, 'e');
  const told: Source = { from: `won p, ${events}`, run: '$2', workspace: 'p.workspace_id', where: '' };
  parts.push(`told AS (${tell(told)})`);
  // Not every shape has a use for the lease, and a parameter must have a type.
  return `WITH ${parts.join(',\n')} SELECT '1' AS won, NULL AS deliveries FROM won WHERE $1::float8 IS NOT NULL`;
}

/** Where the rows of a list come from, and how they name their run. */
interface Source {
  from: string;
  run: string;
  workspace: string;
  where: string;
}

const changeRuns = (from: string) => `UPDATE runs r SET
    seq = l.next_seq, status = l.status, open = l.open, visits = coalesce(l.visits, '{}'), step_runs = l.step_runs,
    data = CASE WHEN l.patch IS NULL THEN r.data WHEN jsonb_typeof(l.patch) = 'array' THEN l.patch -> 0 ELSE r.data || l.patch END,
    result = l.result, error = l.error, cancellation = l.cancellation, interrupted = l.interrupted,
    due_at = ${time('l.due_at')}, started_at = CASE WHEN l.started_at IS NOT NULL THEN greatest(r.created_at, ${time('l.started_at')}) END,
    finished_at = CASE WHEN l.finished THEN greatest(now(), ${time('l.started_at')}) END
  FROM ${from}`;

const createRuns = (from: string, and = '') => `
  INSERT INTO runs (id, workspace_id, definition_id, version, status, seq, open, visits, step_runs, input, data, context,
                    result, error, trigger, owner, origin, pod_id, replay_of, due_at, started_at, finished_at)
  SELECT g.id, g.workspace_id, s.definition_id, s.version, g.status, g.next_seq, g.open, coalesce(g.visits, '{}'), g.step_runs, s.input,
         s.data, s.context, g.result, g.error, s.trigger, s.owner, s.origin, s.pod_id, s.replay_of, ${time('g.due_at')}, ${time('g.started_at')},
         CASE WHEN g.finished THEN now() END
  FROM ${from}
  WHERE (s.revision IS NULL OR EXISTS (SELECT FROM definitions d WHERE d.id = s.definition_id AND d.revision = s.revision)) ${and}
  ON CONFLICT DO NOTHING RETURNING id, workspace_id
`;

const openSteps = ({ from, run, workspace, where }: Source) => `
  INSERT INTO step_runs (run_id, step_id, visit, workspace_id, seq, type, tool, status, attempt, fence, epoch, lost, input,
                         output, error, offered_at, due_at, lease_until, created_at, started_at, finished_at)
  SELECT ${run}, s.step_id, s.visit, ${workspace}, s.seq, s.type, s.tool, s.status, coalesce(s.attempt, 1),
         coalesce(s.fence, 0), coalesce(s.epoch, 0), coalesce(s.lost, 0), s.input, s.output, s.error,
         CASE WHEN s.status = 'queued' THEN now() END, ${time('s.due_at')},
         CASE WHEN s.status = 'running' THEN now() + $1 * interval '1 ms' END,
         now() - coalesce(s.ran_ms, 0) * interval '1 ms',
         CASE WHEN s.status NOT IN ('pending', 'queued', 'cancelled') THEN now() - coalesce(s.ran_ms, 0) * interval '1 ms' END,
         CASE WHEN s.status IN ${FINISHED_STEP} THEN now() END
  FROM ${from} ${where}`;

const changeSteps = (from: string, run: string) => `UPDATE step_runs t SET
    status = s.status, attempt = coalesce(s.attempt, 1), fence = coalesce(s.fence, 0), epoch = coalesce(s.epoch, 0),
    lost = coalesce(s.lost, 0),
    input = CASE WHEN s.input IS NOT NULL THEN s.input WHEN s.epoch > t.epoch THEN NULL ELSE t.input END,
    output = coalesce(s.output, t.output),
    error = CASE WHEN s.status = 'completed' THEN NULL ELSE coalesce(s.error, t.error) END,
    due_at = ${time('s.due_at')},
    dispatch = t.dispatch + coalesce(s.redispatch, false)::int,
    offered_at = CASE WHEN s.redispatch THEN NULL WHEN s.status = 'queued' THEN now() ELSE t.offered_at END,
    lease_until = CASE WHEN s.status = 'running' THEN now() + $1 * interval '1 ms' END,
    started_at = CASE WHEN t.started_at IS NULL AND s.status NOT IN ('pending', 'queued', 'cancelled', 'undone')
                      THEN greatest(t.created_at, now() - coalesce(s.ran_ms, 0) * interval '1 ms') ELSE t.started_at END,
    finished_at = CASE WHEN s.status IN ${FINISHED_STEP} THEN coalesce(t.finished_at, now()) END
  FROM ${from} WHERE t.run_id = ${run} AND t.step_id = s.step_id AND t.visit = s.visit`;

const openPauses = ({ from, run, workspace, where }: Source) => `
  INSERT INTO pauses (id, run_id, workspace_id, step_id, visit, type, status, spec, due_at, answer, answered_by, command_id, closed_at)
  SELECT s.id, ${run}, ${workspace}, s.step_id, s.visit, s.spec ->> 'type', s.status, s.spec, ${time('s.due_at')},
         s.answer, s.answered_by, s.command_id, CASE WHEN s.status <> 'open' THEN now() END
  FROM ${from} ${where}`;

const closePauses = ({ from, where }: Source) => `
  UPDATE pauses t SET status = s.status, answer = s.answer, answered_by = s.answered_by, command_id = s.command_id,
                      closed_at = now()
  FROM ${from} ${where} AND t.id = s.id`;

const tell = ({ from, run, where }: Source) => `
  INSERT INTO events (run_id, seq, type, step_id, visit, actor, data, command_id)
  SELECT ${run}, e.seq, e.type, e.step_id, e.visit, e.actor, e.data, e.command_id FROM ${from} ${where}`;

const send = ({ from, run, workspace, where }: Source) => `
  INSERT INTO deliveries (id, workspace_id, run_id, step_id, visit, event, spec, message_id, endpoint, next_at)
  SELECT s.id, ${workspace}, ${run}, s.step_id, s.visit, 'callback', s.spec,
         format('hp_%s_%s_%s_%s', ${run}, s.step_id, s.visit, s.epoch), s.endpoint, now() + $1 * interval '1 ms'
  FROM ${from} ${where} RETURNING id`;

const HOOKED_COLUMNS = ['n', 'seq', 'type', 'data'];

const hook = (won: string, workspaces: string, { from, run, where }: Source) => `
  INSERT INTO deliveries (workspace_id, run_id, webhook_id, event, seq, endpoint, next_at)
  SELECT h.workspace_id, ${run}, h.webhook_id, h.event, e.seq, h.webhook_id::text, now() + $1 * interval '1 ms'
  FROM ${won} JOIN webhook_subscriptions h ON h.workspace_id = ${workspaces}, LATERAL (
    SELECT * FROM ${from} WHERE e.type = h.type AND (h.condition IS NULL OR e.data @@ h.condition) OFFSET 0
  ) e ${where} RETURNING id`;

interface ListSources {
  /** `only`: of the list's columns, when they are not all needed. */
  from(list: ListName, alias: string, only?: readonly string[]): string;
  /** The array of one column. */
  parameter(list: ListName, column: string): string;
}

/** `unnest($2::int[], …) AS alias(n, …)` of a list; its parameters follow those of the lists before it. */
function listSources(full: boolean): ListSources {
  const sources = new Map<ListName, { name: string; parameter: string }[]>();
  let count = 1;
  for (const list of listsOf(full)) {
    const before = count + 1;
    sources.set(
      list,
      COLUMNS[list].map(({ name, type }, index) => ({ name, parameter: `$${before + index}::${type}[]` })),
    );
    count += COLUMNS[list].length;
  }
  const from: ListSources['from'] = (list, alias, only) => {
    const columns = sources.get(list)!.filter(({ name }) => only?.includes(name) ?? true);
    const parameters = columns.map(({ parameter }) => parameter).join(', ');
    return `unnest(${parameters}) AS ${alias}(${columns.map(({ name }) => name).join(', ')})`;
  };
  return { from, parameter: (list, column) => sources.get(list)!.find(({ name }) => name === column)!.parameter };
}
