// One log of two: lines that handlers wrote, and ends of attempts from the history. Each has its own numbers; merged by time,
// an entry's place says how far both have been read, so that whoever reads on from it misses nothing of either, even what
// is stored late. Pure.

/** Numbers of the last end and the last line before which nothing is missing. */
export interface LogPosition {
  end: number;
  line: number;
}

interface Numbered {
  seq: number;
  at: number;
}

export type LogEntry<Line, End> = { position: LogPosition; line: Line } | { position: LogPosition; end: End };

/** What `formatPosition` writes. */
export const LOG_POSITION = '^[0-9]{1,15}\\.[0-9]{1,9}$';

export function formatPosition({ end, line }: LogPosition): string {
  return `${end}.${line}`;
}

/** Of a text that matches `LOG_POSITION`. */
export function readPosition(text: string): LogPosition {
  const [end = 0, line = 0] = text.split('.').map(Number);
  return { end, line };
}

/**
 * The first `limit` of both lists, which are what comes after `after` in the order of their numbers. A line goes before an
 * end of the same time: it was written before its attempt ended.
 */
export function mergeLog<Line extends Numbered, End extends Numbered>(
  { lines, ends }: { lines: readonly Line[]; ends: readonly End[] },
  { after, limit }: { after: LogPosition; limit: number },
): LogEntry<Line, End>[] {
  const merged: LogEntry<Line, End>[] = [];
  let position = after;
  for (let [nextLine, nextEnd] = [0, 0]; merged.length < limit; ) {
    const [line, end] = [lines[nextLine], ends[nextEnd]];
    if (line !== undefined && (end === undefined || line.at <= end.at)) {
      nextLine += 1;
      position = { ...position, line: line.seq };
      merged.push({ position, line });
    } else if (end !== undefined) {
      nextEnd += 1;
      position = { ...position, end: end.seq };
      merged.push({ position, end });
    } else break;
  }
  return merged;
}
