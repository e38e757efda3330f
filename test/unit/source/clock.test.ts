import { describe, expect, it } from 'vitest';
import {
  createLiveClock,
  type HostClocks,
  showsMonotonic,
  type TraceClock,
  toWallMilliseconds,
} from '../../../src/source/clock.ts';

const MICROSECOND_NS = 1_000n;
const MILLISECOND_NS = 1_000_000n;
const SECOND_NS = 1_000_000_000n;
const HOUR_NS = 3_600n * SECOND_NS;
/** 2026-11-24T02:13:07.1234567Z less the host's 40 hours of uptime. */
const BOOTED_NS = 1_795_486_387_123_456_700n - 40n * HOUR_NS;
const LOOK_NS = 200n;
/** Half a look at both clocks, and what a double holds of milliseconds since 1970. */
const ERROR_MS = 0.001;

interface MadeUpHost extends HostClocks {
  /** CLOCK_REALTIME at this moment, without a look at it. */
  trueMilliseconds(): number;
  pass(nanoseconds: bigint): void;
  /** Sets the wall clock. */
  step(milliseconds: number): void;
}

/** A host whose time passes only by looks at its clocks, each as long as `look` says of its number, and by `pass`. */
function makeHost(look: (index: number) => bigint = () => LOOK_NS): MadeUpHost {
  let monotonic = 40n * HOUR_NS;
  let booted = BOOTED_NS;
  let looks = 0;
  const afterLook = (): bigint => {
    monotonic += look(looks++);
    return monotonic;
  };
  return {
    wallMilliseconds: () => Number((afterLook() + booted) / MILLISECOND_NS),
    monotonicNanoseconds: afterLook,
    trueMilliseconds: () => Number(monotonic + booted) / 1e6,
    pass(nanoseconds) {
      monotonic += nanoseconds;
    },
    step(milliseconds) {
      booted += BigInt(milliseconds) * MILLISECOND_NS;
    },
  };
}

/** How far the clock's wall time is off, in ms. */
const errorOf = (clock: TraceClock, host: MadeUpHost): number =>
  Math.abs(toWallMilliseconds(clock, clock.now()) - host.trueMilliseconds());

const epochOf = ({ epoch }: TraceClock): bigint => (BigInt(epoch.high) << 32n) + BigInt(epoch.low);

function onTraceClock(read: () => bigint | null, host: HostClocks): TraceClock {
  const clock = createLiveClock(read, host);
  if (clock === null) throw new Error('the trace clock cannot be read');
  return clock;
}

describe('a clock on CLOCK_MONOTONIC', () => {
  it('has the wall time of its host, though that is told in whole milliseconds', () => {
    const host = makeHost();
    const clock = createLiveClock(null, host);
    for (let count = 0; count < 1_000; count++) {
      host.pass(123_457n);
      expect(errorOf(clock, host)).toBeLessThan(ERROR_MS);
    }
  });

  it('has it whenever in a millisecond it was made', () => {
    const host = makeHost();
    for (let count = 0; count < 25; count++) {
      host.pass(345_678n);
      expect(errorOf(createLiveClock(null, host), host)).toBeLessThan(ERROR_MS);
    }
  });

  it('waits for another millisecond where the CPU was taken away at the beginning of one', () => {
    // For 0.7 ms, once in a while: where a millisecond begins in it, nobody knows when.
    const host = makeHost((index) => (index % 1_001 === 1_000 ? 700n * MICROSECOND_NS : LOOK_NS));
    for (let count = 0; count < 25; count++) {
      host.pass(345_678n);
      expect(errorOf(createLiveClock(null, host), host)).toBeLessThan(ERROR_MS);
    }
  });

  it('takes the best of a few where the CPU is taken away all the time', () => {
    // Two looks at both clocks take 120 µs, and half a millisecond in most cases.
    const host = makeHost((index) => (index % 13 === 12 ? 400n : 30n) * MICROSECOND_NS);
    for (let count = 0; count < 25; count++) {
      host.pass(345_678n);
      expect(errorOf(createLiveClock(null, host), host)).toBeLessThan(0.06 + ERROR_MS);
    }
  });

  it('begins near zero and keeps nanoseconds below a second', () => {
    const host = makeHost();
    const made = host.monotonicNanoseconds();
    const clock = createLiveClock(null, host);
    expect(epochOf(clock)).toBeGreaterThan(made);
    expect(epochOf(clock)).toBeLessThan(host.monotonicNanoseconds());
    expect(clock.now()).toBeLessThan(2e6);
    expect(clock.wallNanoseconds).toBeGreaterThanOrEqual(0);
    expect(clock.wallNanoseconds).toBeLessThan(1e9);
  });

  it('is on the clocks of this host, unless it is told of others', () => {
    const clock = createLiveClock(null);
    // Of units and zeros, not of precision.
    expect(Math.abs(toWallMilliseconds(clock, clock.now()) - Date.now())).toBeLessThan(60_000);
    expect(Math.abs(Number(process.hrtime.bigint() - epochOf(clock)))).toBeLessThan(60e9);
  });
});

