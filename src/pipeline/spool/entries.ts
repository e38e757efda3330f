/** The batches of the spool that are in memory: those that wait for the disk, and those that are on it too. */
import type { NewBatch } from '../../sink/batch.ts';
import type { Segment } from './disk/segments.ts';
import type { Place } from './disk/storage.ts';
import type { LogEntry } from './log.ts';

/** The entries of the log that are in memory. */
export interface Entries {
  /** Size of all batches in memory. */
  readonly bytes: number;
  /** Those in memory only, the oldest first. */
  readonly volatile: ReadonlySet<LogEntry>;
  readonly volatileBytes: number;
  /** The entry whose first event has this ordinal. */
  at(ordinal: number): LogEntry | null;
  /** Ordinal of the first entry that begins behind this ordinal. */
  behind(ordinal: number): number | null;
  /** Adds an entry that is in memory only. Entries are added in the order of their events. */
  add(entry: LogEntry): void;
  /** A volatile entry is on disk now. */
  noteStored(entry: LogEntry, place: Place): void;
  /** Forgets the oldest entries that are on disk too, until all are not larger than `maxBytes`. */
  trim(maxBytes: number): void;
  /** Forgets the entries of which every event lies before this ordinal, because all readers have settled them. */
  forgetBefore(ordinal: number): void;
  /** Forgets the entries that are in the segment, which is removed. */
  forgetStoredIn(segment: Segment): void;
}

/** No entries. `onSettled` hears of each batch that every reader has settled: nobody reads it any more. */
export function createEntries(onSettled: (batch: NewBatch) => void): Entries {
  /** In order, by the ordinal of the first event. */
  const entries = new Map<number, LogEntry>();
  const volatile = new Set<LogEntry>();
  let bytes = 0;
  let volatileBytes = 0;

  function forget(entry: LogEntry): void {
    entries.delete(entry.start);
    bytes -= entry.batch.bytes.length;
    if (volatile.delete(entry)) volatileBytes -= entry.batch.bytes.length;
  }

  return {
    get bytes() {
      return bytes;
    },
    volatile,
    get volatileBytes() {
      return volatileBytes;
    },
    at: (ordinal) => entries.get(ordinal) ?? null,
    behind(ordinal) {
      for (const start of entries.keys()) if (start > ordinal) return start;
      return null;
    },
    add(entry) {
      entries.set(entry.start, entry);
      volatile.add(entry);
      bytes += entry.batch.bytes.length;
      volatileBytes += entry.batch.bytes.length;
    },
    noteStored(entry, place) {
      entry.place = place;
      volatile.delete(entry);
      volatileBytes -= entry.batch.bytes.length;
    },
    trim(maxBytes) {
      for (const entry of entries.values()) {
        if (bytes <= maxBytes) return;
        if (entry.place !== null) forget(entry);
      }
    },
    forgetBefore(ordinal) {
      for (const entry of entries.values()) {
        if (entry.start + entry.batch.count > ordinal) return;
        forget(entry);
        onSettled(entry.batch);
      }
    },
    forgetStoredIn({ first, end }) {
      for (const entry of entries.values()) {
        if (entry.start >= end) return;
        if (entry.start >= first && entry.place !== null) forget(entry);
      }
    },
  };
}
