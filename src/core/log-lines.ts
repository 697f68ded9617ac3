// Lines that handlers of steps log, as they are kept: levels, and what one line may hold. Pure; whoever logs is never refused,
// so what does not fit is made to fit and says so.

import { findJsonProblems, isJsonObject, type Json, type JsonObject } from './json.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a handler logs with; never fails, and nothing is awaited. */
export type Log = Readonly<Record<LogLevel, (message: string, data?: JsonObject) => void>>;

export interface LogLine {
  level: LogLevel;
  message: string;
  /** JSON text of an object. */
  data: string | null;
}

const MAX_MESSAGE = 2_000;
const MAX_DATA = 8_000;
/** Of more than this not even the beginning is shown. */
const MAX_LOOKED_AT = 262_144;
const SHOWN_OF_LONG = 1_000;
const CUT = '… (cut)';

/** A line of anything; `clean` takes out what nobody may read. */
export function toLogLine(level: LogLevel, message: unknown, data: unknown, clean: (value: Json) => Json): LogLine {
  return {
    level,
    message: shorten(String(clean(toText(message)))),
    data: data === undefined || data === null ? null : toData(data, clean),
  };
}

function toText(message: unknown): string {
  const text = typeof message === 'string' ? message : message instanceof Error ? message.message : toJson(message);
  return (text ?? String(message)).toWellFormed().replaceAll('\u0000', '');
}

function shorten(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE - CUT.length).toWellFormed()}${CUT}`;
}

function toData(data: unknown, clean: (value: Json) => Json): string {
  const text = toJson(data);
  if (text === null) return note('is no JSON');
  if (text.length > MAX_LOOKED_AT) return note('is too long');
  const value = JSON.parse(text) as Json;
  const [problem] = findJsonProblems(value);
  if (problem !== undefined) return note(problem.message);
  const cleaned = clean(value);
  const kept = JSON.stringify(isJsonObject(cleaned) ? cleaned : { value: cleaned });
  // Characters of more than one byte count as one: the bound is for memory and tables, not exact.
  return kept.length <= MAX_DATA ? kept : note('is too long', kept);
}

/** What stands in the place of data that cannot be kept. */
function note(reason: string, whole = ''): string {
  const begins = whole === '' ? {} : { begins: whole.slice(0, SHOWN_OF_LONG).toWellFormed() };
  return JSON.stringify({ dropped: `the data ${reason}`, ...begins });
}

/** Errors have no members that JSON would show. */
function toJson(value: unknown): string | null {
  try {
    return (
      JSON.stringify(value, (_key, one: unknown) =>
        one instanceof Error ? { name: one.name, message: one.message } : one,
      ) ?? null
    );
  } catch {
    return null;
  }
}
