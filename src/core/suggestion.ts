// "Did you mean": the known name nearest to a misspelt one.

const MAX_CHARS = 64;

/** The name among `known` that is a slip of the keys away from `name` (three letters at most), or null. */
function findNearest(name: string, known: Iterable<string>): string | null {
  if (name.length > MAX_CHARS) return null;
  let nearest: string | null = null;
  let least = name.length < 3 ? 1 : Math.min(Math.floor(name.length / 3), 3) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= least) continue;
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      nearest = candidate;
      least = distance;
    }
  }
  return nearest;
}

/** A hint that names the nearest known name, else all of them. */
export function suggestName(name: string, known: Iterable<string>): string {
  const names = [...known];
  const nearest = findNearest(name, names);
  if (nearest !== null) return `did you mean "${nearest}"?`;
  const shown = names.slice(0, 20).join(', ');
  return names.length === 0 ? 'there are none' : `known are ${shown}${names.length > 20 ? ', …' : ''}`;
}

/** Letters to change, add, drop or swap with their neighbour (optimal string alignment), row by row. */
function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1, isSwap ? before[j - 2]! + 1 : change));
    }
    before = row;
    row = next;
  }
  return row[to.length]!;
}
