/** How many batches a delivery may have in flight: an adaptive window, as TCP has one. */

/** The number of batches that may be in flight, which follows what the sink can take. */
export interface Window {
  /** Batches that may be in flight now: at least one. */
  readonly size: number;
  /** After a fault: half as many as before. */
  shrink(): void;
  /**
   * After a batch that went well: one more per window of such batches (congestion avoidance, RFC 5681, section 3.1).
   */
  grow(): void;
}

/** A window that begins at its largest size, `maxSize` batches. */
export function createWindow(maxSize: number): Window {
  let size = maxSize;
  return {
    get size() {
      return Math.floor(size);
    },
    shrink() {
      size = Math.max(1, size / 2);
    },
    grow() {
      size = Math.min(maxSize, size + 1 / size);
    },
  };
}
