// The log of one attempt at a step, as its handler is given it: lines go to the run's log and to that of the process, and
// whatever is a secret goes to neither.

import type { Json } from '../core/json.ts';
import { LOG_LEVELS, type Log, type LogLevel, toLogLine } from '../core/log-lines.ts';
import type { Engine } from './engine.ts';

export interface StepLog {
  log: Log;
  /** Nothing more is expected: what there is may be stored now. */
  end(): void;
}

export interface LogPlace {
  runId: string;
  stepId: string;
  visit: number;
  attempt: number;
}

/** `clean` takes out what the handler was shown and nobody else may see. */
export function openStepLog(engine: Engine, place: LogPlace, clean: (value: Json) => Json): StepLog {
  const { clock, log, runLogs } = engine;
  const writer = (level: LogLevel) => (message: unknown, data?: unknown) => {
    const line = toLogLine(level, message, data, clean);
    runLogs.add({ ...place, ...line, at: clock.now() });
    if (log.isLevelEnabled(level))
      log[level]({ ...place, ...(line.data === null ? {} : { data: JSON.parse(line.data) }) }, line.message);
  };
  const writers = LOG_LEVELS.map((level) => [level, writer(level)] as const);
  return { log: Object.freeze(Object.fromEntries(writers)) as Log, end: () => void runLogs.flush() };
}
