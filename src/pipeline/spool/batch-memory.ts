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

const roundUp = (bytes: number): number => Math.ceil(bytes / STEP_BYTES) * STEP_BYTES;

export function createBatchMemory(): BatchMemory {
  /** The one that was released last is at the end. */
  const free: ArrayBuffer[] = [];
  let freeBytes = 0;
  const lent = new WeakSet<ArrayBufferLike>();

  function findFree(bytes: number): ArrayBuffer | undefined {
    const fits = ({ byteLength }: ArrayBuffer) => byteLength >= bytes && byteLength <= bytes * MOST_EXCESS;
    const place = free.findLastIndex(fits);
    if (place === -1) return undefined;
    const [found] = free.splice(place, 1);
    freeBytes -= found?.byteLength ?? 0;
    return found;
  }

  return {
    take(bytes) {
      if (bytes < LEAST_BYTES) return Buffer.allocUnsafeSlow(bytes);
      const memory = findFree(bytes) ?? Buffer.allocUnsafeSlow(roundUp(bytes)).buffer;
      lent.add(memory);
      return Buffer.from(memory, 0, bytes);
    },
    release({ buffer }) {
      if (!lent.delete(buffer)) return;
      free.push(buffer as ArrayBuffer);
      freeBytes += buffer.byteLength;
      while (freeBytes > MOST_FREE_BYTES) freeBytes -= free.shift()?.byteLength ?? 0;
    },
  };
}