describe.each([5n * HOUR_NS, -5n * HOUR_NS])('a clock on a trace clock that is %d ns ahead', (ahead) => {
  it('has its epoch in that clock, and the wall time of its host', () => {
    const host = makeHost();
    const readTraceClock = () => host.monotonicNanoseconds() + ahead;
    const earliest = readTraceClock();
    const clock = onTraceClock(readTraceClock, host);
    expect(epochOf(clock)).toBeGreaterThan(earliest);
    expect(epochOf(clock)).toBeLessThan(readTraceClock());
    // Between the looks of both, a look passes.
    expect(Number(readTraceClock() - epochOf(clock)) - clock.now()).toBe(-Number(LOOK_NS));
    expect(errorOf(clock, host)).toBeLessThan(ERROR_MS);
  });

  it('follows one that drifts away at once', () => {
    const host = makeHost();
    let drift = 0n;
    const readTraceClock = () => host.monotonicNanoseconds() + ahead + drift;
    const clock = onTraceClock(readTraceClock, host);
    const errorNs = () => Number(readTraceClock() - epochOf(clock)) - clock.now() + Number(LOOK_NS);
    drift = SECOND_NS;
    host.pass(30n * MILLISECOND_NS);
    expect(errorNs()).toBe(1e9);
    clock.follow();
    expect(errorNs()).toBe(0);
    expect(errorOf(clock, host)).toBeLessThan(ERROR_MS);
  });

  it('takes the narrowest of a few readings, and is not there if the clock cannot be read', () => {
    // The CPU is taken away between the readings of the two clocks, but for each third time.
    let reads = 0;
    const host = makeHost();
    const readTraceClock = () => {
      if (reads++ % 3 !== 2) host.pass(3n * MILLISECOND_NS);
      const read = host.monotonicNanoseconds() + ahead;
      if (reads % 3 === 2) host.pass(5n * MILLISECOND_NS);
      return read;
    };
    const clock = onTraceClock(readTraceClock, host);
    expect(errorOf(clock, host)).toBeLessThan(ERROR_MS);
    let isGone = false;
    expect(createLiveClock(() => null, host)).toBeNull();
    const failing = onTraceClock(() => (isGone ? null : readTraceClock()), host);
    isGone = true;
    host.pass(SECOND_NS);
    const before = failing.now();
    expect(failing.follow()).toBeGreaterThanOrEqual(before);
    expect(failing.follow() - before).toBeLessThan(10e6);
    expect(errorOf(failing, host)).toBeLessThan(ERROR_MS);
  });
});

describe('a trace clock in whose every reading other tasks take the CPU away', () => {
  it('stays where it was known to be, and follows what the pauses do not explain', () => {
    const host = makeHost();
    let pauseNs = 0n;
    let drift = 0n;
    const clock = onTraceClock(() => {
      host.pass(pauseNs);
      return host.monotonicNanoseconds() + drift;
    }, host);
    pauseNs = 8n * MILLISECOND_NS;
    clock.follow();
    expect(errorOf(clock, host)).toBeLessThan(ERROR_MS);
    // Further away than the pauses explain.
    drift = 20n * MILLISECOND_NS;
    const shown = clock.follow();
    expect(Math.abs(clock.now() - shown) / 1e6).toBeLessThan(ERROR_MS);
  });
});

describe('a trace clock that stands still where a tick is late, as `global` on a busy virtual machine', () => {
  it('gives times that never go back, and are late only while it stands', () => {
    const host = makeHost();
    /** What it shows while it stands still. */
    let standing: bigint | null = null;
    const traceTime = () => standing ?? host.monotonicNanoseconds();
    const clock = onTraceClock(traceTime, host);
    let last = 0;
    for (let round = 0; round < 2_000; round++) {
      const record = Number(traceTime() - epochOf(clock));
      const recordedAt = host.trueMilliseconds();
      const isLate = standing !== null;
      // For a round of 60 ms in each second, and once for three.
      const stands = round % 17 === 16 || (round > 1_000 && round < 1_004);
      standing = stands ? traceTime() : null;
      host.pass(60n * MILLISECOND_NS);
      clock.follow();
      const shown = toWallMilliseconds(clock, record);
      expect(shown).toBeGreaterThanOrEqual(last);
      if (!isLate) expect(Math.abs(shown - recordedAt)).toBeLessThan(2 * ERROR_MS);
      last = shown;
    }
  });
});

