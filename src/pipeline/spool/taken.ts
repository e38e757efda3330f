/** The batches that a reader has taken, until they are settled. */
import type { Segment } from './disk/segments.ts';
import type { LogEntry } from './log.ts';

/** A batch that was taken: the events `start` up to, not including, `end`. */
export interface TakenBatch {
  readonly start: number;
  readonly end: number;
  /** The entries in it that are in memory only. */
  volatile: readonly LogEntry[];
}

/** The batches in flight of one reader. */
export interface Taken {
  /** Ordinal of the oldest event in flight; null when there is none. */
  readonly oldest: number | null;
  /** Number of events in flight that are in memory only. */
  readonly volatileEvents: number;
  /** Batches are added in the order of their events. */
  add(batch: TakenBatch): void;
  /** The batch that begins with the event `start` is settled. Throws when it is not in flight. */
  settle(start: number): void;
  /** Whether events of the segment are in flight. */
  isBusyIn(segment: Segment): boolean;
  /** An entry that was in memory only is on disk now. */
  noteStored(entry: LogEntry): void;
}

/** Number of events in these entries. */
export function eventsOf(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { batch }) => sum + batch.count, 0);
}

/** No batches in flight. */
export function createTaken(): Taken {
  const batches: TakenBatch[] = [];
  return {
    get oldest() {
      return batches[0]?.start ?? null;
    },
    get volatileEvents() {
      return eventsOf(batches.flatMap(({ volatile }) => volatile));
    },
    add(batch) {
      batches.push({ ...batch });
    },
    settle(start) {
      const index = batches.findIndex((batch) => batch.start === start);
      if (index < 0) throw new Error(`batch ${start} was not taken, or is settled already`);
      batches.splice(index, 1);
    },
    isBusyIn: (segment) => batches.some(({ start, end }) => start < segment.end && end > segment.first),
    noteStored(entry) {
      const holder = batches.find(({ start, end }) => start <= entry.start && entry.start < end);
      if (holder !== undefined) holder.volatile = holder.volatile.filter((other) => other !== entry);
    },
  };
}
