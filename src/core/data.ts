// What the output of a step run adds to its run's `data` (DESIGN §7). Told from the output alone, so that the data of any
// moment can be told again from the outputs that are stored.

import { isJsonObject, type Json, type JsonObject } from './json.ts';
import type { PlanStep } from './plan.ts';

/** The keys of `data` that the output sets, or null: its own fields, or itself under `outputKey`, beside those of a chosen action. */
export function patchOf({ step, type }: PlanStep, output: Json): JsonObject | null {
  const { outputKey } = step;
  const { mergesOutput } = type;
  const own = outputKey !== undefined ? { [outputKey]: output } : mergesOutput && isJsonObject(output) ? output : null;
  const beside = type.fieldsOf?.(step, output) ?? null;
  if (own === null && beside === null) return null;
  const patch = { ...beside, ...own };
  return Object.keys(patch).length === 0 ? null : patch;
}
