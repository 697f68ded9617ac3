// The invariants of GUARANTEES §5, as SQL: each statement answers the rows that break one. Run after every test of what
// must survive, and by `holdpoint doctor`. They read what is stored and believe nothing of what the engine says about it.

import type { Database } from './db.ts';

export interface Violation {
  /** As numbered in GUARANTEES §5. */
  invariant: string;
  runId: string;
  detail: string;
}

/** Where a job of the queue points. */
export interface LiveJob {
  runId: string;
  step: string;
  visit: number;
}

interface Invariant {
  id: string;
  says: string;
  /** Answers `run_id` and `detail` of what is wrong. */
  sql: string;
}

const TERMINAL = `('run.completed', 'run.failed', 'run.cancelled')`;
const REOPENING = `('run.retried', 'run.rolled_back')`;
const OPEN = `('pending', 'queued', 'running', 'waiting')`;

/** Every mark of every event: what it says of which step run. Within one event a step run is named once. */
const MARKS = `marks AS (
  SELECT e.run_id, e.seq, kind, mark ->> 'step' AS step_id, (mark ->> 'visit')::int AS visit, mark
  FROM events e, LATERAL (VALUES ('opened', e.data -> 'opened'), ('moved', e.data -> 'moved'), ('closed', e.data -> 'closed')) AS k(kind, list),
       LATERAL jsonb_array_elements(coalesce(list, '[]')) AS mark
)`;
/** The fold of a run's events: the last mark of each step run. */
const FOLD = `${MARKS}, fold AS (
  SELECT DISTINCT ON (run_id, step_id, visit) * FROM marks ORDER BY run_id, step_id, visit, seq DESC
)`;

