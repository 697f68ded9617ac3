// The only way a run changes. In call order: a command joins the mailbox of its run → all commands that wait there are
// decided in order, each on the state the one before left → one commit, guarded by the run's sequence number → then, and
// only then, jobs are offered and whoever watches is woken.
//
// * A run that moved on, or is locked by another process, is loaded again and decided again; after three times once with
//   its row locked, so that somebody always gets through.
// * A worker runs ahead of its commits (run-ahead.ts): what the run will be is known before they return, so the outcome of
//   a pure step is decided on that, and goes as one commit with all that is decided until the one before has returned.
// * What this process remembers of a run saves the load, and is never the last word: a refusal is only given on a state
//   that was just loaded.

import { randomUUID } from 'node:crypto';
import { v7 as newId } from 'uuid';
import { dueTimeOf } from '../core/clocks.ts';
import type { Command } from '../core/commands.ts';
import type { Decision } from '../core/decision.ts';
import { AppError } from '../core/errors.ts';
import { mergeDecisions } from '../core/merging.ts';
import type { Plan } from '../core/plan.ts';
import type { Verdict } from '../core/refusal.ts';
import { type Actor, FINISHED, isSettled, type RunState } from '../core/run.ts';
import { decide } from '../core/transition.ts';
import { hasFailpoints, reach } from '../failpoints.ts';
import type { Committed } from '../store/commit.ts';
import type { Change } from '../store/commit-rows.ts';
import { isPoison, isTransient } from '../store/db.ts';
import type { Engine } from './engine.ts';
import { offerEarly, offerFresh } from './fresh-jobs.ts';
import { unavailable, withPatience } from './patience.ts';
import { findReady, isReadyFor, makeReady, type Ready } from './ready-run.ts';
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
  /** Set where it may be decided on what the run will be. */
  onDecided: (() => void) | null;
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
  /** Step runs whose jobs were offered early, and when. */
  offered: Map<string, number> | null;
  /** What the run will be; null where that is known only when the commit under way has returned. */
  ahead: Ahead | null;
}

/** A run as it will be when all that is decided is committed, and what is to be committed when the commit under way has returned. */
export interface Ahead extends Ready {
  next: Round | null;
}

