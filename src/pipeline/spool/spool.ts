/**
 * Where batches wait for the sinks: the seam between what makes events and what delivers them. One log for all sinks,
 * each with its own cursor. With a storage behind it, a batch is on disk before anybody takes it; without one, or while
 * the disk takes nothing, it is kept in memory, and lost with the process.
 */
import { isSystemError } from '../../shared/errors.ts';
import { batchOfLines, type NewBatch } from '../../sink/batch.ts';
import type { SpoolMark } from './disk/frame.ts';
import type { Segment } from './disk/segments.ts';
import type { Place, Storage } from './disk/storage.ts';
import type { LogEntry } from './log.ts';
import { createReader, type ReaderOptions, type SpoolReader } from './reader.ts';

/** What to do with more than `maxBytes`. */
export type FullPolicy = 'block' | 'drop_oldest' | 'drop_newest';

export interface SpoolLimits {
  /** Of batches kept in memory: those that nobody has taken yet, and all of them without a storage. */
  readonly memoryBytes: number;
  /** Of the files. */
  readonly maxBytes: number;
  readonly whenFull: FullPolicy;
}

export interface SpoolOptions {
  readonly storage: Storage | null;
  readonly limits: SpoolLimits;
  /** The disk does not take a batch: it is kept in memory for now. */
  readonly onFault: (error: NodeJS.ErrnoException) => void;
  /** It does again. */
  readonly onRecovered: () => void;
  /** Something is to be brought to the disk: events, or how far a reader has come. */
  readonly onChange: () => void;
  /** Milliseconds that only go forward. */
  readonly now: () => number;
}

export interface Spool {
  /** What is kept outlives the process. */
  readonly isDurable: boolean;
  /** Takes a batch for all readers: kept, or dropped where the policy says so; every account is told. */
  append(batch: NewBatch, mark: SpoolMark | null): void;
  /** Notes how far the kernel's records are dealt with when nothing came of them. */
  mark(mark: SpoolMark): void;
  /** Lets go of what every reader has settled; at the end of the file that is written too, when it is sealed. */
  release(): void;
  /** To be asked for before the first append. */
  reader(options: ReaderOptions): SpoolReader;
  /** No room: whoever reads has to wait. A batch that is appended all the same is kept. */
  readonly full: boolean;
  /** Of the files, or of the memory without a storage. */
  readonly bytes: number;
  /** What waits in memory because the disk does not take it; all of it without a storage. */
  readonly memoryBytes: number;
  readonly problem: string | null;
}

/** After a fault the disk is asked again after this long. */
const RETRY_MS = 1_000;
const DISK_IS_FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

