// Why a run does not move, as one pure rule: for each open step run what it waits for, and until when, in plain sentences
// and for programs. Times are epoch milliseconds. Where what it is told comes from is not known here.

import { type Cancellation, FINISHED, type OpenStep, type RunError, type RunStatus, type StepRef } from './run.ts';

/** What is known about one open step run, beside its mark. */
export interface OpenSituation {
  mark: OpenStep;
  /** Since when it has been as it is. */
  since: number;
  /** Due step runs that were offered to workers before it; counted up to `MANY_AHEAD` only. */
  ahead: number;
  /** What has to know how to run it: its tool, else its type; null when this process does. */
  unknown: string | null;
  /** Other open step runs that may still arrive at it. */
  blockers: readonly string[];
}

/** An operator's hold: by whom, since when, and why if that was said. */
export interface Hold {
  by: string;
  at: number;
  reason: string | null;
}

export interface Situation {
  status: RunStatus;
  now: number;
  /** Only of a finished run. */
  finishedAt: number | null;
  error: RunError | null;
  cancellation: Cancellation | null;
  /** Only of a held run. */
  hold: Hold | null;
  steps: readonly OpenSituation[];
}

export const RUN_REASONS = ['finished', 'held', 'cancelling', 'waiting', 'working'] as const;
export const STEP_REASONS = [
  'waits_for_person',
  'waits_for_time',
  'waits_for_callback',
  'waits_for_retry',
  'waits_for_steps',
  'queued_behind',
  'not_taken',
  'no_worker',
  'running',
  'held',
] as const;
export type RunReason = (typeof RUN_REASONS)[number];
export type StepReason = (typeof STEP_REASONS)[number];

export interface StepExplanation extends StepRef {
  reason: StepReason;
  /** A plain sentence. */
  message: string;
  since: number;
  /** When it ends by itself. */
  until: number | null;
  /** People it waits for, where only some may answer; or the step runs that have to end before. */
  waitsFor: readonly string[];
  /** Only of `queued_behind`. */
  ahead: number | null;
  attempt: number;
}

export interface Explanation {
  reason: RunReason;
  message: string;
  until: number | null;
  steps: StepExplanation[];
}

/** Counting further would tell nobody more. */
export const MANY_AHEAD = 1_000;

export function explainRun(situation: Situation): Explanation {
  return { ...explainWhole(situation), steps: situation.steps.map((step) => explainStep(situation, step)) };
}

function explainWhole(situation: Situation): Omit<Explanation, 'steps'> {
  const { status, hold, cancellation, now } = situation;
  if (FINISHED.has(status)) return { reason: 'finished', message: describeEnd(situation), until: null };
  if (cancellation?.stage) {
    const until = cancellation.dueAt ?? null;
    const what = cancellation.stage === 'stopping' ? 'steps in flight may finish' : 'its clean-up runs';
    return { reason: 'cancelling', message: `The run is being cancelled: ${what}${untilText(until, now)}.`, until };
  }
  if (status === 'held') return { reason: 'held', message: describeHold(hold), until: null };
  if (status === 'waiting') return { reason: 'waiting', message: 'The run waits for people.', until: null };
  return { reason: 'working', message: 'The run goes on by itself; its open steps say what with.', until: null };
}

function describeEnd({ status, finishedAt, error, cancellation }: Situation): string {
  const at = finishedAt === null ? '' : ` at ${timeText(finishedAt)}`;
  if (status === 'failed') return `The run failed${at}: ${error?.message ?? 'for no reason that was kept'}.`;
  if (status !== 'cancelled') return `The run completed${at}.`;
  const verb = cancellation?.type === 'terminate' ? 'terminated' : 'cancelled';
  const by = cancellation === null ? '' : ` by ${cancellation.by}`;
  return `The run was ${verb}${at}${by}${reasonText(cancellation?.reason)}.`;
}

function describeHold(hold: Hold | null): string {
  if (hold === null) return 'The run is held until somebody releases it.';
  const since = `since ${timeText(hold.at)}${reasonText(hold.reason)}`;
  return `The run is held by ${hold.by} ${since}; nothing begins until somebody releases it.`;
}