export const INVARIANTS: readonly Invariant[] = [
  {
    id: 'I1',
    says: 'a run that goes on has something to go on with: a step run queued or running, or waiting; a waiting run has an open pause',
    sql: `SELECT r.id AS run_id, r.status || ' with nothing under way' AS detail FROM runs r
          WHERE r.status IN ('queued', 'running')
            AND NOT EXISTS (SELECT FROM step_runs s WHERE s.run_id = r.id AND s.status IN ('queued', 'running', 'waiting'))
          UNION ALL
          SELECT r.id, 'waiting with no open pause' FROM runs r
          WHERE r.status = 'waiting' AND NOT EXISTS (SELECT FROM pauses p WHERE p.run_id = r.id AND p.status = 'open')`,
  },
  {
    id: 'I3',
    says: 'a step run completes at most once',
    sql: `SELECT run_id, format('%s (visit %s) completed %s times', step_id, visit, count(*)) AS detail FROM events
          WHERE type = 'step.completed' GROUP BY run_id, step_id, visit HAVING count(*) > 1`,
  },
  {
    id: 'I4',
    says: 'a run ends at most once until it is reopened, and nothing follows its end',
    sql: `SELECT run_id, format('%s (%s) after the end (%s)', type, seq, ended) AS detail FROM (
            SELECT run_id, seq, type, min(seq) FILTER (WHERE type IN ${TERMINAL}) OVER (PARTITION BY run_id, life) AS ended FROM (
              SELECT *, count(*) FILTER (WHERE type IN ${REOPENING}) OVER (PARTITION BY run_id ORDER BY seq) AS life FROM events
            ) lives
          ) ends WHERE seq > ended`,
  },
  {
    id: 'I5',
    says: 'a history has no gap: it starts at 1, and its last number is the run’s',
    sql: `SELECT r.id AS run_id, format('runs.seq %s, events %s from %s to %s', r.seq, e.n, e.first, e.last) AS detail
          FROM runs r LEFT JOIN (SELECT run_id, count(*) AS n, min(seq) AS first, max(seq) AS last FROM events GROUP BY run_id) e ON e.run_id = r.id
          WHERE (e.n, e.first, e.last) IS DISTINCT FROM (r.seq, 1::bigint, r.seq)`,
  },
  {
    id: 'I6',
    says: 'folding the events gives the marking, which agrees with the step rows and with the run’s status',
    sql: `WITH ${FOLD}, open AS (
            SELECT r.id AS run_id, mark ->> 'step' AS step_id, (mark ->> 'visit')::int AS visit, mark FROM runs r, jsonb_array_elements(r.open) AS mark
          )
          SELECT coalesce(f.run_id, o.run_id) AS run_id, format('events say %s, the run %s', f.mark, o.mark) AS detail
          FROM (SELECT * FROM fold WHERE kind <> 'closed') f FULL JOIN open o USING (run_id, step_id, visit)
          WHERE f.mark IS DISTINCT FROM o.mark
          UNION ALL
          SELECT coalesce(o.run_id, s.run_id), format('the run says %s, the step row %s (visit %s) %s', o.mark, s.step_id, s.visit, s.status)
          FROM open o FULL JOIN (SELECT * FROM step_runs WHERE status IN ${OPEN}) s USING (run_id, step_id, visit)
          WHERE (s.status, s.attempt, s.fence, s.epoch, s.lost, floor(extract(epoch FROM s.due_at) * 1000 + 0.5)) IS DISTINCT FROM
                (o.mark ->> 'status', coalesce((o.mark ->> 'attempt')::int, 1), coalesce((o.mark ->> 'fence')::int, 0), coalesce((o.mark ->> 'epoch')::int, 0),
                 coalesce((o.mark ->> 'lost')::int, 0), floor((o.mark ->> 'dueAt')::numeric + 0.5))
          UNION ALL
          SELECT f.run_id, format('events closed %s (visit %s) as %s, its row is %s', f.step_id, f.visit, f.mark ->> 'status', s.status)
          FROM fold f LEFT JOIN step_runs s USING (run_id, step_id, visit) WHERE f.kind = 'closed' AND f.mark ->> 'status' IS DISTINCT FROM s.status
          UNION ALL
          SELECT r.id, format('%s with %s', r.status, r.open) FROM runs r
          WHERE CASE WHEN r.status IN ('completed', 'failed', 'cancelled') THEN r.open <> '[]'
                     WHEN r.status = 'waiting' THEN NOT r.open @> '[{"awaits": "person"}]' OR r.open @> '[{"status": "queued"}]' OR r.open @> '[{"status": "running"}]'
                     WHEN r.status = 'held' THEN r.open @> '[{"status": "queued"}]'
                     ELSE r.open = '[]' END`,
  },
  {
    id: 'I7',
    says: 'only what is open is moved or closed, and nothing is opened twice',
    sql: `WITH ${MARKS}
          SELECT run_id, format('%s of %s (visit %s) by event %s comes after %s', kind, step_id, visit, seq, coalesce(before, 'nothing')) AS detail
          FROM (SELECT *, lag(kind) OVER (PARTITION BY run_id, step_id, visit ORDER BY seq) AS before FROM marks) m
          WHERE CASE WHEN kind = 'opened' THEN before IS NOT NULL ELSE before IS NULL OR before = 'closed' END
            AND NOT EXISTS (SELECT FROM events e WHERE e.run_id = m.run_id AND e.type IN ${REOPENING})`,
  },
  {
    id: 'I8',
    says: 'a pause is closed exactly when one event closed its step run, and the command that closed it is in the history',
    sql: `WITH ${MARKS}
          SELECT p.run_id, format('pause of %s (visit %s) is %s, closed by %s events', p.step_id, p.visit, p.status, count(m.seq)) AS detail
          FROM pauses p LEFT JOIN marks m ON m.run_id = p.run_id AND m.step_id = p.step_id AND m.visit = p.visit AND m.kind = 'closed'
          WHERE NOT EXISTS (SELECT FROM events e WHERE e.run_id = p.run_id AND e.type IN ${REOPENING})
          GROUP BY p.id HAVING count(m.seq) <> (p.status <> 'open')::int
          UNION ALL
          SELECT p.run_id, format('the answer of %s (visit %s) came from nobody', p.step_id, p.visit) FROM pauses p
          WHERE p.status <> 'open' AND (SELECT count(*) FROM events e WHERE e.run_id = p.run_id AND e.command_id = p.command_id) <> 1
          UNION ALL
          SELECT p.run_id, format('%s was answered, its step run is %s', p.step_id, s.status) FROM pauses p
          JOIN step_runs s USING (run_id, step_id, visit) WHERE p.status = 'answered' AND s.status NOT IN ('completed', 'failed')
            AND NOT EXISTS (SELECT FROM events e WHERE e.run_id = p.run_id AND e.type IN ${REOPENING})`,
  },
  {
    id: 'I10',
    says: 'no step moves once its run is cancelled',
    sql: `SELECT s.run_id, format('%s (visit %s) is %s', s.step_id, s.visit, s.status) AS detail FROM step_runs s JOIN runs r ON r.id = s.run_id
          WHERE r.status = 'cancelled' AND s.status IN ${OPEN}`,
  },
  {
    id: 'I13',
    says: 'a lease that ended more than 5 s ago is taken away',
    sql: `SELECT run_id, format('%s (visit %s) has a lease until %s', step_id, visit, lease_until) AS detail FROM step_runs
          WHERE status = 'running' AND lease_until < now() - interval '5 s'`,
  },
  {
    id: 'I15',
    says: 'what belongs to a run is in the run’s workspace, and so is its definition, in the run’s pod',
    sql: `SELECT r.id AS run_id, format('%s is in another workspace', o.what) AS detail FROM runs r JOIN (
            SELECT run_id, workspace_id, 'step run ' || step_id AS what FROM step_runs
            UNION ALL SELECT run_id, workspace_id, 'pause of ' || step_id FROM pauses
            UNION ALL SELECT r.id, d.workspace_id, 'the definition' FROM runs r JOIN definitions d ON d.id = r.definition_id
          ) o ON o.run_id = r.id WHERE o.workspace_id <> r.workspace_id
          UNION ALL SELECT r.id, 'its definition is in another pod' FROM runs r JOIN definitions d ON d.id = r.definition_id
          WHERE d.pod_id <> r.pod_id`,
  },
  {
    // Not of GUARANTEES: what CHECKs would say, if these tables could afford any (migrations/20261122001900).
    id: 'C1',
    says: 'a status is a known word and agrees with the times beside it, and numbers count from 1',
    sql: `SELECT id AS run_id, format('%s, finished %s, seq %s', status, finished_at, seq) AS detail FROM runs
          WHERE status NOT IN ('queued', 'running', 'waiting', 'held', 'completed', 'failed', 'cancelled') OR seq < 1
             OR (finished_at IS NOT NULL) <> (status IN ('completed', 'failed', 'cancelled'))
          UNION ALL
          SELECT run_id, format('%s (visit %s) is %s, leased until %s, finished %s', step_id, visit, status, lease_until, finished_at) FROM step_runs
          WHERE status NOT IN ${OPEN} AND status NOT IN ('completed', 'failed', 'undone', 'cancelled') OR visit < 1
             OR (lease_until IS NOT NULL) <> (status = 'running')
             OR (finished_at IS NOT NULL) <> (status IN ('completed', 'failed', 'undone', 'cancelled'))`,
  },
];

