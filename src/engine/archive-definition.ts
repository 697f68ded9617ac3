// Takes a workflow out of use, back into it, or away for ever. Runs in flight go on in each case but the last, which
// is refused while there are any.

import { AppError } from '../core/errors.ts';
import { recordChange } from '../store/audit.ts';
import { deleteDefinition, moveDefinition } from '../store/definition-changes.ts';
import type { DefinitionRow } from '../store/definitions.ts';
import { changeDefinition, decideChange, getDefinition, type WorkflowRequest } from './change-definition.ts';
import type { Engine } from './engine.ts';
import { recordOnce } from './record-once.ts';

/** Nothing starts any more. Again is as if done. Throws `workflow_not_found`. */
export function archiveDefinition(engine: Engine, request: WorkflowRequest): Promise<{ id: string }> {
  return move(engine, request, 'archive');
}

/** A draft again, as are all its versions. Throws `workflow_not_found`, `conflict` when it is not archived. */
export function unarchiveDefinition(engine: Engine, request: WorkflowRequest): Promise<{ id: string }> {
  return move(engine, request, 'unarchive');
}

function move(engine: Engine, request: WorkflowRequest, type: 'archive' | 'unarchive'): Promise<{ id: string }> {
  const { actor, idempotencyId: commandId } = request;
  const change = async (row: DefinitionRow) => {
    const decision = decideChange(engine, row, { type });
    if (decision === null) return { id: row.id };
    const action = `workflow.${type}d` as const;
    const isDone = await recordChange(engine.db, actor, {
      change: (connection) => moveDefinition(connection, row, decision),
      tell: (isDone) => (isDone ? { action, id: row.id, name: row.name } : null),
      commandId,
    });
    return isDone ? { id: row.id } : null;
  };
  return recordOnce(engine, request, {
    change: () => changeDefinition(engine, request, change),
    again: () => getDefinition(engine, request),
  });
}

/**
 * Nobody finds it any more; its versions and finished runs go after the answer (engine/purge-workflows.ts). Throws
 * `workflow_not_found`, `conflict` when it is not archived or has runs that are not finished.
 */
export function deleteArchivedDefinition(engine: Engine, request: WorkflowRequest): Promise<void> {
  return recordOnce(engine, request, {
    change: async () => {
      await changeDefinition(engine, request, (row) => deleteUnused(engine, request, row));
    },
    again: () => {},
  });
}

/** Null when it was changed since it was read. */
async function deleteUnused(
  engine: Engine,
  { actor, idempotencyId: commandId }: WorkflowRequest,
  row: DefinitionRow,
): Promise<true | null> {
  const { id, name, key } = row;
  decideChange(engine, row, { type: 'delete' });
  const outcome = await recordChange(engine.db, actor, {
    change: (connection) => deleteDefinition(connection, row),
    tell: (outcome) => (outcome === 'deleted' ? { action: 'workflow.deleted', id, name, detail: { key } } : null),
    commandId,
  });
  if (outcome === 'in_use')
    throw new AppError('conflict', 'the workflow has runs that are not finished; wait for them or terminate them');
  return outcome === 'deleted' ? true : null;
}
