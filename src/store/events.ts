// The history of a run as it is read: its events in their order, page by page. They are written with the decision that
// caused them (store/commit.ts) and never again; what they are called outside is core/event-names.ts.

import type { RunEvent } from '../core/events.ts';
import type { Connection } from './db.ts';
import { isUuid } from './definitions.ts';

/** An event as stored; `at` is epoch milliseconds. */
export interface EventRow extends RunEvent {
  at: number;
}

export interface EventPage {
  workspaceId: string;
  runId: string;
  /** Number of the last event that is known already; default 0, and the page begins with the first. */
  after?: number;
  limit: number;
}

/** Events after `after`, oldest first; none when the workspace has no such run. */
export async function listEvents(
  db: Connection,
  { workspaceId, runId, after = 0, limit }: EventPage,
): Promise<EventRow[]> {
  if (!isUuid(runId)) return [];
  const { rows } = await db.pool.query<EventRow>({
    name: 'list-events',
    text: `SELECT e.seq, e.type, e.step_id AS step, e.visit, e.actor, coalesce(e.data, '{}') AS data,
                  floor(extract(epoch FROM e.at) * 1000)::bigint AS at
             FROM events e JOIN runs r ON r.id = e.run_id
            WHERE e.run_id = $1 AND r.workspace_id = $2 AND e.seq > $3 ORDER BY e.seq LIMIT $4`,
    values: [runId, workspaceId, after, limit],
  });
  return rows;
}

/** Whether a command with this id changed the run. */
export async function hasCommand(
  { pool }: Connection,
  { runId, commandId }: { runId: string; commandId: string },
): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'has-command',
    text: 'SELECT FROM events WHERE run_id = $1 AND command_id = $2 LIMIT 1',
    values: [runId, commandId],
  });
  return rowCount === 1;
}
