// The only way a run changes. In call order: a command joins the mailbox of its run → all commands that wait there are
// decided in order, each on the state the one before left → one commit, guarded by the run's sequence number → then, and
// only then, jobs are offered and whoever watches is woken.
//
// * A run that moved on, or is locked by another process, is loaded again and decided again; after three times once with
//   its row locked, so that somebody always gets through.
// * On an idle system the job of a successor is offered while the commit that queues it is on its way (fresh-jobs.ts).
// * What this process remembers of a run saves the load, and is never the last word: a refusal is only given on a state
//   that was just loaded.

import { randomUUID } from 'node:crypto';
import { v7 as newId } from 'uuid';
import { dueTimeOf } from '../core/clocks.ts';
import type { Command } from '../core/commands.ts';
import type { Decision } from '../core/decision.ts';
import { AppError } from '../core/errors.ts';
import { mergeDecisions } from '../core/merging.ts';
import { type Plan, type Reads, unite } from '../core/plan.ts';
import type { Verdict } from '../core/refusal.ts';
import { type Actor, FINISHED, isSettled, type RunState, type StepRef } from '../core/run.ts';
import { decide } from '../core/transition.ts';
import { hasFailpoints, reach } from '../failpoints.ts';
import type { Committed } from '../store/commit.ts';
import type { Change } from '../store/commit-rows.ts';
import { isPoison, isTransient } from '../store/db.ts';
import { loadOutputs } from '../store/runs.ts';
import type { Engine } from './engine.ts';
import { earlyJobs, freshJobs } from './fresh-jobs.ts';
import { unavailable, withPatience } from './patience.ts';
import type { RememberedRun } from './remembered-runs.ts';

/** The run as the command left it, or why the command does not apply. */
export type Changed = { kind: 'accepted' | 'already'; state: RunState } | Extract<Verdict, { kind: 'refused' }>;

interface Waiting {
  command: Command;
  actor: Actor;
  commandId: string;
  /** Its id must be on what it writes: a commit of several commands has only the first one's. */
  goesAlone: boolean;
  deadline: number;
  resolve(changed: Changed): void;
  reject(error: unknown): void;
}

/** The commands that wait for a run while others are decided or committed, and what waits for them. */
export interface Mailbox {
  waiting: Waiting[];
  /** Called when no command of the run is under way any more. */
  onEmpty: (() => void)[];
  /** Step runs that a worker of this process has a job of, and waits for their commit. */
  expected: Set<string> | null;
}

export interface ChangeOptions {
  actor: Actor;
  /** How long to keep trying while Postgres is away; a request gives up early, a finished step does not. */
  patienceMs?: number;
  /** Names the command in the run's history, for those who have to find it there again (change-once.ts); a UUID. */
  commandId?: string;
}

const SYSTEM_USER = 'system';
const REQUEST_PATIENCE_MS = 2_000;
/** A caller is answered this long after its patience ends at the latest, even when Postgres has gone silent. */
const MARGIN_MS = 500;
const MAX_STALE = 3;
const MAX_FOLDED = 256;
/** Between two looks for a Postgres that is away; the committer has its own pauses. */
const AWAY_MS = 200;

/** The actor of what the engine does by itself. */
export function systemActor(workspaceId = ''): Actor {
  return { workspaceId, userId: SYSTEM_USER };
}

/**
 * Asks `command` of a run. Throws `run_not_found` (also for another workspace's run) and `unavailable` when Postgres did
 * not take the change within `patienceMs`; the change may then still have happened.
 */
export function changeRun(
  engine: Engine,
  runId: string,
  command: Command,
  { actor, patienceMs = REQUEST_PATIENCE_MS, commandId }: ChangeOptions,
): Promise<Changed> {
  const changed = new Promise<Changed>((resolve, reject) => {
    const waiting: Waiting = {
      command,
      actor,
      commandId: commandId ?? randomUUID(),
      goesAlone: commandId !== undefined || command.type === 'answer',
      deadline: Date.now() + patienceMs,
      resolve,
      reject,
    };
    const mailbox = engine.mailboxes.get(runId);
    if (mailbox) {
      mailbox.waiting.push(waiting);
    } else {
      const opened: Mailbox = { waiting: [], onEmpty: [], expected: null };
      engine.mailboxes.set(runId, opened);
      if (changeAtOnce(engine, runId, opened, waiting)) return;
      opened.waiting.push(waiting);
      void emptyMailbox(engine, runId, opened);
    }
  });
  return actor.userId === SYSTEM_USER ? changed : withPatience(changed, patienceMs + MARGIN_MS);
}

