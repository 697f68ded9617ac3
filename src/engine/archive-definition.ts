// Takes a workflow out of use, back into it, or away for ever. Runs in flight go on in each case but the last, which
// waits for them.

import { AppError } from '../core/errors.ts';
import { deleteDefinition, moveDefinition } from '../store/definition-changes.ts';
import { changeDefinition, decideChange, type WorkflowRequest } from './change-definition.ts';
import type { Engine } from './engine.ts';

/** Nothing starts any more. Again is as if done. Throws `workflow_not_found`. */
export function archiveDefinition(engine: Engine, request: WorkflowRequest): Promise<{ id: string }> {
  return move(engine, request, 'archive');
}

/** A draft again, as are all its versions. Throws `workflow_not_found`, `conflict` when it is not archived. */
export function unarchiveDefinition(engine: Engine, request: WorkflowRequest): Promise<{ id: string }> {
  return move(engine, request, 'unarchive');
}

function move(engine: Engine, request: WorkflowRequest, type: 'archive' | 'unarchive'): Promise<{ id: string }> {
  return changeDefinition(engine, request, async (row) => {
    const decision = decideChange(engine, row, { type });
    return decision === null || (await moveDefinition(engine.db, row, decision)) ? { id: row.id } : null;
  });
}

/**
 * Nobody finds it any more; its finished runs keep their record. Throws `workflow_not_found`, `conflict` when it is not
 * archived or has runs that are not finished.
 */
export function deleteArchivedDefinition(engine: Engine, request: WorkflowRequest): Promise<{ id: string }> {
  return changeDefinition(engine, request, async (row) => {
    decideChange(engine, row, { type: 'delete' });
    switch (await deleteDefinition(engine.db, row)) {
      case 'deleted':
        return { id: row.id };
      case 'in_use':
        throw new AppError('conflict', 'the workflow has runs that are not finished; wait for them or terminate them');
      case 'changed':
        return null;
    }
  });
}
