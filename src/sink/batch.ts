/** A batch of events: the unit that the spool stores and the sinks send. */

/** How large a batch may become; the first limit that is reached ends it. */
export interface BatchLimits {
  /** At least one. */
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/**
 * Events on their way out: NDJSON bytes, one event per line, and the place of each event in them.
 * Immutable once it has left the batcher.
 */
export interface Batch {
  /** Rises with every batch: the spool's ordinal of its first event. */
  readonly id: number;
  /** `count` JSON objects, each followed by one `\n`. */
  readonly bytes: Buffer;
  readonly count: number;
  /** `count + 1` offsets into `bytes`: event `i` is `bytes[offsets[i] .. offsets[i + 1] - 1)`, newline left out. */
  readonly offsets: Uint32Array;
  /** Wall clock of the oldest event, milliseconds since 1970, for the latency metrics. */
  readonly oldestMs: number;
}

/** A batch that the spool has not numbered yet. */
export type NewBatch = Omit<Batch, 'id'>;

/**
 * The places where the events of a batch end, noted one after the other while the bytes are written. Every builder of
 * batches makes its offsets with this.
 */
export interface EventEnds {
  /** The first `count + 1` are the offsets of the events so far; the others are unused. */
  readonly offsets: Uint32Array;
  count: number;
}

export const NEWLINE = '\n'.charCodeAt(0);

export function createEventEnds(maxEvents: number): EventEnds {
  return { offsets: new Uint32Array(maxEvents + 1), count: 0 };
}

/** Notes that the next event ends at `end`, in bytes from the start of the batch, behind its newline. */
export function noteEnd(ends: EventEnds, end: number): void {
  ends.offsets[++ends.count] = end;
}

/** A batch of NDJSON bytes, which are not copied; null when they do not hold exactly `events` lines. */
export function batchOf(bytes: Buffer, events: number, oldestMs: number): NewBatch | null {
  const ends = createEventEnds(events);
  let end = 0;
  while (ends.count < events) {
    end = bytes.indexOf(NEWLINE, end) + 1;
    if (end === 0) return null;
    noteEnd(ends, end);
  }
  return end === bytes.length ? { bytes, count: events, offsets: ends.offsets, oldestMs } : null;
}

/** A batch of lines, each one JSON object and a newline. */
export function batchOfLines(lines: readonly Buffer[], oldestMs: number): NewBatch {
  const ends = createEventEnds(lines.length);
  let end = 0;
  for (const line of lines) {
    end += line.length;
    noteEnd(ends, end);
  }
  return { bytes: Buffer.concat(lines), count: lines.length, offsets: ends.offsets, oldestMs };
}

/** Several batches as one, as old as the oldest of them; a single batch is returned as it is. */
export function mergeBatches(batches: readonly NewBatch[]): NewBatch {
  const [only] = batches;
  if (only !== undefined && batches.length === 1) return only;
  const ends = createEventEnds(batches.reduce((sum, batch) => sum + batch.count, 0));
  let start = 0;
  for (const { bytes, count, offsets } of batches) {
    for (let index = 1; index <= count; index++) noteEnd(ends, start + (offsets[index] ?? 0));
    start += bytes.length;
  }
  return {
    bytes: Buffer.concat(batches.map(({ bytes }) => bytes)),
    count: ends.count,
    offsets: ends.offsets,
    oldestMs: Math.min(...batches.map(({ oldestMs }) => oldestMs)),
  };
}

/** The events of a batch at these places, in this order, as a batch with the same identifier. */
export function selectEvents(batch: Batch, indexes: readonly number[]): Batch {
  const { id, bytes, offsets, oldestMs } = batch;
  const lines = indexes.map((index) => bytes.subarray(offsets[index], offsets[index + 1]));
  return { id, ...batchOfLines(lines, oldestMs) };
}

/** The JSON object of the event at this place, without its newline: a view of the bytes of the batch. */
export function eventAt({ bytes, offsets }: NewBatch, index: number): Buffer {
  return bytes.subarray(offsets[index], (offsets[index + 1] ?? 0) - 1);
}

/** The places from `from` up to, not including, `to`. */
export function rangeOf(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
