/** Finds since when, or from when to when, something happens more often. */
import { median } from './median.ts';

/** Slices, the end left out. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Twice this is beyond what chance gives with 300 slices to choose both ends from (a chi-square of more than 30). */
const LEAST_GAIN = 15;
/** People call it a change when it is several times as often. */
const LEAST_FACTOR = 3;

/** Less than this part of the time is no time before. */
const LEAST_OUTSIDE = 0.05;

/** A slice with more than this times the median counts as that: one burst is not to hide a change that lasts. */
const BURST_FACTOR = 2;

/**
 * The span in which the counts are higher than outside of it; null when no span stands out: less than three times as
 * often, or by chance. A change that lasts is preferred to a short burst.
 */
export function findSpan(counts: readonly number[]): Span | null {
  const most = BURST_FACTOR * median(counts.filter((count) => count > 0));
  return spanIn(counts.map((count) => Math.min(count, most))) ?? spanIn(counts);
}

/**
 * The span that stands out most. What comes before or after it belongs to it where that is not several times less often:
 * nobody is to read that something has ended which goes on.
 */
function spanIn(counts: readonly number[]): Span | null {
  const found = scan(counts);
  if (found === null) return null;
  const rateOf = (from: number, to: number) =>
    counts.slice(from, to).reduce((sum, count) => sum + count, 0) / (to - from);
  const inside = rateOf(found.from, found.to);
  const isQuiet = (from: number, to: number) => from < to && LEAST_FACTOR * rateOf(from, to) <= inside;
  const from = isQuiet(0, found.from) ? found.from : 0;
  const to = isQuiet(found.to, counts.length) ? found.to : counts.length;
  return to - from === counts.length ? null : { from, to };
}

/** By the likelihood of two constant rates against one: a scan statistic for Poisson counts. */
function scan(counts: readonly number[]): Span | null {
  const sums = [0];
  for (const count of counts) sums.push((sums.at(-1) ?? 0) + count);
  const total = sums.at(-1) ?? 0;
  const slices = counts.length;
  let best: Span | null = null;
  let bestGain = LEAST_GAIN;
  for (let from = 0; from < slices; from++) {
    for (let to = from + 1; to <= slices && to - from <= slices * (1 - LEAST_OUTSIDE); to++) {
      const length = to - from;
      const inside = (sums[to] ?? 0) - (sums[from] ?? 0);
      const outside = total - inside;
      if (inside / length < (LEAST_FACTOR * outside) / (slices - length)) continue;
      const gain = term(inside, length, total, slices) + term(outside, slices - length, total, slices);
      if (gain > bestGain) [best, bestGain] = [{ from, to }, gain];
    }
  }
  return best;
}

function term(count: number, length: number, total: number, slices: number): number {
  return count === 0 ? 0 : count * Math.log((count * slices) / (length * total));
}
