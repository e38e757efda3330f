/** Turns the trace clock's time into wall time, however the wall clock is stepped or the host suspended. */

const SECOND_NS = 1_000_000_000;
/** A wall clock further off than this has been stepped, and is calibrated at once. */
const STEP_MS = 2;
/** NTP slews by a few ppm: some 0.1 ms until the next calibration; what is more counts as a step. */
const CALIBRATION_INTERVAL_NS = 10 * SECOND_NS;

/** Trace time zero is the epoch; wall time of trace time `t` is `wallSeconds` + (`wallNanoseconds` + `t`) ns. */
export interface TraceClock {
  readonly epoch: Epoch;
  /** Whole seconds since 1970. */
  wallSeconds: number;
  /** 0 … 999,999,999. */
  wallNanoseconds: number;
  /** Nanoseconds since the epoch; for a replay the time of what has been replayed. */
  now(): number;
  /** Follows the wall clock; cheap enough to be called at every read. */
  follow(): void;
}

/** Milliseconds since 1970 of a trace time. */
export function toWallMilliseconds(clock: TraceClock, time: number): number {
  return clock.wallSeconds * 1000 + (clock.wallNanoseconds + time) / 1e6;
}

/** The clocks that every process of a host can read. */
export interface HostClocks {
  /** CLOCK_REALTIME, cut to whole milliseconds. */
  wallMilliseconds(): number;
  /** CLOCK_MONOTONIC. */
  monotonicNanoseconds(): bigint;
}

const HOST_CLOCKS: HostClocks = {
  wallMilliseconds: () => Date.now(),
  monotonicNanoseconds: () => process.hrtime.bigint(),
};

/** Two looks at both clocks take less than this, unless the CPU was taken away in between. */
const UNDISTURBED_NS = 20_000n;
const MAX_EDGES = 5;

interface Edge {
  readonly milliseconds: number;
  readonly monotonic: bigint;
  readonly uncertainty: bigint;
}

/**
 * The moment at which a millisecond of the wall clock began: Node.js reads CLOCK_REALTIME in whole milliseconds only,
 * so this looks at both clocks until the next one begins, 1 ms at most. Where the CPU was taken away meanwhile, it
 * waits for another, and takes the best of a few.
 */
function wallClockEdge(host: HostClocks): Edge {
  let best: Edge | null = null;
  let earlier = host.monotonicNanoseconds();
  let milliseconds = host.wallMilliseconds();
  let before = host.monotonicNanoseconds();
  for (let edges = 0; edges < MAX_EDGES; ) {
    const next = host.wallMilliseconds();
    const now = host.monotonicNanoseconds();
    if (next !== milliseconds) {
      // It began between two looks at the wall clock, each of which lies between two at the other clock.
      const edge = { milliseconds: next, monotonic: (earlier + now) / 2n, uncertainty: now - earlier };
      if (edge.uncertainty < UNDISTURBED_NS) return edge;
      if (best === null || edge.uncertainty < best.uncertainty) best = edge;
      milliseconds = next;
      edges++;
    }
    earlier = before;
    before = now;
  }
  return best ?? { milliseconds, monotonic: before, uncertainty: 0n };
}

/**
 * A live clock.
 *
 * `readTraceClock` gives the trace clock's own time in nanoseconds where that is not CLOCK_MONOTONIC (`global` on
 * EL7); null says that it is: `mono` is ktime_get_mono_fast_ns, the clock of process.hrtime.
 */
export function createLiveClock(
  readTraceClock: (() => bigint) | null,
  host: HostClocks = HOST_CLOCKS,
): TraceClock {
  const traceMinusMonotonic = (): bigint => {
    if (readTraceClock === null) return 0n;
    const before = host.monotonicNanoseconds();
    const trace = readTraceClock();
    return trace - (before + host.monotonicNanoseconds()) / 2n;
  };

  let offset = traceMinusMonotonic();
  const start = host.monotonicNanoseconds() + offset;
  let offsetFromEpoch = Number(offset - start);
  let calibratedAt = 0;

  const clock: TraceClock = {
    epoch: epochAt(start),
    wallSeconds: 0,
    wallNanoseconds: 0,
    now() {
      return Number(host.monotonicNanoseconds()) + offsetFromEpoch;
    },
    follow() {
      const now = clock.now();
      const stepped = Math.abs(host.wallMilliseconds() - toWallMilliseconds(clock, now)) > STEP_MS;
      if (stepped || now - calibratedAt > CALIBRATION_INTERVAL_NS) calibrate();
    },
  };

  function calibrate(): void {
    offset = traceMinusMonotonic();
    offsetFromEpoch = Number(offset - start);
    const { milliseconds, monotonic } = wallClockEdge(host);
    const wallAtEpoch = BigInt(milliseconds) * 1_000_000n - (monotonic + offset - start);
    clock.wallSeconds = Number(wallAtEpoch / BigInt(SECOND_NS));
    clock.wallNanoseconds = Number(wallAtEpoch % BigInt(SECOND_NS));
    calibratedAt = clock.now();
  }

  calibrate();
  return clock;
}

/** The trace clock's value that counts as zero, split so that no arithmetic needs a BigInt. */
export interface Epoch {
  readonly high: number;
  readonly low: number;
}

export function epochAt(nanoseconds: bigint): Epoch {
  return { high: Number(nanoseconds >> 32n), low: Number(nanoseconds & 0xffff_ffffn) };
}
