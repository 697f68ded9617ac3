// What a plan knows beforehand about the edges of a step is what following them answers, whatever their conditions say.

import { expect } from 'chai';
import fc from 'fast-check';
import { followEdges, PLAINLY } from '../../src/core/edges.ts';
import { planOf } from '../support/core-flows.ts';
import { buildDefinition, graphs } from '../support/core-graphs.ts';

describe('edges that are always followed', () => {
  it('are those that a plain completion follows, on random graphs, whether conditions hold or not', () => {
    let known = 0;
    let open = 0;
    const check = fc.property(graphs, fc.array(fc.boolean(), { minLength: 1 }), (graph, answers) => {
      for (const step of planOf(buildDefinition(graph)).steps.values()) {
        let asked = 0;
        const holds = (edge: { condition: unknown }) => edge.condition === null || answers[asked++ % answers.length]!;
        const followed = followEdges(step, PLAINLY, holds);
        if (step.always) expect(step.always).to.deep.equal(followed);
        if (step.always) known += 1;
        else open += 1;
      }
    });
    fc.assert(check, { numRuns: 500 });
    expect(known).to.be.above(100);
    expect(open).to.be.above(100);
  });
});
