/** Counts rows with the same cells, in bounded memory. */
import type { Cell } from './line.ts';

/** Rows that are counted apart, some 200 bytes each. */
const CAPACITY = 65_536;

export interface Tally {
  add(cells: readonly Cell[]): void;
  /** The most frequent first. */
  rows(): { readonly cells: readonly Cell[]; readonly count: number }[];
  /** The number of rows that were counted together, because there were too many different ones. */
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
