// Each step of a definition on its own: its id, its type, its fields, its expressions. How steps hang together is
// core/validation-graph.ts.

import { type Definition, RESERVED_STEP_IDS, STEP_ID, type Step } from './definition.ts';
import type { Problem } from './errors.ts';
import { ExpressionError, parseExpression } from './expression.ts';
import { isReservedName } from './expression-scan.ts';
import type { ExpressionBudget, Reads } from './expression-tree.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { findPayloadProblems } from './schema-rules.ts';
import type { Known, StepType, StepTypes } from './step-type.ts';
import { suggestName } from './suggestion.ts';
import { checkTemplate, type Interpolation } from './template.ts';
import type { ProblemList } from './validation.ts';
import { findStepShapeProblems } from './validation-shape.ts';

/** Types that the definition language has and this version does not. */
const LATER_TYPES: ReadonlySet<string> = new Set(['call-llm', 'call-agent', 'call-workflow', 'wait-for-event']);

/** A step that was read as far as its type. */
export interface CheckedStep {
  index: number;
  /** In its normal form, where it is sound. */
  step: Step;
  type: StepType;
  /** Its fields have the shape that its type's own functions rely on. */
  isSound: boolean;
}

export interface CheckContext {
  types: StepTypes;
  known: Known;
  problems: ProblemList;
  /** Every id that some step has, also of steps with problems. */
  ids: ReadonlySet<string>;
  /** What the bare expressions read that were checked already: a large graph writes the same condition many times. */
  readsOf: Map<string, Reads>;
  budget: ExpressionBudget;
}

/** Checks every step and the expressions in it; answers those whose type is known. */
export function checkSteps(steps: Json, context: CheckContext): CheckedStep[] {
  if (!Array.isArray(steps)) return [];
  const seen = new Map<string, number>();
  const checked: CheckedStep[] = [];
  for (const [index, step] of steps.entries()) {
    if (context.problems.isFull) break;
    if (!isJsonObject(step) || typeof step['id'] !== 'string' || typeof step['type'] !== 'string') continue;
    checkId(step['id'], index, seen, context.problems);
    const type = checkType(step['type'], index, context);
    if (type) checked.push({ index, type, ...checkFields(step as Step, type, `/steps/${index}`, context) });
  }
  return checked;
}

/** Checks what a definition says beside steps and edges: its payload and its output. */
export function checkRest(definition: JsonObject, context: CheckContext): void {
  const { payload, output } = definition as Partial<Definition>;
  if (isJsonObject(payload)) context.problems.add(...findPayloadProblems(payload, '/payload'));
  if (output !== undefined) checkTemplateAt(output, '/output', context);
}

/** Past so many different ones, keeping another costs about what reading it again does. */
const MAX_KEPT_READS = 1_000;

/** Checks one bare expression, `condition` or `${…}`. */
export function checkExpressionAt(source: string, pointer: string, context: CheckContext): void {
  try {
    const known = context.readsOf.get(source);
    const reads = known ?? parseExpression(source, context.budget).reads;
    if (known === undefined && context.readsOf.size < MAX_KEPT_READS) context.readsOf.set(source, reads);
    checkReads(reads, pointer, context);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    context.problems.add({ pointer, message: error.message });
  }
}

function checkId(id: string, index: number, seen: Map<string, number>, problems: ProblemList): void {
  const pointer = `/steps/${index}/id`;
  const first = seen.get(id);
  if (first !== undefined)
    problems.add({ pointer, message: `is "${id}", the id of step ${first} too`, hint: 'give each step its own id' });
  else seen.set(id, index);
  if (!STEP_ID.test(id)) problems.add({ pointer, message: 'must be 1 to 64 letters, digits, "_" or "-"' });
  else if (RESERVED_STEP_IDS.has(id))
    problems.add({ pointer, message: `cannot be "${id}"`, hint: 'choose another id' });
}

function checkType(name: string, index: number, { types, problems }: CheckContext): StepType | null {
  const type = types.get(name);
  if (type) return type;
  const pointer = `/steps/${index}/type`;
  const names = types.list().flatMap((known) => [known.type, ...(known.aliases ?? [])]);
  if (LATER_TYPES.has(name))
    problems.add({
      pointer,
      message: `"${name}" is not available in this version`,
      hint: `known are ${names.join(', ')}`,
    });
  else
    problems.add({
      pointer,
      message: `is an unknown step type, "${name.slice(0, 64)}"`,
      hint: suggestName(name, names),
    });
  return null;
}

function checkFields(
  step: Step,
  type: StepType,
  pointer: string,
  context: CheckContext,
): Pick<CheckedStep, 'step' | 'isSound'> {
  const { problems, known } = context;
  const shape = findStepShapeProblems(step as JsonObject, type, pointer);
  problems.add(...shape);
  checkOutputKey(step, pointer, problems);
  if (type.settle) checkClocks(step, pointer, problems);
  for (const field of type.templates)
    if (step[field] !== undefined)
      checkTemplateAt(step[field], `${pointer}/${field}`, context, type.interpolation?.(step, field));
  for (const field of type.expressions ?? []) {
    const source = step[field];
    if (typeof source === 'string' && source !== '') checkExpressionAt(source, `${pointer}/${field}`, context);
  }
  if (shape.length > 0) return { step: { ...step, type: type.type }, isSound: false };
  const normal = type.normalise ? type.normalise(step) : { ...step, type: type.type };
  const own = type.check?.(normal, known) ?? [];
  problems.add(...own.map((problem) => ({ ...problem, pointer: `${pointer}${problem.pointer}` })));
  return { step: normal, isSound: true };
}

/** A step that waits, or decides at once, is in no queue, and has due times of its own. */
function checkClocks(step: Step, pointer: string, problems: ProblemList): void {
  for (const field of ['queueTimeoutMs', 'deadlineMs'] as const) {
    if (step[field] === undefined) continue;
    const hint = 'leave it out; a step that waits for somebody takes dueInMs';
    problems.add({ pointer: `${pointer}/${field}`, message: 'is for steps that work, as call-tool does', hint });
  }
}

function checkOutputKey({ outputKey }: Step, pointer: string, problems: ProblemList): void {
  if (typeof outputKey === 'string' && isReservedName(outputKey))
    problems.add({ pointer: `${pointer}/outputKey`, message: `cannot be "${outputKey}"`, hint: 'choose another key' });
}

function checkTemplateAt(value: unknown, pointer: string, context: CheckContext, interpolation?: Interpolation): void {
  const { problems, reads } = checkTemplate(value, pointer, interpolation, context.budget);
  context.problems.add(...problems);
  checkReads(reads, pointer, context);
}

function checkReads(reads: Reads, pointer: string, { ids, problems }: CheckContext): void {
  if (reads === 'all') return;
  for (const id of reads) {
    if (!ids.has(id)) problems.add(unknownStep(pointer, id, ids, 'reads the output of'));
  }
}

/** Comparing a wrong name with every id of a large definition would take longer than the rest of its validation. */
const MAX_SUGGESTED = 500;

export function unknownStep(pointer: string, id: string, ids: ReadonlySet<string>, verb: string): Problem {
  const shown = [...ids].slice(0, MAX_SUGGESTED);
  return { pointer, message: `${verb} "${id.slice(0, 64)}", but no step has that id`, hint: suggestName(id, shown) };
}
