/** Durations in buckets that are a quarter of a power of two wide, so a percentile is known within 9 %. */

const PER_OCTAVE = 4;
/** 2^32 µs is more than an hour: longer durations share the last bucket. */
export const BUCKETS = 32 * PER_OCTAVE;

/** The bucket of a duration in microseconds. */
export function bucketOf(microseconds: number): number {
  return Math.min(BUCKETS - 1, Math.floor(Math.log2(Math.max(1, microseconds)) * PER_OCTAVE));
}

/** Where a bucket begins, in microseconds. */
export function bucketStartUs(bucket: number): number {
  return 2 ** (bucket / PER_OCTAVE);
}

/** The middle of the bucket that holds the percentile, in microseconds; null without counts. `share` is 0 to 1. */
export function percentileUs(counts: ArrayLike<number>, share: number): number | null {
  let total = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) total += counts[bucket] ?? 0;
  if (total === 0) return null;
  let left = Math.max(1, Math.ceil(total * share));
  for (let bucket = 0; bucket < counts.length; bucket++) {
    left -= counts[bucket] ?? 0;
    if (left <= 0) return bucketStartUs(bucket + 0.5);
  }
  return null;
}
