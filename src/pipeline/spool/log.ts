/** What the readers of the spool see of its log. */
import type { NewBatch } from '../../sink/batch.ts';
import type { SpoolMark } from './disk/frame.ts';
import type { Segment } from './disk/segments.ts';
import type { Place } from './disk/storage.ts';

/** A batch and its place in the log. `place` is null while it is in memory only. */
export interface LogEntry {
  readonly start: number;
  readonly batch: NewBatch;
  place: Place | null;
  readonly mark: SpoolMark | null;
}

/** What a reader sees of the log. */
export interface SpoolLog {
  /** Ordinal of the next event. */
  readonly end: number;
  /** The batch in memory that begins there. */
  entryAt(ordinal: number): LogEntry | null;
  /** Where the next batch in memory begins behind an ordinal. */
  entryBehind(ordinal: number): number | null;
  /** The segment that holds an ordinal, or the next one behind it. */
  segmentOf(ordinal: number): Segment | null;
  /** Brings to disk what waits in memory, as far as the disk takes it. */
  persist(): void;
  /** A segment cannot be read at all. */
  lose(segment: Segment): void;
  /** A reader's cursor has moved. */
  release(): void;
}
