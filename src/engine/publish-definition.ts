// Publishes one version of a workflow. Which version is shown to whom is decided by readers; this only moves the mark.

import { AppError } from '../core/errors.ts';
import { moveDefinition } from '../store/definition-changes.ts';
import { resolveVersion } from '../store/definitions.ts';
import { changeDefinition, decideChange, type WorkflowRequest } from './change-definition.ts';
import type { Engine } from './engine.ts';

/** `version` is a selector, the latest by default. Throws `workflow_not_found`, `version_not_found`, `workflow_archived`. */
export function publishDefinition(
  engine: Engine,
  { version: selector, ...request }: WorkflowRequest & { version?: string },
): Promise<{ id: string; version: number }> {
  return changeDefinition(engine, request, async (row) => {
    const version = resolveVersion(row, selector);
    if (version === null && row.archivedAt === null) {
      throw new AppError('version_not_found', 'the workflow has no such version; leave it out to publish the latest');
    }
    const decision = decideChange(engine, row, { type: 'publish', version: version ?? 0 });
    const isDone = decision === null || (await moveDefinition(engine.db, row, decision));
    return isDone ? { id: row.id, version: version! } : null;
  });
}
