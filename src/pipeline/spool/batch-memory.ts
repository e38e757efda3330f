/**
 * The memory of batches, which is used again. V8 marks its whole heap anew when a few megabytes have been allocated
 * outside of it since the last time: with new memory for each batch, that took half of the main thread's time at 50,000
 * events per second.
 */
export interface BatchMemory {
  /** Memory for so many bytes, with any content. */
  take(bytes: number): Buffer;
  /** Nobody reads the bytes any more. Of memory that did not come from `take`, or was taken back before, nothing is kept. */
  release(bytes: Buffer): void;
}

/** Smaller ones are as large as they have to be: a queue of very small batches must not hold more than it counts. */
const LEAST_BYTES = 65_536;
/** Memory comes in multiples of this, so that batches that differ a little can use each other's. */
const STEP_BYTES = 32_768;
/** A batch holds no more memory than this times its size. */
const MOST_EXCESS = 1.5;
/** What is kept for later: more than a round of reading makes (src/source/heartbeat.ts). */
const MOST_FREE_BYTES = 4 * 2 ** 20;
/** What so many batches had no use for is given up: less is in use at once than there was, or batches are smaller. */
const MOST_UNUSED_BATCHES = 32;

interface FreeMemory {
  readonly memory: ArrayBuffer;
  /** How many batches there had been. */
  readonly since: number;
}

const roundUp = (bytes: number): number => Math.ceil(bytes / STEP_BYTES) * STEP_BYTES;

export function createBatchMemory(): BatchMemory {
  /** The one that was released last is at the end. */
  const free: FreeMemory[] = [];
  let freeBytes = 0;
  let batches = 0;
  const lent = new WeakSet<ArrayBufferLike>();

  function findFree(bytes: number): ArrayBuffer | undefined {
    const place = free.findLastIndex(
      ({ memory: { byteLength } }) => byteLength >= bytes && byteLength <= bytes * MOST_EXCESS,
    );
    return place === -1 ? undefined : remove(place);
  }

  function remove(place: number): ArrayBuffer | undefined {
    const [found] = free.splice(place, 1);
    freeBytes -= found?.memory.byteLength ?? 0;
    return found?.memory;
  }

  return {
    take(bytes) {
      batches++;
      while (batches - (free[0]?.since ?? batches) > MOST_UNUSED_BATCHES) remove(0);
      if (bytes < LEAST_BYTES) return Buffer.allocUnsafeSlow(bytes);
      const memory = findFree(bytes) ?? Buffer.allocUnsafeSlow(roundUp(bytes)).buffer;
      lent.add(memory);
      return Buffer.from(memory, 0, bytes);
    },
    release({ buffer }) {
      if (!lent.delete(buffer)) return;
      free.push({ memory: buffer as ArrayBuffer, since: batches });
      freeBytes += buffer.byteLength;
      while (freeBytes > MOST_FREE_BYTES) remove(0);
    },
  };
}
