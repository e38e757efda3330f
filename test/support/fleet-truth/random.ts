/** Random numbers that are the same in every run. */

export interface Random {
  /** At least 0, less than 1. */
  readonly fraction: () => number;
  /** At least `low`, at most `high`. */
  readonly integer: (low: number, high: number) => number;
  readonly pick: <T>(values: readonly T[]) => T;
  /** Log-normal: half of the values are below `median`; a `spread` of 1 puts two thirds within a factor of e. */
  readonly around: (median: number, spread: number) => number;
  /** Lower-case hexadecimal digits. */
  readonly hex: (digits: number) => string;
}

/** Mulberry32, a generator of 32 bits of state (Tommy Ettinger, public domain). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (low: number, high: number): number => low + Math.floor(fraction() * (high - low + 1));
  return {
    fraction,
    integer,
    pick<T>(values: readonly T[]): T {
      if (values.length === 0) throw new RangeError('nothing to pick from');
      return values[integer(0, values.length - 1)] as T;
    },
    around: (median, spread) =>
      // Box and Muller's normal distribution; 1 - fraction is never 0.
      median *
      Math.exp(spread * Math.sqrt(-2 * Math.log(1 - fraction())) * Math.cos(2 * Math.PI * fraction())),
    hex: (digits) => Array.from({ length: digits }, () => integer(0, 15).toString(16)).join(''),
  };
}
