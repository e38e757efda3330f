/** Numbers for what has a name, in bounded memory: what is new beyond the limit shares the number 0. */

export interface Names<Key, Value> {
  /** The number of a key; `make` gives what is kept of it when it is new. */
  numberOf(key: Key, make: () => Value): number;
  /** Keeps another value for a number. */
  replace(number: number, value: Value): void;
  readonly values: readonly Value[];
}

/** What the keys beyond the limit share. */
export const REST = 0;

/** `rest` is what stands for all keys beyond the first `limit`. */
export function createNames<Key, Value>(limit: number, rest: Value): Names<Key, Value> {
  const numbers = new Map<Key, number>();
  const values: Value[] = [rest];
  return {
    values,
    replace(number, value) {
      values[number] = value;
    },
    numberOf(key, make) {
      const known = numbers.get(key);
      if (known !== undefined) return known;
      if (values.length > limit) return REST;
      numbers.set(key, values.length);
      return values.push(make()) - 1;
    },
  };
}
