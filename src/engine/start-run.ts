// Starts a run: finds the version, checks the input, commits the first decision. Once this resolves the run exists and
// will come to an end or wait for somebody, whatever happens to Redis or to any process.

import { randomUUID } from 'node:crypto';
import { v7 as newId } from 'uuid';
import { AppError } from '../core/errors.ts';
import { findJsonProblems, type JsonObject } from '../core/json.ts';
import type { Plan } from '../core/plan.ts';
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
  /** What the run is given, or how that is made once the run's plan is known. */
  input: JsonObject | MakeInput;
  /** What started it: `api`, later `schedule`, `webhook` … */
  trigger: string;
  /** Unique per workspace: a start whose origin exists already answers that run. */
  origin?: string;
}

/** `check` says whether the plan's payload takes an input, and answers it with defaults; throws `invalid_input`. */
export type MakeInput = (start: {
  plan: Plan;
  runId: string;
  check(input: JsonObject): JsonObject;
}) => Promise<JsonObject>;

const PATIENCE_MS = 2_000;
/** Beyond the committer's patience, for whatever is read before it. */
const MARGIN_MS = 500;
/** Making an input may mean storing a file. */
const INPUT_MS = 20_000;

/** Throws `workflow_not_found`, `version_not_found`, `workflow_archived`, `invalid_input`, `unavailable`. */
export function startRun(engine: Engine, request: StartRequest): Promise<{ runId: string }> {
  const inputMs = typeof request.input === 'function' ? INPUT_MS : 0;
  return withPatience(startOrFind(engine, request), PATIENCE_MS + MARGIN_MS + inputMs);
}

/** What was started is answered, also where the same start would be refused by now: archived, or with a new payload. */
async function startOrFind(engine: Engine, request: StartRequest): Promise<{ runId: string }> {
  try {
    return await start(engine, request);
  } catch (error) {
    const existing = error instanceof AppError ? await findStarted(engine, request) : null;
    if (existing === null) throw error;
    return { runId: existing };
  }
}

async function findStarted(engine: Engine, { actor, origin }: StartRequest): Promise<string | null> {
  return origin === undefined ? null : findRunByOrigin(engine.db.pool, actor.workspaceId, origin);
}

async function start(engine: Engine, request: StartRequest): Promise<{ runId: string }> {
  const { actor, trigger, origin = null } = request;
  const definition = await engine.loadDefinition(`${actor.workspaceId}/${request.workflow}`);
  if (!definition) throw new AppError('workflow_not_found', `Workflow "${request.workflow}" does not exist`);
  if (definition.archivedAt)
    throw new AppError('workflow_archived', `Workflow "${definition.key}" is archived; unarchive it to start runs`);
  const version = chooseVersion(definition, request.version ?? 'latest');
  const plan = await engine.plans.get(definition.id, version);
  const id = newId();
  const check = (input: JsonObject) => checkInput(plan.payload, input);
  const input =
    typeof request.input === 'function' ? await request.input({ plan, runId: id, check }) : check(request.input);
  const run = {
    id,
    workspaceId: actor.workspaceId,
    definitionId: definition.id,
    version,
    input,
    context: actor.context ?? {},
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
  throw new AppError('conflict', 'The run could not be created; try again');
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
