// How a worker decides and commits before the commit that its decision stands on has returned (run-ahead.ts). The outcome of a pure
// step is decided on what the run will be, and goes with what waits to be sent, or as one commit when the one before has returned.
// While a run goes on from pure step to pure step its commit is even put off for a moment, since it will soon be one of several steps.

import type { Decision } from '../core/decision.ts';
import { mergeDecisions } from '../core/merging.ts';
import type { Plan } from '../core/plan.ts';
import type { Change } from '../store/commit-rows.ts';
import { isPoison } from '../store/db.ts';
import type { Engine } from './engine.ts';
import { type EarlyOffers, offerEarly } from './fresh-jobs.ts';
import { findReady, isReadyFor, type Ready } from './ready-run.ts';
import { announce, type Base, findDeadline, fold, type Outcome, rejectAll, type Waiting } from './rounds.ts';
import { type Postponed, release } from './run-ahead.ts';

/** The commands that wait for a run while others are decided or committed, and what waits for them. */
export interface Mailbox extends EarlyOffers {
  waiting: Waiting[];
  /** Called when no command of the run is under way any more. */
  onEmpty: (() => void)[];
  /** What the run will be; null where that is known only when the commit under way has returned. */
  ahead: Ahead | null;
}

/** A run as it will be when all that is decided is committed. */
export interface Ahead extends Ready, Base {
  /** What is being committed, or will be as soon as it is no longer postponed. */
  current: Round;
  postponed: Postponed | null;
  /** What is to be committed when that has returned. */
  next: Round | null;
}

/** What was decided on a run as it is, or will be. */
interface Round extends Omit<Outcome, 'decision'> {
  change: Change;
}

/** A run with commands under way; `goOn` goes on with those that wait. */
interface Opened {
  runId: string;
  mailbox: Mailbox;
  goOn(): void;
}

/** Of commands that are decided ahead: each may leave an output of a megabyte. */
const MAX_FOLDED_AHEAD = 16;

/**
 * Decides and commits without a wait in between, where all that the decision reads is remembered and it is accepted: the
 * usual case, which the rounds of change-run.ts cover too, at several times the promises. False, and nothing is done, in any other.
 * `goOn` is called when nothing that was decided is on its way any more.
 */
export function changeAtOnce(engine: Engine, { runId, mailbox, goOn }: Opened, waiting: Waiting): boolean {
  const ready = findReady(engine, runId, [waiting]);
  const current = ready && decideAtOnce(engine, ready, waiting);
  if (!current) return false;
  const { decision } = current.change;
  const run = { state: decision.state, outputsKnown: current.outputsKnown };
  const ahead: Ahead = { plan: ready.plan, run, current, next: null, postponed: null, isUndone: false };
  mailbox.ahead = ahead;
  const commit = () => commitRound(engine, { runId, mailbox, goOn }, current);
  const { isAllowed } = engine.ahead;
  if (isAllowed || isIdleWorker(engine)) offerEarly(engine, mailbox, decision, 'step');
  if (isAllowed && waiting.asker.onDecided && goesOn(ready.plan, decision))
    ahead.postponed = engine.ahead.postpone(commit);
  else commit();
  waiting.asker.onDecided?.();
  return true;
}

/**
 * Decides a command on what the run will be, to be committed with what waits to be sent, or next. False, and nothing is done, where
 * that cannot be.
 */
export function decideAhead(engine: Engine, mailbox: Mailbox, waiting: Waiting): boolean {
  const { ahead } = mailbox;
  // Whoever waits until nothing is under way any more would else wait for as long as the run goes on.
  if (!ahead || !waiting.asker.onDecided || mailbox.waiting.length > 0 || mailbox.onEmpty.length > 0) return false;
  const isFull = (round: Round) => round.together.length >= MAX_FOLDED_AHEAD;
  if (ahead.next && isFull(ahead.next)) return false;
  if (isFull(ahead.current)) release(ahead.postponed);
  if (!isReadyFor(ahead, [waiting])) return false;
  const round = decideAtOnce(engine, ahead, waiting);
  if (!round) return false;
  const { decision } = round.change;
  ahead.run = { state: decision.state, outputsKnown: round.outputsKnown };
  if (ahead.next) joinRounds(ahead.next, round);
  else if (ahead.current.change.isTaken || isFull(ahead.current) || !isPatient(ahead.current)) ahead.next = round;
  else joinRounds(ahead.current, round);
  const { isAllowed } = engine.ahead;
  if (isAllowed) offerEarly(engine, mailbox, decision, 'step');
  if (!isAllowed || !goesOn(ahead.plan, decision)) release(ahead.postponed);
  waiting.asker.onDecided();
  return true;
}

