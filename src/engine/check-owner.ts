// Where a run is only its owner's to see and to command: another user's is one that does not exist.

import { AppError } from '../core/errors.ts';
import type { Actor } from '../core/run.ts';
import { isRunOwner } from '../store/run-owners.ts';
import type { Engine } from './engine.ts';

/** Whose a run is never changes, so looking before a change is enough. Throws `run_not_found`. */
export async function checkOwner({ db }: Engine, { workspaceId }: Actor, runId: string, owner: string): Promise<void> {
  if (await isRunOwner(db, { workspaceId, runId, owner })) return;
  throw new AppError('run_not_found', 'no run here has this id');
}
