// Whether a run of a workflow could be started now, asked before something is made that will start it later. That it can
// then, nobody knows: the start itself checks again.

import { AppError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { type DefinitionRow, resolveVersion } from '../store/definitions.ts';
import { getDefinition, type WorkflowRequest } from './change-definition.ts';
import type { Engine } from './engine.ts';

export interface StartableRequest extends WorkflowRequest {
  version: string;
  /** Left out: whatever comes is checked when it comes. */
  input?: JsonObject;
}

/** Throws `workflow_not_found`, `version_not_found`, `workflow_archived`, `invalid_input`. */
export async function checkStartable(
  engine: Engine,
  { version, input, ...request }: StartableRequest,
): Promise<DefinitionRow> {
  const definition = await getDefinition(engine, request);
  if (definition.archivedAt !== null)
    throw new AppError('workflow_archived', `Workflow "${definition.key}" is archived; unarchive it first`);
  const number = resolveVersion(definition, version);
  if (number === null)
    throw new AppError('version_not_found', `Workflow "${definition.key}" has no version "${version}"`);
  if (input === undefined) return definition;
  const { payload } = await engine.plans.get(definition.id, number);
  const checked = payload?.validate(input);
  if (checked !== undefined && !checked.ok)
    throw new AppError('invalid_input', 'The input does not fit the workflow', checked.problems);
  return definition;
}
