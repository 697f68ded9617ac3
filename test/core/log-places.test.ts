import { expect } from 'chai';
import fc from 'fast-check';
import { formatPosition, LOG_POSITION, type LogPosition, mergeLog, readPosition } from '../../src/core/log-places.ts';

interface Entry {
  seq: number;
  at: number;
}

const START: LogPosition = { end: 0, line: 0 };

const list = fc.array(fc.nat(20), { maxLength: 30 }).map((times) => times.map((at, index) => ({ seq: index + 1, at })));

/** Reads both lists page by page, as a client does; `grow` lets each page see more of them. */
function readAll(lines: Entry[], ends: Entry[], limit: number, grow: (page: number) => [number, number]): string[] {
  const read: string[] = [];
  for (let [position, page, idle] = [START, 0, 0]; idle < 2; page += 1) {
    const [seenLines, seenEnds] = grow(page);
    const entries = mergeLog(
      {
        lines: lines.slice(0, seenLines).filter(({ seq }) => seq > position.line),
        ends: ends.slice(0, seenEnds).filter(({ seq }) => seq > position.end),
      },
      { after: position, limit },
    );
    for (const entry of entries) read.push('line' in entry ? `line ${entry.line.seq}` : `end ${entry.end.seq}`);
    const last = entries.at(-1);
    position = last === undefined ? position : readPosition(formatPosition(last.position));
    const isAll = seenLines >= lines.length && seenEnds >= ends.length;
    idle = isAll && entries.length === 0 ? idle + 1 : 0;
  }
  return read;
}

const everything = (lines: Entry[], ends: Entry[]) => [
  ...lines.map(({ seq }) => `line ${seq}`),
  ...ends.map(({ seq }) => `end ${seq}`),
];

describe('a log of two lists', () => {
  it('is in the order of time, lines before the ends of their attempts', () => {
    const lines = [
      { seq: 1, at: 5 },
      { seq: 2, at: 9 },
    ];
    const ends = [
      { seq: 4, at: 5 },
      { seq: 9, at: 8 },
    ];
    const places = mergeLog({ lines, ends }, { after: START, limit: 3 }).map(({ position }) =>
      formatPosition(position),
    );
    expect(places).to.deep.equal(['0.1', '4.1', '9.1']);
    expect(mergeLog({ lines, ends }, { after: START, limit: 9 })).to.have.length(4);
  });

  it('is the same however long its pages are', () => {
    fc.assert(
      fc.property(list, list, fc.integer({ min: 1, max: 10 }), (lines, ends, limit) => {
        const all = () => [lines.length, ends.length] as [number, number];
        expect(readAll(lines, ends, limit, all)).to.deep.equal(readAll(lines, ends, 1_000, all));
      }),
    );
  });

  it('misses nothing and repeats nothing while both grow, whatever is stored late', () => {
    fc.assert(
      fc.property(
        list,
        list,
        fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: 1, maxLength: 20 }),
        (lines, ends, growth) => {
          const grow = (page: number): [number, number] => {
            if (page >= growth.length) return [lines.length, ends.length];
            const grown = growth.slice(0, page + 1);
            const sum = (which: 0 | 1) => grown.reduce((total, one) => total + one[which], 0);
            return [sum(0), sum(1)];
          };
          const read = readAll(lines, ends, 4, grow);
          expect(read).to.have.members(everything(lines, ends));
          expect(read).to.have.length(lines.length + ends.length);
        },
      ),
    );
  });

  it('has places that can be sent back', () => {
    for (const position of [START, { end: 12, line: 10_001 }]) {
      expect(formatPosition(position)).to.match(new RegExp(LOG_POSITION));
      expect(readPosition(formatPosition(position))).to.deep.equal(position);
    }
  });
});
