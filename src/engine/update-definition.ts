// Updates a workflow, which adds a version: what was sent is laid over the latest one, key by key. Runs stay on the
// version they started on, because versions never change.

import { applyChanges } from '../core/definition.ts';
import type { JsonObject } from '../core/json.ts';
import { recordChange } from '../store/audit.ts';
import { insertVersion } from '../store/definition-changes.ts';
import { findVersion, findVersionByRequest } from '../store/definitions.ts';
import { changeDefinition, decideChange, type WorkflowRequest } from './change-definition.ts';
import { checkDefinition } from './check-definition.ts';
import type { Engine } from './engine.ts';

export interface UpdateRequest extends WorkflowRequest {
  /** The keys of a definition that change; `null` takes one away. */
  changes: JsonObject;
  /** `{{…}}` in the changes is an expression. */
  hasMustache?: boolean;
  status?: 'draft' | 'testing';
  /** The version that the changes were made for; without it they apply to whichever is the latest. */
  expected?: number;
  /** Names the request: the version that it made before is answered. */
  requestId?: string;
}

/** Throws `workflow_not_found`, `workflow_archived`, `version_changed`, `invalid_definition` with every problem at once. */
export function updateDefinition(
  engine: Engine,
  { changes, hasMustache = false, status = 'draft', expected, requestId, ...request }: UpdateRequest,
): Promise<{ id: string; version: number }> {
  const { db } = engine;
  return changeDefinition(engine, request, async (row) => {
    const made = requestId === undefined ? null : await findVersionByRequest(db, { definitionId: row.id, requestId });
    if (made !== null) return { id: row.id, version: made };
    const wanted = expected === undefined ? {} : { expected };
    decideChange(engine, row, { type: 'update', status, ...wanted });
    const latest = await findVersion(db, { definitionId: row.id, version: row.latestVersion });
    const mustacheIn = hasMustache ? Object.keys(changes) : [];
    const body = checkDefinition(engine, applyChanges(latest!.body, changes), { mustacheIn });
    const added = { body, status, createdBy: request.actor.userId, requestId: requestId ?? null };
    const version = row.latestVersion + 1;
    const isDone = await recordChange(db, request.actor, {
      change: (connection) => insertVersion(connection, row, added),
      tell: (isDone) =>
        isDone ? { action: 'workflow.updated', id: row.id, name: body.name, detail: { version, status } } : null,
    });
    return isDone ? { id: row.id, version } : null;
  });
}
