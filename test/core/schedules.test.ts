// When a schedule fires: held to a count of minutes, to random patterns over the days on which clocks change, and to what
// people expect of known days.

import { expect } from 'chai';
import fc from 'fast-check';
import {
  CATCH_UPS,
  decideFires,
  type FireDecision,
  findPatternProblems,
  listFireTimes,
  MAX_CATCH_UP,
  nextAfter,
  OVERLAPS,
  type Pattern,
  PUNCTUAL_MS,
  type ScheduleRule,
} from '../../src/core/schedules.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;

const at = (text: string) => Date.parse(text);
const told = (times: readonly number[]) => times.map((time) => new Date(time).toISOString().slice(0, 16));
const fires = (cronExpression: string, timezone: string, from: string, count: number) =>
  told(listFireTimes({ cronExpression, timezone }, at(from), count));

/** The two days of a year on which each of these has no midnight-to-midnight of 24 hours. */
const CHANGES: readonly [zone: string, day: string][] = [
  ['Europe/Berlin', '2026-03-29'],
  ['Europe/Berlin', '2026-10-25'],
  ['America/New_York', '2026-03-08'],
  ['America/New_York', '2026-11-01'],
  ['Australia/Lord_Howe', '2026-04-05'],
  ['Australia/Lord_Howe', '2026-10-04'],
  ['America/Havana', '2026-03-08'],
  ['Africa/Cairo', '2026-04-24'],
  ['Asia/Kathmandu', '2026-05-01'],
  ['UTC', '2026-05-01'],
];

const minutes = fc.oneof(
  fc.constantFrom('*', '*/15', '0', '0,30', '10-20', '*/7', '59'),
  fc.integer({ min: 0, max: 59 }).map(String),
);
const hours = fc.oneof(
  fc.constantFrom('*', '*/2', '0,2', '1-3', '0-4/2', '1,2,3'),
  fc.integer({ min: 0, max: 23 }).map(String),
);
const days = fc.constantFrom('* * *', '* * *', '* * 0', '1 * *', '25 * *', '31 * *', '29 2 *', '* 3,10 6,0', '13 * 5');
const changes = fc.constantFrom(...CHANGES);
const expressions = fc.tuple(minutes, hours, days).map((fields) => fields.join(' '));
const offsets = fc.integer({ min: -3_000, max: 3_000 });

/** A pattern near a day on which clocks change, and a moment there. */
const moments = fc.tuple(expressions, changes, offsets).map(([cronExpression, [timezone, day], minutesOff]) => ({
  pattern: { cronExpression, timezone },
  from: at(`${day}T00:00:00Z`) + minutesOff * MINUTE,
}));

