// Starts a run: finds the version, checks the input, commits the first decision. Once this resolves the run exists and
// will come to an end or wait for somebody, whatever happens to Redis or to any process.

import { randomUUID } from 'node:crypto';
import { v7 as newId } from 'uuid';
import type { Decision } from '../core/decision.ts';
import { AppError } from '../core/errors.ts';
import { findJsonProblems, type JsonObject } from '../core/json.ts';
import type { Plan } from '../core/plan.ts';
import type { Actor } from '../core/run.ts';
import type { Validator } from '../core/schema.ts';
import { decideStart } from '../core/transition.ts';
import { reach } from '../failpoints.ts';
import type { Committed } from '../store/commit.ts';
import type { RunOrigin } from '../store/commit-rows.ts';
import { type DefinitionRow, resolveVersion } from '../store/definitions.ts';
import { findRunByOrigin } from '../store/runs.ts';
import type { Engine } from './engine.ts';
import { type EarlyOffers, offerEarly } from './fresh-jobs.ts';
import { withPatience } from './patience.ts';
import { finishCommit } from './rounds.ts';

export interface StartRequest {
  actor: Actor;
  /** Id or key. */
  workflow: string;
  /** When given, the workflow must be in the pod with this id. */
  podId?: string;
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
/** How often a start is decided again because its workflow has just changed. */
const MAX_ROUNDS = 3;

/** Throws `workflow_not_found`, `version_not_found`, `workflow_archived`, `invalid_input`, `unavailable`. */
export function startRun(engine: Engine, request: StartRequest): Promise<{ runId: string }> {
  const inputMs = typeof request.input === 'function' ? INPUT_MS : 0;
  return withPatience(startOrFind(engine, request), PATIENCE_MS + MARGIN_MS + inputMs);
}

/** What was started is answered, also where the same start would be refused by now: archived, or with a new payload. */
async function startOrFind(engine: Engine, request: StartRequest): Promise<{ runId: string }> {
  try {
    return (await startKnown(engine, request)) ?? (await start(engine, request));
  } catch (error) {
    const existing = error instanceof AppError ? await findStarted(engine, request) : null;
    if (existing === null) throw error;
    return { runId: existing };
  }
}

async function findStarted(engine: Engine, { actor, origin }: StartRequest): Promise<string | null> {
  return origin === undefined ? null : findRunByOrigin(engine.db.pool, actor.workspaceId, origin);
}

/** Starts by what this process knows of the workflow; null when that is nothing, or may be out of date. */
async function startKnown(engine: Engine, request: StartRequest): Promise<{ runId: string } | null> {
  const key = keyOf(request);
  const known = engine.knownDefinitions.get(key);
  if (!known || typeof request.input === 'function') return null;
  try {
    const started = await startOf(engine, request, known);
    if (started) return started;
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'unavailable') throw error;
  }
  engine.knownDefinitions.delete(key);
  return null;
}

async function start(engine: Engine, request: StartRequest): Promise<{ runId: string }> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const definition = await engine.loadDefinition(keyOf(request));
    if (!definition) throw workflowNotFound(request.workflow);
    const started = await startOf(engine, request, definition);
    if (!started) continue;
    engine.knownDefinitions.set(keyOf(request), definition);
    return started;
  }
  throw new AppError('conflict', 'The run could not be created; try again');
}

/** Null when the run could not be created: the workflow has changed since, or the origin exists. */
async function startOf(
  engine: Engine,
  request: StartRequest,
  definition: DefinitionRow,
): Promise<{ runId: string } | null> {
  const { actor, trigger, podId, origin = null } = request;
  if (podId !== undefined && definition.podId !== podId) throw workflowNotFound(request.workflow);
  if (definition.archivedAt)
    throw new AppError('workflow_archived', `Workflow "${definition.key}" is archived; unarchive it to start runs`);
  const version = chooseVersion(definition, request.version ?? 'latest');
  const plan = await engine.plans.get(definition.id, version);
  const id = newId();
  const check = (input: JsonObject) => checkInput(plan.payload, input);
  // What is made anew with each try is made once: such a start takes the workflow as it was found.
  const isMade = typeof request.input === 'function';
  const input = isMade
    ? await (request.input as MakeInput)({ plan, runId: id, check })
    : check(request.input as JsonObject);
  const run = {
    id,
    workspaceId: actor.workspaceId,
    definitionId: definition.id,
    version,
    input,
    context: actor.context ?? {},
  };
  const decision = decideStart(plan, run, { now: engine.clock.now(), actor, commandId: randomUUID(), newId });
  const origins = { trigger, owner: actor.userId, podId: definition.podId, origin };
  const committed = await commitStart(engine, decision, { ...origins, revision: isMade ? null : definition.revision });
  if (committed === 'stale') {
    const existing = await findStarted(engine, request);
    if (existing !== null) return { runId: existing };
    if (isMade) throw new AppError('conflict', 'The run could not be created; try again');
    return null;
  }
  return { runId: id };
}

/** Creates the run that the decision begins; `stale` where its origin exists already, or its workflow has changed since. */
export async function commitStart(engine: Engine, decision: Decision, start: RunOrigin): Promise<Committed> {
  reach('start.before_commit');
  const offers: EarlyOffers = { expected: null, offered: null };
  if (engine.committer.isIdle) offerEarly(engine, offers, decision, 'start');
  const committed = await engine.committer.commit({ decision, expectedSeq: 0, start }, Date.now() + PATIENCE_MS);
  if (committed === 'stale') return committed;
  reach('start.after_commit');
  finishCommit(engine, { decision, outputsKnown: 'all' }, offers);
  return committed;
}

function workflowNotFound(workflow: string): AppError {
  return new AppError('workflow_not_found', `Workflow "${workflow}" does not exist`);
}

/** The key of `Engine.loadDefinition`. */
function keyOf({ actor, workflow }: StartRequest): string {
  return `${actor.workspaceId}/${workflow}`;
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
