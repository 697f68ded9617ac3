// When a schedule fires, and what becomes of each time that it does. Times are epoch milliseconds, and now is an argument;
// runs, rows and queues are unknown here.
//
// Clocks that change: a time of day that is skipped in spring fires once, right after the gap, and one that comes twice in
// autumn fires the first time only. A pattern with `*` or a step among its minutes or hours means intervals, not times of
// day: it goes on by the time that has really passed. The rule is Vixie cron's, as `croner` has it; a test holds it to one
// that counts minutes.

import { Cron } from 'croner';
import type { Problem } from './errors.ts';

export const OVERLAPS = ['skip', 'queue', 'allow'] as const;
/** While any of its runs is not over: no run for this time, one as soon as they are, or one at once. */
export type Overlap = (typeof OVERLAPS)[number];

export const CATCH_UPS = ['one', 'none', 'all'] as const;
/** After an outage: a run for the latest of the times that were missed, for none, or for each. */
export type CatchUp = (typeof CATCH_UPS)[number];

export interface Pattern {
  cronExpression: string;
  timezone: string;
}

export interface ScheduleRule extends Pattern {
  overlap: Overlap;
  catchUp: CatchUp;
}

/** What a schedule remembers between two times. */
export interface ScheduleState {
  /** The earliest time that nothing was decided about; null: there is none. */
  nextAt: number | null;
  /** Times whose runs wait for the run before them, oldest first. */
  waiting: readonly number[];
}

/** `missed`: too late by the catch-up policy; `skipped`: the run before was not over, or too many waited already. */
export type FireOutcome = 'started' | 'waiting' | 'skipped' | 'missed';

export interface FireDecision extends ScheduleState {
  /** Times to start a run for, now, oldest first. */
  start: number[];
  /** The latest time that was decided about, and how; null when none was. */
  last: { at: number; outcome: FireOutcome } | null;
}

/** At most so many runs are started for what was missed, and so many times wait: the latest, and the earliest. */
export const MAX_CATCH_UP = 100;
/** As late as this a time is not missed: processes restart, and many schedules may be due at once. */
export const PUNCTUAL_MS = 60_000;

const MAX_EXPRESSION = 200;
/** A name, never an offset: `Europe/Berlin`, `UTC`, `Etc/GMT+5`. */
const ZONE = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/;

/** What is wrong with a pattern, each with its place; `now` is asked for whether it will ever fire. */
export function findPatternProblems({ cronExpression, timezone }: Pattern, now: number): Problem[] {
  const problems: Problem[] = [];
  const isZone = isTimezone(timezone);
  if (!isZone)
    problems.push({
      pointer: '/timezone',
      message: 'is no time zone',
      hint: 'use a name of the IANA database, such as "Europe/Berlin" or "UTC"',
    });
  const fault = findExpressionFault(cronExpression, isZone ? timezone : 'UTC', now);
  if (fault !== null) problems.push({ pointer: '/cronExpression', ...fault });
  return problems;
}

function findExpressionFault(text: string, timezone: string, now: number): Omit<Problem, 'pointer'> | null {
  const hint = 'write five fields: minute, hour, day of month, month, day of week; "30 9 * * 1-5" is 09:30 on workdays';
  if (text.length > MAX_EXPRESSION) return { message: `must have at most ${MAX_EXPRESSION} characters`, hint };
  if (text.trim().split(/\s+/).length !== 5) return { message: 'must have five fields', hint };
  // To croner it is another `*`, to Quartz "no value", and to older crons the present minute.
  if (text.includes('?')) return { message: 'has a "?", which crons read differently', hint: 'write "*" instead' };
  try {
    if (nextAfter({ cronExpression: text, timezone }, now) !== null) return null;
    return { message: 'never fires', hint: 'no month that it names has such a day' };
  } catch (error) {
    return { message: `cannot be read: ${(error as Error).message.replace(/^CronPattern: /, '')}`, hint };
  }
}

function isTimezone(name: string): boolean {
  if (!ZONE.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The first time by the pattern that is later than `at`; null when there is none. */
export function nextAfter(pattern: Pattern, at: number): number | null {
  return parse(pattern).nextRun(new Date(at))?.getTime() ?? null;
}

/** The next `count` times after `at`. */
export function listFireTimes(pattern: Pattern, at: number, count: number): number[] {
  return parse(pattern)
    .nextRuns(count, new Date(at))
    .map((time) => time.getTime());
}

/**
 * Decides about every time up to `now`. `isRunning`: a run of the schedule is not over. The same arguments give the same
 * decision, so whoever decides again after a crash starts the same runs.
 */
export function decideFires(
  rule: ScheduleRule,
  { nextAt, waiting }: ScheduleState,
  { now, isRunning }: { now: number; isRunning: boolean },
): FireDecision {
  if (nextAt === null || nextAt > now) return { ...takeTurns(rule, waiting, isRunning), nextAt, last: null };
  const due = listDue(rule, nextAt, now);
  const owed = rule.catchUp === 'none' ? due.filter((at) => now - at <= PUNCTUAL_MS) : due;
  const turns = takeTurns(rule, [...waiting, ...owed], isRunning);
  const latest = due.at(-1)!;
  const outcome = owed.includes(latest) ? outcomeOf(latest, turns) : 'missed';
  return { ...turns, nextAt: nextAfter(rule, now), last: { at: latest, outcome } };
}

/** The latest of the times from `from` to `now`, oldest first: as many as may be caught up, and at least one. */
function listDue(rule: ScheduleRule, from: number, now: number): number[] {
  // Exclusive, and in whole seconds.
  const until = new Date(Math.floor(now / 1_000) * 1_000 + 1_000);
  const due = parse(rule)
    .previousRuns(rule.catchUp === 'one' ? 1 : MAX_CATCH_UP, until)
    .map((time) => time.getTime())
    .filter((at) => at >= from)
    .reverse();
  // A time that was announced stays one, also where its zone has got new rules meanwhile.
  return due.length === 0 ? [from] : due;
}

/** Which of these times start now, and which go on waiting, by the overlap policy. */
function takeTurns({ overlap }: ScheduleRule, line: readonly number[], isRunning: boolean) {
  if (overlap === 'allow') return { start: [...line], waiting: [] };
  const start = isRunning ? [] : line.slice(0, 1);
  const rest = line.slice(start.length);
  return { start, waiting: overlap === 'queue' ? rest.slice(0, MAX_CATCH_UP) : [] };
}

function outcomeOf(at: number, { start, waiting }: { start: number[]; waiting: number[] }): FireOutcome {
  if (start.includes(at)) return 'started';
  return waiting.includes(at) ? 'waiting' : 'skipped';
}

/** Never started: without a function it is only a reader of the pattern. */
function parse({ cronExpression, timezone }: Pattern): Cron {
  return new Cron(cronExpression.trim(), { timezone, mode: '5-part', fixedTimeRule: 'no-wildcard' });
}
