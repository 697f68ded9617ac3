import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { createSealer } from '../../src/store/sealing.ts';

describe('sealing', () => {
  const [one, two] = [randomBytes(32), randomBytes(32)];

  it('opens what it sealed, whatever the text, and never seals the same text alike', () => {
    const sealer = createSealer([one])!;
    for (const text of ['', 'secret', 'ü€🙂\u0000', 'x'.repeat(100_000)]) {
      const [first, second] = [sealer.seal(text, 'a'), sealer.seal(text, 'a')];
      expect(sealer.open(first, 'a')).to.equal(text);
      expect(first.equals(second)).to.equal(false);
      if (text.length > 2) expect(first.includes(text)).to.equal(false);
    }
  });

  it('opens nothing that was moved to another label, changed in a single bit, or cut', () => {
    const sealer = createSealer([one])!;
    const sealed = sealer.seal('secret', 'a');
    expect(() => sealer.open(sealed, 'b')).to.throw();
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      expect(() => sealer.open(changed, 'a'), `byte ${at}`).to.throw();
      expect(() => sealer.open(sealed.subarray(0, at), 'a'), `cut at ${at}`).to.throw();
    }
  });

  it('seals under the first key and opens under any', () => {
    const old = createSealer([one])!.seal('secret', 'a');
    const both = createSealer([two, one])!;
    expect(both.open(old, 'a')).to.equal('secret');
    expect(createSealer([two])!.open(both.seal('new', 'a'), 'a')).to.equal('new');
    expect(() => createSealer([two])!.open(old, 'a')).to.throw('HOLDPOINT_SECRET_KEY');
  });

  it('knows a text again by its fingerprints, one a key, which say nothing about it without the key', () => {
    const [first] = createSealer([one])!.fingerprints('secret');
    expect(createSealer([one])!.fingerprints('secret')).to.deep.equal([first]);
    expect(createSealer([two, one])!.fingerprints('secret')).to.deep.equal([
      ...createSealer([two])!.fingerprints('secret'),
      first,
    ]);
    const others = [createSealer([two])!.fingerprints('secret')[0], createSealer([one])!.fingerprints('Secret')[0]];
    for (const other of [...others, createHash('sha256').update('secret').digest()])
      expect(first!.equals(other!)).to.equal(false);
  });

  it('is not to be had without a key', () => {
    expect(createSealer([])).to.equal(null);
  });
});
