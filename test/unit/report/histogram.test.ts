import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUCKETS, bucketOf, bucketStartUs, percentileUs } from '../../../src/report/histogram.ts';

describe('a histogram', () => {
  it('has each duration between the borders of its bucket', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (us) => {
        const bucket = bucketOf(us);
        expect(bucketStartUs(bucket)).toBeLessThanOrEqual(us * (1 + 1e-9));
        expect(bucketStartUs(bucket + 1)).toBeGreaterThan(us * (1 - 1e-9));
      }),
    );
    expect([bucketOf(0), bucketOf(Number.MAX_SAFE_INTEGER)]).toEqual([0, BUCKETS - 1]);
  });

  it('knows a percentile within 9.1 %', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 1e9 }), { minLength: 1 }),
        fc.constantFrom(0.5, 0.95, 0.99),
        (all, share) => {
          const counts = new Float64Array(BUCKETS);
          for (const us of all) counts[bucketOf(us)] = (counts[bucketOf(us)] ?? 0) + 1;
          const exact = all.toSorted((one, other) => one - other)[Math.ceil(all.length * share) - 1] ?? 0;
          const found = percentileUs(counts, share) ?? 0;
          expect(Math.abs(found / exact - 1)).toBeLessThan(0.091);
        },
      ),
    );
    expect(percentileUs(new Float64Array(BUCKETS), 0.5)).toBeNull();
  });
});
