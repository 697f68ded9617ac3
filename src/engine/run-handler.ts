// Calls a step's handler: gives it its context, bounds its time, and turns whatever it does into a result. It decides
// nothing about retries and writes nothing.

import type { AttemptError } from '../core/commands.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { isStepError } from '../core/step-type.ts';
import type { Engine } from './engine.ts';
import { type Running, StepContext } from './step-context.ts';

/** `abandoned`: the claim was taken away, so nobody wants the result any more. */
export type HandlerResult =
  | { kind: 'returned'; output: Json; ranMs: number }
  | { kind: 'threw'; error: AttemptError; ranMs: number }
  | { kind: 'abandoned' };

/** What a handler is held by: its signal, and a way to let go of it. */
export class Leash {
  #controller: AbortController | null = null;
  #reason: string | null = null;
  #abandon: (() => void) | null = null;

  /** Made when it is asked for: most handlers never look at it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== null) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  /** Aborts the handler's signal; with `lost` its result is not waited for any more. */
  abort(reason: 'lost' | 'stale' | 'cancelled' | 'timeout'): void {
    this.#reason ??= reason;
    this.#controller?.abort(reason);
    if (reason === 'lost') this.#abandon?.();
  }

  onLost(abandon: () => void): void {
    this.#abandon = abandon;
  }
}

/** Runs the handler until it returns, throws, times out, or its claim is lost. Pure work needs no claim, so nobody else has its leash. */
export function runHandler(
  engine: Engine,
  running: Running,
  input: JsonObject | null,
  leash = new Leash(),
): Promise<HandlerResult> {
  const startedAt = performance.now();
  const ranMs = () => performance.now() - startedAt;
  return new Promise((resolve) => {
    const end = (result: HandlerResult) => {
      clearTimeout(timer);
      resolve(result);
    };
    const timer = setTimeout(() => {
      const message = `The step did not finish within ${running.step.timeoutMs} ms`;
      end({
        kind: 'threw',
        error: { code: 'timeout', message, retryable: true, definite: false, timedOut: true },
        ranMs: ranMs(),
      });
      leash.abort('timeout');
    }, running.step.timeoutMs);
    leash.onLost(() => end({ kind: 'abandoned' }));
    call(engine, running, input, leash).then(
      (output) => end({ kind: 'returned', output, ranMs: ranMs() }),
      (error: unknown) => end({ kind: 'threw', error: describeError(error), ranMs: ranMs() }),
    );
  });
}

async function call(engine: Engine, running: Running, input: JsonObject | null, leash: Leash): Promise<Json> {
  const context = new StepContext(engine, running, input ?? {}, leash);
  const { step } = running;
  try {
    return context.redact(asJson(await step.type.work!(step.step, context)));
  } catch (error) {
    throw context.redactError(error);
  } finally {
    context.end();
  }
}

/** What the value is once stored: dates become text, `undefined` becomes null. */
function asJson(value: unknown): Json {
  if (value === undefined) return null;
  return typeof value === 'object' ? JSON.parse(JSON.stringify(value) ?? 'null') : (value as Json);
}

const MAX_MESSAGE = 2_000;

function describeError(error: unknown): AttemptError {
  const message = clean(error instanceof Error ? error.message : String(error));
  if (!isStepError(error)) return { code: 'step_error', message, retryable: true, definite: false };
  const { code, retryable, definite, retryAfterMs } = error;
  return { code, message, retryable, definite, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** A message is stored with the attempt: bounded, and without what Postgres refuses. */
function clean(message: string): string {
  return message.toWellFormed().replaceAll('\u0000', '').slice(0, MAX_MESSAGE);
}