describe.each([500n, -500n])('a host whose clocks NTP slews by %d ppm from the trace clock', (ppm) => {
  const ROUNDS = 5_000;
  const ROUND_NS = 60n * MILLISECOND_NS;

  it('gives no record too early, and the wall time of each within 2 ms', () => {
    /** What the trace clock counts. */
    let time = 77n * HOUR_NS;
    const slewed = () => 40n * HOUR_NS + (time * (1_000_000n + ppm)) / 1_000_000n;
    let looks = 0;
    const look = (): void => {
      // The CPU is taken away for 3 ms, once in a while.
      time += looks++ % 997 === 0 ? 3n * MILLISECOND_NS : LOOK_NS;
    };
    const host: HostClocks = {
      wallMilliseconds() {
        look();
        return Number((slewed() + BOOTED_NS) / MILLISECOND_NS);
      },
      monotonicNanoseconds() {
        look();
        return slewed();
      },
    };
    const clock = onTraceClock(() => {
      look();
      // As per_cpu/cpuN/stats tells it.
      return (time / MICROSECOND_NS) * MICROSECOND_NS;
    }, host);
    const trueMilliseconds = () => Number(slewed() + BOOTED_NS) / 1e6;
    const worst = { early: Number.NEGATIVE_INFINITY, late: 0, errorMs: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      time += ROUND_NS / 2n;
      const record = { time: Number(time - epochOf(clock)), wall: trueMilliseconds() };
      time += ROUND_NS / 2n;
      const before = Number(time - epochOf(clock));
      const watermark = clock.follow();
      // A record that is made from now on has this time or a later one, and may not be behind the watermark.
      worst.early = Math.max(worst.early, watermark - Number(time - epochOf(clock)));
      worst.late = Math.max(worst.late, before - watermark);
      worst.errorMs = Math.max(
        worst.errorMs,
        Math.abs(toWallMilliseconds(clock, record.time) - record.wall),
        Math.abs(toWallMilliseconds(clock, clock.now()) - trueMilliseconds()),
      );
    }
    expect(worst.early).toBeLessThanOrEqual(0);
    expect(worst.late).toBeLessThanOrEqual(1_000);
    expect(worst.errorMs).toBeLessThan(2);
  });
});

describe('a stepped wall clock', () => {
  it.each([-86_400_000, -3_600, -5, 5, 40, 3_600_000])('by %d ms is followed at once', (milliseconds) => {
    const host = makeHost();
    const clock = createLiveClock(null, host);
    host.step(milliseconds);
    expect(errorOf(clock, host)).toBeGreaterThan(2);
    clock.follow();
    expect(errorOf(clock, host)).toBeLessThan(ERROR_MS);
  });

  it('leaves the times themselves alone', () => {
    const host = makeHost();
    const clock = createLiveClock(null, host);
    const before = clock.now();
    host.step(3_600_000);
    clock.follow();
    expect(clock.now() - before).toBeLessThan(2e6);
  });

  it('by less than a step is followed at the next calibration', () => {
    const host = makeHost();
    const clock = createLiveClock(null, host);
    for (let calibrations = 0; calibrations < 3; calibrations++) {
      host.step(1);
      host.pass(59n * SECOND_NS);
      clock.follow();
      expect(errorOf(clock, host)).toBeCloseTo(1, 2);
      host.pass(2n * SECOND_NS);
      clock.follow();
      expect(errorOf(clock, host)).toBeLessThan(ERROR_MS);
    }
  });

  it('that was not stepped is not calibrated at every read', () => {
    const host = makeHost();
    const clock = createLiveClock(null, host);
    const { wallSeconds, wallNanoseconds } = clock;
    for (let count = 0; count < 100; count++) {
      host.pass(99n * MILLISECOND_NS);
      clock.follow();
    }
    expect(clock).toMatchObject({ wallSeconds, wallNanoseconds });
  });
});

describe('in a time namespace', () => {
  const DAY_NS = 24n * HOUR_NS;

  it.each([DAY_NS, -DAY_NS, 3n * SECOND_NS, -2n * MILLISECOND_NS])(
    'CLOCK_MONOTONIC that is off by %d ns is noticed, and the timestamps are true all the same',
    (shift) => {
      const host = makeHost();
      const inside = { ...host, monotonicNanoseconds: () => host.monotonicNanoseconds() + shift };
      const readTraceClock = () => (host.monotonicNanoseconds() / 1000n) * 1000n;
      expect(showsMonotonic(readTraceClock, inside)).toBe(false);
      const clock = onTraceClock(readTraceClock, inside);
      expect(epochOf(clock) - host.monotonicNanoseconds()).toBeGreaterThan(-SECOND_NS);
      expect(errorOf(clock, host)).toBeLessThan(2 * ERROR_MS);
      host.pass(HOUR_NS);
      clock.follow();
      expect(errorOf(clock, host)).toBeLessThan(2 * ERROR_MS);
    },
  );

  it.each([0n, 20n * MICROSECOND_NS])('without a shift it is the trace clock: %d ns', (shift) => {
    const host = makeHost();
    const read = () => host.monotonicNanoseconds() + shift;
    expect(showsMonotonic(read, host)).toBe(true);
  });

  it('a trace clock that cannot be read is taken for CLOCK_MONOTONIC', () => {
    expect(showsMonotonic(() => null, makeHost())).toBe(true);
  });
});
