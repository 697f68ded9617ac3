// The expression language as the rest of the system sees it: bare conditions here, `${…}` in texts in core/template.ts.
// JEXL with the roots data, steps, run, context, item and index. A parsed expression is immutable and may be shared; how
// it is read and computed is core/expression-scan.ts, -tree.ts and -evaluate.ts.

import { evaluateTree } from './expression-evaluate.ts';
import { ExpressionFault } from './expression-fault.ts';
import { findClosingBrace } from './expression-scan.ts';
import { type ExpressionBudget, parseTree, type Reads } from './expression-tree.ts';
import { Meter } from './expression-values.ts';
import type { Json, JsonObject } from './json.ts';

/** What expressions can read. Values must be plain JSON. */
export interface Scope {
  data: JsonObject;
  steps: Record<string, { output: Json }>;
  run: JsonObject;
  context: JsonObject;
  item?: Json;
  index?: number;
}

/** A source that cannot be parsed, or a value that cannot be computed; the message is a whole sentence. */
export class ExpressionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ExpressionError';
  }
}

export interface Expression {
  readonly source: string;
  /** Throws `ExpressionError` when computing it costs too much; anything missing is null. */
  evaluate(scope: Scope): Json;
  /** Ids of the steps whose output it reads; `all` when it cannot be told. */
  readonly reads: Reads;
}

const MAX_SHOWN_CHARS = 100;

/** Parses bare JEXL, or exactly one `${…}`. Throws `ExpressionError`. `budget`: what the whole definition may cost. */
export function parseExpression(source: string, budget?: ExpressionBudget): Expression {
  const { tree, reads } = naming(source, () => {
    const parsed = parseTree(stripMarks(source), budget);
    if (parsed.secret !== null) throw misplacedSecret();
    return parsed;
  });
  return { source, reads, evaluate: (scope) => naming(source, () => evaluateTree(tree, scope, new Meter())) };
}

export function misplacedSecret(): ExpressionFault {
  return new ExpressionFault(
    'uses a secret, which only steps that reach out may: call-api, and call-tool with a tool that is not pure',
  );
}

/** Runs `act`, and makes its faults sentences about `source`. */
export function naming<Result>(source: string, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof ExpressionFault)) throw error;
    const shown = source.length > MAX_SHOWN_CHARS ? `${source.slice(0, MAX_SHOWN_CHARS)}…` : source;
    throw new ExpressionError(`The expression ${JSON.stringify(shown)} ${error.message}`);
  }
}

function stripMarks(source: string): string {
  const text = source.trim();
  if (!text.startsWith('${')) return source;
  const end = findClosingBrace(text, 2);
  if (end === -1) throw new ExpressionFault('has a ${ that is never closed');
  if (end !== text.length - 1)
    throw new ExpressionFault(`must be one \${…} with nothing around it, or stand without \${…}`);
  return text.slice(2, -1);
}
