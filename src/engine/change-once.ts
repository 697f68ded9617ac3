// A change that its requester may ask for again, because the first answer was lost with its process: what it did before is
// answered as done. A command with the id of its request is found again in the run's history, so a repetition is neither
// refused for what it did itself, nor done to what came after.

import type { Command } from '../core/commands.ts';
import { AppError } from '../core/errors.ts';
import type { Actor, RunState } from '../core/run.ts';
import { isPoison } from '../store/db.ts';
import { hasCommand } from '../store/events.ts';
import { changeRun } from './change-run.ts';
import type { Engine } from './engine.ts';
import type { Changed } from './rounds.ts';

export interface OnceOptions {
  actor: Actor;
  /** Of the request, the same however often it is worked on; without it this is `changeRun`. */
  idempotencyId?: string | undefined;
}

/**
 * The run as it is after the change, or by now where it was changed before; a command may be made only when it is needed.
 * Throws refusals, what making it throws, and what `changeRun` throws.
 */
export async function changeRunOnce(
  engine: Engine,
  runId: string,
  command: Command | (() => Promise<Command>),
  { actor, idempotencyId: commandId }: OnceOptions,
): Promise<RunState> {
  const make = async () => (typeof command === 'function' ? command() : command);
  if (commandId === undefined) return stateOf(await changeRun(engine, runId, await make(), { actor }));
  // Answers need no look before: the database lets no command answer two pauses. Others are few.
  const isAnswer = typeof command === 'object' && command.type === 'answer';
  const before = isAnswer ? null : await findDone(engine, { runId, commandId });
  if (before !== null) return before;
  try {
    return stateOf(await changeRun(engine, runId, await make(), { actor, commandId }));
  } catch (error) {
    const done = isRefusal(error) ? await findDone(engine, { runId, commandId }) : null;
    if (done === null) throw error;
    return done;
  }
}

/** The run as it is now when it has been given this command. */
async function findDone(engine: Engine, named: { runId: string; commandId: string }): Promise<RunState | null> {
  if (!(await hasCommand(engine.db, named))) return null;
  return (await engine.loadRun(named.runId))?.state ?? null;
}

/** The run as it is after a change, or the refusal as an error. */
export function stateOf(changed: Changed): RunState {
  if (changed.kind === 'refused') throw new AppError(changed.code, changed.message, changed.details ?? []);
  return changed.state;
}

/** Whether the change was refused, and not merely left in the dark: perhaps for what the same request did before. */
export function isRefusal(error: unknown): boolean {
  return (error instanceof AppError && error.code !== 'unavailable') || isPoison(error);
}