type Told = Pick<StepExplanation, 'reason' | 'message'> &
  Partial<Pick<StepExplanation, 'until' | 'waitsFor' | 'ahead'>>;

function explainStep(situation: Situation, step: OpenSituation): StepExplanation {
  const { mark, since } = step;
  const told = tell(situation, step);
  const { step: id, visit, attempt } = mark;
  return { step: id, visit, since, attempt, until: null, waitsFor: [], ahead: null, ...told };
}

function tell(situation: Situation, step: OpenSituation): Told {
  switch (step.mark.status) {
    case 'waiting':
      return tellWait(situation, step.mark);
    case 'queued':
      return tellQueued(situation, step);
    case 'pending':
      return tellPending(situation, step);
    case 'running': {
      const { step: id, attempt } = step.mark;
      return { reason: 'running', message: `Step "${id}" has run${forText(situation, step)}, in attempt ${attempt}.` };
    }
  }
}

function tellWait({ now, status }: Situation, { step, awaits, assignees, dueAt }: OpenStep): Told {
  const until = dueAt ?? null;
  const isLate = status === 'held' && until !== null && until <= now;
  const end = isLate ? '; its time is up, which counts at the release' : untilText(until, now);
  switch (awaits) {
    case 'person': {
      const waitsFor = assignees ?? [];
      const whom = waitsFor.length === 0 ? 'anybody who may answer' : waitsFor.join(' or ');
      return { reason: 'waits_for_person', message: `Step "${step}" waits for ${whom}${end}.`, until, waitsFor };
    }
    case 'callback':
      return { reason: 'waits_for_callback', message: `Step "${step}" waits for a callback${end}.`, until };
    default:
      return { reason: 'waits_for_time', message: `Step "${step}" waits for its time${end}.`, until };
  }
}

function tellQueued(situation: Situation, step: OpenSituation): Told {
  const { mark, ahead, unknown } = step;
  const name = `Step "${mark.step}"`;
  if (mark.dueAt !== undefined && mark.dueAt > situation.now) {
    const message = `${name} is tried again at ${timeText(mark.dueAt)}, for the ${ordinal(mark.attempt)} time.`;
    return { reason: 'waits_for_retry', message, until: mark.dueAt };
  }
  if (unknown !== null)
    return { reason: 'no_worker', message: `${name} needs "${unknown}", which no worker here is known to have.` };
  if (ahead > 0) {
    const many = ahead > MANY_AHEAD ? `more than ${MANY_AHEAD}` : `${ahead}`;
    return { reason: 'queued_behind', message: `${name} is queued behind ${many} other steps.`, ahead };
  }
  return { reason: 'not_taken', message: `${name} is queued, and no worker has taken it${forText(situation, step)}.` };
}

function tellPending({ hold }: Situation, { mark, blockers }: OpenSituation): Told {
  const name = `Step "${mark.step}"`;
  if (mark.wasQueued)
    return { reason: 'held', message: `${name} goes on when ${hold?.by ?? 'somebody'}’s hold is released.` };
  const whom = blockers.length === 0 ? 'other branches' : blockers.map((id) => `"${id}"`).join(', ');
  return { reason: 'waits_for_steps', message: `${name} waits for ${whom} to arrive or end.`, waitsFor: blockers };
}

function reasonText(reason: string | null | undefined): string {
  return reason ? ` (${reason})` : '';
}

function untilText(until: number | null, now: number): string {
  if (until === null) return '';
  return until > now ? `, until ${timeText(until)}` : '; its time is up, which counts within seconds';
}

function forText({ now }: Situation, { since }: OpenSituation): string {
  return ` for ${durationText(now - since)}`;
}

function timeText(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** The two largest units of a duration: `2 h 5 min`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return '0 s';
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}

function ordinal(count: number): string {
  const tens = count % 100;
  const suffix = tens > 10 && tens < 14 ? 'th' : (['th', 'st', 'nd', 'rd'][count % 10] ?? 'th');
  return `${count}${suffix}`;
}
