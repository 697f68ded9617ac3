// How the steps of a definition hang together: where it begins, where its edges lead, whether everything can be reached
// and something ends it.

import { type Edge, END_FLOW } from './definition.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { suggestName } from './suggestion.ts';
import { type CheckContext, type CheckedStep, checkExpressionAt, unknownStep } from './validation-steps.ts';

/** Checks edges, `initialStep`, `onCancel`, ends and reachability. */
export function checkGraph(definition: JsonObject, steps: readonly CheckedStep[], context: CheckContext): void {
  if (context.ids.size === 0) return;
  const byId = new Map(steps.map((checked) => [checked.step.id, checked]));
  const edges = readEdges(definition['edges'] ?? []);
  checkEdges(edges, byId, context);
  const { initialStep, onCancel } = definition;
  const hasStart = checkReference(initialStep, '/initialStep', context);
  if (checkReference(onCancel, '/onCancel', context)) checkOnCancel(String(onCancel), byId, context);
  const isWhole = steps.length === context.ids.size;
  if (isWhole && !steps.some(({ step }) => step.type === END_FLOW)) {
    context.problems.add({
      pointer: '/steps',
      message: 'has no end-flow step, so nothing ends the run',
      hint: 'add {"id": "end", "type": "end-flow"} and an edge to it',
    });
  }
  if (isWhole && hasStart)
    checkReachable(
      [initialStep, onCancel].filter((id) => typeof id === 'string'),
      edges,
      steps,
      context,
    );
}

interface IndexedEdge {
  edge: Edge;
  index: number;
}

function readEdges(edges: Json): IndexedEdge[] {
  if (!Array.isArray(edges)) return [];
  return edges
    .map((edge, index) => ({ edge: edge as unknown as Edge, index }))
    .filter(({ edge }) => isJsonObject(edge) && typeof edge.from === 'string' && typeof edge.to === 'string');
}

function checkEdges(
  edges: readonly IndexedEdge[],
  byId: ReadonlyMap<string, CheckedStep>,
  context: CheckContext,
): void {
  const { problems } = context;
  const seen = new Map<string, number>();
  const names = new Map<string, ReadonlySet<string>>();
  for (const { edge, index } of edges) {
    if (problems.isFull) return;
    const pointer = `/edges/${index}`;
    const { from, to, condition } = edge;
    checkReference(from, `${pointer}/from`, context);
    checkReference(to, `${pointer}/to`, context);
    const identity = identify(edge);
    const twin = seen.get(identity);
    if (twin !== undefined)
      problems.add({ pointer, message: `is the same edge as /edges/${twin}`, hint: 'remove one' });
    else seen.set(identity, index);
    if (typeof condition === 'string' && condition !== '')
      checkExpressionAt(condition, `${pointer}/condition`, context);
    const source = byId.get(from);
    if (source) checkOn(edge, source, pointer, names, context);
  }
}

/** What tells an edge from another; NUL, which no text here may hold, keeps the parts apart. What is no text was reported. */
function identify({ from, to, on, condition, default: isDefault }: Edge): string {
  const textOf = (part: unknown) => (typeof part === 'string' ? part : '');
  return `${from}\0${to}\0${textOf(on)}\0${isDefault === true}\0${textOf(condition)}`;
}

function checkOn(
  { from, on }: Edge,
  { step, type, isSound }: CheckedStep,
  pointer: string,
  names: Map<string, ReadonlySet<string>>,
  { problems }: CheckContext,
): void {
  if (type.type === END_FLOW) {
    problems.add({
      pointer: `${pointer}/from`,
      message: `leaves "${from}", which ends the run`,
      hint: 'nothing follows an end-flow',
    });
    return;
  }
  if (typeof on !== 'string' || !isSound) return;
  let known = names.get(from);
  if (!known) {
    known = new Set([...(type.edgeNames?.(step) ?? []), 'error', 'timeout']);
    names.set(from, known);
  }
  if (!known.has(on))
    problems.add({
      pointer: `${pointer}/on`,
      message: `is "${on.slice(0, 64)}", but step "${from}" cannot end that way`,
      hint: suggestName(on, known),
    });
}

/** Whether `id` names a step; what is no text was reported as a matter of shape. */
function checkReference(id: unknown, pointer: string, { ids, problems }: CheckContext): boolean {
  if (typeof id !== 'string') return false;
  if (ids.has(id)) return true;
  problems.add(unknownStep(pointer, id, ids, 'names'));
  return false;
}

function checkOnCancel(id: string, byId: ReadonlyMap<string, CheckedStep>, { problems }: CheckContext): void {
  const named = byId.get(id);
  if (named && !named.type.work) {
    problems.add({
      pointer: '/onCancel',
      message: `names a ${named.type.type} step; cleaning up needs one that works`,
      hint: 'name a call-tool step',
    });
  }
}

function checkReachable(
  roots: readonly string[],
  edges: readonly IndexedEdge[],
  steps: readonly CheckedStep[],
  { problems }: CheckContext,
): void {
  const targets = new Map<string, string[]>();
  for (const { edge } of edges) {
    const known = targets.get(edge.from);
    if (known) known.push(edge.to);
    else targets.set(edge.from, [edge.to]);
  }
  const reached = new Set(roots);
  const stack = [...roots];
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    for (const to of targets.get(id) ?? []) {
      if (reached.has(to)) continue;
      reached.add(to);
      stack.push(to);
    }
  }
  for (const { step, index } of steps) {
    if (problems.isFull) return;
    if (!reached.has(step.id))
      problems.add({
        pointer: `/steps/${index}`,
        message: `"${step.id}" can never be reached`,
        hint: 'add an edge to it, or remove it',
      });
  }
}
