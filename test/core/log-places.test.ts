import { expect } from 'chai';
import fc from 'fast-check';
import {
  formatPosition,
  LOG_POSITION,
  LOG_START,
  type LogPosition,
  mergeLog,
  readPosition,
} from '../../src/core/log-places.ts';

interface Entry {
  seq: number;
  at: number;
  stepId: string;
  visit: number;
  attempt: number;
}

const entry = (seq: number, at: number, attempt = 1): Entry => ({ seq, at, stepId: 'step', visit: 1, attempt });

/** What the store finds of the first `stored` lines: the rest of those that are being read, then those that have come since. */
function findLines(all: readonly Entry[], stored: number, { line, reading }: LogPosition, limit: number) {
  const upTo = reading?.upTo ?? line;
  const last = all.find(({ seq }) => seq === reading?.last);
  const isUnread = ({ seq, at }: Entry) =>
    seq > upTo || (last !== undefined && (at > last.at || (at === last.at && seq > last.seq)));
  const lines = all
    .slice(0, stored)
    .filter((one) => one.seq > line && isUnread(one))
    .sort((a, b) => Number(a.seq > upTo) - Number(b.seq > upTo) || a.at - b.at || a.seq - b.seq)
    .slice(0, limit + 1);
  return { lines, newest: stored };
}

/** Reads both lists page by page, as a client does; `grow` lets each page see more of them. */
function readAll(lines: Entry[], ends: Entry[], limit: number, grow: (page: number) => [number, number]): string[] {
  const read: string[] = [];
  for (let [position, page, idle] = [LOG_START, 0, 0]; idle < 2; page += 1) {
    const [seenLines, seenEnds] = grow(page);
    const found = findLines(lines, seenLines, position, limit);
    const newEnds = ends.slice(0, seenEnds).filter(({ seq }) => seq > position.end);
    const entries = mergeLog({ ...found, ends: newEnds.slice(0, limit + 1) }, { after: position, limit });
    for (const one of entries) read.push('line' in one ? `line ${one.line.seq}` : `end ${one.end.seq}`);
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

/** Lines as several workers store them, in any order; ends as the history has them, one after the other. */
const lists = fc.record({
  lines: fc.array(fc.nat(500), { maxLength: 30 }).map((times) => times.map((at, index) => entry(index + 1, at))),
  ends: fc
    .array(fc.nat(500), { maxLength: 30 })
    .map((times) => times.sort((a, b) => a - b).map((at, index) => entry(index + 1, at, 2))),
});

describe('a log of two lists', () => {
  it('is in the order of time, lines before the ends of the same time', () => {
    const lines = [entry(1, 5), entry(2, 9)];
    const ends = [entry(4, 5, 2), entry(9, 8, 2)];
    const merge = (limit: number) =>
      mergeLog({ ...findLines(lines, 2, LOG_START, limit), ends }, { after: LOG_START, limit });
    expect(merge(3).map(({ position }) => formatPosition(position))).to.deep.equal(['0.0.2.1', '4.0.2.1', '9.0.2.1']);
    expect(
      merge(9)
        .map(({ position }) => formatPosition(position))
        .at(-1),
    ).to.equal('9.2');
  });

  it('is in the order of time and of numbers, however lines were stored and however long its pages are', () => {
    fc.assert(
      fc.property(lists, fc.integer({ min: 1, max: 10 }), ({ lines, ends }, limit) => {
        const timed = [
          ...lines.map(({ seq, at }) => ({ name: `line ${seq}`, at, kind: 0, seq })),
          ...ends.map(({ seq, at }) => ({ name: `end ${seq}`, at, kind: 1, seq })),
        ].sort((a, b) => a.at - b.at || a.kind - b.kind || a.seq - b.seq);
        expect(readAll(lines, ends, limit, () => [lines.length, ends.length])).to.deep.equal(
          timed.map(({ name }) => name),
        );
      }),
    );
  });

  it('has what an attempt wrote before its end, though its clock was a little ahead, and what the next one wrote after it', () => {
    // The second attempt at the same number is one that was made when the first had lost its worker.
    const lines = [entry(1, 103), entry(2, 102, 7), entry(3, 500)];
    const ends = [entry(4, 100), entry(9, 600)];
    expect(readAll(lines, ends, 10, () => [3, 2])).to.deep.equal(['line 2', 'line 1', 'end 4', 'line 3', 'end 9']);
  });

  it('misses nothing and repeats nothing while both grow, whatever is stored late', () => {
    fc.assert(
      fc.property(
        lists,
        fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 6 }),
        ({ lines, ends }, growth, limit) => {
          const grow = (page: number): [number, number] => {
            if (page >= growth.length) return [lines.length, ends.length];
            const grown = growth.slice(0, page + 1);
            const sum = (which: 0 | 1) => grown.reduce((total, one) => total + one[which], 0);
            return [Math.min(sum(0), lines.length), Math.min(sum(1), ends.length)];
          };
          const read = readAll(lines, ends, limit, grow);
          expect(read).to.have.members(everything(lines, ends));
          expect(read).to.have.length(lines.length + ends.length);
        },
      ),
    );
  });

  it('has places that can be sent back', () => {
    for (const position of [
      LOG_START,
      { end: 12, line: 10_001, reading: null },
      { end: 3, line: 0, reading: { upTo: 9, last: 4 } },
    ]) {
      expect(formatPosition(position)).to.match(new RegExp(LOG_POSITION));
      expect(readPosition(formatPosition(position))).to.deep.equal(position);
    }
  });
});