export function createSpool(options: SpoolOptions, firstOrdinal: number): Spool {
  const { storage, limits } = options;
  const readers: SpoolReader[] = [];
  /** By ordinal of the first event: what is in memory, in order. */
  const entries = new Map<number, LogEntry>();
  let entryBytes = 0;
  /** Not on disk, the oldest first. */
  const volatile = new Set<LogEntry>();
  let volatileBytes = 0;
  let end = firstOrdinal;
  let retryAt = Number.NEGATIVE_INFINITY;
  let problem: string | null = null;

  function forget(entry: LogEntry): void {
    if (!entries.delete(entry.start)) return;
    entryBytes -= entry.batch.bytes.length;
    if (entry.place !== null) return;
    volatile.delete(entry);
    volatileBytes -= entry.batch.bytes.length;
  }

  /** Makes room by giving up the oldest segment that nothing in flight needs. False when there is none. */
  function dropOldest(): boolean {
    const victim = storage?.segments.find((segment) => readers.every((reader) => !reader.isBusyIn(segment)));
    if (storage === null || victim === undefined) return false;
    for (const reader of readers) reader.drop(victim, 'spool_full');
    storage.remove(victim);
    for (const entry of entries.values()) {
      if (entry.start >= victim.end) break;
      if (entry.start >= victim.first && entry.place !== null) forget(entry);
    }
    return true;
  }

  function store({ start, batch, mark }: LogEntry): Place | null {
    if (storage === null || options.now() < retryAt) return null;
    const frame = {
      ordinal: start,
      events: batch.count,
      oldestMs: batch.oldestMs,
      mark,
      payload: batch.bytes,
    };
    for (;;) {
      try {
        const place = storage.append(frame);
        if (problem !== null) options.onRecovered();
        problem = null;
        return place;
      } catch (error) {
        if (!isSystemError(error)) throw error;
        const mayHelp = limits.whenFull === 'drop_oldest' && DISK_IS_FULL.has(error.code ?? '');
        if (mayHelp && dropOldest()) continue;
        problem = error.message;
        retryAt = options.now() + RETRY_MS;
        options.onFault(error);
        return null;
      }
    }
  }

  /** Brings to disk what waits in memory, in order, as far as the disk takes it. */
  function persist(): void {
    for (const entry of volatile) {
      const place = store(entry);
      if (place === null) return;
      entry.place = place;
      volatile.delete(entry);
      volatileBytes -= entry.batch.bytes.length;
      for (const reader of readers) reader.onStored(entry);
    }
  }

  /** What is on disk need not be in memory. */
  function trim(): void {
    if (entryBytes <= limits.memoryBytes) return;
    for (const entry of entries.values()) {
      if (entryBytes <= limits.memoryBytes) return;
      if (entry.place !== null) forget(entry);
    }
  }

  function refuse(count: number): void {
    for (const reader of readers) reader.refuse(count, 'spool_full');
  }

  /** True when a batch of this size must not be kept. */
  function mustDrop(size: number): boolean {
    if (storage === null || limits.whenFull === 'block') return false;
    if (volatileBytes > 0) persist();
    if (volatileBytes + size > limits.memoryBytes) return true;
    if (limits.whenFull === 'drop_newest') return storage.bytes + size > limits.maxBytes;
    while (storage.bytes + size > limits.maxBytes && dropOldest());
    return false;
  }

  /** Lets go of what every reader has settled. */
  function release(): void {
    const settled = Math.min(...readers.map(({ cursor }) => cursor));
    for (const entry of entries.values()) {
      if (entry.start + entry.batch.count > settled) break;
      forget(entry);
    }
    options.onChange();
    if (storage === null) return;
    for (let oldest = storage.segments[0]; oldest !== undefined; oldest = storage.segments[0]) {
      if (!oldest.isSealed || oldest.end > settled) break;
      storage.remove(oldest);
    }
  }

  const log = {
    get end() {
      return end;
    },
    entryAt: (ordinal: number) => entries.get(ordinal) ?? null,
    entryBehind(ordinal: number): number | null {
      for (const start of entries.keys()) if (start > ordinal) return start;
      return null;
    },
    segmentOf: (ordinal: number): Segment | null =>
      storage?.segments.find((segment) => segment.end > ordinal) ?? null,
    lose(segment: Segment) {
      storage?.remove(segment);
    },
    persist,
    release,
  };

  return {
    isDurable: storage !== null,
    append(batch, mark) {
      // Nobody is going to take it.
      if (readers.length === 0) return;
      if (mustDrop(batch.bytes.length)) return refuse(batch.count);
      const entry: LogEntry = { start: end, batch, place: null, mark };
      end += batch.count;
      entries.set(entry.start, entry);
      entryBytes += batch.bytes.length;
      volatile.add(entry);
      volatileBytes += batch.bytes.length;
      persist();
      trim();
      options.onChange();
    },
    mark(mark) {
      if (storage === null || volatile.size > 0) return;
      store({ start: end, batch: NO_EVENTS, place: null, mark });
      options.onChange();
    },
    release,
    reader(readerOptions) {
      const reader = createReader(readerOptions, log);
      readers.push(reader);
      return reader;
    },
    get full() {
      if (volatileBytes >= limits.memoryBytes) persist();
      // The other policies make room, or drop what comes.
      if (storage !== null && limits.whenFull !== 'block') return false;
      return volatileBytes >= limits.memoryBytes || (storage !== null && storage.bytes >= limits.maxBytes);
    },
    get bytes() {
      return storage?.bytes ?? entryBytes;
    },
    get memoryBytes() {
      return volatileBytes;
    },
    get problem() {
      return problem;
    },
  };
}

const NO_EVENTS = batchOfLines([], 0);
