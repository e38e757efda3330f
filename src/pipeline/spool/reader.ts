/** The way of one sink through the spool: takes batches in order, and books what becomes of their events. */
import { close, drop, spool, take } from '../../ledger/booking.ts';
import type { SinkAccount } from '../../ledger/ledger.ts';
import type { DropReason } from '../../ledger/reasons.ts';
import { type Batch, type BatchLimits, mergeBatches } from '../../sink/batch.ts';
import type { SpoolFiles } from './disk/files.ts';
import type { Segment } from './disk/segments.ts';
import type { LogEntry, SpoolLog } from './log.ts';
import { createPieces, type Piece, type Pieces } from './pieces.ts';
import { createTaken, eventsOf } from './taken.ts';

export interface ReaderOptions {
  /** Ordinal: every event before it is settled. */
  readonly cursor: number;
  readonly account: SinkAccount;
  readonly files: SpoolFiles;
  /** Damage was found; the events are booked as dropped. */
  readonly onDamage: (problem: string, events: number) => void;
}

/** Takes and settles the events of one sink. */
export interface SpoolReader {
  /** Ordinal: every event before it is settled. */
  readonly cursor: number;
  /**
   * The oldest events that were not taken yet, small batches merged into one within the limits; a single one that
   * is larger is taken all the same. Null when there are none. The identifier of the batch is the ordinal of its first event.
   */
  take(limits: BatchLimits): Batch | null;
  /** Each event of a taken batch is acknowledged, refused or dropped. Throws when the batch is not in flight. */
  settle(batch: Batch): void;
  /** The sink is closed: what it has not settled stays on disk, and is dropped where it is in memory only. */
  close(): void;

  // For the spool only:
  /** Whether events of the segment are in flight. */
  isBusyIn(segment: Segment): boolean;
  /** The spool gives the segment up. */
  drop(segment: Segment, reason: DropReason): void;
  /** The spool does not take a batch of so many events. */
  refuse(events: number, reason: DropReason): void;
  /** An entry that was in memory only is on disk now. */
  onStored(entry: LogEntry): void;
}

/** A reader that begins at the cursor. It books what it takes, drops and stores in the account of its sink. */
export function createReader(options: ReaderOptions, log: SpoolLog): SpoolReader {
  const { account, files } = options;
  const inFlight = createTaken();
  const pieces = createPieces({ first: options.cursor, files, onDamage: dropDamaged }, log);

  function dropDamaged(problem: string, events: number): void {
    drop(account, 'spooled', 'spool_damaged', events);
    options.onDamage(problem, events);
  }

  return {
    get cursor() {
      return inFlight.oldest ?? pieces.next;
    },
    take(limits) {
      const taken = takePieces(pieces, limits);
      const [first] = taken;
      if (first === undefined) return null;
      const batch = { ...mergeBatches(taken.map(({ batch }) => batch)), id: first.start };
      const volatile = taken.flatMap(({ entry }) => (entry === null || entry.place !== null ? [] : [entry]));
      const queued = eventsOf(volatile);
      take(account, { queued, spooled: batch.count - queued });
      inFlight.add({ start: first.start, end: pieces.next, volatile });
      return batch;
    },
    settle(batch) {
      inFlight.settle(batch.id);
      log.release();
    },
    close() {
      log.persist();
      pieces.close();
      close(account, inFlight.volatileEvents);
    },
    isBusyIn: inFlight.isBusyIn,
    drop(segment, reason) {
      const events = pieces.giveUp(segment);
      if (events > 0) drop(account, 'spooled', reason, events);
    },
    refuse(events, reason) {
      drop(account, 'queued', reason, events);
    },
    onStored(entry) {
      inFlight.noteStored(entry);
      if (entry.start >= pieces.next) spool(account, entry.batch.count);
    },
  };
}

/** Takes pieces as long as they fit within the limits together, and at least one. */
function takePieces(pieces: Pieces, { maxEvents, maxBytes }: BatchLimits): Piece[] {
  const taken: Piece[] = [];
  let events = 0;
  let bytes = 0;
  for (let piece = pieces.peek(); piece !== null; piece = pieces.peek()) {
    events += piece.batch.count;
    bytes += piece.batch.bytes.length;
    if (taken.length > 0 && (events > maxEvents || bytes > maxBytes)) break;
    taken.push(piece);
    pieces.advance(piece);
  }
  return taken;
}
