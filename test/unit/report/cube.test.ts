import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCube } from '../../../src/report/cube.ts';
import { MAX_SLICES } from '../../../src/report/steps.ts';

const MEASURES = ['a', 'b'] as const;
type Add = [row: number, measure: (typeof MEASURES)[number], second: number, value: number];

const adds = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 50 }),
    fc.constantFrom(...MEASURES),
    fc.integer({ min: 1_700_000_000, max: 1_700_200_000 }),
    fc.integer({ min: 0, max: 1000 }),
  ),
  { minLength: 1, maxLength: 400 },
);

function cubeOf(all: readonly Add[], maxCounts: number) {
  const cube = createCube({ measures: MEASURES, maxCounts });
  for (const add of all) cube.add(...add);
  return cube;
}

describe('a cube', () => {
  it('has every count in its slice, however wide slices had to become', () => {
    fc.assert(
      fc.property(adds, fc.integer({ min: 60, max: 100_000 }), (all: Add[], maxCounts) => {
        const cube = cubeOf(all, maxCounts);
        const expected = new Map<string, number>();
        for (const [row, measure, second, value] of all) {
          const key = `${row} ${measure} ${Math.floor(second / cube.stepS) * cube.stepS}`;
          if (value > 0) expected.set(key, (expected.get(key) ?? 0) + value);
        }
        const found = new Map<string, number>();
        cube.forEach((row, measure, second, value) => {
          found.set(`${row} ${measure} ${second}`, value);
        });
        expect(found).toEqual(expected);
      }),
    );
  });

  it('never has more counts than allowed while slices can become wider, nor too many slices', () => {
    const cube = createCube({ measures: MEASURES, maxCounts: 100 });
    for (let second = 0; second < 100_000; second++) cube.add(second % 7, 'a', 1_700_000_000 + second, 1);
    let counts = 0;
    const slices = new Set<number>();
    cube.forEach((_row, _measure, second) => {
      counts++;
      slices.add(second);
    });
    expect(counts).toBeLessThanOrEqual(100);
    expect(slices.size).toBeLessThanOrEqual(MAX_SLICES);
    expect(cube.stepS).toBe(10_800);
  });

  it('takes events that are older than the first', () => {
    const cube = cubeOf(
      [
        [1, 'a', 1_700_000_000, 1],
        [1, 'a', 1_699_999_800, 2],
      ],
      1000,
    );
    expect(cube.stepS).toBe(1);
    expect(cube.grid(1_699_999_800).series.a).toEqual({ rows: [1, 0], slices: [0, 200], values: [2, 1] });
  });

  it('gives rows as differences, sorted by row and slice', () => {
    const cube = cubeOf(
      [
        [9, 'b', 1000, 1],
        [4, 'b', 1002, 2],
        [4, 'b', 1001, 3],
        [4, 'b', 1001, 4],
      ],
      1000,
    );
    expect(cube.grid(1000)).toEqual({
      step_s: 1,
      series: {
        a: { rows: [], slices: [], values: [] },
        b: { rows: [4, 0, 5], slices: [1, 2, 0], values: [7, 2, 1] },
      },
    });
  });
});
