// The one statement that writes a batch of decisions. Runs, step runs, pauses and events each come as one array per
// column (commit-rows.ts), whose rows name their run by its place in the batch; a decision whose run is locked elsewhere or has
// moved on writes nothing and is not answered.
//
// It first locks the runs' rows in id order, skipping locked ones, where the sequence number is still the expected one:
// unordered, overlapping batches of several processes would deadlock, and waiting for one row would stall them all. `place`
// then holds the runs that were won, by place, in arrays: the other lists look them up there, which costs less than a join.
// Step changes are spelled out before they are joined (`step_changes`), or the planner would read every step run of a run
// to update one.

import { COLUMNS, type ListName, listsOf } from './commit-rows.ts';

export interface StatementKind {
  /** Also creates runs and writes pauses; most batches do neither, and the shorter statement costs less. */
  full: boolean;
  /** Wait for a run's lock instead of skipping it. */
  waitForLocks: boolean;
}

const FINISHED_STEP = `('completed', 'failed', 'skipped', 'cancelled')`;
const time = (column: string) => `to_timestamp(${column} / 1000.0)`;

/**
 * `$1` is the lease in ms, the lists' columns follow in order. Answers one row: the places of the changes
 * that were written, separated by blanks (a row for each would cost more to send and read than the answer is worth).
 */
export function commitStatement({ full, waitForLocks }: StatementKind): string {
  const from = listSources(full);
  return `
WITH given AS MATERIALIZED (
  SELECT * FROM ${from('runs', 'g')}
), locked AS MATERIALIZED (
  SELECT g.*, r.workspace_id FROM given g JOIN runs r ON r.id = g.id AND r.seq = g.seq
  ORDER BY r.id FOR NO KEY UPDATE OF r ${waitForLocks ? '' : 'SKIP LOCKED'}
), ${full ? created(from) : ''}won AS MATERIALIZED (
  SELECT n, id, workspace_id FROM locked${full ? ' UNION ALL SELECT g.n, c.id, c.workspace_id FROM given g JOIN created c ON c.id = g.id WHERE g.seq = 0' : ''}
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
         CASE WHEN s.status = 'running' THEN now() + $1 * interval '1 ms' END,
         CASE WHEN s.status NOT IN ('pending', 'queued', 'cancelled') THEN now() - coalesce(s.ran_ms, 0) * interval '1 ms' END,
         CASE WHEN s.status IN ${FINISHED_STEP} THEN now() END
  FROM place p, ${from('newSteps', 's')}
  WHERE p.ids[array_position(p.ns, s.n)] IS NOT NULL
), step_changes AS MATERIALIZED (
  SELECT p.ids[array_position(p.ns, s.n)] AS run_id, s.*
  FROM place p, ${from('steps', 's')}
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
    lease_until = CASE WHEN s.status = 'running' THEN now() + $1 * interval '1 ms' END,
    started_at = CASE WHEN t.started_at IS NULL AND s.status NOT IN ('pending', 'queued', 'cancelled')
                      THEN now() - coalesce(s.ran_ms, 0) * interval '1 ms' ELSE t.started_at END,
    finished_at = CASE WHEN s.status IN ${FINISHED_STEP} THEN now() END
  FROM step_changes s WHERE t.run_id = s.run_id AND t.step_id = s.step_id AND t.visit = s.visit
), ${full ? pauses(from) : ''}told AS (
  INSERT INTO events (run_id, seq, type, step_id, visit, actor, data, command_id)
  SELECT p.ids[array_position(p.ns, e.n)], e.seq, e.type, e.step_id, e.visit, e.actor, e.data, e.command_id
  FROM place p, ${from('events', 'e')}
  WHERE p.ids[array_position(p.ns, e.n)] IS NOT NULL
)
SELECT array_to_string(ns, ' ') AS won FROM place`;
}

type From = (list: ListName, alias: string) => string;

/** `unnest($2::int[], …) AS alias(n, …)` of a list; its parameters follow those of the lists before it. */
function listSources(full: boolean): From {
  const sources = new Map<ListName, (alias: string) => string>();
  let count = 1;
  for (const list of listsOf(full)) {
    const before = count + 1;
    const parameters = COLUMNS[list].map(({ type }, index) => `$${before + index}::${type}[]`).join(', ');
    const names = COLUMNS[list].map(({ name }) => name).join(', ');
    sources.set(list, (alias) => `unnest(${parameters}) AS ${alias}(${names})`);
    count += COLUMNS[list].length;
  }
  return (list, alias) => sources.get(list)!(alias);
}

const created = (from: From) => `created AS (
  INSERT INTO runs (id, workspace_id, definition_id, version, status, seq, open, visits, step_runs, input, data, context,
                    result, error, trigger, owner, origin, started_at, finished_at)
  SELECT g.id, s.workspace_id, s.definition_id, s.version, g.status, g.next_seq, g.open, g.visits, g.step_runs, s.input,
         s.data, s.context, g.result, g.error, s.trigger, s.owner, s.origin, ${time('g.started_at')},
         CASE WHEN g.finished THEN now() END
  FROM given g JOIN ${from('starts', 's')} ON s.n = g.n
  ON CONFLICT DO NOTHING RETURNING id, workspace_id
), `;

const pauses = (from: From) => `opened_pauses AS (
  INSERT INTO pauses (id, run_id, workspace_id, step_id, visit, type, status, spec, due_at, answer, answered_by, command_id, closed_at)
  SELECT s.id, p.ids[array_position(p.ns, s.n)], p.workspaces[array_position(p.ns, s.n)], s.step_id, s.visit, s.spec ->> 'type', s.status, s.spec, ${time('s.due_at')},
         s.answer, s.answered_by, s.command_id, CASE WHEN s.status <> 'open' THEN now() END
  FROM place p, ${from('newPauses', 's')}
  WHERE p.ids[array_position(p.ns, s.n)] IS NOT NULL
), closed_pauses AS (
  UPDATE pauses t SET status = s.status, answer = s.answer, answered_by = s.answered_by, command_id = s.command_id,
                      closed_at = now()
  FROM place p, ${from('pauses', 's')}
  WHERE t.id = s.id AND p.ids[array_position(p.ns, s.n)] IS NOT NULL
), `;
