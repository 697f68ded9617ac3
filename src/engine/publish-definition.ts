// Publishes one version of a workflow. Which version is shown to whom is decided by readers; this only moves the mark.

import { AppError } from '../core/errors.ts';
import type { Actor } from '../core/run.ts';
import { findDefinition, markPublished, resolveVersion } from '../store/definitions.ts';
import type { Engine } from './engine.ts';

/** Throws `workflow_not_found`, `version_not_found`, `workflow_archived`. */
export async function publishDefinition(
  engine: Engine,
  { actor, workflow, version: selector }: { actor: Actor; workflow: string; version?: string },
): Promise<{ id: string; version: number }> {
  const row = await findDefinition(engine.db, { workspaceId: actor.workspaceId, idOrKey: workflow });
  if (row === null) throw new AppError('workflow_not_found', 'no workflow here has this id or key');
  if (row.archivedAt !== null) throw archived();
  const version = resolveVersion(row, selector);
  if (version === null) {
    throw new AppError('version_not_found', 'the workflow has no such version; leave it out to publish the latest');
  }
  if (!(await markPublished(engine.db, { definitionId: row.id, version }))) throw archived();
  return { id: row.id, version };
}

function archived(): AppError {
  return new AppError('workflow_archived', 'the workflow is archived; unarchive it before publishing');
}
