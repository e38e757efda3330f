/** One sink's way through the spool: takes batches in order, from memory or from disk, over damage. */
import { constants } from 'node:fs';
import { close, drop, spool, take } from '../../ledger/booking.ts';
import type { SinkAccount } from '../../ledger/ledger.ts';
import type { DropReason } from '../../ledger/reasons.ts';
import { isSystemError } from '../../shared/errors.ts';
import { type Batch, batchOf, mergeBatches, type NewBatch } from '../../sink/batch.ts';
import type { SpoolFiles } from './disk/files.ts';
import { SEGMENT_HEADER_BYTES } from './disk/frame.ts';
import { findFrame, readPayload } from './disk/scan.ts';
import type { Segment } from './disk/segments.ts';
import type { LogEntry, SpoolLog } from './log.ts';

export interface TakeLimits {
  readonly maxEvents: number;
  readonly maxBytes: number;
}

export interface ReaderOptions {
  /** Every event before it is settled. */
  readonly cursor: number;
  readonly account: SinkAccount;
  readonly files: SpoolFiles;
  /** Damage was found; the events are counted as dropped. */
  readonly onDamage: (problem: string, events: number) => void;
}

export interface SpoolReader {
  /** Where the events begin that are not settled. */
  readonly cursor: number;
  /** The oldest events that were not taken yet: several small batches as one within the limits; null when there are none. */
  take(limits: TakeLimits): Batch | null;
  /** Lets go of a taken batch: each of its events is acknowledged, refused or dropped. */
  settle(batch: Batch): void;
  /** The sink is closed: what it has not settled stays on disk, and is dropped where it is in memory only. */
  close(): void;

  // For the spool only:
  isBusyIn(segment: Segment): boolean;
  /** The spool gives the segment up. */
  drop(segment: Segment, reason: DropReason): void;
  /** The spool does not take a batch of so many events. */
  refuse(events: number, reason: DropReason): void;
  /** What was in memory only is on disk now. */
  onStored(entry: LogEntry): void;
}

interface Piece {
  readonly start: number;
  readonly batch: NewBatch;
  readonly entry: LogEntry | null;
}

interface Taken {
  readonly start: number;
  readonly end: number;
  /** Those of its pieces that were in memory only. */
  volatile: LogEntry[];
}

interface OpenSegment {
  readonly segment: Segment;
  readonly descriptor: number;
  at: number;
}

