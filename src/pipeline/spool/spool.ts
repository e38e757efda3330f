/**
 * Batches wait here for the sinks: one log for all sinks, each with a cursor of its own. With a storage behind it, a
 * batch is on disk before a sink can take it. Without one, or while the disk takes nothing, it is in memory, and lost
 * with the process.
 */
import { batchOfLines, type NewBatch } from '../../sink/batch.ts';
import { createBatchMemory } from './batch-memory.ts';
import type { SpoolMark } from './disk/frame.ts';
import type { Storage } from './disk/storage.ts';
import { createDiskWriter } from './disk-writer.ts';
import { createEntries } from './entries.ts';
import type { LogEntry, SpoolLog } from './log.ts';
import { createReader, type ReaderOptions, type SpoolReader } from './reader.ts';
import { createRoom, type SpoolLimits } from './room.ts';

export interface SpoolOptions {
  readonly storage: Storage | null;
  readonly limits: SpoolLimits;
  /** The disk does not take a batch, which waits in memory for now. */
  readonly onFault: (error: NodeJS.ErrnoException) => void;
  /** The disk takes batches again. */
  readonly onRecovered: () => void;
  /** There is something to save: events, or the cursor of a reader. */
  readonly onChange: () => void;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
}

/** The log of batches that wait for the sinks. */
export interface Spool {
  /** Whether batches outlive the process. */
  readonly isDurable: boolean;
  /** Memory for the bytes of a batch that is to be appended, which is used again when all readers have settled it. */
  allocate(bytes: number): Buffer;
  /** Takes a batch for all readers, or drops it where the policy says so, and books that for each of them. */
  append(batch: NewBatch, mark: SpoolMark | null): void;
  /** Notes up to which of the kernel's records all events are spooled, where the last ones led to none. */
  mark(mark: SpoolMark): void;
  /**
   * Forgets what every reader has settled, and removes the sealed files that hold nothing else. The last file stays: it
   * has the last mark, and without that the next run could not count what a crash costs.
   */
  release(): void;
  /** As `release`, at the end of a run: the last file may go too. */
  releaseAll(): void;
  /** A new reader, to be made before the first append. */
  reader(options: ReaderOptions): SpoolReader;
  /** No room: reading has to wait. A batch that is appended all the same is kept. */
  readonly full: boolean;
  /** Of the files, or of the memory without a storage. */
  readonly bytes: number;
  /** Of the batches in memory only: those that the disk does not take; all of them without a storage. */
  readonly memoryBytes: number;
  /** What the disk said when it refused the last batch, or null. */
  readonly problem: string | null;
}

const NO_EVENTS = batchOfLines([], 0);

/** `firstOrdinal` is that of the first event to come. */
export function createSpool(options: SpoolOptions, firstOrdinal: number): Spool {
  const { storage, limits, onChange } = options;
  const readers: SpoolReader[] = [];
  const memory = createBatchMemory();
  const entries = createEntries(({ bytes }) => memory.release(bytes));
  const room = createRoom({ storage, limits, entries, readers, persist });
  const writer = storage && createDiskWriter({ ...options, storage, makeRoom: room.dropOldest });
  /** Ordinal of the next event. */
  let end = firstOrdinal;
  const log: SpoolLog = {
    get end() {
      return end;
    },
    entryAt: entries.at,
    entryBehind: entries.behind,
    segmentOf: (ordinal) => storage?.segments.find((segment) => segment.end > ordinal) ?? null,
    persist,
    lose: (segment) => storage?.remove(segment),
    release,
  };

  function persist(): void {
    for (const entry of entries.volatile) {
      const place = writer?.write(entry) ?? null;
      if (place === null) return;
      entries.noteStored(entry, place);
      for (const reader of readers) reader.onStored(entry);
    }
  }

  function removeSettled(filesToKeep: number): void {
    const settled = Math.min(...readers.map(({ cursor }) => cursor));
    entries.forgetBefore(settled);
    onChange();
    if (storage === null) return;
    while (storage.segments.length > filesToKeep) {
      const [oldest] = storage.segments;
      if (oldest === undefined || !oldest.isSealed || oldest.end > settled) break;
      storage.remove(oldest);
    }
  }

  function release(): void {
    removeSettled(1);
  }

  return {
    isDurable: storage !== null,
    allocate: memory.take,
    append(batch, mark) {
      // No sink is going to take it.
      if (readers.length === 0) return memory.release(batch.bytes);
      if (!room.makeFor(batch.bytes.length)) {
        for (const reader of readers) reader.refuse(batch.count, 'spool_full');
        return memory.release(batch.bytes);
      }
      const entry: LogEntry = { start: end, batch, place: null, mark };
      end += batch.count;
      entries.add(entry);
      persist();
      entries.trim(limits.memoryBytes);
      onChange();
    },
    mark(mark) {
      if (writer === null || entries.volatile.size > 0) return;
      writer.write({ start: end, batch: NO_EVENTS, place: null, mark });
      onChange();
    },
    release,
    releaseAll: () => removeSettled(0),
    reader(readerOptions) {
      const reader = createReader(readerOptions, log);
      readers.push(reader);
      return reader;
    },
    get full() {
      return room.isFull;
    },
    get bytes() {
      return storage?.bytes ?? entries.bytes;
    },
    get memoryBytes() {
      return entries.volatileBytes;
    },
    get problem() {
      return writer?.problem ?? null;
    },
  };
}
