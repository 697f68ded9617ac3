// The only way a run changes. In call order: a command joins the mailbox of its run → all commands that wait there are
// decided in order, each on the state the one before left → one commit, guarded by the run's sequence number → then, and
// only then, whoever asked is answered and whoever watches is woken. Jobs may be offered before: a job is a pointer (fresh-jobs.ts).
//
// * A run that moved on, or is locked by another process, is loaded again and decided again; after three times once with
//   its row locked, so that somebody always gets through.
// * A worker runs ahead of its commits (run-ahead.ts): what the run will be is known before they return, so the outcome of
//   a pure step is decided on that, and goes as one commit with all that is decided until the one before has returned.
// * What this process remembers of a run saves the load, and is never the last word: a refusal is only given on a state
//   that was just loaded.

import { randomUUID } from 'node:crypto';
import type { Command } from '../core/commands.ts';
import { AppError } from '../core/errors.ts';
import type { Actor } from '../core/run.ts';
import type { Committed } from '../store/commit.ts';
import type { Change } from '../store/commit-rows.ts';
import { isPoison, isTransient } from '../store/db.ts';
import { changeAtOnce, decideAhead, isIdleWorker, type Mailbox } from './change-ahead.ts';
import type { Engine } from './engine.ts';
import { offerEarly } from './fresh-jobs.ts';
import { withPatience } from './patience.ts';
import { findReady, makeReady } from './ready-run.ts';
import {
  type Asker,
  announce,
  type Changed,
  findDeadline,
  fold,
  rejectAll,
  SYSTEM_USER,
  type Waiting,
} from './rounds.ts';
import { release } from './run-ahead.ts';

export interface ChangeOptions {
  actor: Actor;
  /** How long to keep trying while Postgres is away; a request gives up early, a finished step does not. */
  patienceMs?: number;
  /** Names the command in the run's history, for those who have to find it there again (change-once.ts); a UUID. */
  commandId?: string;
}

const REQUEST_PATIENCE_MS = 2_000;
/** A caller is answered this long after its patience ends at the latest, even when Postgres has gone silent. */
const MARGIN_MS = 500;
const MAX_STALE = 3;
const MAX_FOLDED = 256;
/** Between two looks for a Postgres that is away; the committer has its own pauses. */
const AWAY_MS = 200;

/** Ids of this process' commands, in the form of UUIDs: drawn once and counted on, because each step needs one. */
const FIRST_ID = randomUUID().slice(0, 24);
let commands = 0;

function newCommandId(): string {
  commands += 1;
  return FIRST_ID + commands.toString(16).padStart(12, '0');
}

/** The actor of what the engine does by itself. */
export function systemActor(workspaceId = ''): Actor {
  return { workspaceId, userId: SYSTEM_USER };
}

/**
 * Asks `command` of a run. Throws `run_not_found` (also for another workspace's run) and `unavailable` when Postgres did
 * not take the change within `patienceMs`; the change may then still have happened.
 */
export function changeRun(engine: Engine, runId: string, command: Command, options: ChangeOptions): Promise<Changed> {
  const { actor, patienceMs = REQUEST_PATIENCE_MS } = options;
  const changed = new Promise<Changed>((resolve, reject) => {
    askRun(engine, runId, { command, options }, { resolve, reject });
  });
  return actor.userId === SYSTEM_USER ? changed : withPatience(changed, patienceMs + MARGIN_MS);
}

/** The same for whoever wants no promise: `asker` is told. */
export function askRun(
  engine: Engine,
  runId: string,
  { command, options }: { command: Command; options: ChangeOptions },
  asker: Asker,
): void {
  const { actor, patienceMs = REQUEST_PATIENCE_MS, commandId } = options;
  const waiting: Waiting = {
    command,
    actor,
    commandId: commandId ?? newCommandId(),
    goesAlone: commandId !== undefined || command.type === 'answer',
    deadline: Date.now() + patienceMs,
    asker,
  };
  const mailbox = engine.mailboxes.get(runId);
  if (mailbox) {
    if (decideAhead(engine, mailbox, waiting)) return;
    mailbox.waiting.push(waiting);
    release(mailbox.ahead?.postponed);
  } else {
    const opened: Mailbox = { waiting: [], onEmpty: [], expected: null, offered: null, ahead: null };
    engine.mailboxes.set(runId, opened);
    const goOn = () => void emptyMailbox(engine, runId, opened);
    if (changeAtOnce(engine, { runId, mailbox: opened, goOn }, waiting)) return;
    opened.waiting.push(waiting);
    goOn();
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
          await changeTogether(engine, runId, [waiting]).catch((cause) => waiting.asker.reject(cause));
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
  if (decision && mailbox && isIdleWorker(engine)) offerEarly(engine, mailbox, decision, 'step');
  if (decision && (await commit({ decision, expectedSeq: ready.run.state.seq })) === 'stale') return null;
  const { outputsKnown } = ready.run;
  return () => announce(engine, { decision, changes, outputsKnown, together });
}
