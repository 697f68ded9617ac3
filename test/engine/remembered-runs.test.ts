import { expect } from 'chai';
import type { RunState } from '../../src/core/run.ts';
import { type RememberedRun, RememberedRuns } from '../../src/engine/remembered-runs.ts';

/** Each counts as about 3.3 kB. */
function runOf(id: string, data: RunState['data'] = {}): RememberedRun {
  const state = { id, data, outputs: {}, open: [{}] } as unknown as RunState;
  return { state, outputsKnown: 'all' };
}

describe('the runs a process remembers', () => {
  it('are the ones it was last told, until it is told to forget them', () => {
    const runs = new RememberedRuns(100_000);
    const [first, second] = [runOf('a'), runOf('a')];
    runs.set('a', first);
    runs.set('a', second);
    expect(runs.get('a')).to.equal(second);
    runs.delete('a');
    expect([runs.get('a'), runs.has('a')]).to.deep.equal([undefined, false]);
  });

  it('are bounded by what they hold: those in use stay, others go, large ones sooner', () => {
    const runs = new RememberedRuns(100_000);
    runs.set('in use', runOf('in use'));
    runs.set('idle', runOf('idle'));
    for (let n = 0; n < 200; n++) {
      runs.set(`other ${n}`, runOf('other'));
      expect(runs.has('in use'), `after ${n}`)
        .to.equal(runs.get('in use') !== undefined)
        .and.to.equal(true);
    }
    const left = Array.from({ length: 200 }, (_, n) => `other ${n}`).filter((id) => runs.has(id));
    expect(runs.has('idle')).to.equal(false);
    expect(left.length)
      .to.be.within(10, 32)
      .and.to.satisfy(() => left.at(-1) === 'other 199');
    runs.set('large', runOf('large', { text: 'x'.repeat(60_000) }));
    runs.set('larger', runOf('larger', { text: 'x'.repeat(60_000) }));
    expect(left.some((id) => runs.has(id))).to.equal(false);
  });

  it('take no more room for being told anew, and give back what they took', () => {
    const runs = new RememberedRuns(20_000);
    runs.set('first', runOf('first'));
    for (let n = 0; n < 1_000; n++) runs.set('again', runOf('again'));
    for (let n = 0; n < 1_000; n++) {
      runs.set(`gone ${n}`, runOf('gone'));
      runs.delete(`gone ${n}`);
    }
    expect(runs.has('first')).to.equal(true);
  });
});
