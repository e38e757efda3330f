import { describe, expect, it } from 'vitest';
import { findSpan } from '../../../src/report/onset.ts';

/** Counts that vary without chance: 0, 1, 2, 0, 1, 2 … times a factor. */
const varying = (slices: number, factor = 1) =>
  Array.from({ length: slices }, (_, slice) => factor * (slice % 3));

describe('a span that stands out', () => {
  it('lasts from the change to the end', () => {
    expect(findSpan([...varying(60), ...varying(60, 10)])).toEqual({ from: 61, to: 120 });
  });

  it('has an end when it ends', () => {
    expect(findSpan([...varying(60), ...Array(10).fill(40), ...varying(60)])).toEqual({ from: 60, to: 70 });
  });

  it('has no end, or no begin, where it goes on less often', () => {
    const some = (slices: number) => Array.from({ length: slices }, (_, slice) => (slice % 2 === 0 ? 6 : 4));
    expect(findSpan([...varying(120), ...Array(30).fill(12), ...some(30)])).toEqual({ from: 120, to: 180 });
    expect(findSpan([...some(30), ...Array(30).fill(12), ...varying(120)])).toEqual({ from: 0, to: 60 });
  });

  it('is the one that lasts, if there is a burst too', () => {
    expect(findSpan([...varying(60), ...varying(60, 10), 300])).toEqual({ from: 61, to: 121 });
    expect(findSpan([...varying(60), 300, ...varying(60)])).toEqual({ from: 60, to: 61 });
  });

  it.each([
    ['nothing', Array(100).fill(0)],
    ['the same all the time', varying(240)],
    [
      'twice as often, which is no change that people would call one',
      [...varying(60, 10), ...varying(60, 20)],
    ],
    ['one by chance', [...Array(99).fill(0), 1]],
    ['one slice', [1000]],
    ['no slice', []],
  ])('is not found in %s', (_, counts: number[]) => {
    expect(findSpan(counts)).toBeNull();
  });
});
