/** Reads the batches of the segment files, one after the other, and skips damage. */
import { constants } from 'node:fs';
import { isSystemError } from '../../shared/errors.ts';
import { batchOf, type NewBatch } from '../../sink/batch.ts';
import type { SpoolFiles } from './disk/files.ts';
import { SEGMENT_HEADER_BYTES } from './disk/frame.ts';
import { findFrame, readPayload } from './disk/scan.ts';
import type { Segment } from './disk/segments.ts';
import type { Place } from './disk/storage.ts';

/** A batch that was read from a file. */
export interface StoredBatch {
  /** Ordinal of its first event. */
  readonly start: number;
  readonly batch: NewBatch;
}

/** Reads segments, one at a time, from front to back. */
export interface SegmentReader {
  /** The first batch of a segment that has the event `next` or a later one; null when none can be read. */
  read(segment: Segment, next: number): StoredBatch | null;
  /** The batch at this place was taken from memory: reading goes on behind it. */
  skip(place: Place): void;
  /** Closes the file that is read, if it is that of this segment. */
  leave(segment: Segment): void;
  close(): void;
}

export interface SegmentReaderOptions {
  readonly files: SpoolFiles;
  /** What lies before the event `ordinal`, and was not read, cannot be read. */
  readonly onDamage: (ordinal: number, segment: Segment, problem: string) => void;
  /** The system refuses to read a file. `onDamage` was called before. */
  readonly onUnreadable: (segment: Segment) => void;
}

interface OpenFile {
  readonly segment: Segment;
  readonly descriptor: number;
  /** Offset of the next frame. */
  at: number;
}

/**
 * A reader with no file open. It keeps the file that it reads open until it is left, closed, or another one is read.
 */
export function createSegmentReader({ files, onDamage, onUnreadable }: SegmentReaderOptions): SegmentReader {
  let open: OpenFile | null = null;

  function close(): void {
    if (open !== null) files.closeSync(open.descriptor);
    open = null;
  }

  function openAt(segment: Segment): OpenFile {
    if (open?.segment === segment) return open;
    close();
    const descriptor = files.openSync(segment.path, constants.O_RDONLY);
    open = { segment, descriptor, at: SEGMENT_HEADER_BYTES };
    return open;
  }

  function readBatch(segment: Segment, next: number): StoredBatch | null {
    const file = openAt(segment);
    for (;;) {
      const found = findFrame(files, file.descriptor, file.at, segment.bytes, false);
      if (found.kind === 'end' || found.kind === 'torn') {
        close();
        onDamage(segment.end, segment, 'the rest of the file is missing or is no frame');
        return null;
      }
      file.at = found.next;
      if (found.kind === 'damaged') continue;
      const { ordinal, events, oldestMs } = found.header;
      if (ordinal + events <= next) continue;
      onDamage(ordinal, segment, 'frames before this one are damaged');
      const bytes = readPayload(files, file.descriptor, found.at, found.header);
      const batch = bytes === null ? null : batchOf(bytes, events, oldestMs);
      if (batch !== null) return { start: ordinal, batch };
      onDamage(ordinal + events, segment, 'a frame is not what was written');
      return null;
    }
  }

  return {
    read(segment, next) {
      try {
        return readBatch(segment, next);
      } catch (error) {
        if (!isSystemError(error)) throw error;
        close();
        onDamage(segment.end, segment, error.message);
        onUnreadable(segment);
        return null;
      }
    },
    skip({ segment, next }) {
      if (open?.segment === segment) open.at = next;
    },
    leave(segment) {
      if (open?.segment === segment) close();
    },
    close,
  };
}