export interface ChangeOptions {
  actor: Actor;
  /** How long to keep trying while Postgres is away; a request gives up early, a finished step does not. */
  patienceMs?: number;
  /** Names the command in the run's history, for those who have to find it there again (change-once.ts); a UUID. */
  commandId?: string;
  /**
   * Lets the command be decided on what the run will be when the commits under way have returned, and is called when it is decided and
   * its own commit is on its way. It may still come to nothing, so it must harm nobody.
   */
  onDecided?: () => void;
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
  { actor, patienceMs = REQUEST_PATIENCE_MS, commandId, onDecided }: ChangeOptions,
): Promise<Changed> {
  const changed = new Promise<Changed>((resolve, reject) => {
    const waiting: Waiting = {
      command,
      actor,
      commandId: commandId ?? randomUUID(),
      goesAlone: commandId !== undefined || command.type === 'answer',
      deadline: Date.now() + patienceMs,
      onDecided: onDecided ?? null,
      resolve,
      reject,
    };
    const mailbox = engine.mailboxes.get(runId);
    if (mailbox) {
      if (!decideAhead(engine, mailbox, waiting)) mailbox.waiting.push(waiting);
    } else {
      const opened: Mailbox = { waiting: [], onEmpty: [], expected: null, offered: null, ahead: null };
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
  const ready = findReady(engine, runId, [waiting]);
  const round = ready && decideAtOnce(engine, ready, waiting);
  if (!round) return false;
  mailbox.ahead = { plan: ready.plan, run: { ...ready.run, state: round.decision.state }, next: null };
  if (engine.ahead.isAllowed || isIdleWorker(engine)) offerEarly(engine, mailbox, round.decision);
  commitRound(engine, runId, mailbox, round);
  waiting.onDecided?.();
  return true;
}

/** Decides a command on what the run will be, to be committed with the next round. False, and nothing is done, where that cannot be. */
function decideAhead(engine: Engine, mailbox: Mailbox, waiting: Waiting): boolean {
  const { ahead } = mailbox;
  if (!ahead || !waiting.onDecided || mailbox.waiting.length > 0) return false;
  const { run, next } = ahead;
  if (next && next.together.length >= MAX_FOLDED) return false;
  if (!isReadyFor(ahead, [waiting])) return false;
  const round = decideAtOnce(engine, ahead, waiting);
  if (!round) return false;
  ahead.run = { ...run, state: round.decision.state };
  ahead.next = next ? joinRounds(next, round) : round;
  if (engine.ahead.isAllowed) offerEarly(engine, mailbox, round.decision);
  waiting.onDecided();
  return true;
}

/** Null where nothing changes, or the command is refused. */
function decideAtOnce(engine: Engine, { plan, run }: Ready, waiting: Waiting): Round | null {
  try {
    const together = [waiting];
    const { decision, changes } = fold(engine, plan, run.state, together);
    if (!decision) return null;
    return { decision, changes, together, outputsKnown: run.outputsKnown, expectedSeq: run.state.seq };
  } catch {
    return null; // told by the rounds, on the run as it is stored
  }
}

function joinRounds(first: Round, second: Round): Round {
  return {
    ...first,
    decision: mergeDecisions(first.decision, second.decision),
    changes: [...first.changes, ...second.changes],
    together: [...first.together, ...second.together],
  };
}

/** Commits what was decided at once, and then what was decided ahead meanwhile, until there is nothing more. */
function commitRound(engine: Engine, runId: string, mailbox: Mailbox, round: Round): void {
  const { decision, expectedSeq, together } = round;
  engine.committer
    .commit({ decision, expectedSeq }, findDeadline(together))
    .then((committed) => {
      if (committed === 'committed') {
        announce(engine, round);
      } else {
        engine.metrics.staleDecisions.inc();
        engine.remembered.delete(runId);
        giveBack(mailbox, together);
      }
    })
    .catch((error: unknown) => {
      rejectAll(engine, runId, together, error);
      giveBack(mailbox, []);
    })
    .then(() => {
      const next = mailbox.ahead?.next;
      if (next) {
        mailbox.ahead!.next = null;
        commitRound(engine, runId, mailbox, next);
      } else {
        mailbox.ahead = null;
        void emptyMailbox(engine, runId, mailbox);
      }
    });
}

/** What was decided on a run that is not what it was to be has to be decided again, before what came later. */
function giveBack(mailbox: Mailbox, together: Waiting[]): void {
  mailbox.waiting.unshift(...together, ...(mailbox.ahead?.next?.together ?? []));
  mailbox.ahead = null;
}

function findDeadline(together: Waiting[]): number {
  return together.length === 1 ? together[0]!.deadline : Math.max(...together.map(({ deadline }) => deadline));
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
  const deadline = findDeadline(together);
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
  const mailbox = engine.mailboxes.get(runId);
  if (decision && mailbox && isIdleWorker(engine)) offerEarly(engine, mailbox, decision);
  if (decision && (await commit({ decision, expectedSeq: ready.run.state.seq })) === 'stale') return null;
  const { outputsKnown } = ready.run;
  return () => announce(engine, { decision, changes, outputsKnown, together });
}

/** Nothing else is on its way, so a job that comes before its commit has not long to wait for it, whoever takes it. */
function isIdleWorker({ ahead, committer }: Engine): boolean {
  return ahead.isOn && committer.isIdle;
}

/** What commands have come to, to be committed as a whole. */
interface Outcome {
  decision: Decision | null;
  changes: Changed[];
  outputsKnown: RememberedRun['outputsKnown'];
  together: Waiting[];
}

interface Round extends Outcome {
  decision: Decision;
  /** The run's sequence number that it was decided on. */
  expectedSeq: number;
}

/** The round is durable: its jobs are offered, and whoever asked is answered. */
function announce(engine: Engine, { decision, changes, outputsKnown, together }: Outcome): void {
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
  offerFresh(engine, decision, engine.mailboxes.get(state.id));
  engine.wakeups.publish({ runId: state.id, to: isOver ? 'finished' : isSettled(state.status) ? 'settled' : 'moving' });
  for (const row of steps) {
    if (row.status === 'waiting' && row.dueAt !== null) engine.dueTimer.arm(row.dueAt);
    if (row.status === 'completed' || row.status === 'failed' || row.status === 'cancelled')
      engine.metrics.stepsFinished.inc({ type: row.type, outcome: row.status });
  }
  const due = dueTimeOf(state);
  if (due !== null) engine.dueTimer.arm(due);
}
