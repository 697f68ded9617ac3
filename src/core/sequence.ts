// Steps written out one after the other, as a definition: ids made from their names, edges from each to the next. Pure;
// whether the steps are any good is core/validation.ts, whose problems are told in the words of the sequence.

import { RESERVED_STEP_IDS } from './definition.ts';
import type { Problem } from './errors.ts';
import type { JsonObject } from './json.ts';

/** A step of a sequence: `config` has the fields that its type takes. */
export interface SequenceStep {
  name: string;
  type: string;
  config?: JsonObject;
}

export interface Sequence {
  name: string;
  steps: readonly SequenceStep[];
}

const MAX_ID = 60;
/** The step that ends the run. */
const END = 'end';
/** What a step has beside its config, whatever the config says. */
const OWN = ['id', 'name', 'type'] as const;

/** The definition that runs the steps in their order; not validated. */
export function defineSequence({ name, steps }: Sequence): JsonObject {
  const ids = nameSteps(steps);
  return {
    name,
    initialStep: ids[0] ?? '',
    steps: [
      ...steps.map((step, index) => ({ ...step.config, id: ids[index]!, name: step.name, type: step.type })),
      { id: END, type: 'end-flow' },
    ],
    edges: ids.map((from, index) => ({ from, to: ids[index + 1] ?? END })),
  };
}

/** Configs that hold what is a step's own: it would be lost without a word. */
export function findSequenceProblems({ steps }: Sequence): Problem[] {
  return steps.flatMap(({ config = {} }, index) =>
    OWN.filter((key) => Object.hasOwn(config, key)).map((key) => ({
      pointer: `/steps/${index}/config/${key}`,
      message: 'is no part of a config',
      hint: key === 'id' ? 'ids are made from names' : 'write it beside the config',
    })),
  );
}

/** A problem of the definition, at its place in the sequence. */
export function locateInSequence(problem: Problem): Problem {
  const [, index, key, rest = ''] = /^\/steps\/(\d+)\/([^/]+)(.*)$/.exec(problem.pointer) ?? [];
  if (index === undefined || key === 'name' || key === 'type') return problem;
  return { ...problem, pointer: key === 'id' ? `/steps/${index}/name` : `/steps/${index}/config/${key}${rest}` };
}

/** Ids that expressions can name: `Send e-mail` is `send_e_mail`; the second of its kind `send_e_mail_2`. */
function nameSteps(steps: readonly SequenceStep[]): string[] {
  const taken = new Set([END]);
  return steps.map(({ name }, index) => {
    const base = slugOf(name) || `step_${index + 1}`;
    let id = base;
    for (let suffix = 2; taken.has(id); suffix += 1) id = `${base}_${suffix}`.slice(-64);
    taken.add(id);
    return id;
  });
}

function slugOf(name: string): string {
  const plain = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  const slug = plain
    .replace(/[^a-z0-9]+/g, '_')
    .slice(0, MAX_ID)
    .replace(/^_+|_+$/g, '');
  // An expression would read a leading digit as a number.
  return /^[0-9]/.test(slug) || RESERVED_STEP_IDS.has(slug) ? `step_${slug}`.slice(0, MAX_ID) : slug;
}