export function createReader(options: ReaderOptions, log: SpoolLog): SpoolReader {
  const { account, files } = options;
  /** The next event to take. */
  let next = options.cursor;
  /** Found and not taken yet. */
  let ahead: Piece | null = null;
  /** By rising ordinal. */
  const taken: Taken[] = [];
  let open: OpenSegment | null = null;

  function letGo(): void {
    if (open !== null) files.closeSync(open.descriptor);
    open = null;
  }

  function openAt(segment: Segment): OpenSegment {
    if (open?.segment === segment) return open;
    letGo();
    const descriptor = files.openSync(segment.path, constants.O_RDONLY);
    open = { segment, descriptor, at: SEGMENT_HEADER_BYTES };
    return open;
  }

  /** Goes on to `ordinal`; what lies between cannot be read. */
  function skipDamage(ordinal: number, segment: Segment, problem: string): void {
    const events = ordinal - next;
    if (events <= 0) return;
    next = ordinal;
    drop(account, 'spooled', 'spool_damaged', events);
    options.onDamage(`${segment.path}: ${problem}`, events);
  }

  function peek(): Piece | null {
    while (ahead === null && next < log.end) {
      const entry = log.entryAt(next);
      if (entry !== null) {
        ahead = { start: next, batch: entry.batch, entry };
        break;
      }
      const segment = log.segmentOf(next);
      // What is nowhere any more was given up, and counted then.
      if (segment === null || segment.first > next)
        next = Math.min(segment?.first ?? log.end, log.entryBehind(next) ?? log.end);
      else ahead = readPiece(segment);
    }
    return ahead;
  }

  /** The batch that begins at `next`; null when there is none, and `next` has moved. */
  function readPiece(segment: Segment): Piece | null {
    try {
      const file = openAt(segment);
      for (;;) {
        const found = findFrame(files, file.descriptor, file.at, segment.bytes, false);
        if (found.kind === 'end' || found.kind === 'torn') {
          letGo();
          skipDamage(segment.end, segment, 'the rest of the file is missing or is no frame');
          return null;
        }
        file.at = found.next;
        if (found.kind === 'damaged') continue;
        const { header } = found;
        if (header.ordinal + header.events <= next) continue;
        skipDamage(header.ordinal, segment, 'frames before this one are damaged');
        const bytes = readPayload(files, file.descriptor, found.at, header);
        const batch = bytes === null ? null : batchOf(bytes, header.events, header.oldestMs);
        if (batch !== null) return { start: header.ordinal, batch, entry: null };
        skipDamage(header.ordinal + header.events, segment, 'a frame is not what was written');
        return null;
      }
    } catch (error) {
      if (!isSystemError(error)) throw error;
      letGo();
      skipDamage(segment.end, segment, error.message);
      log.lose(segment);
      return null;
    }
  }

  /** Behind a piece from memory the file is read on, should the next one be in memory no more. */
  function advance({ start, batch, entry }: Piece): void {
    ahead = null;
    next = start + batch.count;
    const place = entry?.place ?? null;
    if (open !== null && open.segment === place?.segment) open.at = place.next;
  }

  return {
    get cursor() {
      return taken[0]?.start ?? next;
    },
    take({ maxEvents, maxBytes }) {
      const pieces: Piece[] = [];
      let events = 0;
      let bytes = 0;
      for (let piece = peek(); piece !== null; piece = peek()) {
        const { batch } = piece;
        const fits = events + batch.count <= maxEvents && bytes + batch.bytes.length <= maxBytes;
        if (pieces.length > 0 && !fits) break;
        pieces.push(piece);
        events += batch.count;
        bytes += batch.bytes.length;
        advance(piece);
      }
      const [first] = pieces;
      if (first === undefined) return null;
      const volatile = pieces.flatMap(({ entry }) => (entry === null || entry.place !== null ? [] : [entry]));
      const queued = eventsOf(volatile);
      take(account, { queued, spooled: events - queued });
      taken.push({ start: first.start, end: next, volatile });
      return { ...mergeBatches(pieces.map(({ batch }) => batch)), id: first.start };
    },
    settle(batch) {
      const index = taken.findIndex(({ start }) => start === batch.id);
      if (index < 0) throw new Error(`batch ${batch.id} was not taken, or is settled already`);
      taken.splice(index, 1);
      log.release();
    },
    close() {
      log.persist();
      letGo();
      ahead = null;
      close(account, eventsOf(taken.flatMap(({ volatile }) => volatile)));
    },
    isBusyIn: (segment) => taken.some(({ start, end }) => start < segment.end && end > segment.first),
    drop(segment, reason) {
      if (open?.segment === segment) letGo();
      const from = Math.max(next, segment.first);
      if (from >= segment.end) return;
      if (ahead !== null && ahead.start >= segment.first && ahead.start < segment.end) ahead = null;
      drop(account, 'spooled', reason, segment.end - from);
      if (next >= segment.first) next = segment.end;
    },
    refuse(events, reason) {
      drop(account, 'queued', reason, events);
    },
    onStored(entry) {
      const holder = taken.find(({ start, end }) => start <= entry.start && entry.start < end);
      if (holder !== undefined) holder.volatile = holder.volatile.filter((other) => other !== entry);
      if (entry.start < next) return;
      spool(account, entry.batch.count);
    },
  };
}

function eventsOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { batch }) => sum + batch.count, 0);
}
