/** Notices that another program has emptied the ring buffer. */
import type { Streams } from '../merge.ts';

export interface ClearingDetector {
  /** Whether the buffer was emptied, by the kernel's current count of records read, the sum of all CPUs. */
  isCleared(readByKernel: number): boolean;
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
