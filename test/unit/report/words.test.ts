import { describe, expect, it } from 'vitest';
import { microseconds, percent, short } from '../../../src/report/words.ts';

describe('numbers are written', () => {
  it.each([
    [0, '0'],
    [812, '812'],
    [999_999, '999,999'],
    [1_200_000, '1.20 M'],
    [34_000_000_000, '34.0 G'],
    [999_999_999, '1.00 G'],
    [5_600_000_000_000, '5.60 T'],
    [123_000_000_000_000_000, '123 P'],
  ])('%d in short as %s', (value, text) => {
    expect(short(value)).toBe(text);
  });

  it.each([
    [0, '0 µs'],
    [850, '850 µs'],
    [1300, '1.3 ms'],
    [40_123, '40 ms'],
    [119_000_000, '119 s'],
    [720_000_000, '12 min'],
    [9_000_000_000, '2.5 h'],
  ])('%d µs as %s', (value, text) => {
    expect(microseconds(value)).toBe(text);
  });

  it.each([
    [0, '0 %'],
    [0.00001, '< 0.01 %'],
    [0.0041, '0.41 %'],
    [0.063, '6.3 %'],
    [0.9996, '99 %'],
    [1, '100 %'],
  ])('a share of %d as %s', (share, text) => {
    expect(percent(share)).toBe(text);
  });
});
