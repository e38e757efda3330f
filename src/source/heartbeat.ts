/**
 * The heartbeat of a live source: decides when it reads. What waits, waits in the kernel, whose buffers outlive this
 * process: so nothing is read before a round is due, and what a round reads goes on at once.
 */

/** What reading one slice has found. */
export interface Found {
  /** Records that were given. */
  readonly records: number;
  /** Pages were read, whether or not a record of them was given already. */
  readonly hasPages: boolean;
  /** Some records that were read are not old enough to be given. */
  readonly isHolding: boolean;
  /** The kernel may hold more. */
  readonly more: boolean;
  /** Nothing was read, because the pipeline is full. */
  readonly isPaused: boolean;
}

export interface HeartbeatOptions {
  /** A round is due so many milliseconds after the first record came. */
  readonly lingerMs: number;
  /** The size of each CPU's buffer. */
  readonly bufferKb: number;
  /** Reads a slice and hands it on. A round has as many slices as it takes to read everything. */
  readonly read: () => Found;
  /** Calls its argument once, when there are records; false if it cannot wait. */
  readonly wait: (onReady: () => void) => boolean;
  /** Looks after what must not wait for a long linger; gives how full the fullest buffer is, 0 to 1. */
  readonly look: () => number;
}

export interface Heartbeat {
  /** Begins a round at once: at the start, and where somebody needs to know what the kernel holds now. */
  beat(): void;
  /** Holds from the next round on. */
  setLinger(milliseconds: number): void;
  /** No round begins after this call, and none goes on. */
  stop(): void;
}

/** A source that always has records reads no more often than this, whatever the linger. */
const SHORTEST_MS = 10;
/**
 * While no records come, it looks again and again after this time: for records that connection tracking holds, for
 * changed settings, and because the kernel may end a wait without a record.
 */
const LOOK_MS = 2_400;
/** A buffer is looked at no more often than this, however small it is. */
const SHORTEST_LOOK_MS = 30;
/**
 * A CPU that does nothing else writes no more KiB per millisecond than this into its buffer: some 205,000 records per
 * second, where the fastest that was seen is two thirds of that. With the default buffer it takes 256 ms to fill it.
 */
const FASTEST_KB_PER_MS = 16;
/** A buffer that is this full is read without waiting any longer. */
const FULL_ENOUGH = 0.25;
/**
 * Rounds become more frequent when they are larger than this: above some 17,000 records per second larger rounds save
 * nothing more, and would only take memory and time.
 */
const RECORDS_PER_ROUND = 3_400;
/** Of 80 bytes. */
const RECORDS_PER_KB = 12.8;
/**
 * After a round of no more records than this, the next record is waited for, and the linger begins with it; after a larger one
 * it begins at once, because the next record will come soon. A wait costs a wake-up, and saves rounds: measured with seven
 * connections a second and a linger of 200 ms, 3.5 rounds a second instead of 4.9.
 */
const FEW_RECORDS = 60;

export function createHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { bufferKb, read, wait, look } = options;
  /** The longest time without a look. */
  const stepMs = Math.min(Math.max(SHORTEST_LOOK_MS, bufferKb / FASTEST_KB_PER_MS), LOOK_MS);
  const mostRecords = Math.min(RECORDS_PER_ROUND, bufferKb * RECORDS_PER_KB * FULL_ENOUGH);
  let lingerMs = Math.max(SHORTEST_MS, options.lingerMs);
  let isStopped = false;
  let began = Number.NEGATIVE_INFINITY;
  let cancelNext = (): void => {};

  function later(milliseconds: number, then: () => void): void {
    const timer = setTimeout(then, milliseconds);
    cancelNext = () => clearTimeout(timer);
  }

  /** The buffer can fill before a long linger is over. */
  function roundAfter(milliseconds: number): void {
    if (milliseconds <= stepMs) return later(milliseconds, round);
    later(stepMs, () => (look() < FULL_ENOUGH ? roundAfter(milliseconds - stepMs) : round()));
  }

  function round(): void {
    const since = began;
    began = performance.now();
    slice({ elapsedMs: began - since, records: 0, isEmpty: true });
  }

  function slice(before: { elapsedMs: number; records: number; isEmpty: boolean }): void {
    const found = read();
    if (isStopped) return;
    const { elapsedMs } = before;
    const records = before.records + found.records;
    const isEmpty = before.isEmpty && !found.hasPages && !found.isPaused;
    if (found.more) {
      const immediate = setImmediate(slice, { elapsedMs, records, isEmpty });
      cancelNext = () => clearImmediate(immediate);
      return;
    }
    if (isEmpty && waitForRecords(LOOK_MS)) return;
    const isQuiet = records <= FEW_RECORDS && !found.isHolding && !found.isPaused;
    // A timer that is cancelled still wakes the process, unless it is replaced by an earlier one.
    if (isQuiet && waitForRecords(2 * lingerMs)) return;
    // As many records as come now make a round of the right size.
    const fittingMs = (elapsedMs * mostRecords) / Math.max(1, records);
    const dueAt = began + Math.min(lingerMs, fittingMs);
    roundAfter(Math.max(SHORTEST_MS, dueAt - performance.now()));
  }

  /** Without records, the next round comes after `longestMs`. */
  function waitForRecords(longestMs: number): boolean {
    const waitedSince = began;
    const isWaiting = wait(() => {
      // A round that came meanwhile has its own successor.
      if (isStopped || began !== waitedSince) return;
      cancelNext();
      roundAfter(lingerMs);
    });
    if (isWaiting) later(Math.min(longestMs, LOOK_MS), round);
    return isWaiting;
  }

  return {
    beat() {
      if (isStopped) return;
      cancelNext();
      round();
    },
    setLinger(milliseconds) {
      lingerMs = Math.max(SHORTEST_MS, milliseconds);
    },
    stop() {
      isStopped = true;
      cancelNext();
    },
  };
}