/** Whether it is kept on offer for as long as what would be joined to it. */
function isPatient({ together }: Round): boolean {
  return together[0]!.asker.onDecided !== undefined;
}

/** Whether all that goes next will be decided ahead too, as soon as its jobs have come back. */
function goesOn({ steps }: Plan, decision: Decision): boolean {
  let isGoing = false;
  for (const row of decision.steps) {
    if (row.status !== 'queued') continue;
    const step = steps.get(row.step)!;
    if (row.attempt !== 1 || row.fence !== 0 || !step.type.isPure?.(step.step)) return false;
    isGoing = true;
  }
  return isGoing;
}

/** Nothing else is on its way, so a job that comes before its commit has not long to wait for it, whoever takes it. */
export function isIdleWorker({ ahead, committer }: Engine): boolean {
  return ahead.isOn && committer.isIdle;
}

/** Null where nothing changes, or the command is refused. */
function decideAtOnce(engine: Engine, { plan, run }: Ready, waiting: Waiting): Round | null {
  try {
    const together = [waiting];
    const { decision, changes } = fold(engine, plan, run.state, together);
    if (!decision) return null;
    const change = { decision, expectedSeq: run.state.seq };
    return { change, changes, together, outputsKnown: run.outputsKnown };
  } catch {
    return null; // told by the rounds, on the run as it is stored
  }
}

/** Makes the first what both are together. */
function joinRounds(first: Round, second: Round): void {
  first.change.decision = mergeDecisions(first.change.decision, second.change.decision);
  first.changes.push(...second.changes);
  first.together.push(...second.together);
}

/** Commits what was decided at once, and then what was decided ahead meanwhile, until there is nothing more. */
function commitRound(engine: Engine, { runId, mailbox, goOn }: Opened, round: Round): void {
  const { change, changes, together, outputsKnown } = round;
  engine.committer
    .commit(change, findDeadline(together))
    .then((committed) => {
      if (committed === 'committed') {
        announce(engine, { decision: change.decision, changes, together, outputsKnown });
      } else {
        engine.metrics.staleDecisions.inc();
        engine.remembered.delete(runId);
        giveBack(mailbox, together);
      }
    })
    .catch((error: unknown) => {
      // One of several may be what Postgres refuses: each is decided again, and goes alone.
      const isGuilty = !isPoison(error) || together.length === 1;
      if (isGuilty) rejectAll(engine, runId, together, error);
      else engine.remembered.delete(runId);
      giveBack(mailbox, isGuilty ? [] : together);
    })
    .then(() => {
      const { ahead } = mailbox;
      if (ahead?.next) {
        ahead.current = ahead.next;
        ahead.next = null;
        commitRound(engine, { runId, mailbox, goOn }, ahead.current);
      } else {
        mailbox.ahead = null;
        goOn();
      }
    });
}

/**
 * What was decided on a run that is not what it was to be has to be decided again, before what came later. Not so what came of the
 * state that never was: its steps are run again, by jobs that are offered anew.
 */
function giveBack(mailbox: Mailbox, together: Waiting[]): void {
  const { ahead, waiting } = mailbox;
  if (ahead) ahead.isUndone = true;
  const all = [...together, ...(ahead?.next?.together ?? []), ...waiting.splice(0)];
  mailbox.ahead = null;
  mailbox.offered = null;
  mailbox.expected = null;
  waiting.push(...all.filter(({ asker }) => !asker.isBaseless?.()));
  for (const { asker } of all) if (asker.isBaseless?.()) asker.abandon?.();
}
