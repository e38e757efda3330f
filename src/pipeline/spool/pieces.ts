/** The batches that a reader has not taken yet, in order, from memory or from the files. */
import type { NewBatch } from '../../sink/batch.ts';
import type { SpoolFiles } from './disk/files.ts';
import type { Segment } from './disk/segments.ts';
import type { LogEntry, SpoolLog } from './log.ts';
import { createSegmentReader } from './segment-reader.ts';

/** A batch as it was appended. */
export interface Piece {
  /** Ordinal of its first event. */
  readonly start: number;
  readonly batch: NewBatch;
  /** Its entry in memory; null when it was read from a file. */
  readonly entry: LogEntry | null;
}

/** The pieces of the log from the position of a reader on. */
export interface Pieces {
  /** Ordinal of the next event to take. */
  readonly next: number;
  /** The next piece, which stays the next one until `advance`; null when there is none. */
  peek(): Piece | null;
  /** Goes on behind the piece that `peek` returned. */
  advance(piece: Piece): void;
  /** A segment is given up; returns how many of its events were still to be taken. */
  giveUp(segment: Segment): number;
  close(): void;
}

export interface PiecesOptions {
  /** Ordinal of the first event to take. */
  readonly first: number;
  readonly files: SpoolFiles;
  /** So many events cannot be read, and are skipped. */
  readonly onDamage: (problem: string, events: number) => void;
}

/** Pieces from the ordinal `first` on. Damage in the files is skipped and reported. */
export function createPieces({ first, files, onDamage }: PiecesOptions, log: SpoolLog): Pieces {
  let next = first;
  /** The next piece, once it was found. */
  let ahead: Piece | null = null;
  const stored = createSegmentReader({ files, onDamage: skipDamage, onUnreadable: log.lose });

  function skipDamage(ordinal: number, { path }: Segment, problem: string): void {
    const events = ordinal - next;
    if (events <= 0) return;
    next = ordinal;
    onDamage(`${path}: ${problem}`, events);
  }

  /** Null also where `next` has moved, and the search has to go on there. */
  function findPiece(): Piece | null {
    const entry = log.entryAt(next);
    if (entry !== null) return { start: next, batch: entry.batch, entry };
    const segment = log.segmentOf(next);
    if (segment !== null && segment.first <= next) {
      const found = stored.read(segment, next);
      return found === null ? null : { ...found, entry: null };
    }
    // Events that are in no place any more were given up, and counted then.
    next = Math.min(segment?.first ?? log.end, log.entryBehind(next) ?? log.end);
    return null;
  }

  return {
    get next() {
      return next;
    },
    peek() {
      while (ahead === null && next < log.end) ahead = findPiece();
      return ahead;
    },
    advance({ start, batch, entry }) {
      ahead = null;
      next = start + batch.count;
      // The next piece may be in the file only.
      const place = entry?.place ?? null;
      if (place !== null) stored.skip(place);
    },
    giveUp(segment) {
      stored.leave(segment);
      const from = Math.max(next, segment.first);
      if (from >= segment.end) return 0;
      if (ahead !== null && ahead.start >= segment.first && ahead.start < segment.end) ahead = null;
      if (next >= segment.first) next = segment.end;
      return segment.end - from;
    },
    close() {
      stored.close();
      ahead = null;
    },
  };
}
