// What the clock brings about: timers, pauses and deadlines that have run out become commands, on time in the process that
// knows of them, and in any case with the next sweep. Two processes that see the same do no harm: a run changes once.

import type { Command } from '../core/commands.ts';
import { findNextDue, listDueRuns, listDueWaits } from '../store/step-runs.ts';
import { changeRun, systemActor } from './change-run.ts';
import type { Engine } from './engine.ts';

/** Commands per round; rounds go on while they are full. */
export const COMMANDS = 200;

/**
 * Fires what is due, and arms the timer for what is due next: whatever was not due when this began, even where it is by its
 * end. Commands are decided on the same clock, so none is refused for having come too early.
 */
export async function fireDue(engine: Engine): Promise<void> {
  const { pool } = engine.db;
  const now = engine.clock.now();
  await inRounds(
    () => listDueWaits(pool, now, COMMANDS),
    ({ runId, step, visit }) => commandAsSystem(engine, runId, { type: 'wake', step, visit }),
  );
  await inRounds(
    () => listDueRuns(pool, now, COMMANDS),
    (runId) => commandAsSystem(engine, runId, { type: 'expire-run' }),
  );
  const next = await findNextDue(pool, now);
  if (next !== null) engine.dueTimer.arm(next);
}

/**
 * Fires on time what this process knows to be due, until it is stopped. `withinMs`: what is due later is left to others; a
 * process that does not sweep looks after what it opened until a sweep has seen it, so that all need not fire everything.
 */
export function fireOnTime(engine: Engine, withinMs?: number): { stop(): Promise<unknown> } {
  let firing: Promise<unknown> = Promise.resolve();
  engine.dueTimer.start(() => {
    const fired = fireDue(engine).catch((error) =>
      engine.log.debug({ error: String(error) }, 'due steps are left to the sweep'),
    );
    firing = Promise.all([firing, fired]);
  }, withinMs);
  return {
    stop() {
      engine.dueTimer.stop();
      return firing;
    },
  };
}

/** Asks a command of a run for the engine itself; what fails is logged and left to the next sweep, so this never throws. */
export async function commandAsSystem(engine: Engine, runId: string, wanted: Command): Promise<void> {
  await changeRun(engine, runId, wanted, { actor: systemActor() }).catch((error) => {
    engine.log.warn({ runId, command: wanted.type, error: String(error) }, 'what is due could not change a run');
  });
}

/** Works through a list that the work itself shortens, a full round at a time; stops when a round changes nothing. */
export async function inRounds<Item>(list: () => Promise<Item[]>, work: (item: Item) => Promise<void>): Promise<void> {
  let before = '';
  for (;;) {
    const items = await list();
    const seen = JSON.stringify(items);
    if (items.length === 0 || seen === before) return;
    before = seen;
    await Promise.all(items.map(work));
    if (items.length < COMMANDS) return;
  }
}
