// Directed graphs, by node number: which node can be reached from which, answered from bit sets that are built on demand
// (one reverse search per target that is ever asked about, n/8 bytes each), and which nodes a cycle leads to.

/** `reaches(from, to)`: whether a path of at least one edge leads from `from` to `to`. `links[n]` are n's targets. */
export function buildReachability(links: number[][]): (from: number, to: number) => boolean {
  const sources: number[][] = links.map(() => []);
  links.forEach((targets, from) => {
    for (const to of targets) sources[to]!.push(from);
  });
  const known: (Uint32Array | undefined)[] = [];
  return (from, to) => {
    const ancestors = known[to] ?? findAncestors(sources, to);
    known[to] = ancestors;
    return (ancestors[from >>> 5]! & (1 << (from & 31))) !== 0;
  };
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

function findAncestors(sources: number[][], target: number): Uint32Array {
  const found = new Uint32Array((sources.length + 31) >>> 5);
  const stack = [...sources[target]!];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    const bit = 1 << (node & 31);
    if ((found[node >>> 5]! & bit) !== 0) continue;
    found[node >>> 5]! |= bit;
    for (const source of sources[node]!) stack.push(source);
  }
  return found;
}
