// What is asked of a run in one round: commands that are decided together, on one state after the other, and committed as one.
// And what follows the commit: the run is remembered, its new jobs are offered, whoever asked or watches is told.

import { v7 as newId } from 'uuid';
import { dueTimeOf } from '../core/clocks.ts';
import type { Command } from '../core/commands.ts';
import type { Decision } from '../core/decision.ts';
import { mergeDecisions } from '../core/merging.ts';
import type { Plan } from '../core/plan.ts';
import type { Verdict } from '../core/refusal.ts';
import { type Actor, FINISHED, isSettled, type RunState } from '../core/run.ts';
import { decide } from '../core/transition.ts';
import { hasFailpoints, reach } from '../failpoints.ts';
import { isTransient } from '../store/db.ts';
import type { Engine } from './engine.ts';
import { type EarlyOffers, offerFresh } from './fresh-jobs.ts';
import { unavailable } from './patience.ts';
import type { RememberedRun } from './remembered-runs.ts';

export const SYSTEM_USER = 'system';

/** The run as the command left it, or why the command does not apply. */
export type Changed = { kind: 'accepted' | 'already'; state: RunState } | Extract<Verdict, { kind: 'refused' }>;

/** Who waits for what becomes of a command: one of the first two is called, once. */
export interface Asker {
  resolve(changed: Changed): void;
  reject(error: unknown): void;
  /**
   * Lets the command be decided on what the run will be when the commits under way have returned, and is called when it is decided and
   * its own commit is on its way. It may still come to nothing, so it must harm nobody.
   */
  onDecided?: (() => void) | undefined;
  /** Whether the command came of what the run was to be, and never was; then `abandon` is called in the place of the first two. */
  isBaseless?(): boolean;
  abandon?(): void;
}

/** What a run was to be when something was made of it. */
export interface Base {
  /** It has not come to that. */
  isUndone: boolean;
}

/** A command that waits to be decided or committed. `deadline` is epoch ms. */
export interface Waiting {
  command: Command;
  actor: Actor;
  commandId: string;
  /** Its id must be on what it writes: a commit of several commands has only the first one's. */
  goesAlone: boolean;
  deadline: number;
  asker: Asker;
}

/** What commands have come to, to be committed as a whole. */
export interface Outcome {
  decision: Decision | null;
  changes: Changed[];
  outputsKnown: RememberedRun['outputsKnown'];
  together: Waiting[];
}

/** The round is durable: its jobs are offered, and whoever asked is answered. */
export function announce(engine: Engine, { decision, changes, outputsKnown, together }: Outcome): void {
  if (hasFailpoints()) for (const { command } of together) reach(`${command.type}.after_commit`);
  if (decision) finishCommit(engine, { decision, outputsKnown }, engine.mailboxes.get(decision.state.id));
  for (let index = 0; index < together.length; index++) together[index]!.asker.resolve(changes[index]!);
}

/** Decides the commands one after the other, each on the state that the one before left. */
export function fold(engine: Engine, plan: Plan, before: RunState, together: Waiting[]) {
  const now = engine.clock.now();
  const changes: Changed[] = [];
  let state = before;
  let decision: Decision | null = null;
  for (const { command, actor, commandId } of together) {
    const isForeign = actor.userId !== SYSTEM_USER && actor.workspaceId !== state.workspaceId;
    const verdict: Verdict = isForeign
      ? { kind: 'refused', code: 'run_not_found', message: `Run ${state.id} does not exist` }
      : decide(plan, state, command, { now, actor, commandId, newId });
    if (verdict.kind === 'accepted') {
      decision = decision ? mergeDecisions(decision, verdict.decision) : verdict.decision;
      state = verdict.decision.state;
    }
    changes.push(verdict.kind === 'refused' ? verdict : { kind: verdict.kind, state });
  }
  return { decision, changes };
}

/** What follows a commit: remember the run, offer its new jobs, wake whoever watches, arm the timer. */
export function finishCommit(
  engine: Engine,
  { decision, outputsKnown }: { decision: Decision; outputsKnown: RememberedRun['outputsKnown'] },
  offers?: EarlyOffers,
): void {
  const { state, steps } = decision;
  const isOver = FINISHED.has(state.status);
  if (isOver) engine.remembered.delete(state.id);
  else engine.remembered.set(state.id, { state, outputsKnown });
  offerFresh(engine, decision, offers);
  engine.wakeups.publish({ runId: state.id, to: isOver ? 'finished' : isSettled(state.status) ? 'settled' : 'moving' });
  for (const row of steps) {
    if (row.status === 'waiting' && row.dueAt !== null) engine.dueTimer.arm(row.dueAt);
    if (row.status === 'completed' || row.status === 'failed' || row.status === 'cancelled')
      engine.metrics.stepsFinished.inc({ type: row.type, outcome: row.status });
  }
  const due = dueTimeOf(state);
  if (due !== null) engine.dueTimer.arm(due);
}

/** Whoever asked is told that it came to nothing, or that nobody knows. */
export function rejectAll(engine: Engine, runId: string, together: Waiting[], error: unknown): void {
  engine.remembered.delete(runId);
  const reported = isTransient(error) ? unavailable(error) : error;
  for (const { asker } of together) asker.reject(reported);
}

/** When the last of them is given up. */
export function findDeadline(together: Waiting[]): number {
  return together.length === 1 ? together[0]!.deadline : Math.max(...together.map(({ deadline }) => deadline));
}
