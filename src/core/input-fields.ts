// What a run of a definition is to be given: its payload, or, when that says nothing, what the first step asks a person
// for that takes it from the start too. Forms are made of this; what is refused at the start is core/schema.ts.

import type { Definition, Step } from './definition.ts';
import { isJsonObject, type JsonObject } from './json.ts';

/** As it was written: a field map, or a JSON Schema whose `type` is `object`. */
export function findInputFields(definition: Definition): JsonObject {
  const { payload } = definition;
  if (payload !== undefined && Object.keys(payload).length > 0) return payload;
  const fields = findFirst(definition)?.['output'];
  return isJsonObject(fields) ? fields : {};
}

/**
 * The collect-inputs step that the fewest edges lead to; among equals, the one whose edge is written first. One with a
 * question always asks.
 */
function findFirst({ initialStep, steps, edges }: Definition): Step | undefined {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const following = new Map<string, string[]>();
  for (const { from, to } of edges) {
    const list = following.get(from);
    if (list) list.push(to);
    else following.set(from, [to]);
  }
  const reached = new Set([initialStep]);
  // Grows while it is walked.
  for (const id of reached) {
    const step = byId.get(id);
    if (step?.type === 'collect-inputs' && step['question'] === undefined) return step;
    for (const next of following.get(id) ?? []) reached.add(next);
  }
  return undefined;
}
