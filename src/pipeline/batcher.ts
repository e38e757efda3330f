/** Collects events into batches, which are closed by count, by size, or on request. */
import type { EventDraft } from '../event/draft.ts';
import type { Serializer } from '../event/serializer.ts';
import {
  type BatchLimits,
  createEventEnds,
  type EventEnds,
  NEWLINE,
  type NewBatch,
  noteEnd,
} from '../sink/batch.ts';

export interface BatcherOptions {
  readonly serializer: Serializer;
  readonly limits: BatchLimits;
  /** Milliseconds since 1970 of a trace time, which is in nanoseconds. */
  readonly toWallMs: (time: number) => number;
  /** Gives memory for the bytes of a batch, with any content. */
  readonly allocate: (bytes: number) => Buffer;
  /** Is called with every closed batch. */
  readonly onBatch: (batch: NewBatch) => void;
}

/** Serializes events into the batch that is open. */
export interface Batcher {
  add(draft: EventDraft): void;
  /**
   * All events of a kernel record have been added: closes a batch that might have no room for the events of the next
   * record, so that a crash between two batches cannot tear the events of one record apart.
   */
  settle(): void;
  /** Closes the open batch, however small it is; an empty one is no batch. */
  flush(): void;
  /** Closes the open batch; the limits hold from the next event on. */
  setLimits(limits: BatchLimits): void;
}

/** The most events that follow from one record: two state changes, each with an event derived from it. */
const EVENTS_PER_RECORD = 4;

/** A batcher with no batch open. The batches it closes go to `onBatch`. */
export function createBatcher(options: BatcherOptions): Batcher {
  const { serializer, toWallMs, allocate, onBatch } = options;
  /** Of an event that follows from a record, and its newline. */
  const maxRoom = serializer.maxBytes + 1;
  let limits = options.limits;
  let scratch = allocateBytes(limits);
  let ends = allocateEnds(limits);
  let end = 0;
  let oldestTime = 0;

  /** The events of one record always fit, whatever the limits say. */
  function allocateBytes({ maxBytes }: BatchLimits): Buffer {
    return Buffer.allocUnsafeSlow(Math.max(maxBytes, EVENTS_PER_RECORD * maxRoom));
  }

  function allocateEnds({ maxEvents }: BatchLimits): EventEnds {
    return createEventEnds(Math.max(maxEvents, EVENTS_PER_RECORD));
  }

  function flush(): void {
    const { count } = ends;
    if (count === 0) return;
    // The scratch buffer is as large as a batch may become, and is used again.
    const bytes = allocate(end);
    scratch.copy(bytes, 0, 0, end);
    const batch = { bytes, count, offsets: ends.offsets.slice(0, count + 1), oldestMs: toWallMs(oldestTime) };
    ends.count = 0;
    end = 0;
    onBatch(batch);
  }

  /** For an event that is larger than any batch may be. */
  function addAlone(draft: EventDraft, room: number): void {
    flush();
    const ownBytes = allocate(room);
    const newline = serializer.write(ownBytes, 0, draft);
    ownBytes[newline] = NEWLINE;
    const bytes = ownBytes.subarray(0, newline + 1);
    onBatch({ bytes, count: 1, offsets: Uint32Array.of(0, bytes.length), oldestMs: toWallMs(draft.time) });
  }

  return {
    add(draft) {
      let room = maxRoom;
      if (draft.kind === 'host_status') {
        room = serializer.statusBytes(draft.status) + 1;
        if (room > scratch.length) return addAlone(draft, room);
      }
      if (end + room > scratch.length || ends.count === ends.offsets.length - 1) flush();
      if (ends.count === 0) oldestTime = draft.time;
      // An event that connection tracking held back is older than the events that came before it.
      oldestTime = Math.min(oldestTime, draft.time);
      end = serializer.write(scratch, end, draft);
      scratch[end++] = NEWLINE;
      noteEnd(ends, end);
    },
    settle() {
      const hasRoom =
        ends.count + EVENTS_PER_RECORD <= limits.maxEvents &&
        end + EVENTS_PER_RECORD * maxRoom <= scratch.length;
      if (!hasRoom) flush();
    },
    flush,
    setLimits(changed) {
      flush();
      limits = changed;
      scratch = allocateBytes(limits);
      ends = allocateEnds(limits);
    },
  };
}