describe('a schedule’s pattern', () => {
  it('fires at the time of its zone, in winter and in summer', () => {
    expect(fires('30 9 * * 1-5', 'Europe/Berlin', '2026-03-26T12:00:00Z', 3)).to.deep.equal([
      '2026-03-27T08:30',
      '2026-03-30T07:30',
      '2026-03-31T07:30',
    ]);
  });

  // Berlin has no 02:00 to 03:00 on 2026-03-29 and two on 2026-10-25; New York on 2026-03-08, and two 01:00 to 02:00 on 2026-11-01.
  const SPRING = { 'Europe/Berlin': '2026-03-29T01:00Z', 'America/New_York': '2026-03-08T07:00Z' } as const;
  const AUTUMN = { 'Europe/Berlin': '2026-10-25T01:00Z', 'America/New_York': '2026-11-01T06:00Z' } as const;
  const ZONES = ['Europe/Berlin', 'America/New_York'] as const;
  /** Minutes from the moment that the clocks change, of what fires from two hours before it until two after. */
  function aroundChange(cronExpression: string, timezone: string, moment: string): number[] {
    const minutes: number[] = [];
    const next = (time: number) => nextAfter({ cronExpression, timezone }, time)!;
    for (let time = next(at(moment) - 2 * HOUR - 1); time < at(moment) + 2 * HOUR; time = next(time))
      minutes.push((time - at(moment)) / MINUTE);
    return minutes;
  }

  it('“jobs which would have run in the time that was skipped will be run soon after the change” (cron(8), Debian)', () => {
    for (const zone of ZONES) {
      const told = (cronExpression: string) => aroundChange(cronExpression, zone, SPRING[zone]);
      expect(told('30 2 * * *'), 'a time of day').to.deep.equal([0]);
      expect(told('0,20,40 2 * * *'), 'a list: once').to.deep.equal([0]);
      expect(told('0-10 2 * * *'), 'a range: once').to.deep.equal([0]);
      expect(told('0 2,3 * * *'), 'with the time that the gap ends at').to.deep.equal([0]);
      expect(told('30 1,3 * * *'), 'before and after the gap').to.deep.equal([-30, 30]);
    }
  });

  it('“those jobs that fall into the repeated time will not be re-run” (cron(8), Debian)', () => {
    for (const [zone, hour] of [
      ['Europe/Berlin', 2],
      ['America/New_York', 1],
    ] as const) {
      const told = (cronExpression: string) => aroundChange(cronExpression, zone, AUTUMN[zone]);
      expect(told(`30 ${hour} * * *`), 'a time of day').to.deep.equal([-30]);
      expect(told(`0,30 ${hour} * * *`), 'a list').to.deep.equal([-60, -30]);
      expect(told(`0 ${hour},${hour + 1} * * *`), 'the hour after it').to.deep.equal([-60, 60]);
    }
  });

  it('“jobs which are specified with wildcards are run based on the new time immediately” (cron(8), Debian)', () => {
    const every = (step: number) => Array.from({ length: 240 / step }, (_, n) => n * step - 120);
    for (const zone of ZONES)
      for (const moment of [SPRING[zone], AUTUMN[zone]]) {
        const told = (cronExpression: string) => aroundChange(cronExpression, zone, moment);
        for (const [pattern, step] of [
          ['* * * * *', 1],
          ['*/15 * * * *', 15],
          ['0-59/30 * * * *', 30],
          ['0 * * * *', 60],
        ] as const)
          expect(told(pattern), `${pattern} ${zone}`).to.deep.equal(every(step));
      }
    // An hour that is not there has no quarters; one that is there twice has eight.
    const quarters = '*/15 2 * * *';
    expect(aroundChange(quarters, 'Europe/Berlin', SPRING['Europe/Berlin'])).to.deep.equal([]);
    expect(aroundChange(quarters, 'America/New_York', SPRING['America/New_York'])).to.deep.equal([]);
    expect(aroundChange(quarters, 'Europe/Berlin', AUTUMN['Europe/Berlin'])).to.deep.equal([
      -60, -45, -30, -15, 0, 15, 30, 45,
    ]);
    // Every two hours by the clock on the wall: 00, 02 (twice in Berlin’s autumn), 04.
    expect(aroundChange('0 */2 * * *', 'Europe/Berlin', AUTUMN['Europe/Berlin'])).to.deep.equal([-60, 0]);
  });

  it('knows leap years and months without a 31st', () => {
    expect(fires('0 12 29 2 *', 'UTC', '2026-01-01T00:00:00Z', 2)).to.deep.equal([
      '2028-02-29T12:00',
      '2032-02-29T12:00',
    ]);
    expect(fires('0 0 29 2 *', 'UTC', '2096-03-01T00:00:00Z', 1)).to.deep.equal(['2104-02-29T00:00']);
    expect(fires('0 0 31 * *', 'UTC', '2026-01-31T00:00:00Z', 3)).to.deep.equal([
      '2026-03-31T00:00',
      '2026-05-31T00:00',
      '2026-07-31T00:00',
    ]);
    expect(fires('0 0 L * *', 'UTC', '2028-02-01T00:00:00Z', 2)).to.deep.equal([
      '2028-02-29T00:00',
      '2028-03-31T00:00',
    ]);
  });

  it('fires exactly when a count of the minutes says so, whatever the clocks do', () => {
    const runs = fc.property(moments, ({ pattern, from }) => {
      const until = from + 30 * HOUR;
      const counted = countMinutes(pattern, from, until);
      const listed = listFireTimes(pattern, from, counted.length + 1).filter((time) => time <= until);
      expect(told(listed), JSON.stringify(pattern)).to.deep.equal(told(counted));
    });
    fc.assert(runs, { numRuns: 40 });
  });

  it('is refused when it has not five fields, cannot be read, never fires, or names no zone (S-91)', () => {
    const now = at('2026-11-22T00:00:00Z');
    const problemsOf = (cronExpression: string, timezone = 'UTC') =>
      findPatternProblems({ cronExpression, timezone }, now).map(({ pointer }) => pointer);
    for (const expression of [
      '',
      '* * * *',
      '* * * * * *',
      '@daily',
      '61 * * * *',
      '* 24 * * *',
      '0 0 30 2 *',
      '0 0 31 4,6,9,11 *',
      '? * * * *',
      'a b c d e',
      '* * * * 8',
      '-1 * * * *',
      '*/0 * * * *',
      `0 0 * * ${'1,'.repeat(5_000)}1`,
    ])
      expect(problemsOf(expression), expression.slice(0, 40)).to.deep.equal(['/cronExpression']);
    for (const zone of ['../../etc', '', 'Mars/Olympus', '+02:00', 'GMT+2', 'Europe/Berlin ', 'x'.repeat(10_000)])
      expect(problemsOf('0 0 * * *', zone), zone.slice(0, 40)).to.deep.equal(['/timezone']);
    expect(problemsOf('61 * * * *', 'Mars/Olympus')).to.have.members(['/timezone', '/cronExpression']);
    for (const expression of ['* * * * *', ' 0  9 * * MON-FRI ', '0 0 1W * *', '0 12 * JAN,JUL 5#2', '0 0 * * 7'])
      expect(problemsOf(expression, 'europe/berlin'), expression).to.deep.equal([]);
  });
});

