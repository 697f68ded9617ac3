// Definitions in one line, for tests of the core: `flow('draft > one, two > publish > end; one -reject> draft', { one:
// ask() })`. Every flow passes the real validation with the real step types, so no test can rest on an impossible graph.

import type { Definition, Edge, Step } from '../../src/core/definition.ts';
import { buildPlan, type Plan } from '../../src/core/plan.ts';
import { validateDefinition } from '../../src/core/validation.ts';
import { createStepTypes } from '../../src/steps/registry.ts';
import { createTools, defineTool } from '../../src/steps/tools.ts';

type Fields = Record<string, unknown>;

const tools = createTools([defineTool({ name: 'work', handler: () => ({}) })]);
const types = createStepTypes(tools);

/** A step that works: unless told otherwise, what every id stands for that is not `end`. */
export const work = (fields: Fields = {}): Fields => ({ type: 'call-tool', tool: 'work', ...fields });
export const ask = (fields: Fields = {}): Fields => ({ type: 'request-user-action', ...fields });
export const collect = (output: Fields, fields: Fields = {}): Fields => ({ type: 'collect-inputs', output, ...fields });
export const set = (output: Fields | string, fields: Fields = {}): Fields => ({ type: 'transform', output, ...fields });
export const check = (condition: string, fields: Fields = {}): Fields => ({ type: 'condition', condition, ...fields });
export const wait = (durationMs: number | string, fields: Fields = {}): Fields => ({
  type: 'wait',
  durationMs,
  ...fields,
});
export const send = (fields: Fields = {}): Fields => ({ type: 'callback', url: 'https://example.com/', ...fields });
export const end = (fields: Fields = {}): Fields => ({ type: 'end-flow', ...fields });

/**
 * A definition from chains of steps. Arrows: `>`, `-error>` (its `on`), `!>` (the default), `?data.n==1>` (its
 * condition, without blanks), or several of these in that order. `a, b > c` is two edges. The first step named is the initial one.
 */
export function flow(graph: string, steps: Record<string, Fields> = {}, rest: Partial<Definition> = {}): Definition {
  const ids = new Set<string>();
  const edges: Edge[] = [];
  for (const chain of graph.split(';')) readChain(chain, ids, edges);
  for (const id of Object.keys(steps)) ids.add(id);
  const all = [...ids].map((id) => ({ id, ...(steps[id] ?? (id === 'end' ? end() : work())) }) as Step);
  return valid({ name: 'test', initialStep: all[0]!.id, steps: all, edges, ...rest });
}

/** The definition in its normal form; throws with every problem it has. */
export function valid(definition: unknown): Definition {
  const result = validateDefinition(definition, types, { tools });
  if (result.ok) return result.definition;
  throw new Error(`Not a valid definition: ${JSON.stringify(result.problems)}`);
}

export function planOf(definition: Definition): Plan {
  return buildPlan(definition, (name) => types.get(name));
}

const ARROW = /^(?:-([\w-]+))?(!)?(?:\?(\S+))?>$/;

function readChain(chain: string, ids: Set<string>, edges: Edge[]): void {
  const words = chain.trim().split(/\s+/);
  let from: string[] = [];
  let arrow: Partial<Edge> | null = null;
  let group: string[] = [];
  const close = () => {
    if (arrow) for (const source of from) for (const to of group) edges.push({ from: source, to, ...arrow });
    from = group;
    group = [];
  };
  for (const word of words) {
    const match = ARROW.exec(word);
    if (match) {
      close();
      const [, on, isDefault, condition] = match;
      arrow = { ...(on ? { on } : {}), ...(condition ? { condition } : {}), ...(isDefault ? { default: true } : {}) };
    } else {
      const id = word.replace(/,$/, '');
      ids.add(id);
      group.push(id);
    }
  }
  close();
}
