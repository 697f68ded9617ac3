// Whether what a user sent is a definition that can run: every problem at once, each with a pointer, a message and a hint;
// or the definition in its normal form, with canonical type names and presets. The rules are in the files beside this one.

import type { Definition, Step } from './definition.ts';
import type { Problem } from './errors.ts';
import { ExpressionBudget } from './expression-tree.ts';
import { findJsonProblems, isJsonObject, type Json, type JsonObject } from './json.ts';
import { translateMustache } from './mustache-definition.ts';
import type { Known, StepTypes } from './step-type.ts';
import { checkGraph } from './validation-graph.ts';
import { findPatternExcess } from './validation-patterns.ts';
import { findShapeProblems } from './validation-shape.ts';
import { type CheckContext, checkRest, checkSteps } from './validation-steps.ts';

const MAX_DEFINITION_BYTES = 5 * 1_048_576;
const MAX_PROBLEMS = 100;

/** Problems as they are found; past the hundredth they are not kept. */
export class ProblemList {
  readonly problems: Problem[] = [];

  get isFull(): boolean {
    return this.problems.length >= MAX_PROBLEMS;
  }

  add(...problems: Problem[]): void {
    for (const problem of problems) if (!this.isFull) this.problems.push(problem);
  }
}

export interface ValidationOptions {
  /** The keys of the definition in whose values `{{…}}` is an expression too; in others it is text. */
  mustacheIn?: readonly string[] | undefined;
}

/** Checks `sent` against the step types and tools of this process. It is not changed. */
export function validateDefinition(
  sent: unknown,
  types: StepTypes,
  known: Known,
  { mustacheIn = [] }: ValidationOptions = {},
): { ok: true; definition: Definition } | { ok: false; problems: Problem[] } {
  if (!isJsonObject(sent))
    return {
      ok: false,
      problems: [
        {
          pointer: '',
          message: 'must be an object',
          hint: 'send {"name": …, "initialStep": …, "steps": […], "edges": […]}',
        },
      ],
    };
  const unstorable = findJsonProblems(sent, { maxBytes: MAX_DEFINITION_BYTES });
  if (unstorable.length > 0) return { ok: false, problems: unstorable };
  const patterns = findPatternExcess(sent);
  if (patterns.length > 0) return { ok: false, problems: patterns };
  const problems = new ProblemList();
  const { definition: input, problems: misspelt } = translateMustache(sent, mustacheIn, types);
  problems.add(...misspelt);
  problems.add(...findShapeProblems(input));
  const ids = collectIds(input['steps'] ?? null);
  const context: CheckContext = { types, known, problems, ids, readsOf: new Map(), budget: new ExpressionBudget() };
  const steps = checkSteps(input['steps'] ?? null, context);
  checkRest(input, context);
  checkGraph(input, steps, context);
  if (problems.problems.length > 0) return { ok: false, problems: problems.problems };
  return {
    ok: true,
    definition: normalise(
      input,
      steps.map(({ step }) => step),
    ),
  };
}

function collectIds(steps: Json): Set<string> {
  const ids = Array.isArray(steps) ? steps.map((step) => (isJsonObject(step) ? step['id'] : null)) : [];
  return new Set(ids.filter((id) => typeof id === 'string'));
}

/** Only called when the shape was found right, which is what makes the input a `Definition`. */
function normalise(input: JsonObject, steps: Step[]): Definition {
  return {
    ...(input as unknown as Definition),
    steps,
    edges: (input['edges'] ?? []) as unknown as Definition['edges'],
  };
}
