// One log of two: lines that handlers wrote, and ends of attempts from the history. Both are numbered as they were stored. Ends
// are read in that order, which is that of time; lines are not always, since each worker stores its own a moment later. So
// whoever asks for lines is given all that are there by then in the order of time, over as many pages as that takes, and
// then those that have come since: nothing is missed, even what is stored late, and nothing comes twice. Pure.

export interface LogPosition {
  /** Number of the last end that was read. */
  end: number;
  /** All lines up to this number were read. */
  line: number;
  /** Lines up to the number `upTo` are being read in the order of time; the one with the number `last` was. */
  reading: { upTo: number; last: number } | null;
}

interface Entry {
  seq: number;
  stepId: string;
  visit: number;
  attempt: number;
  at: number;
}

export type LogEntry<Line, End> = { position: LogPosition; line: Line } | { position: LogPosition; end: End };

/** The most by which a worker's clock is off that of Postgres, after it was measured (engine/clock.ts), and some more. */
const CLOCK_ERROR_MS = 20;

export const LOG_START: LogPosition = { end: 0, line: 0, reading: null };

/** What `formatPosition` writes. */
export const LOG_POSITION = '^[0-9]{1,15}\\.[0-9]{1,9}(\\.[0-9]{1,9}\\.[0-9]{1,9})?$';

export function formatPosition({ end, line, reading }: LogPosition): string {
  return [end, line, ...(reading === null ? [] : [reading.upTo, reading.last])].join('.');
}

/** Of a text that matches `LOG_POSITION`. */
export function readPosition(text: string): LogPosition {
  const [end = 0, line = 0, upTo, last] = text.split('.').map(Number);
  return { end, line, reading: upTo === undefined || last === undefined ? null : { upTo, last } };
}

/** Lines in the order in which they are read; `newest` is the number of the last one that was stored by then. */
export interface FoundLines<Line> {
  lines: readonly Line[];
  newest: number;
}

/**
 * The first `limit` of what comes after `after`, given one more than that of either list where there are so many. A line goes
 * before an end of the same time, and before that of its own attempt also where their clocks differ a little.
 */
export function mergeLog<Line extends Entry, End extends Entry>(
  { lines, newest, ends }: FoundLines<Line> & { ends: readonly End[] },
  { after, limit }: { after: LogPosition; limit: number },
): LogEntry<Line, End>[] {
  const merged: LogEntry<Line, End>[] = [];
  let position = after;
  for (let [nextLine, nextEnd] = [0, 0]; merged.length < limit; ) {
    const [line, end] = [lines[nextLine], ends[nextEnd]];
    if (line !== undefined && (end === undefined || line.at <= end.at || hasOwn(end, lines, nextLine))) {
      nextLine += 1;
      const isAll = nextLine === lines.length && lines.length <= limit;
      position = isAll ? { ...position, line: newest, reading: null } : passLine(position, line.seq, newest);
      merged.push({ position, line });
    } else if (end !== undefined) {
      nextEnd += 1;
      position = { ...position, end: end.seq };
      merged.push({ position, end });
    } else break;
  }
  return merged;
}

function passLine({ end, line, reading }: LogPosition, last: number, newest: number): LogPosition {
  const readUpTo = reading?.upTo ?? line;
  // The first of those that have come since.
  if (last > readUpTo) return { end, line: readUpTo, reading: { upTo: newest, last } };
  return { end, line, reading: { upTo: readUpTo, last } };
}

/** Whether one of the next lines was written by the attempt that `end` is the end of, whatever its clock said. */
function hasOwn({ stepId, visit, attempt, at }: Entry, lines: readonly Entry[], next: number): boolean {
  for (let index = next; index < lines.length; index += 1) {
    const line = lines[index]!;
    if (line.at > at + CLOCK_ERROR_MS) return false;
    if (line.stepId === stepId && line.visit === visit && line.attempt === attempt) return true;
  }
  return false;
}
