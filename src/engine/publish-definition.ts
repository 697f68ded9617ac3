// Publishes one version of a workflow. Which version is shown to whom is decided by readers; this only moves the mark.

import { AppError } from '../core/errors.ts';
import { recordChange } from '../store/audit.ts';
import { moveDefinition } from '../store/definition-changes.ts';
import { type DefinitionRow, resolveVersion } from '../store/definitions.ts';
import { changeDefinition, decideChange, getDefinition, type WorkflowRequest } from './change-definition.ts';
import type { Engine } from './engine.ts';
import { recordOnce } from './record-once.ts';

/** `version` is a selector, the latest by default. Throws `workflow_not_found`, `version_not_found`, `workflow_archived`. */
export function publishDefinition(
  engine: Engine,
  { version, ...request }: WorkflowRequest & { version?: string },
): Promise<{ id: string }> {
  return recordOnce(engine, request, {
    change: () => changeDefinition(engine, request, (row) => publish(engine, request, { row, selector: version })),
    again: () => getDefinition(engine, request),
  });
}

/** Null when it was changed since it was read. */
async function publish(
  engine: Engine,
  { actor, idempotencyId: commandId }: WorkflowRequest,
  { row, selector }: { row: DefinitionRow; selector: string | undefined },
): Promise<{ id: string } | null> {
  const { id, name } = row;
  const version = resolveVersion(row, selector);
  if (version === null && row.archivedAt === null)
    throw new AppError('version_not_found', 'the workflow has no such version; leave it out to publish the latest');
  const decision = decideChange(engine, row, { type: 'publish', version: version ?? 0 });
  if (decision === null) return { id };
  const isDone = await recordChange(engine.db, actor, {
    change: (connection) => moveDefinition(connection, row, decision),
    tell: (isDone) => (isDone ? { action: 'workflow.published', id, name, detail: { version } } : null),
    commandId,
  });
  return isDone ? { id } : null;
}