/**
 * Decides and commits without a wait in between, where all that the decision reads is remembered and it is accepted: the
 * usual case, which the rounds below cover too, at several times the promises. False, and nothing is done, in any other.
 */
function changeAtOnce(engine: Engine, runId: string, mailbox: Mailbox, waiting: Waiting): boolean {
  const together = [waiting];
  const round = decideAtOnce(engine, runId, together);
  if (!round) return false;
  const { committer, metrics, remembered } = engine;
  const goOn = (committed: Committed) => {
    if (committed === 'stale') {
      metrics.staleDecisions.inc();
      remembered.delete(runId);
      mailbox.waiting.unshift(waiting);
    } else {
      announce(engine, round, together);
    }
  };
  committer
    .commit({ decision: round.decision, expectedSeq: round.expectedSeq }, waiting.deadline)
    .then(goOn)
    .catch((error: unknown) => rejectAll(engine, runId, together, error))
    .then(() => emptyMailbox(engine, runId, mailbox));
  return true;
}

/** Null where something is missing, nothing changes, or the command is refused. */
function decideAtOnce(engine: Engine, runId: string, together: Waiting[]) {
  const ready = findReady(engine, runId, together);
  if (!ready) return null;
  try {
    const { decision, changes } = fold(engine, ready.plan, ready.run.state, together);
    const {
      state: { seq: expectedSeq },
      outputsKnown,
    } = ready.run;
    if (!decision) return null;
    offerEarly(engine, decision);
    return { decision, changes, outputsKnown, expectedSeq };
  } catch {
    return null; // told by the rounds, on the run as it is stored
  }
}

async function emptyMailbox(engine: Engine, runId: string, { waiting, onEmpty }: Mailbox): Promise<void> {
  while (waiting.length > 0) {
    const together = waiting.splice(0, countTogether(waiting));
    try {
      await changeTogether(engine, runId, together);
    } catch (error) {
      rejectAll(engine, runId, together, error);
    }
  }
  engine.mailboxes.delete(runId);
  for (const tell of onEmpty) tell();
}

function rejectAll(engine: Engine, runId: string, together: Waiting[], error: unknown): void {
  engine.remembered.delete(runId);
  const reported = isTransient(error) ? unavailable(error) : error;
  for (const waiting of together) waiting.reject(reported);
}

/** How many of those that wait are decided as one. */
function countTogether(mailbox: Waiting[]): number {
  const most = Math.min(mailbox.length, MAX_FOLDED);
  let count = 0;
  while (count < most && !mailbox[count]!.goesAlone) count += 1;
  return Math.max(count, 1);
}

async function changeTogether(engine: Engine, runId: string, together: Waiting[]): Promise<void> {
  const deadline = Math.max(...together.map((waiting) => waiting.deadline));
  const round = (commit: (change: Change) => Promise<Committed>) => attempt(engine, runId, together, commit);
  for (let stale = 0; ; ) {
    try {
      const isLast = stale >= MAX_STALE;
      const announce = isLast
        ? await engine.committer.locked(runId, round)
        : await round((change) => engine.committer.commit(change, deadline));
      if (announce) return announce();
      stale = isLast ? 0 : stale + 1;
      engine.metrics.staleDecisions.inc();
    } catch (error) {
      if (isPoison(error) && together.length > 1) {
        for (const waiting of together)
          await changeTogether(engine, runId, [waiting]).catch((cause) => waiting.reject(cause));
        return;
      }
      if (!isTransient(error) || Date.now() >= deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, AWAY_MS * (0.75 + Math.random() / 2)));
    }
    engine.remembered.delete(runId);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 4 * stale));
    if (Date.now() > deadline)
      throw new AppError('unavailable', 'The run is being changed by others all the time; try again');
  }
}

/**
 * One round: load, decide, commit. Null when the run had moved on; else what to do once the commit is durable: nobody
 * is answered, no job offered before.
 */
async function attempt(
  engine: Engine,
  runId: string,
  together: Waiting[],
  commit: (change: Change) => Promise<Committed>,
): Promise<(() => void) | null> {
  const isRemembered = engine.remembered.has(runId);
  const ready = findReady(engine, runId, together) ?? (await makeReady(engine, runId, together));
  const { decision, changes } = fold(engine, ready.plan, ready.run.state, together);
  if (isRemembered && changes.some((changed) => changed.kind === 'refused')) {
    engine.remembered.delete(runId);
    return attempt(engine, runId, together, commit);
  }
  if (decision) offerEarly(engine, decision);
  if (decision && (await commit({ decision, expectedSeq: ready.run.state.seq })) === 'stale') return null;
  return () => announce(engine, { decision, changes, outputsKnown: ready.run.outputsKnown }, together);
}