describe('what is due of a schedule', () => {
  const NOON = at('2026-05-04T12:00:00Z');
  const rule = (more: Partial<ScheduleRule> = {}): ScheduleRule => ({
    cronExpression: '*/10 * * * *',
    timezone: 'UTC',
    overlap: 'allow',
    catchUp: 'one',
    ...more,
  });
  const decide = (
    more: Partial<ScheduleRule>,
    { lateMs = 0, isRunning = false, waiting = [] as number[], nextAt = NOON as number | null } = {},
  ): FireDecision => decideFires(rule(more), { nextAt, waiting }, { now: NOON + lateMs, isRunning });

  it('starts one run when its time has come, and none before', () => {
    expect(decide({}, { lateMs: -1 })).to.deep.equal({ start: [], waiting: [], nextAt: NOON, last: null });
    expect(decide({})).to.deep.equal({
      start: [NOON],
      waiting: [],
      nextAt: NOON + 10 * MINUTE,
      last: { at: NOON, outcome: 'started' },
    });
    expect(decide({}, { nextAt: null }).start).to.deep.equal([]);
  });

  it('catches up after an outage with one run, none, or all, up to a bound', () => {
    const lateMs = 3 * HOUR + 5 * MINUTE;
    const latest = NOON + 3 * HOUR;
    expect(decide({ catchUp: 'one' }, { lateMs }).start).to.deep.equal([latest]);
    const none = decide({ catchUp: 'none' }, { lateMs });
    expect([none.start, none.last]).to.deep.equal([[], { at: latest, outcome: 'missed' }]);
    expect(decide({ catchUp: 'all' }, { lateMs }).start).to.deep.equal(
      Array.from({ length: 19 }, (_, n) => NOON + n * 10 * MINUTE),
    );
    for (const catchUp of CATCH_UPS) expect(decide({ catchUp }, { lateMs }).nextAt).to.equal(latest + 10 * MINUTE);
    const minutely = decide({ catchUp: 'all', cronExpression: '* * * * *' }, { lateMs: DAY }).start;
    expect(minutely).to.deep.equal(Array.from({ length: MAX_CATCH_UP }, (_, n) => NOON + DAY - (99 - n) * MINUTE));
    const years = decide({ catchUp: 'all' }, { lateMs: 3_000 * DAY }).start;
    expect(years).to.have.length(MAX_CATCH_UP);
    expect(years.at(-1)).to.equal(NOON + 3_000 * DAY);
  });

  it('is not missed by being a little late, as while processes restart', () => {
    expect(decide({ catchUp: 'none' }, { lateMs: PUNCTUAL_MS }).start).to.deep.equal([NOON]);
    expect(decide({ catchUp: 'none' }, { lateMs: PUNCTUAL_MS + 1 }).start).to.deep.equal([]);
  });

  it('is skipped, waits, or starts at once while the run before is not over', () => {
    expect(decide({ overlap: 'skip' }, { isRunning: true })).to.deep.include({
      start: [],
      waiting: [],
      last: { at: NOON, outcome: 'skipped' },
    });
    expect(decide({ overlap: 'queue' }, { isRunning: true })).to.deep.include({
      start: [],
      waiting: [NOON],
      last: { at: NOON, outcome: 'waiting' },
    });
    expect(decide({ overlap: 'allow' }, { isRunning: true }).start).to.deep.equal([NOON]);
  });

  it('takes turns: what waited goes first, one at a time, and more than a bound is skipped', () => {
    const before = NOON - 10 * MINUTE;
    expect(decide({ overlap: 'queue' }, { waiting: [before] })).to.deep.include({ start: [before], waiting: [NOON] });
    expect(decide({ overlap: 'queue' }, { waiting: [before], lateMs: -1 })).to.deep.include({
      start: [before],
      last: null,
    });
    const full = Array.from({ length: MAX_CATCH_UP }, (_, n) => NOON - (MAX_CATCH_UP - n) * 10 * MINUTE);
    const kept = decide({ overlap: 'queue' }, { waiting: full, isRunning: true });
    expect(kept.waiting).to.deep.equal(full);
    expect(kept.last).to.deep.equal({ at: NOON, outcome: 'skipped' });
    const skipping = decide({ overlap: 'skip', catchUp: 'all' }, { lateMs: HOUR });
    expect([skipping.start, skipping.waiting]).to.deep.equal([[NOON], []]);
  });

  it('keeps a time that was announced, though the pattern does not name it any more', () => {
    const announced = decide({ cronExpression: '30 9 * * *' });
    expect([announced.start, announced.nextAt]).to.deep.equal([[NOON], at('2026-05-05T09:30:00Z')]);
  });

  it('is decided about once: however often and late anybody looks, no time is started twice or before it is due', () => {
    const policies = fc.record({ overlap: fc.constantFrom(...OVERLAPS), catchUp: fc.constantFrom(...CATCH_UPS) });
    const looks = fc.array(fc.tuple(fc.integer({ min: 0, max: 8 * 60 }), fc.boolean()), {
      minLength: 1,
      maxLength: 12,
    });
    const property = fc.property(moments, policies, looks, ({ pattern, from }, policy, looked) => {
      const known = { ...pattern, ...policy };
      let state: { nextAt: number | null; waiting: readonly number[] } = {
        nextAt: nextAfter(known, from),
        waiting: [],
      };
      let now = from;
      const started: number[] = [];
      for (const [minutesLater, isRunning] of looked) {
        now += minutesLater * MINUTE;
        const decision = decideFires(known, state, { now, isRunning });
        expect(decideFires(known, state, { now, isRunning })).to.deep.equal(decision);
        started.push(...decision.start);
        expect(decision.nextAt === null || decision.nextAt > now).to.equal(true);
        if (policy.overlap !== 'allow') expect(decision.start.length).to.be.at.most(isRunning ? 0 : 1);
        if (policy.overlap !== 'queue') expect(decision.waiting).to.deep.equal([]);
        state = decision;
      }
      expect(started.every((time) => time > from && time <= now)).to.equal(true);
      expect(started).to.deep.equal([...new Set(started)].sort((a, b) => a - b));
      if (policy.overlap === 'allow' && policy.catchUp === 'all' && started.length < MAX_CATCH_UP)
        expect(started).to.deep.equal(listFireTimes(known, from, started.length));
    });
    fc.assert(property, { numRuns: 100 });
  });
});

