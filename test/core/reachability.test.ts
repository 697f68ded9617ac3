// Graphs by number, compared with the slowest way to know: Floyd and Warshall's.

import { expect } from 'chai';
import fc from 'fast-check';
import { buildReachability, findCyclic } from '../../src/core/reachability.ts';

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

describe('reachability', () => {
  it('is over at least one edge: a node reaches itself only on a cycle', () => {
    const reaches = buildReachability([[1], [2], [1]]);
    expect([reaches(0, 0), reaches(1, 1), reaches(0, 2), reaches(2, 0)]).to.deep.equal([false, true, true, false]);
  });

  it('agrees with Floyd and Warshall on any graph, asked in any order', () => {
    fc.assert(
      fc.property(graphs, fc.boolean(), (links, isReversed) => {
        const reaches = buildReachability(links);
        const expected = closeOver(links);
        const nodes = isReversed ? [...links.keys()].reverse() : [...links.keys()];
        for (const to of nodes) for (const from of nodes) expect(reaches(from, to)).to.equal(expected[from]![to]);
      }),
      { numRuns: 50 },
    );
  });

  it('follows a chain of 10,000', () => {
    const links = Array.from({ length: 10_000 }, (_, node) => (node < 9_999 ? [node + 1] : []));
    const reaches = buildReachability(links);
    expect([reaches(0, 9_999), reaches(9_999, 0), reaches(31, 32), reaches(32, 31)]).to.deep.equal([
      true,
      false,
      true,
      false,
    ]);
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