/** A run with its plan and the outputs that the next decision reads. */
interface Ready {
  plan: Plan;
  run: RememberedRun;
}

/** By what this process remembers; null when something is missing. */
function findReady(engine: Engine, runId: string, together: Waiting[]): Ready | null {
  const run = engine.remembered.get(runId);
  const plan = run && engine.plans.get(run.state.definitionId, run.state.version);
  if (!plan || plan instanceof Promise) return null;
  return knowsOutputs(run, whatItReads(plan, run.state, together)) ? { plan, run } : null;
}

async function makeReady(engine: Engine, runId: string, together: Waiting[]): Promise<Ready> {
  const run = engine.remembered.get(runId) ?? (await engine.loadRun(runId));
  if (!run) throw new AppError('run_not_found', `Run ${runId} does not exist`);
  const plan = await engine.plans.get(run.state.definitionId, run.state.version);
  const reads = whatItReads(plan, run.state, together);
  return { plan, run: knowsOutputs(run, reads) ? run : await withOutputs(engine, run, reads) };
}

/** On an idle system, in a process that works itself: see fresh-jobs.ts. */
function offerEarly(engine: Engine, decision: Decision): void {
  if (engine.offersEarly && engine.committer.isIdle) engine.steps.offer(earlyJobs(decision));
}

interface Round {
  decision: Decision | null;
  changes: Changed[];
  outputsKnown: RememberedRun['outputsKnown'];
}

/** The round is durable: its jobs are offered, and whoever asked is answered. */
function announce(engine: Engine, { decision, changes, outputsKnown }: Round, together: Waiting[]): void {
  if (hasFailpoints()) for (const { command } of together) reach(`${command.type}.after_commit`);
  if (decision) finishCommit(engine, decision, outputsKnown);
  for (const [index, waiting] of together.entries()) waiting.resolve(changes[index]!);
}

/** Decides the commands one after the other, each on the state that the one before left. */
function fold(engine: Engine, plan: Plan, before: RunState, together: Waiting[]) {
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
export function finishCommit(engine: Engine, decision: Decision, outputsKnown: RememberedRun['outputsKnown']): void {
  const { state, steps } = decision;
  const isOver = FINISHED.has(state.status);
  if (isOver) engine.remembered.delete(state.id);
  else engine.remembered.set(state.id, { state, outputsKnown });
  engine.steps.offer(freshJobs(decision, engine.mailboxes.get(state.id)?.expected));
  engine.wakeups.publish({ runId: state.id, to: isOver ? 'finished' : isSettled(state.status) ? 'settled' : 'moving' });
  for (const row of steps) {
    if (row.status === 'waiting' && row.dueAt !== null) engine.dueTimer.arm(row.dueAt);
    if (row.status === 'completed' || row.status === 'failed' || row.status === 'cancelled')
      engine.metrics.stepsFinished.inc({ type: row.type, outcome: row.status });
  }
  const due = dueTimeOf(state);
  if (due !== null) engine.dueTimer.arm(due);
}

function knowsOutputs({ outputsKnown }: RememberedRun, reads: Reads): boolean {
  if (outputsKnown === 'all' || reads === 'all') return outputsKnown === 'all';
  return reads.size === 0 || [...reads].every((step) => outputsKnown.has(step));
}

async function withOutputs(engine: Engine, run: RememberedRun, reads: Reads): Promise<RememberedRun> {
  const { outputsKnown, state } = run;
  const outputs = await loadOutputs(engine.db.pool, state.id, reads);
  return { state: { ...state, outputs: { ...state.outputs, ...outputs } }, outputsKnown: unite([outputsKnown, reads]) };
}

/** The steps whose outputs these commands may need: those they close, and those that wait to go. */
function whatItReads(plan: Plan, state: RunState, together: Waiting[]): Reads {
  if (plan.readOutputs !== 'all' && plan.readOutputs.size === 0) return plan.readOutputs;
  // What goes on may settle much at once, or end; the outputs of steps that are over may be named by its result alone.
  if (together.some(({ command: { type } }) => type === 'release' || type === 'retry' || type === 'rollback'))
    return plan.readOutputs;
  const closing: StepRef[] = together.flatMap(({ command }) => ('visit' in command ? [command] : []));
  const going = state.open.filter((open) => open.status === 'pending' || open.status === 'waiting');
  return unite([...closing, ...going].map(({ step }) => plan.steps.get(step)?.reads ?? new Set<string>()));
}
