// What is needed of a run to tell its past, beside its events and outputs. Scoped by workspace and, where one is named, by owner.

import type { JsonObject } from '../core/json.ts';
import type { Connection } from './db.ts';
import { isUuid } from './definitions.ts';

export interface PastRunRow {
  id: string;
  workspaceId: string;
  definitionId: string;
  version: number;
  input: JsonObject;
  /** Number of its last event. */
  seq: number;
}

/** Null when the workspace, or its owner where one is named, has no such run. */
export async function findPastRun(
  { pool }: Connection,
  { workspaceId, runId, owner }: { workspaceId: string; runId: string; owner?: string | undefined },
): Promise<PastRunRow | null> {
  if (!isUuid(runId)) return null;
  const { rows } = await pool.query<PastRunRow>({
    name: 'find-past-run',
    text: `SELECT id, workspace_id AS "workspaceId", definition_id AS "definitionId", version, input, seq
             FROM runs WHERE id = $1 AND workspace_id = $2 AND ($3::text IS NULL OR owner = $3)`,
    values: [runId, workspaceId, owner ?? null],
  });
  return rows[0] ?? null;
}