/** The rule again, told by looking at every minute: which ones match, which were skipped, and which come a second time. */
function countMinutes({ cronExpression, timezone }: Pattern, from: number, until: number): number[] {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = cronExpression.split(' ');
  const sets = [
    readField(minute, 0, 59),
    readField(hour, 0, 23),
    readField(day, 1, 31),
    readField(month, 1, 12),
    readField(weekday, 0, 6),
  ] as const;
  const isInterval = /[*/]/.test(minute + hour);
  const matches = (wall: number): boolean => {
    const clock = new Date(wall);
    const isDay = sets[2].has(clock.getUTCDate());
    const isWeekday = sets[4].has(clock.getUTCDay());
    const isDate = day === '*' || weekday === '*' ? isDay && isWeekday : isDay || isWeekday;
    return (
      sets[0].has(clock.getUTCMinutes()) &&
      sets[1].has(clock.getUTCHours()) &&
      sets[3].has(clock.getUTCMonth() + 1) &&
      isDate
    );
  };
  const wallOf = createWallClock(timezone);
  const found: number[] = [];
  const start = from - 3 * HOUR;
  let before = wallOf(start - MINUTE);
  let latest = before;
  for (let time = start; time <= until; time += MINUTE) {
    const wall = wallOf(time);
    let wasSkipped = false;
    for (let gap = before + MINUTE; gap < wall; gap += MINUTE) wasSkipped ||= matches(gap);
    const isSecond = wall <= latest;
    const isDue = isInterval ? matches(wall) : wasSkipped || (matches(wall) && !isSecond);
    if (time > from && isDue) found.push(time);
    before = wall;
    latest = Math.max(latest, wall);
  }
  return found;
}

/** What the clocks on the walls of a zone show, as if it were UTC. */
function createWallClock(timeZone: string): (time: number) => number {
  const parts = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const;
  const format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...parts });
  return (time) => {
    const shown = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(shown['year']!, shown['month']! - 1, shown['day']!, shown['hour']!, shown['minute']!);
  };
}

function readField(field: string, lowest: number, highest: number): Set<number> {
  const values = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '', step = '1'] = part.split('/');
    const [first, last = first] = range === '*' ? [lowest, highest] : range.split('-').map(Number);
    for (let value = first!; value <= last!; value += Number(step)) values.add(value);
  }
  return values;
}
