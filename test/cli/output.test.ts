import { expect } from 'chai';
import { formatDuration, formatTable, neutralise } from '../../src/cli/output.ts';

describe('what the command line prints', () => {
  it('keeps colours, and no other control character, of what workflows say', () => {
    expect(neutralise('a\n\tb')).to.equal('a\n\tb');
    expect(neutralise('\x1b[32m✓\x1b[39m done')).to.equal('\x1b[32m✓\x1b[39m done');
    expect(neutralise('\x1b]0;owned\x07 \x1b[2J\r\x9b2J')).to.equal('\ufffd]0;owned\ufffd \ufffd[2J\ufffd\ufffd2J');
    expect(neutralise('\x07[31mred')).to.equal('\ufffd[31mred');
  });

  it('tells durations as people do', () => {
    const told = [0, 999, 1_000, 59_900, 60_000, 185_000, 7_800_000].map(formatDuration);
    expect(told).to.deep.equal(['0 ms', '999 ms', '1.0 s', '59.9 s', '1 min 0 s', '3 min 5 s', '2 h 10 min']);
  });

  it('aligns columns, and leaves the last as it is', () => {
    expect(
      formatTable([
        ['a', 'bb', 'c'],
        ['aaa', 'b', 'c c'],
      ]),
    ).to.deep.equal(['a    bb  c', 'aaa  b   c c']);
    expect(formatTable([])).to.deep.equal([]);
  });
});
