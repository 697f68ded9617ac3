import { expect } from 'chai';
import { findInputFields } from '../../src/core/input-fields.ts';

const asks = (id: string) => ({ id, type: 'collect-inputs', output: { [id]: { type: 'string' } } });
const flow = { name: 'Flow', initialStep: 'start' };
const start = { id: 'start', type: 'transform' };

describe('the input that a definition takes', () => {
  it('is its payload, as it was written', () => {
    const payload = { type: 'object', properties: { a: { $ref: '#/$defs/x' } }, $defs: { x: {} } };
    expect(
      findInputFields({ ...flow, payload, steps: [start, asks('a')], edges: [{ from: 'start', to: 'a' }] }),
    ).to.equal(payload);
  });

  it('is else what the nearest collect-inputs step asks for, whatever is written first', () => {
    const steps = [asks('far'), asks('near'), start];
    const edges = [
      { from: 'start', to: 'near' },
      { from: 'near', to: 'far' },
      { from: 'far', to: 'start' },
    ];
    for (const payload of [{}, undefined])
      expect(findInputFields({ ...flow, steps, edges, ...(payload ? { payload } : {}) })).to.deep.equal({
        near: { type: 'string' },
      });
  });

  it('is not what answers a question, which is asked in any case', () => {
    const steps = [{ ...asks('answer'), question: 'Which?' }, asks('later')];
    const edges = [{ from: 'answer', to: 'later' }];
    const later = { later: { type: 'string' } };
    expect(findInputFields({ ...flow, initialStep: 'answer', steps, edges })).to.deep.equal(later);
  });

  it('is nothing where nobody is asked', () => {
    expect(findInputFields({ ...flow, steps: [start], edges: [{ from: 'start', to: 'start' }] })).to.deep.equal({});
  });
});
