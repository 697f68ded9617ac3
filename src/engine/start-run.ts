// Starts a run: finds the version, checks the input, commits the first decision. Once this resolves the run exists and
// will come to an end or wait for somebody, whatever happens to Redis or to any process.

import { randomUUID } from 'node:crypto';
import { v7 as newId } from 'uuid';
import { AppError } from '../core/errors.ts';
import { findJsonProblems, type JsonObject } from '../core/json.ts';
import type { Actor } from '../core/run.ts';
import type { Validator } from '../core/schema.ts';
import { decideStart } from '../core/transition.ts';
import { reach } from '../failpoints.ts';
import { type DefinitionRow, resolveVersion } from '../store/definitions.ts';
import { findRunByOrigin } from '../store/runs.ts';
import { finishCommit } from './change-run.ts';
import type { Engine } from './engine.ts';
import { withPatience } from './patience.ts';

export interface StartRequest {
  actor: Actor;
  /** Id or key. */
  workflow: string;
  /** `latest` (default), `published`, `3` or `1.0.2`. */
  version?: string;
  input: JsonObject;
  /** Claims of the credential, offered to expressions. */
  context?: JsonObject;
  /** What started it: `api`, later `schedule`, `webhook` … */
  trigger: string;
  /** Unique per workspace: a start whose origin exists already answers that run. */
  origin?: string;
}

const PATIENCE_MS = 2_000;
/** Beyond the committer's patience, for whatever is read before it. */
const MARGIN_MS = 500;

/** Throws `workflow_not_found`, `version_not_found`, `workflow_archived`, `invalid_input`, `unavailable`. */
export function startRun(engine: Engine, request: StartRequest): Promise<{ runId: string }> {
  return withPatience(start(engine, request), PATIENCE_MS + MARGIN_MS);
}

async function start(engine: Engine, request: StartRequest): Promise<{ runId: string }> {
  const { actor, trigger, origin = null } = request;
  const definition = await engine.loadDefinition(`${actor.workspaceId}/${request.workflow}`);
  if (!definition) throw new AppError('workflow_not_found', `Workflow "${request.workflow}" does not exist`);
  if (definition.archivedAt)
    throw new AppError('workflow_archived', `Workflow "${definition.key}" is archived; unarchive it to start runs`);
  const version = chooseVersion(definition, request.version ?? 'latest');
  const plan = await engine.plans.get(definition.id, version);
  const input = checkInput(plan.payload, request.input);
  const id = newId();
  const run = {
    id,
    workspaceId: actor.workspaceId,
    definitionId: definition.id,
    version,
    input,
    context: request.context ?? {},
  };
  const decision = decideStart(plan, run, { now: engine.clock.now(), actor, commandId: randomUUID(), newId });
  const origins = { trigger, owner: actor.userId, origin };
  reach('start.before_commit');
  const committed = await engine.committer.commit(
    { decision, expectedSeq: 0, start: origins },
    Date.now() + PATIENCE_MS,
  );
  if (committed === 'committed') {
    reach('start.after_commit');
    finishCommit(engine, decision, 'all');
    return { runId: id };
  }
  const existing = origin === null ? null : await findRunByOrigin(engine.db.pool, actor.workspaceId, origin);
  if (!existing) throw new AppError('conflict', 'The run could not be created; try again');
  return { runId: existing };
}

function chooseVersion(definition: DefinitionRow, selector: string): number {
  const version = resolveVersion(definition, selector);
  if (version === null)
    throw new AppError('version_not_found', `Workflow "${definition.key}" has no version "${selector}"`);
  return version;
}

function checkInput(payload: Validator | null, input: JsonObject): JsonObject {
  const problems = findJsonProblems(input);
  if (problems.length > 0) throw new AppError('invalid_input', 'The input cannot be stored', problems);
  if (!payload) return input;
  const checked = payload.validate(input);
  if (!checked.ok) throw new AppError('invalid_input', 'The input does not fit the workflow', checked.problems);
  return checked.value;
}
