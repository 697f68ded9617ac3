import { expect } from 'chai';
import { Turns } from '../../src/engine/turns.ts';

describe('turns', () => {
  it('are taken one at a time and in order, also after one that fails', async () => {
    const turns = new Turns(10);
    const told: string[] = [];
    const work = (name: string) =>
      turns.take(async () => {
        told.push(`${name} begins`);
        await Promise.resolve();
        told.push(`${name} ends`);
        if (name === 'b') throw new Error('b broke');
        return name;
      });
    const results = await Promise.allSettled([work('a'), work('b'), work('c')]);
    expect(results.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'fulfilled']);
    expect(told).to.deep.equal(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  it('are waited for by no more than may, and are there again when some have gone', async () => {
    const turns = new Turns(1);
    let go = () => {};
    const first = turns.take(() => new Promise<void>((resolve) => (go = resolve)));
    const second = turns.take(async () => 'second');
    const third = await turns.take(async () => 'third').catch(({ code }: { code: string }) => code);
    expect(third).to.equal('rate_limit_exceeded');
    await Promise.resolve();
    go();
    await first;
    expect(await second).to.equal('second');
    expect(await turns.take(async () => 'again')).to.equal('again');
  });
});
