// Copies the latest version of a workflow into a new one. The two know nothing of one another afterwards.

import { findVersion } from '../store/definitions.ts';
import { getDefinition, type WorkflowRequest } from './change-definition.ts';
import { createDefinition } from './create-definition.ts';
import type { Engine } from './engine.ts';

const SUFFIX = ' (Copy)';
const MAX_NAME_CHARS = 200;

export interface CloneRequest extends WorkflowRequest {
  /** Default: the original's name with "(Copy)" behind it. */
  name?: string;
  /** The id it gets; what was created with it before is answered. */
  id?: string;
}

/** Throws `workflow_not_found`, and `invalid_definition` when this process has lost a tool that the original calls. */
export async function cloneDefinition(
  engine: Engine,
  { name, id, ...request }: CloneRequest,
): Promise<{ id: string; key: string }> {
  const row = await getDefinition(engine, request);
  const original = await findVersion(engine.db, { definitionId: row.id, version: row.latestVersion });
  const definition = { ...original!.body, name: name ?? nameCopy(row.name) };
  const named = id === undefined ? {} : { id };
  return createDefinition(engine, { actor: request.actor, definition, clonedFrom: row.id, podId: row.podId, ...named });
}

function nameCopy(name: string): string {
  return [...name].slice(0, MAX_NAME_CHARS - SUFFIX.length).join('') + SUFFIX;
}
