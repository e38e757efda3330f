/**
 * Hides kernel addresses in recorded pages. A recording is made to be sent to others, and addresses of kernel objects
 * help to defeat the randomization of the kernel's memory. Each address is replaced by a number that is the same in the
 * whole recording, because it tells which records belong to one socket, and that nobody can turn back: it is encrypted
 * with a key that exists only while the recording is written, and shortened.
 */
import { createCipheriv, randomBytes } from 'node:crypto';
import { parseEventFormat, parsePageFormat } from '../decode/format.ts';
import { createCursor, nextRecord, openPage, TYPE_PADDING } from '../decode/page.ts';

/** Lines of an event's format such as `field:const void * skaddr; offset:8; size:8; signed:0;`. */
const POINTER = /\bfield:[^;]*\*\s*\w+;\s*offset:(\d+);\s*size:8;/g;
/** What the decoder reads of an address; the upper 16 bits of all of them are the same. */
const ADDRESS_BYTES = 6;
const BLOCK_BYTES = 16;

/** Where each event has addresses, by its id (`common_type`). */
function pointerOffsets(formats: readonly string[]): ReadonlyMap<number, readonly number[]> {
  return new Map(
    formats.flatMap((format) => {
      const id = parseEventFormat(format)?.id;
      const offsets = [...format.matchAll(POINTER)].map(([, offset]) => Number(offset));
      return id === undefined ? [] : [[id, offsets] as const];
    }),
  );
}

/** Clears what stands between records from `from` on and is none: it may be the rest of one that a filter discarded. */
function clearDiscarded(bytes: Buffer, from: number, end: number): void {
  for (let at = from; at + 8 <= end; ) {
    const header = bytes.readUInt32LE(at);
    const type = header & 31;
    if (type < TYPE_PADDING) return;
    const isDiscarded = type === TYPE_PADDING && header >>> 5 !== 0;
    const next = isDiscarded ? Math.min(at + 4 + bytes.readUInt32LE(at + 4), end) : at + 8;
    if (type === TYPE_PADDING && !isDiscarded) return void bytes.fill(0, at + 4, end);
    if (isDiscarded) bytes.fill(0, at + 8, Math.max(next, at + 8));
    at = Math.max(next, at + 8);
  }
}

/** Makes the function that hides the addresses in one page, in place. `formats` are the texts of the events' format files. */
export function createAddressHider(pageFormat: string, formats: readonly string[]): (page: Buffer) => void {
  const format = parsePageFormat(pageFormat);
  if (format === null) throw new Error('a recording begins with a page format that its source has not read');
  const offsets = pointerOffsets(formats);
  const cursor = createCursor({ high: 0, low: 0 });
  const cipher = createCipheriv('aes-128-ecb', randomBytes(BLOCK_BYTES), null).setAutoPadding(false);
  const block = Buffer.alloc(BLOCK_BYTES);

  function hideAddress(page: Buffer, at: number): void {
    if (page.readUIntLE(at, ADDRESS_BYTES) === 0) return;
    page.copy(block, 0, at, at + ADDRESS_BYTES);
    cipher.update(block).copy(page, at, 0, ADDRESS_BYTES);
    page.fill(0, at + ADDRESS_BYTES, at + 8);
  }

  return (page) => {
    openPage(cursor, format, page);
    let end = cursor.position;
    while (nextRecord(cursor)) {
      const { record, length } = cursor;
      clearDiscarded(page, end, cursor.end);
      for (const offset of offsets.get(page.readUInt16LE(record)) ?? []) {
        if (offset + 8 <= length) hideAddress(page, record + offset);
      }
      end = record + length;
    }
    // Nobody reads on where a page breaks a rule.
    if (cursor.malformed) page.fill(0, Math.min(end, page.length));
    else clearDiscarded(page, end, cursor.end);
  };
}
