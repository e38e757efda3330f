import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLiveClock, toWallMilliseconds } from '../../../src/source/clock.ts';

const HOUR_NS = 3_600_000_000_000n;

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a clock on CLOCK_MONOTONIC', () => {
  it('has the wall time of Date.now, to a millisecond', () => {
    const clock = createLiveClock(null);
    for (let count = 0; count < 1_000; count++) {
      const before = Date.now();
      const wall = toWallMilliseconds(clock, clock.now());
      // Date.now is cut to whole milliseconds.
      expect(wall).toBeGreaterThan(before - 0.5);
      expect(wall).toBeLessThan(Date.now() + 1.5);
    }
  });

  it('agrees with others made at other moments to 0.1 ms, for the better half of them', () => {
    const offsets = Array.from({ length: 25 }, () => {
      const clock = createLiveClock(null);
      return toWallMilliseconds(clock, clock.now()) - Number(process.hrtime.bigint()) / 1e6;
    }).sort((left, right) => left - right);
    const median = offsets[12] ?? Number.NaN;
    expect((offsets[18] ?? Number.NaN) - median).toBeLessThan(0.1);
    expect(median - (offsets[6] ?? Number.NaN)).toBeLessThan(0.1);
  });

  it('begins near zero and keeps nanoseconds below a second', () => {
    const clock = createLiveClock(null);
    expect(clock.now()).toBeLessThan(1e9);
    expect(clock.wallNanoseconds).toBeGreaterThanOrEqual(0);
    expect(clock.wallNanoseconds).toBeLessThan(1e9);
    expect(clock.epoch.high * 2 ** 32 + clock.epoch.low).toBeLessThanOrEqual(Number(process.hrtime.bigint()));
  });
});

describe('a clock on a trace clock of its own', () => {
  it('has its epoch in that clock, and the wall time of Date.now', () => {
    const clock = createLiveClock(() => process.hrtime.bigint() + 5n * HOUR_NS);
    const epoch = (BigInt(clock.epoch.high) << 32n) + BigInt(clock.epoch.low);
    const traceNow = process.hrtime.bigint() + 5n * HOUR_NS;
    expect(Math.abs(clock.now() - Number(traceNow - epoch))).toBeLessThan(1e6);
    expect(Math.abs(toWallMilliseconds(clock, Number(traceNow - epoch)) - Date.now())).toBeLessThan(2);
  });

  it('follows one that drifts away, at its next calibration', () => {
    let ahead = 0n;
    const clock = createLiveClock(() => process.hrtime.bigint() + ahead);
    const epoch = (BigInt(clock.epoch.high) << 32n) + BigInt(clock.epoch.low);
    ahead = 1_000_000_000n;
    // Eleven seconds pass on every clock, so that nothing but the drift is wrong.
    const { bigint } = process.hrtime;
    const { now } = Date;
    vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => bigint() + 11_000_000_000n);
    vi.spyOn(Date, 'now').mockImplementation(() => now() + 11_000);
    clock.follow();
    expect(Math.abs(clock.now() - Number(process.hrtime.bigint() + ahead - epoch))).toBeLessThan(1e6);
  });
});

describe('a stepped wall clock', () => {
  const { now } = Date;
  let step = 0;
  beforeEach(() => {
    step = 0;
    vi.spyOn(Date, 'now').mockImplementation(() => now() + step);
  });
  it.each([-86_400_000, -3_600, -5, 5, 40, 3_600_000])('by %d ms is followed at once', (milliseconds) => {
    const clock = createLiveClock(null);
    step = milliseconds;
    expect(Math.abs(toWallMilliseconds(clock, clock.now()) - Date.now())).toBeGreaterThan(2);
    clock.follow();
    expect(Math.abs(toWallMilliseconds(clock, clock.now()) - Date.now())).toBeLessThan(2);
  });

  it('leaves the times themselves alone', () => {
    const clock = createLiveClock(null);
    const before = clock.now();
    step = 3_600_000;
    clock.follow();
    expect(clock.now() - before).toBeLessThan(1e9);
  });

  it('that was not stepped is not calibrated at every read', () => {
    const clock = createLiveClock(null);
    const { wallSeconds, wallNanoseconds } = clock;
    for (let count = 0; count < 100; count++) clock.follow();
    expect(clock).toMatchObject({ wallSeconds, wallNanoseconds });
  });
});
