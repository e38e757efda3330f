/**
 * Ring-buffer pages by hand, from the kernel's description (include/linux/ring_buffer.h, kernel/trace/ring_buffer.c)
 * and not from src/source/decode/page.ts, so that a misreading there shows.
 */

export type RecordSpec =
  /** `lengthWord` writes the length into a word of its own, as the kernel must above 112 bytes. */
  | {
      readonly kind: 'data';
      readonly payload: Uint8Array;
      readonly delta?: number;
      readonly lengthWord?: boolean;
    }
  /** A record that a filter refused after its room was taken. */
  | { readonly kind: 'discarded'; readonly bytes: number; readonly delta?: number }
  | { readonly kind: 'extend'; readonly delta: bigint }
  /** Absolute; the kernel drops the five upper bits. */
  | { readonly kind: 'stamp'; readonly time: bigint }
  /** Padding to the end of the page. */
  | { readonly kind: 'end' }
  | { readonly kind: 'raw'; readonly bytes: Uint8Array };

export interface PageSpec {
  readonly timestamp: bigint;
  readonly records: readonly RecordSpec[];
  /** Of the whole page, header included; 4096 when absent. */
  readonly size?: number;
  /** Records lost before the page; 'unknown' is the mark without a count. */
  readonly missed?: number | 'unknown';
  /** The committed length, when it is to differ from the length of the records. */
  readonly committed?: number;
}

const HEADER_BYTES = 16;
const DELTA_BITS = 27n;
const TYPE = { padding: 29, extend: 30, stamp: 31 } as const;
const MISSED_EVENTS = 1n << 31n;
const MISSED_STORED = 1n << 30n;

/** events/header_page of a 64-bit kernel whose pages have `size` bytes. */
export function pageHeaderText(size: number): string {
  return [
    '\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;',
    '\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;',
    '\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;',
    `\tfield: char data;\toffset:${HEADER_BYTES};\tsize:${size - HEADER_BYTES};\tsigned:0;`,
    '',
  ].join('\n');
}

function words(...values: readonly (number | bigint)[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(Number(value), index * 4);
  return bytes;
}

function head(type: number, delta: number | bigint): number {
  return Number(delta) * 32 + type;
}

function padToWord(payload: Uint8Array): Buffer {
  return Buffer.concat([payload, Buffer.alloc((4 - (payload.length % 4)) % 4)]);
}

function encode(record: RecordSpec, room: number): Buffer {
  switch (record.kind) {
    case 'data': {
      const { payload, delta = 0, lengthWord = payload.length > 112 } = record;
      const data = padToWord(payload);
      const start = lengthWord ? words(head(0, delta), data.length + 4) : words(head(data.length / 4, delta));
      return Buffer.concat([start, data]);
    }
    case 'discarded':
      return Buffer.concat([
        words(head(TYPE.padding, record.delta ?? 1), record.bytes - 4),
        Buffer.alloc(record.bytes - 8, 0xdd),
      ]);
    case 'extend':
    case 'stamp': {
      const value = record.kind === 'extend' ? record.delta : BigInt.asUintN(59, record.time);
      const lower = BigInt.asUintN(Number(DELTA_BITS), value);
      return words(head(record.kind === 'extend' ? TYPE.extend : TYPE.stamp, lower), value >> DELTA_BITS);
    }
    case 'end':
      return Buffer.concat([words(head(TYPE.padding, 0)), Buffer.alloc(Math.max(0, room - 4), 0xee)]);
    case 'raw':
      return Buffer.from(record.bytes);
  }
}

/** A page as one read(2) of trace_pipe_raw gives it. Throws when the records do not fit. */
export function buildPage({ timestamp, records, size = 4096, missed, committed }: PageSpec): Buffer {
  const page = Buffer.alloc(size);
  let at = HEADER_BYTES;
  for (const record of records) {
    const bytes = encode(record, size - at);
    if (at + bytes.length > size) throw new RangeError(`the records do not fit into ${size} bytes`);
    bytes.copy(page, at);
    at += bytes.length;
  }
  let commit = BigInt(committed ?? at - HEADER_BYTES);
  if (typeof missed === 'number') {
    page.writeBigUInt64LE(BigInt(missed), HEADER_BYTES + Number(commit));
    commit += MISSED_STORED;
  }
  // The flag is a negative int that the kernel adds to a long: it sets the upper half as well.
  if (missed !== undefined) commit = BigInt.asUintN(64, commit - MISSED_EVENTS);
  page.writeBigUInt64LE(timestamp, 0);
  page.writeBigUInt64LE(commit, 8);
  return page;
}
