/** A map of bounded size that keeps what was used last. */

export interface RecentMap<Value> {
  get(key: number): Value | undefined;
  set(key: number, value: Value): void;
  delete(key: number): void;
}

/**
 * Keeps at least the `capacity / 2` entries that were used last, and never more than `capacity`. There are two
 * generations: what is used moves into the young one, and when that is full, it becomes the old one, whose place it takes.
 */
export function createRecentMap<Value>(capacity: number): RecentMap<Value> {
  let young = new Map<number, Value>();
  let old = new Map<number, Value>();

  function set(key: number, value: Value): void {
    if (young.size >= capacity / 2 && !young.has(key)) {
      old = young;
      young = new Map();
    }
    young.set(key, value);
  }

  return {
    get(key) {
      const found = young.get(key);
      if (found !== undefined) return found;
      const older = old.get(key);
      if (older !== undefined) set(key, older);
      return older;
    },
    set,
    delete(key) {
      young.delete(key);
      old.delete(key);
    },
  };
}