/** Everything stored that breaks an invariant, at most 100 of each. */
export async function findViolations({ pool }: Pick<Database, 'pool'>): Promise<Violation[]> {
  const found: Violation[] = [];
  for (const { id, says, sql } of INVARIANTS) {
    const { rows } = await pool.query<{ run_id: string; detail: string }>(`${sql} LIMIT 100`);
    found.push(...rows.map((row) => ({ invariant: id, runId: row.run_id, detail: `${row.detail}; but ${says}` })));
  }
  return found;
}

/** I2: runs that were acknowledged to somebody and do not exist. */
export async function findMissingRuns({ pool }: Pick<Database, 'pool'>, acknowledged: string[]): Promise<Violation[]> {
  const { rows } = await pool.query<{ id: string }>(
    'SELECT id FROM unnest($1::uuid[]) AS a(id) WHERE NOT EXISTS (SELECT FROM runs r WHERE r.id = a.id)',
    [acknowledged],
  );
  return rows.map(({ id }) => ({ invariant: 'I2', runId: id, detail: 'it was acknowledged and does not exist' }));
}

/** I9 and I14: what is wrong about the jobs that the queue holds. */
export async function findJobViolations({ pool }: Pick<Database, 'pool'>, jobs: LiveJob[]): Promise<Violation[]> {
  const given = [jobs.map((job) => job.runId), jobs.map((job) => job.step), jobs.map((job) => job.visit)];
  const { rows } = await pool.query<{ run_id: string; step_id: string }>(
    `SELECT j.run_id, j.step_id FROM unnest($1::uuid[], $2::text[], $3::int[]) AS j(run_id, step_id, visit) JOIN runs r ON r.id = j.run_id
     WHERE r.status = 'waiting' OR (r.status = 'held' AND NOT r.open @> '[{"status": "running"}]')`,
    given,
  );
  const found = rows.map((row) => ({
    invariant: 'I9',
    runId: row.run_id,
    detail: `it waits, and has a job for ${row.step_id}`,
  }));
  const { rows: counts } = await pool.query<{ due: number }>(
    `SELECT count(*)::int AS due FROM step_runs WHERE status IN ('queued', 'running')`,
  );
  const due = counts[0]!.due;
  if (jobs.length > 3 * due)
    found.push({ invariant: 'I14', runId: jobs[0]!.runId, detail: `${jobs.length} jobs for ${due} due step runs` });
  return found;
}
