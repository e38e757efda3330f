/** Converts times of the trace clock to wall time, also after a step of the wall clock or a suspend of the host. */

const SECOND_NS = 1_000_000_000;
/** If the wall clock differs by more than this, it was stepped, and the clock is calibrated at once. */
const STEP_MS = 2;
/**
 * NTP slews CLOCK_MONOTONIC with the wall clock (kernel/time/timekeeping.c). Between two calibrations there are smaller steps
 * only.
 */
const CALIBRATION_INTERVAL_NS = 60 * SECOND_NS;

/** Trace time 0 is the epoch. The wall time of trace time `t` is `wallSeconds` s + (`wallNanoseconds` + `t`) ns. */
export interface TraceClock {
  readonly epoch: Epoch;
  /** Whole seconds since 1970. */
  wallSeconds: number;
  /** 0 … 999,999,999. */
  wallNanoseconds: number;
  /** The current trace time, nanoseconds since the epoch. In a replay, the time up to which records were given. */
  now(): number;
  /**
   * Adapts to the wall clock, and to a trace clock that drifts from it. Cheap enough for every read. Gives the current
   * trace time as the trace clock itself shows it: the kernel gives no earlier time to a record that it makes later.
   */
  follow(): number;
}

/** The wall time of a trace time, in milliseconds since 1970. */
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

/** Two readings of both clocks take less than this, unless the scheduler ran another task in between. */
const UNDISTURBED_NS = 20_000n;
const MAX_EDGES = 5;

interface Edge {
  readonly milliseconds: number;
  readonly monotonic: bigint;
  readonly uncertainty: bigint;
}

/**
 * Finds the moment at which a millisecond of the wall clock began. Node.js reads CLOCK_REALTIME in whole milliseconds
 * only, so this reads both clocks until the next millisecond begins, 1 ms at most. If the scheduler ran another task in
 * between, it tries again, and takes the best of a few tries.
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
      // It began between two readings of the wall clock. Each of them lies between two readings of the other clock.
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

/** A reading of the trace clock between two of CLOCK_MONOTONIC, no further apart than this, is good enough. */
const NARROW_NS = 50_000n;
const MAX_SAMPLES = 5;

interface TraceSample {
  /** Trace clock less CLOCK_MONOTONIC: no less than `least`, no more than `most`. */
  readonly least: bigint;
  readonly most: bigint;
  /** The last reading of the trace clock, and of CLOCK_MONOTONIC after it. */
  readonly trace: bigint;
  readonly monotonic: bigint;
}

/**
 * Reads the trace clock and CLOCK_MONOTONIC at one moment: of a few readings the narrowest, in which the scheduler ran no
 * other task. Null if the trace clock cannot be read.
 */
function sampleTraceClock(read: () => bigint | null, host: HostClocks): TraceSample | null {
  let best: { least: bigint; most: bigint } | null = null;
  let [last, monotonic] = [0n, 0n];
  for (let count = 0; count < MAX_SAMPLES; count++) {
    const before = host.monotonicNanoseconds();
    const trace = read();
    const after = host.monotonicNanoseconds();
    if (trace === null) continue;
    [last, monotonic] = [trace, after];
    const width = after - before;
    if (best === null || width < best.most - best.least)
      best = { least: trace - after, most: trace - before };
    if (width < NARROW_NS) break;
  }
  return best === null ? null : { ...best, trace: last, monotonic };
}

const middleOf = ({ least, most }: TraceSample): bigint => (least + most) / 2n;

/**
 * The middle of a narrow sample; of another one what it allows, as near as possible to what was known before. Where other
 * tasks take the CPU away in every reading, the middle is off by milliseconds, and times would go back from one round of
 * reading to the next.
 */
function offsetNear(known: bigint, sample: TraceSample): bigint {
  const { least, most } = sample;
  if (most - least < NARROW_NS) return middleOf(sample);
  if (known < least) return least;
  return known > most ? most : known;
}

/** How long a sample counts, at least. It counts twice as long at most, in which NTP slews the clocks apart by 1 ms. */
const SAMPLE_LIFE_NS = 1_000_000_000n;

/**
 * Gives the trace clock less CLOCK_MONOTONIC after each further sample: the largest of the last one to two seconds. `global`
 * may be late and is never early: where the CPU's counter is not stable, it stands still from 1 ms after a tick until the next
 * tick (`sched_clock_local`, kernel/sched/clock.c), and on a busy virtual machine ticks come late. If the offset followed it
 * down and up again, times would go back from one round of reading to the next.
 */
