/**
 * Kafka's record batch, version 2 (kafka.apache.org/documentation/#recordbatch): records are written
 * directly from the events' bytes, compressed together, then framed with a producer and its sequence number.
 */
import type { Batch } from '../batch.ts';
import { withRoom } from '../with-room.ts';
import type { Codec } from './codec.ts';
import { crc32c } from './crc32c.ts';
import type { KeyOf } from './record-key.ts';

/** Records for one partition, compressed and not yet framed. */
export interface Records {
  readonly count: number;
  /** Valid until the encoder is called again. */
  readonly bytes: Buffer;
  /** The number of the compression of `bytes`. */
  readonly codec: number;
}

export interface RecordBounds {
  /** The most events per record, one per line. */
  readonly maxEvents: number;
  /** The most bytes of the value of a record that holds more than one event. */
  readonly maxBytes: number;
}

/** Encodes the events `indexes` of a batch, in this order. A record has the key of its first event. */
export type EncodeRecords = (batch: Batch, indexes: Uint32Array) => Records;

/** The producer that sends a batch. */
export interface Producer {
  /** -1 for one that is not idempotent. */
  readonly id: bigint;
  readonly epoch: number;
}

export const NOT_IDEMPOTENT: Producer = { id: -1n, epoch: -1 };

const HEADER_BYTES = 61;
const LENGTH_END = 12;
const CRC_START = 17;
const CRC_END = 21;
const MAGIC = 2;
/** The most that a record's length, attributes and deltas and the lengths of its key, value and headers can take. */
const RECORD_OVERHEAD_BYTES = 26;

/** The encoder writes into the same memory again: the next call overwrites the records. */
export function createRecordEncoder(keyOf: KeyOf, bounds: RecordBounds, codec: Codec): EncodeRecords {
  let out: Buffer = Buffer.alloc(0);
  let end = 0;

  /** Appends the events `indexes[from ..]` as one record, as many as it may have. Returns where the next record begins. */
  function appendRecord(
    { bytes, offsets }: Batch,
    indexes: Uint32Array,
    from: number,
    delta: number,
  ): number {
    let to = from + 1;
    // Without the last newline.
    let size = eventBytes(offsets, indexes[from]) - 1;
    while (to < indexes.length && to - from < bounds.maxEvents) {
      const more = eventBytes(offsets, indexes[to]);
      if (size + more > bounds.maxBytes) break;
      size += more;
      to++;
    }
    const first = indexes[from] ?? 0;
    const key = keyOf(bytes, offsets[first] ?? 0, (offsets[first + 1] ?? 0) - 1);
    out = withRoom(out, end, RECORD_OVERHEAD_BYTES + key.length + size + 1);
    end = writeRecordHead(out, end, delta, key, size);
    for (let place = from; place < to; ) {
      const run = runEnd(indexes, place, to);
      end += bytes.copy(out, end, offsets[indexes[place] ?? 0], offsets[(indexes[run - 1] ?? 0) + 1]);
      place = run;
    }
    // No headers, in place of the last newline.
    out[end - 1] = 0;
    return to;
  }

  return (batch, indexes) => {
    let count = 0;
    end = 0;
    for (let from = 0; from < indexes.length; ) from = appendRecord(batch, indexes, from, count++);
    return { count, bytes: codec.compress(out.subarray(0, end)), codec: codec.number };
  };
}

/** With its newline. */
function eventBytes(offsets: Uint32Array, index = 0): number {
  return (offsets[index + 1] ?? 0) - (offsets[index] ?? 0);
}

/** The end of the events from `indexes[place]` on, at most to `to`, that follow one another in the batch. */
function runEnd(indexes: Uint32Array, place: number, to: number): number {
  let end = place + 1;
  while (end < to && indexes[end] === (indexes[end - 1] ?? 0) + 1) end++;
  return end;
}

/** Writes a record up to its value. Returns where the value begins. */
function writeRecordHead(
  out: Buffer,
  start: number,
  offsetDelta: number,
  key: Buffer,
  valueBytes: number,
): number {
  const keyed = varintBytes(offsetDelta) + varintBytes(key.length) + key.length;
  // Attributes, the difference to the time of the batch, and the number of headers are one byte each.
  let end = writeVarint(out, start, 3 + keyed + varintBytes(valueBytes) + valueBytes);
  out[end++] = 0;
  out[end++] = 0;
  end = writeVarint(out, end, offsetDelta);
  end = writeVarint(out, end, key.length);
  out.set(key, end);
  return writeVarint(out, end + key.length, valueBytes);
}

/** How many bytes a number from 0 to 2^30 takes in zigzag encoding. */
function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value >>> 6; rest > 0; rest >>>= 7) bytes++;
  return bytes;
}

function writeVarint(out: Buffer, start: number, value: number): number {
  let end = start;
  let rest = value << 1;
  while (rest >= 0x80) {
    out[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[end++] = rest;
  return end;
}

/** Frames records as a batch for a produce request. All records have `timestamp`, in milliseconds since 1970. */
export function frameBatch(
  records: Records,
  timestamp: number,
  producer: Producer,
  sequence: number,
): Buffer {
  const frame = Buffer.allocUnsafeSlow(HEADER_BYTES + records.bytes.length);
  frame.writeBigInt64BE(0n, 0);
  frame.writeInt32BE(frame.length - LENGTH_END, 8);
  // The leader's epoch, which a producer does not know.
  frame.writeInt32BE(-1, LENGTH_END);
  frame.writeInt8(MAGIC, 16);
  frame.writeInt16BE(records.codec, CRC_END);
  frame.writeInt32BE(records.count - 1, 23);
  frame.writeBigInt64BE(BigInt(timestamp), 27);
  frame.writeBigInt64BE(BigInt(timestamp), 35);
  frame.writeBigInt64BE(producer.id, 43);
  frame.writeInt16BE(producer.epoch, 51);
  frame.writeInt32BE(sequence, 53);
  frame.writeInt32BE(records.count, 57);
  records.bytes.copy(frame, HEADER_BYTES);
  frame.writeUInt32BE(crc32c(frame, CRC_END), CRC_START);
  return frame;
}

/**
 * A batch without records, which no broker writes: its checksum is wrong. A broker looks at that last (Kafka's
 * UnifiedLog, `analyzeAndValidateRecords`): any other answer than CORRUPT_MESSAGE is what a true batch would get too.
 */
export function frameProbe(timestamp: number): Buffer {
  const frame = frameBatch({ count: 0, bytes: Buffer.alloc(0), codec: 0 }, timestamp, NOT_IDEMPOTENT, -1);
  frame.writeUInt32BE(~frame.readUInt32BE(CRC_START) >>> 0, CRC_START);
  return frame;
}

/** The sequence number after `count` records. Sequence numbers go from 0 to 2^31 - 1 and start again. */
export function nextSequence(sequence: number, count: number): number {
  return (sequence + count) % 2 ** 31;
}
