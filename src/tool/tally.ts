/** Counts by key, in bounded memory. */
import type { Cell } from './line.ts';

/** Some 200 bytes each. */
const CAPACITY = 65_536;

export interface Tally {
  add(cells: readonly Cell[]): void;
  /** The most frequent first. */
  rows(): { readonly cells: readonly Cell[]; readonly count: number }[];
  /** Counted, but under no key, because there were too many. */
  readonly others: number;
}

export function createTally(capacity = CAPACITY): Tally {
  const counts = new Map<string, { readonly cells: readonly Cell[]; count: number }>();
  let others = 0;
  return {
    add(cells) {
      const key = cells.join(' ');
      const row = counts.get(key);
      if (row !== undefined) row.count++;
      else if (counts.size < capacity) counts.set(key, { cells, count: 1 });
      else others++;
    },
    rows: () => [...counts.values()].sort((a, b) => b.count - a.count),
    get others() {
      return others;
    },
  };
}
