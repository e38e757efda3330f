/** The log of the spool as its readers see it. */
import type { NewBatch } from '../../sink/batch.ts';
import type { SpoolMark } from './disk/frame.ts';
import type { Segment } from './disk/segments.ts';
import type { Place } from './disk/storage.ts';

/** A batch in memory, and its place in the log. `place` is its place in the files, null while it is in memory only. */
export interface LogEntry {
  /** Ordinal of its first event. */
  readonly start: number;
  readonly batch: NewBatch;
  place: Place | null;
  readonly mark: SpoolMark | null;
}

/** What the readers share: the entries in memory and the segment files. */
export interface SpoolLog {
  /** Ordinal of the next event. */
  readonly end: number;
  /** The batch in memory whose first event has this ordinal. */
  entryAt(ordinal: number): LogEntry | null;
  /** Ordinal of the first batch in memory that begins behind this ordinal. */
  entryBehind(ordinal: number): number | null;
  /** The segment that holds an ordinal, or the next one behind it. */
  segmentOf(ordinal: number): Segment | null;
  /** Writes what waits in memory to the files, as far as the disk takes it. */
  persist(): void;
  /** Removes a segment that cannot be read at all. */
  lose(segment: Segment): void;
  /** The cursor of a reader has moved. */
  release(): void;
}
