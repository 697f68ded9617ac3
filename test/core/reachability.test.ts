// Graphs by number, compared with the slowest way to know: Floyd and Warshall's.

import { expect } from 'chai';
import fc from 'fast-check';
import { buildArrivals, findBackEdges, findCyclic } from '../../src/core/reachability.ts';

/** Graphs up to 70 nodes, so that bit sets of more than two words are met. */
const graphs = fc
  .integer({ min: 1, max: 70 })
  .chain((size) =>
    fc
      .array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: size * 2 })
      .map((edges) =>
        Array.from({ length: size }, (_, node) => edges.filter(([from]) => from === node).map(([, to]) => to)),
      ),
  );

function closeOver(links: number[][]): boolean[][] {
  const reached = links.map((targets) => links.map((_, to) => targets.includes(to)));
  for (const [via, onwards] of reached.entries())
    for (const row of reached) if (row[via]) for (const to of links.keys()) row[to] ||= onwards[to]!;
  return reached;
}

const EDGES_BACK = [[1], [2], [1, 3], []];

describe('edges back', () => {
  it('lead to a node from which the search has not come back yet', () => {
    expect(findBackEdges(EDGES_BACK, 0)).to.deep.equal([[false], [false], [true, false], []]);
    expect(findBackEdges([[0, 1], [0]], 0)).to.deep.equal([[true, false], [true]]);
  });

  it('depend on where the search begins, and then on the order of edges and nodes only', () => {
    expect(findBackEdges([[1], [0]], 0)).to.deep.equal([[false], [true]]);
    expect(findBackEdges([[1], [0]], 1)).to.deep.equal([[true], [false]]);
    expect(findBackEdges([[], [2], [1]], 0)).to.deep.equal([[], [false], [true]]);
  });

  it('every cycle has one, and each is on a cycle', () => {
    fc.assert(
      fc.property(graphs, fc.nat(69), (links, seed) => {
        const back = findBackEdges(links, seed % links.length);
        const reached = closeOver(links);
        const rest = links.map((targets, from) => targets.filter((_, nth) => !back[from]![nth]));
        expect(findCyclic(rest)).to.not.include(true);
        for (const [from, targets] of links.entries())
          for (const [nth, to] of targets.entries())
            if (back[from]![nth]) expect(to === from || reached[to]![from]).to.equal(true);
      }),
      { numRuns: 50 },
    );
  });
});

describe('arrivals', () => {
  it('are over at least one edge, on, or from within a loop back to where it begins', () => {
    const canArrive = buildArrivals(EDGES_BACK, 0);
    const from = (node: number) => [0, 1, 2, 3].filter((to) => canArrive(node, to));
    expect([0, 1, 2, 3].map(from)).to.deep.equal([[1, 2, 3], [1, 2, 3], [1, 3], []]);
  });

  it('are not by a way round: from beside a loop one does not arrive where it begins', () => {
    const canArrive = buildArrivals([[1, 2], [3], [3], [1]], 0);
    expect([canArrive(2, 3), canArrive(3, 1), canArrive(2, 1), canArrive(1, 2)]).to.deep.equal([
      true,
      true,
      false,
      false,
    ]);
  });

  it('are what Floyd and Warshall find', () => {
    fc.assert(
      fc.property(graphs, fc.boolean(), (links, isReversed) => {
        const canArrive = buildArrivals(links, 0);
        const back = findBackEdges(links, 0);
        const onwards = closeOver(links.map((targets, from) => targets.filter((_, nth) => !back[from]![nth])));
        const leadsTo = (from: number, to: number) => from === to || onwards[from]![to]!;
        const nodes = isReversed ? [...links.keys()].reverse() : [...links.keys()];
        for (const to of nodes) {
          const last = nodes.filter((node) => links[node]!.some((target, nth) => target === to && back[node]![nth]));
          for (const from of nodes) {
            const isWithin = leadsTo(to, from) && last.some((node) => leadsTo(from, node));
            expect(canArrive(from, to)).to.equal(onwards[from]![to]! || isWithin);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('are all that can be reached where nothing leads back', () => {
    fc.assert(
      fc.property(graphs, (links) => {
        const forward = links.map((targets, from) => targets.filter((to) => to > from));
        const canArrive = buildArrivals(forward, 0);
        const expected = closeOver(forward);
        for (const to of links.keys())
          for (const from of links.keys()) expect(canArrive(from, to)).to.equal(expected[from]![to]);
      }),
      { numRuns: 50 },
    );
  });

  it('of any that wait for one another, one waits for none but those that also wait for it', () => {
    fc.assert(
      fc.property(graphs, fc.nat(69), fc.infiniteStream(fc.boolean()), (links, seed, chosen) => {
        const canArrive = buildArrivals(links, seed % links.length);
        const waiting = [...links.keys()].filter(() => chosen.next().value);
        const isReady = (to: number) =>
          waiting.every((from) => from === to || !canArrive(from, to) || canArrive(to, from));
        expect(waiting.length === 0 || waiting.some(isReady)).to.equal(true);
      }),
      { numRuns: 500 },
    );
  });

  it('are found along a chain of 10,000 that leads back to its start, in less than a second', () => {
    const links = Array.from({ length: 10_000 }, (_, node) => (node < 9_999 ? [node + 1, 0] : [0]));
    const since = process.cpuUsage();
    const canArrive = buildArrivals(links, 0);
    expect([canArrive(0, 9_999), canArrive(9_999, 0), canArrive(31, 32), canArrive(32, 31)]).to.deep.equal([
      true,
      true,
      true,
      false,
    ]);
    expect(process.cpuUsage(since).user).to.be.below(1_000_000);
  });
});

describe('cycles', () => {
  it('finds the nodes that are on a cycle or behind one', () => {
    expect(findCyclic([[1], [2], [1, 3], [], [3]])).to.deep.equal([false, true, true, true, false]);
    expect(findCyclic([[0]])).to.deep.equal([true]);
  });

  it('agrees with Floyd and Warshall on any graph', () => {
    fc.assert(
      fc.property(graphs, (links) => {
        const reached = closeOver(links);
        const expected = links.map((_, node) =>
          links.some((_, on) => reached[on]![on] && (on === node || reached[on]![node])),
        );
        expect(findCyclic(links)).to.deep.equal(expected);
      }),
      { numRuns: 50 },
    );
  });
});
