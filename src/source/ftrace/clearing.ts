/** Notices that another program has emptied the ring buffer, or has read records out of it. */
import type { Streams } from '../merge.ts';

export interface ClearingDetector {
  /** Whether the buffer was emptied, by the kernel's current count of records read, the sum of all CPUs. */
  isCleared(readByKernel: number): boolean;
  /**
   * How many records another program has read since the last call, such as from `trace_pipe`, by the kernel's current count
   * of records read. 0 while that cannot be told: some records were read here and not given yet.
   */
  readByOthers(readByKernel: number): number;
  /** The buffer was emptied, or may have been: the counts cannot be compared until `resume` has found them again. */
  suspend(): void;
  /** Compares the counts again, if every record that the kernel has given was also given here. */
  resume(): void;
  /** Records of the instance that were given so far, by this reader and by earlier ones. */
  readonly records: number;
}

/**
 * Emptying the buffer (`trace-cmd clear -a`, another trace clock) also sets the kernel's count of records read to 0
 * (kernel/trace/ring_buffer.c, `ring_buffer_reset_cpu`). Otherwise that count is never less than what was given here.
 *
 * `readBefore` is the kernel's count when this reader began, and `readTotal` reads the current one.
 */
export function createClearingDetector(
  readBefore: number,
  streams: Pick<Streams, 'given' | 'isEmpty'>,
  readTotal: () => number,
): ClearingDetector {
  /** The kernel's count of records read, less those that were given here. */
  let offset = readBefore;
  let isSuspended = false;
  return {
    isCleared: (readByKernel) => !isSuspended && readByKernel < offset + streams.given,
    readByOthers(readByKernel) {
      if (isSuspended || !streams.isEmpty) return 0;
      const others = Math.max(0, readByKernel - offset - streams.given);
      offset += others;
      return others;
    },
    suspend() {
      isSuspended = true;
    },
    resume() {
      if (!isSuspended || !streams.isEmpty) return;
      isSuspended = false;
      offset = readTotal() - streams.given;
    },
    get records() {
      return offset + streams.given;
    },
  };
}