function followOffset(first: TraceSample): (sample: TraceSample) => bigint {
  let since = first.monotonic;
  let known = middleOf(first);
  let [older, newer] = [known, known];
  return (sample) => {
    const shown = offsetNear(known, sample);
    const age = sample.monotonic - since;
    if (age > SAMPLE_LIFE_NS) {
      older = age > 2n * SAMPLE_LIFE_NS ? shown : newer;
      newer = shown;
      since = sample.monotonic;
    } else if (shown > newer) {
      newer = shown;
    }
    known = newer;
    if (older > known) known = older;
    return known;
  };
}

/** Far more than a sample is uncertain by, and less than timestamps may be shifted by. */
const SAME_CLOCK_NS = 1_000_000n;

/**
 * Whether a trace clock that is the kernel's CLOCK_MONOTONIC is what this process reads as such: a time namespace shifts it
 * for the processes in it, and not for the kernel (time_namespaces(7)). True where the trace clock cannot be read.
 */
export function showsMonotonic(readTraceClock: () => bigint | null, host: HostClocks = HOST_CLOCKS): boolean {
  const shown = sampleTraceClock(readTraceClock, host);
  const offset = shown === null ? 0n : middleOf(shown);
  return offset < SAME_CLOCK_NS && offset > -SAME_CLOCK_NS;
}

/**
 * Creates the clock of a live source; null if the trace clock cannot be read.
 *
 * `readTraceClock` reads the trace clock in nanoseconds, if that is not CLOCK_MONOTONIC: `global` on EL7, which has no
 * `mono`. NTP slews CLOCK_MONOTONIC and CLOCK_REALTIME, by up to 500 ppm, and never that one: the two drift apart by 5 ms
 * in 10 s, so it is read at every `follow`. It is null if it is CLOCK_MONOTONIC: `mono` is ktime_get_mono_fast_ns, the
 * clock of process.hrtime outside of time namespaces.
 */
export function createLiveClock(readTraceClock: null, host?: HostClocks): TraceClock;
export function createLiveClock(
  readTraceClock: (() => bigint | null) | null,
  host?: HostClocks,
): TraceClock | null;
export function createLiveClock(
  readTraceClock: (() => bigint | null) | null,
  host: HostClocks = HOST_CLOCKS,
): TraceClock | null {
  const sample = (): TraceSample | null => {
    if (readTraceClock !== null) return sampleTraceClock(readTraceClock, host);
    const monotonic = host.monotonicNanoseconds();
    return { least: 0n, most: 0n, trace: monotonic, monotonic };
  };
  const first = sample();
  if (first === null) return null;
  const start = first.trace;
  const offsetAfter = followOffset(first);
  let offset = middleOf(first);
  let offsetFromEpoch = Number(offset - start);
  /** Changes only when the wall clock is stepped. */
  let wallMinusMonotonic = 0n;
  let calibratedAt = 0;

  const clock: TraceClock = {
    epoch: epochAt(start),
    wallSeconds: 0,
    wallNanoseconds: 0,
    now() {
      return Number(host.monotonicNanoseconds()) + offsetFromEpoch;
    },
    follow() {
      const shown = readTraceClock === null ? null : sample();
      if (shown !== null) setOffset(offsetAfter(shown));
      const now = clock.now();
      const stepped = Math.abs(host.wallMilliseconds() - toWallMilliseconds(clock, now)) > STEP_MS;
      if (stepped || now - calibratedAt > CALIBRATION_INTERVAL_NS) calibrate();
      return shown === null ? now : Number(shown.trace - start);
    },
  };

  function setOffset(traceMinusMonotonic: bigint): void {
    offset = traceMinusMonotonic;
    offsetFromEpoch = Number(offset - start);
    const wallAtEpoch = wallMinusMonotonic - offset + start;
    clock.wallSeconds = Number(wallAtEpoch / BigInt(SECOND_NS));
    clock.wallNanoseconds = Number(wallAtEpoch % BigInt(SECOND_NS));
  }

  function calibrate(): void {
    const { milliseconds, monotonic } = wallClockEdge(host);
    wallMinusMonotonic = BigInt(milliseconds) * 1_000_000n - monotonic;
    setOffset(offset);
    calibratedAt = clock.now();
  }

  calibrate();
  return clock;
}

/** The value of the trace clock that counts as 0, in two halves of 32 bits, so that no arithmetic needs a BigInt. */
export interface Epoch {
  readonly high: number;
  readonly low: number;
}

export function epochAt(nanoseconds: bigint): Epoch {
  return { high: Number(nanoseconds >> 32n), low: Number(nanoseconds & 0xffff_ffffn) };
}
