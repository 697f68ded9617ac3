// Directed graphs, by node number: which edges lead back, from which nodes one can arrive at which before going round a
// loop again (answered from bit sets that are built on demand, once per target that is ever asked about, n/8 bytes each),
// and which nodes a cycle leads to.

/**
 * `canArrive(from, to)`: whether a path of edges that lead on takes one from `from` to `to`, or, where `to` itself leads
 * on to `from`, one whose last edge leads back: `from` is within a loop that begins at `to`. `links[n]` are n's targets;
 * what leads back is told as seen from `first`.
 */
export function buildArrivals(links: number[][], first: number): (from: number, to: number) => boolean {
  const isBack = findBackEdges(links, first);
  const targets = links.map((all, from) => all.filter((_, nth) => !isBack[from]![nth]));
  const sources = turnRound(targets);
  const sourcesBack = turnRound(links.map((all, from) => all.filter((_, nth) => isBack[from]![nth])));
  const findOrigins = (to: number) => {
    const origins = searchFrom(sources[to]!, sources);
    const around = searchFrom(sourcesBack[to]!, sources);
    const ahead = searchFrom([to], targets);
    return origins.map((word, nth) => word | (around[nth]! & ahead[nth]!));
  };
  const known: (Uint32Array | undefined)[] = [];
  return (from, to) => {
    const origins = known[to] ?? findOrigins(to);
    known[to] = origins;
    return (origins[from >>> 5]! & (1 << (from & 31))) !== 0;
  };
}

/**
 * For each edge, in the places it has in `links`, whether it leads back: to a node that is still on the stack of a
 * depth-first search from `first`, then from each node not seen yet, edges in their order. Every cycle has one.
 */
export function findBackEdges(links: number[][], first: number): boolean[][] {
  const back = links.map((targets) => targets.map(() => false));
  const next = new Uint32Array(links.length);
  const seen = new Uint8Array(links.length);
  const onStack = new Uint8Array(links.length);
  const stack: number[] = [];
  const enter = (node: number) => {
    seen[node] = onStack[node] = 1;
    stack.push(node);
  };
  for (const root of [first, ...links.keys()]) {
    if (!seen[root]) enter(root);
    for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
      const nth = next[node]!++;
      const to = links[node]![nth];
      if (to === undefined) onStack[stack.pop()!] = 0;
      else if (onStack[to]) back[node]![nth] = true;
      else if (!seen[to]) enter(to);
    }
  }
  return back;
}

/** For each node whether it is on a cycle or behind one: what is left when nodes without sources are peeled off (Kahn). */
export function findCyclic(links: number[][]): boolean[] {
  const sources = new Uint32Array(links.length);
  for (const targets of links) for (const to of targets) sources[to]!++;
  const cyclic = links.map(() => true);
  const stack = [...links.keys()].filter((node) => sources[node] === 0);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    cyclic[node] = false;
    for (const to of links[node]!) if (--sources[to]! === 0) stack.push(to);
  }
  return cyclic;
}

function turnRound(links: number[][]): number[][] {
  const sources: number[][] = links.map(() => []);
  for (const [from, targets] of links.entries()) for (const to of targets) sources[to]!.push(from);
  return sources;
}

/** The nodes of `starts`, and all that can be reached from them, as a bit set. */
function searchFrom(starts: number[], links: number[][]): Uint32Array {
  const found = new Uint32Array((links.length + 31) >>> 5);
  const stack = [...starts];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    const bit = 1 << (node & 31);
    if ((found[node >>> 5]! & bit) !== 0) continue;
    found[node >>> 5]! |= bit;
    for (const to of links[node]!) stack.push(to);
  }
  return found;
}
