// Removing what is left of workflows that were deleted for ever, a bounded number of rows at a time. A run goes first, and
// leaves its id in `purged_runs` until nothing that belonged to it is left; so whoever goes on later knows where. When it is
// done, and how often, the engine decides. Files are only let go of: their content is to be removed before their rows.

import { reach } from '../failpoints.ts';
import { type Connection, type Database, transact } from './db.ts';

/** What belongs to a run and goes with it; a test knows every table with a `run_id`. */
export const PARTS_OF_RUNS = [
  'step_runs',
  'pauses',
  'events',
  'deliveries',
  'run_logs',
  'run_log_totals',
  'stream_tickets',
] as const;

/** Versions hold up to 5 MB each. */
const VERSIONS_AT_ONCE = 50;

/** Deleted workflows of which there is something to remove now; their versions only when they have been deleted for `minAgeMs`. */
export async function listPurgeable(db: Connection, { minAgeMs, limit }: { minAgeMs: number; limit: number }) {
  const { rows } = await db.pool.query<{ id: string }>(
    `SELECT id FROM definitions d
      WHERE deleted_at IS NOT NULL
        AND (EXISTS (SELECT FROM runs r WHERE r.definition_id = d.id AND r.finished_at IS NOT NULL)
             OR deleted_at < now() - $1 * interval '1 millisecond'
                AND NOT EXISTS (SELECT FROM runs r WHERE r.definition_id = d.id))
      ORDER BY deleted_at LIMIT $2`,
    [minAgeMs, limit],
  );
  return rows.map(({ id }) => id);
}

/**
 * Looks at the next `limit` workflows that were made for one run at least `minAgeMs` ago, and deletes those that have none.
 * Answers the last one looked at, from which to go on; null when there are no more.
 */
export async function deleteOrphans(
  db: Connection,
  { after, minAgeMs, limit }: { after: string | null; minAgeMs: number; limit: number },
): Promise<{ last: string; deleted: number } | null> {
  const { rows } = await db.pool.query<{ last: string | null; deleted: number }>(
    `WITH looked AS (
       SELECT id FROM definitions
        WHERE one_off AND deleted_at IS NULL AND ($1::uuid IS NULL OR id > $1)
          AND created_at < now() - $2 * interval '1 millisecond'
        ORDER BY id LIMIT $3
     ), gone AS (
       UPDATE definitions d SET archived_at = coalesce(archived_at, now()), deleted_at = now(), revision = revision + 1
         FROM looked l
        WHERE d.id = l.id AND NOT EXISTS (SELECT FROM runs r WHERE r.definition_id = l.id)
       RETURNING d.id
     )
     SELECT (SELECT id FROM looked ORDER BY id DESC LIMIT 1) AS last, (SELECT count(*)::int FROM gone) AS deleted`,
    [after, minAgeMs, limit],
  );
  const { last, deleted } = rows[0]!;
  return last === null ? null : { last, deleted };
}

/** Removes at most `limit` finished runs of a deleted workflow and answers how many: nobody finds them from now on. */
export async function removeRuns(
  db: Connection,
  { definitionId, limit }: { definitionId: string; limit: number },
): Promise<number> {
  const { rowCount } = await db.pool.query(
    `WITH gone AS (
       DELETE FROM runs WHERE id IN (
         SELECT r.id FROM runs r JOIN definitions d ON d.id = r.definition_id AND d.deleted_at IS NOT NULL
          WHERE r.definition_id = $1 AND r.finished_at IS NOT NULL
          LIMIT $2 FOR UPDATE OF r SKIP LOCKED)
       RETURNING id
     )
     INSERT INTO purged_runs (run_id) SELECT id FROM gone`,
    [definitionId, limit],
  );
  return rowCount ?? 0;
}

/** Removes at most `limit` rows a table of what runs have left behind; answers whether there may be more. */
export function removeParts(db: Pick<Database, 'pool'>, { runs, limit }: { runs: number; limit: number }) {
  return transact(db, async ({ pool }): Promise<boolean> => {
    const { rows } = await pool.query<{ run_id: string }>(
      'SELECT run_id FROM purged_runs ORDER BY run_id LIMIT $1 FOR UPDATE SKIP LOCKED',
      [runs],
    );
    if (rows.length === 0) return false;
    const ids = rows.map((row) => row.run_id);
    let isRest = false;
    for (const table of PARTS_OF_RUNS) {
      const { rowCount } = await pool.query(
        `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table} WHERE run_id = ANY ($1::uuid[]) LIMIT $2))`,
        [ids, limit],
      );
      // What is written at this moment may escape: the list keeps a run until a whole round finds nothing.
      isRest ||= rowCount !== 0;
    }
    reach('purge.mid_batch');
    if (isRest) return true;
    await pool.query('UPDATE files SET kept_at = NULL WHERE run_id = ANY ($1::uuid[])', [ids]);
    await pool.query('DELETE FROM purged_runs WHERE run_id = ANY ($1::uuid[])', [ids]);
    return true;
  });
}

/**
 * Removes versions of a workflow that was deleted `minAgeMs` ago and has no runs, and in the end the workflow itself; answers
 * whether there is more to remove.
 */
export async function removeDefinition(
  db: Connection,
  { definitionId, minAgeMs }: { definitionId: string; minAgeMs: number },
): Promise<boolean> {
  const isUnused = `deleted_at < now() - $2 * interval '1 millisecond' AND NOT EXISTS (SELECT FROM runs WHERE definition_id = $1)`;
  const { rowCount } = await db.pool.query(
    `DELETE FROM definition_versions WHERE definition_id = $1 AND version IN (
       SELECT version FROM definition_versions WHERE definition_id = $1 ORDER BY version LIMIT ${VERSIONS_AT_ONCE})
        AND EXISTS (SELECT FROM definitions WHERE id = $1 AND ${isUnused})`,
    [definitionId, minAgeMs],
  );
  if (rowCount === VERSIONS_AT_ONCE) return true;
  await db.pool.query(`DELETE FROM definitions WHERE id = $1 AND ${isUnused}`, [definitionId, minAgeMs]);
  return false;
}
