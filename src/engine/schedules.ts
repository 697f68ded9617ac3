// The verbs of schedules: make one, change it, delete it, and run it now. Each changes with a line in the audit log; what
// fires them is fire-schedules.ts.

import { v7 as newId } from 'uuid';
import { AppError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { findPatternProblems, nextAfter, type ScheduleRule } from '../core/schedules.ts';
import { recordChange } from '../store/audit.ts';
import { findRunByOrigin } from '../store/runs.ts';
import {
  deleteSchedule,
  findSchedule,
  insertSchedule,
  MAX_SCHEDULES,
  type ScheduleRow,
  updateSchedule,
} from '../store/schedules.ts';
import { checkStartable } from './check-startable.ts';
import type { Engine } from './engine.ts';
import { type OnceRequest, recordOnce } from './record-once.ts';
import { startRun } from './start-run.ts';

export interface ScheduleRequest extends OnceRequest {
  podId: string;
  id: string;
}

export interface NewScheduleRequest extends Partial<ScheduleRule> {
  /** Id or key. */
  workflowId: string;
  name: string;
  cronExpression: string;
  /** Default UTC. */
  timezone?: string;
  input?: JsonObject;
  version?: string;
  enabled?: boolean;
}

export type ScheduleChangeRequest = Partial<Omit<NewScheduleRequest, 'workflowId'>>;

/** Each try loses only to another change, or to a fire. */
const MAX_TRIES = 100;

/**
 * Throws `invalid_request`, `workflow_not_found`, `version_not_found`, `workflow_archived`, `invalid_input`, and `conflict` when
 * the workspace has as many schedules as it may.
 */
export function createSchedule(
  engine: Engine,
  { request, ...owner }: Omit<ScheduleRequest, 'id'> & { request: NewScheduleRequest },
): Promise<ScheduleRow> {
  const named = { ...owner, id: owner.idempotencyId ?? newId() };
  return recordOnce(engine, named, {
    async change() {
      const done = await insertNew(engine, named, request);
      if (done === 'full')
        throw new AppError(
          'conflict',
          `the workspace has ${MAX_SCHEDULES} schedules, the most there may be; delete one first`,
        );
      return getSchedule(engine, named);
    },
    again: () => getSchedule(engine, named),
  });
}

async function insertNew(
  engine: Engine,
  { actor, podId, id, idempotencyId: commandId }: ScheduleRequest,
  request: NewScheduleRequest,
): Promise<'inserted' | 'exists' | 'full'> {
  const { workspaceId, userId } = actor;
  const { workflowId, name, input = {}, version = 'latest', enabled = true } = request;
  const rule = readRule(request);
  checkPattern(engine, rule);
  const definition = await checkStartable(engine, { actor, workflow: workflowId, podId, version, input });
  const nextAt = enabled ? nextAfter(rule, engine.clock.now()) : null;
  const owned = { id, workspaceId, podId, definitionId: definition.id, createdBy: userId };
  return recordChange(engine.db, actor, {
    change: (db) => insertSchedule(db, { ...owned, ...rule, name, input, version, enabled, nextAt }),
    tell: (done) =>
      done === 'inserted'
        ? { action: 'schedule.created', id, name, detail: { workflow: definition.key, ...rule } }
        : null,
    commandId,
  });
}

/**
 * Changes what is given. Another pattern, and being enabled again, count from now on: what was due before is forgotten.
 * Throws `not_found`, `conflict`, and what making one throws.
 */
export function changeSchedule(
  engine: Engine,
  request: ScheduleRequest,
  change: ScheduleChangeRequest,
): Promise<ScheduleRow> {
  return recordOnce(engine, request, {
    async change() {
      for (let tried = 0; tried < MAX_TRIES; tried += 1) {
        const changed = await tryChange(engine, request, change);
        if (changed !== null) return changed;
      }
      throw new AppError('conflict', 'the schedule is being changed by many at once; try again');
    },
    again: () => getSchedule(engine, request),
  });
}

/** Null when it was changed, or fired, since it was read. */
async function tryChange(
  engine: Engine,
  request: ScheduleRequest,
  change: ScheduleChangeRequest,
): Promise<ScheduleRow | null> {
  const { actor, podId, idempotencyId: commandId } = request;
  const row = await getSchedule(engine, request);
  const next = { ...row, ...change };
  checkPattern(engine, next);
  const { definitionId: workflow, version, input } = next;
  if (change.input !== undefined || change.version !== undefined)
    await checkStartable(engine, { actor, podId, workflow, version, input });
  const restart = isRestart(row, next) ? { nextAt: next.enabled ? nextAfter(next, engine.clock.now()) : null } : null;
  return recordChange(engine.db, actor, {
    change: (db) => updateSchedule(db, row, { ...next, restart }),
    tell: (changed) =>
      changed && { action: 'schedule.updated', id: row.id, name: changed.name, detail: withoutInput(change) },
    commandId,
  });
}

/** Runs that it has started go on. Throws `not_found`. */
export function endSchedule(engine: Engine, request: ScheduleRequest): Promise<void> {
  const { actor, podId, id, idempotencyId: commandId } = request;
  return recordOnce(engine, request, {
    async change() {
      const ended = await recordChange(engine.db, actor, {
        change: (db) => deleteSchedule(db, { workspaceId: actor.workspaceId, podId, id }),
        tell: (ended) => ended && { action: 'schedule.deleted', id, name: ended.name },
        commandId,
      });
      if (ended === null) throw scheduleNotFound();
    },
    again: () => {},
  });
}

/**
 * Starts a run now, in the caller's name, whether it is enabled or not; its times and its overlap policy know nothing of it.
 * Throws `not_found`, and what starting throws.
 */
export async function runSchedule(engine: Engine, request: ScheduleRequest): Promise<{ runId: string }> {
  const { actor, idempotencyId } = request;
  const origin = idempotencyId === undefined ? undefined : `idempotency:${idempotencyId}`;
  // Asked for again, it is answered although the schedule may be gone by now.
  const before = origin === undefined ? null : await findRunByOrigin(engine.db.pool, actor.workspaceId, origin);
  if (before !== null) return { runId: before };
  const { definitionId, version, input } = await getSchedule(engine, request);
  const named = origin === undefined ? {} : { origin };
  return startRun(engine, { actor, workflow: definitionId, version, input, trigger: 'manual', ...named });
}

async function getSchedule(engine: Engine, { actor, podId, id }: ScheduleRequest): Promise<ScheduleRow> {
  const row = await findSchedule(engine.db, { workspaceId: actor.workspaceId, podId, id });
  if (row === null) throw scheduleNotFound();
  return row;
}

function scheduleNotFound(): AppError {
  return new AppError('not_found', 'no schedule here has this id');
}

function readRule({
  cronExpression,
  timezone = 'UTC',
  overlap = 'skip',
  catchUp = 'one',
}: NewScheduleRequest): ScheduleRule {
  return { cronExpression, timezone, overlap, catchUp };
}

function checkPattern(engine: Engine, rule: ScheduleRule): void {
  const problems = findPatternProblems(rule, engine.clock.now());
  if (problems.length > 0)
    throw new AppError('invalid_request', 'the schedule would not fire as it is; details says why', problems);
}

function isRestart(row: ScheduleRow, next: ScheduleRow): boolean {
  return (['cronExpression', 'timezone', 'enabled'] as const).some((name) => row[name] !== next[name]);
}

/** An audit line is never taken away, and an input may hold what is somebody's own. */
function withoutInput({ input, ...change }: ScheduleChangeRequest): JsonObject {
  return { ...change, ...(input === undefined ? {} : { input: '(changed)' }) };
}
