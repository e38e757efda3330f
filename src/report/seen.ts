/** Which events were seen, exactly, by the ordinals that the agent gives them per session and CPU: one bit each. */

export interface OrdinalSet {
  /** Whether it is new. */
  add(ordinal: number): boolean;
  readonly size: number;
  /** The lowest and the highest so far; Infinity and -Infinity while it is empty. */
  readonly lowest: number;
  readonly highest: number;
}

/** Bits per piece: a piece is 512 bytes, so an ordinal that is far from all others costs no more than that. */
const PIECE_BITS = 4096;

export function createOrdinalSet(): OrdinalSet {
  const pieces = new Map<number, Uint32Array>();
  let size = 0;
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  /** The piece of the last call: ordinals come mostly in order. */
  let last: { readonly number: number; readonly bits: Uint32Array } | null = null;

  function pieceOf(number: number): Uint32Array {
    if (last?.number === number) return last.bits;
    const bits = pieces.get(number) ?? new Uint32Array(PIECE_BITS / 32);
    pieces.set(number, bits);
    last = { number, bits };
    return bits;
  }

  return {
    add(ordinal) {
      const bits = pieceOf(Math.floor(ordinal / PIECE_BITS));
      const place = ordinal % PIECE_BITS;
      const word = bits[place >>> 5] ?? 0;
      const bit = 1 << (place & 31);
      if ((word & bit) !== 0) return false;
      bits[place >>> 5] = word | bit;
      size++;
      lowest = Math.min(lowest, ordinal);
      highest = Math.max(highest, ordinal);
      return true;
    },
    get size() {
      return size;
    },
    get lowest() {
      return lowest;
    },
    get highest() {
      return highest;
    },
  };
}
