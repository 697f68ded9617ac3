// The outputs of step runs that are named one by one, for those who tell a run's past.

import type { Json } from '../core/json.ts';
import { keyOf, type StepRef } from '../core/run.ts';
import type { Connection } from './db.ts';

/** The outputs of `refs`, in their order; null where there is none. */
export async function loadOutputsOf({ pool }: Connection, runId: string, refs: readonly StepRef[]): Promise<Json[]> {
  const { rows } = await pool.query<StepRef & { output: Json }>({
    name: 'load-outputs-of',
    text: `SELECT s.step_id AS step, s.visit, s.output
             FROM unnest($2::text[], $3::int[]) AS wanted (step_id, visit)
             JOIN step_runs s ON s.run_id = $1 AND s.step_id = wanted.step_id AND s.visit = wanted.visit`,
    values: [runId, refs.map(({ step }) => step), refs.map(({ visit }) => visit)],
  });
  const found = new Map(rows.map((row) => [keyOf(row), row.output]));
  return refs.map((ref) => found.get(keyOf(ref)) ?? null);
}
