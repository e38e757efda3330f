/** A batch of events: the unit that the spool keeps and the sinks send. */

/**
 * Events on their way out: NDJSON bytes, one event a line, with the place of each.
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

/** The places `from` to `to` of a batch, the latter not included. */
export function rangeOf(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

export type NewBatch = Omit<Batch, 'id'>;

const NEWLINE = '\n'.charCodeAt(0);

/** A batch of NDJSON bytes; null when they do not hold that many lines. */
export function batchOf(bytes: Buffer, events: number, oldestMs: number): NewBatch | null {
  const offsets = new Uint32Array(events + 1);
  let at = 0;
  for (let index = 1; index <= events; index++) {
    at = bytes.indexOf(NEWLINE, at) + 1;
    if (at === 0) return null;
    offsets[index] = at;
  }
  return at === bytes.length ? { bytes, count: events, offsets, oldestMs } : null;
}

/** Several batches as one; a single one as it is. */
export function mergeBatches(batches: readonly NewBatch[]): NewBatch {
  const [only] = batches;
  if (only !== undefined && batches.length === 1) return only;
  const total = batches.reduce((sum, batch) => sum + batch.count, 0);
  const offsets = new Uint32Array(total + 1);
  let events = 0;
  let bytes = 0;
  for (const batch of batches) {
    for (let index = 1; index <= batch.count; index++)
      offsets[events + index] = bytes + (batch.offsets[index] ?? 0);
    events += batch.count;
    bytes += batch.bytes.length;
  }
  return {
    bytes: Buffer.concat(batches.map((batch) => batch.bytes)),
    count: total,
    offsets,
    oldestMs: Math.min(...batches.map(({ oldestMs }) => oldestMs)),
  };
}

/** Events of a batch by their places, as a batch. */
export function selectEvents(batch: Batch, indexes: readonly number[]): Batch {
  const parts = indexes.map((index) => batch.bytes.subarray(batch.offsets[index], batch.offsets[index + 1]));
  const offsets = new Uint32Array(parts.length + 1);
  for (const [index, part] of parts.entries()) offsets[index + 1] = (offsets[index] ?? 0) + part.length;
  return { ...batch, bytes: Buffer.concat(parts), count: parts.length, offsets };
}
