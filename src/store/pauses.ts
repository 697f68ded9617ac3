// Pauses as stored, open or not. They are written with the decisions that open and close them (store/commit.ts).

import type { Answer, PauseSpec } from '../core/step-type.ts';
import type { Connection } from './db.ts';
import { isUuid } from './definitions.ts';

export type PauseStatus = 'open' | 'answered' | 'expired' | 'cancelled';

export interface PauseRow {
  id: string;
  status: PauseStatus;
  spec: PauseSpec;
  answer: Answer | null;
  answeredBy: string | null;
}

/** The pause, or null when the workspace has no such run or the run no such pause. */
export async function findPause(
  { pool }: Connection,
  { workspaceId, runId, pauseId }: { workspaceId: string; runId: string; pauseId: string },
): Promise<PauseRow | null> {
  if (!isUuid(runId) || !isUuid(pauseId)) return null;
  const { rows } = await pool.query<PauseRow>({
    name: 'find-pause',
    text: `SELECT id, status, spec, answer, answered_by AS "answeredBy" FROM pauses
            WHERE id = $1 AND run_id = $2 AND workspace_id = $3`,
    values: [pauseId, runId, workspaceId],
  });
  return rows[0] ?? null;
}
