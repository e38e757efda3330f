/** Collects events into batches, closed by count, by size or by age. */
import type { EventDraft } from '../event/draft.ts';
import type { Serializer } from '../event/serializer.ts';
import type { NewBatch } from '../sink/batch.ts';

export interface BatchLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** How long the first event of a batch waits for others. */
  readonly lingerMs: number;
}

export interface BatcherOptions {
  readonly serializer: Serializer;
  readonly limits: BatchLimits;
  /** Milliseconds since 1970 of a trace time. */
  readonly toWallMs: (time: number) => number;
  readonly onBatch: (batch: NewBatch) => void;
}

export interface Batcher {
  add(draft: EventDraft): void;
  /**
   * All events of a kernel record have been added: closes a batch that might have no room for those of the next, so
   * that the events of one record are not torn apart by a crash between two batches.
   */
  settle(): void;
  /** Closes what is there, however little. */
  flush(): void;
  readonly isEmpty: boolean;
  setLimits(limits: BatchLimits): void;
}

const NEWLINE = '\n'.charCodeAt(0);
/** What follows from one record at most: two state changes, each with an event derived from it. */
const EVENTS_A_RECORD = 4;

export function createBatcher(options: BatcherOptions): Batcher {
  const { serializer, toWallMs, onBatch } = options;
  let limits = options.limits;
  let scratch = allocate(limits);
  let offsets = allocateOffsets(limits);
  let count = 0;
  let end = 0;
  let oldestTime = 0;
  let timer: NodeJS.Timeout | null = null;

  /** The events of one record always fit, whatever the limits say. */
  function allocate({ maxBytes }: BatchLimits): Buffer {
    return Buffer.allocUnsafeSlow(Math.max(maxBytes, EVENTS_A_RECORD * (serializer.maxBytes + 1)));
  }

  function allocateOffsets({ maxEvents }: BatchLimits): Uint32Array {
    return new Uint32Array(Math.max(maxEvents, EVENTS_A_RECORD) + 1);
  }

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (count === 0) return;
    // The scratch buffer stays; what leaves is as large as it needs to be.
    const bytes = Buffer.allocUnsafeSlow(end);
    scratch.copy(bytes, 0, 0, end);
    const batch = {
      bytes,
      count,
      offsets: offsets.slice(0, count + 1),
      oldestMs: toWallMs(oldestTime),
    };
    count = 0;
    end = 0;
    onBatch(batch);
  }

  return {
    add(draft) {
      if (end + serializer.maxBytes + 1 > scratch.length || count === offsets.length - 1) flush();
      if (count === 0) {
        oldestTime = draft.time;
        timer = setTimeout(flush, limits.lingerMs);
      }
      // What connection tracking held back is older than what came before it.
      oldestTime = Math.min(oldestTime, draft.time);
      end = serializer.write(scratch, end, draft);
      scratch[end++] = NEWLINE;
      offsets[++count] = end;
    },
    settle() {
      const room = EVENTS_A_RECORD;
      if (count + room > limits.maxEvents || end + room * (serializer.maxBytes + 1) > scratch.length) flush();
    },
    flush,
    get isEmpty() {
      return count === 0;
    },
    setLimits(changed) {
      flush();
      limits = changed;
      scratch = allocate(limits);
      offsets = allocateOffsets(limits);
    },
  };
}
