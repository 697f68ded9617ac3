// Random definitions that are valid: every kind of step, branches, joins of both kinds, loops back, fault edges,
// conditions and clean-up. A graph is drawn as plain numbers, so that fast-check can shrink it to what matters.

import fc from 'fast-check';
import type { Definition, Edge } from '../../src/core/definition.ts';
import { ask, check, collect, end, send, set, valid, wait, work } from './core-flows.ts';

type Fields = Record<string, unknown>;

/** Numbers that a definition is made from; each is taken modulo what there is to choose from. */
export interface Graph {
  steps: { kind: number; join: number; visits: number; how: number }[];
  edges: { from: number; to: number; on: number; condition: number }[];
  /** Whether edges may lead back. */
  hasLoops: boolean;
  onCancel: number;
}

const small = fc.nat(255);

export const graphs: fc.Arbitrary<Graph> = fc.record({
  steps: fc.array(fc.record({ kind: small, join: small, visits: small, how: small }), { minLength: 1, maxLength: 8 }),
  edges: fc.array(fc.record({ from: small, to: small, on: small, condition: small }), { maxLength: 14 }),
  hasLoops: fc.boolean(),
  onCancel: small,
});

const CONDITIONS = ['data.n>1', 'data.n==0', 'data.m>1', 'steps.s0.output.n>0', 'data.missing', 'true', 'false'];

/** How a step of each kind may be made; `how` chooses. */
const KINDS: ((how: number) => Fields)[] = [
  (how) =>
    work({
      ...(how % 7 === 0 ? { queueTimeoutMs: 12, deadlineMs: 30 } : {}),
      retry: { attempts: 1 + (how % 3), delayMs: 10, maxDelayMs: 50, ...(how % 5 === 0 ? { budgetMs: 30 } : {}) },
    }),
  (how) =>
    work({
      retry: { attempts: 1 + (how % 2), delayMs: 0 },
      ...(how % 3 === 0 ? { outputKey: 'm', route: 'first' } : {}),
    }),
  (how) =>
    ask({
      ...(how % 2 ? { dueInMs: 20 } : {}),
      ...(how % 4 === 1 ? { onTimeout: how % 8 === 1 ? 'approve' : 'reject' } : {}),
    }),
  (how) => collect({ n: { type: 'number' } }, how % 2 ? { dueInMs: 20 } : {}),
  (how) => set(how % 2 ? { m: how % 4 } : { m: `\${data.n + 1}` }),
  (how) => check(CONDITIONS[how % CONDITIONS.length]!, how % 3 === 0 ? { route: 'first' } : {}),
  (how) => wait(how % 3 === 0 ? 0 : how % 3 === 1 ? 15 : `\${data.n}`),
  (how) => send(how % 2 ? { dueInMs: 20 } : {}),
  (how) => end(how % 3 === 0 ? { status: 'failed' } : how % 3 === 1 ? { result: `\${data.n}` } : {}),
];
/** Which kind a number stands for: working and asking steps are met most often. */
const MIX = [0, 1, 0, 2, 3, 4, 5, 6, 8, 0, 2, 4, 7];
const END = 8;
const NAMES = [undefined, 'error', undefined, 'error', 'timeout', 'first', 'second'];

/** The definition that the numbers stand for. The last step is an end-flow, and every step can be reached from the first. */
export function buildDefinition(graph: Graph): Definition {
  const kinds = [...graph.steps.map((step, index) => kindOf(step.kind, index)), END];
  const steps = kinds.map((kind, index) => {
    const { join = 0, visits = 0, how = 0 } = graph.steps[index] ?? {};
    const fields = KINDS[kind]!(how);
    return { id: `s${index}`, ...fields, ...(join % 4 === 0 ? { join: 'any' } : {}), maxVisits: 1 + (visits % 4) };
  });
  const edges = new Map<string, Edge>();
  const add = (from: number, to: number, on: number, condition: number) => {
    const edge = buildEdge(from, to, kinds[from]!, { on, condition });
    edges.set(JSON.stringify(edge), edge);
  };
  for (const [index] of kinds.entries()) if (index > 0) addWayTo(index, graph, kinds, add);
  for (const { from, to, on, condition } of graph.edges) {
    const ends = [from % kinds.length, to % kinds.length] as const;
    const [source, target] = graph.hasLoops || ends[0] < ends[1] ? ends : [ends[1], ends[0]];
    if (kinds[source] !== END && (graph.hasLoops || source !== target)) add(source, target, on, condition);
  }
  const working = kinds.flatMap((kind, index) => (kind <= 1 ? [`s${index}`] : []));
  const onCancel = graph.onCancel % 2 ? working[graph.onCancel % working.length] : undefined;
  return valid({
    name: 'random',
    initialStep: 's0',
    steps,
    edges: [...edges.values()],
    ...(onCancel ? { onCancel } : {}),
    ...(graph.onCancel % 5 === 0 ? { deadlineMs: 100 } : {}),
  });
}

function kindOf(number: number, index: number): number {
  const kind = MIX[number % MIX.length]!;
  return kind === END && index === 0 ? 0 : kind;
}

/** Each step is led to by one before it that is no end. */
function addWayTo(
  index: number,
  { steps }: Graph,
  kinds: number[],
  add: (from: number, to: number, on: number, condition: number) => void,
): void {
  const sources = kinds.slice(0, index).flatMap((kind, source) => (kind === END ? [] : [source]));
  const { visits = 1, how = 1 } = steps[index] ?? {};
  add(sources[visits % sources.length]!, index, how % 3 === 0 ? visits : 0, how % 4 === 0 ? how : 255);
}

function buildEdge(from: number, to: number, kind: number, { on, condition }: { on: number; condition: number }): Edge {
  const name = NAMES[on % NAMES.length];
  const own =
    kind === 2 ? { first: 'approve', second: 'rejected' } : kind === 5 ? { first: 'true', second: 'false' } : {};
  const known = name === 'first' || name === 'second' ? (own as Record<string, string>)[name] : name;
  const source = condition % 2 ? undefined : CONDITIONS[condition % CONDITIONS.length];
  return {
    from: `s${from}`,
    to: `s${to}`,
    ...(known === undefined ? {} : { on: known }),
    ...(source === undefined ? {} : { condition: source }),
    ...(condition % 11 === 0 ? { default: true } : {}),
  };
}
