/**
 * Decodes ring-buffer pages, as `per_cpu/cpuN/trace_pipe_raw` gives them.
 *
 * A page is a header (timestamp, commit) and records. On little-endian machines each record starts with a 32-bit word
 * (include/linux/ring_buffer.h, `struct ring_buffer_event`):
 *
 *     type_len 5 bits | time_delta 27 bits
 *
 *     type_len  0       data; the next word is its length, itself included
 *     type_len  1..28   data of type_len * 4 bytes
 *     type_len 29       padding: to the end of the page when time_delta is 0, else a discarded record
 *     type_len 30       time extend: the next word holds the upper bits of a delta
 *     type_len 31       time stamp: the same, of an absolute time
 *
 * Times are nanoseconds since an epoch that the caller chooses. A double holds them exactly for 104 days before and after
 * the epoch.
 */
import type { Epoch } from '../clock.ts';
import type { PageFormat } from './format.ts';

export const TYPE_PADDING = 29;
const TYPE_TIME_EXTEND = 30;
const TYPE_TIME_STAMP = 31;
const DELTA_SPAN = 2 ** 27;
const WORD_SPAN = 2 ** 32;

/** The lower bits of the commit word are the length, the upper bits are flags (kernel/trace/ring_buffer.c). */
const COMMIT_LENGTH_MASK = (1 << 20) - 1;
const MISSED_STORED = 1 << 30;
const MISSED_EVENTS = 1 << 31;

/** Some records were missed, but the page does not say how many. */
export const MISSED_UNKNOWN = -1;

/** A position in one page. `record`, `length` and `time` describe the data record that `nextRecord` found. */
export interface PageCursor {
  bytes: Buffer;
  position: number;
  end: number;
  time: number;
  record: number;
  length: number;
  /** The page broke a rule, so the rest of it cannot be trusted. */
  malformed: boolean;
  epoch: Epoch;
}

export function createCursor(epoch: Epoch): PageCursor {
  return {
    bytes: Buffer.alloc(0),
    position: 0,
    end: 0,
    time: 0,
    record: 0,
    length: 0,
    malformed: false,
    epoch,
  };
}

/** Records lost before a page: 0, a count, or MISSED_UNKNOWN if the page had no space for the count. */
export function missedBefore(format: PageFormat, bytes: Buffer): number {
  if (bytes.length < format.data.offset) return 0;
  const commitWord = word(bytes, format.commit.offset);
  if ((commitWord & MISSED_EVENTS) === 0) return 0;
  // The count, an unsigned long, is after the records.
  const at = format.data.offset + (commitWord & COMMIT_LENGTH_MASK);
  return (commitWord & MISSED_STORED) !== 0 && at + 4 <= bytes.length ? word(bytes, at) : MISSED_UNKNOWN;
}

function word(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** Puts the cursor before the first record of a page. A page is malformed if it is too short, or shorter than it says. */
export function openPage(cursor: PageCursor, format: PageFormat, bytes: Buffer): void {
  cursor.bytes = bytes;
  cursor.record = 0;
  cursor.length = 0;
  cursor.malformed = false;
  const start = format.data.offset;
  cursor.position = start;
  cursor.end = start;
  if (bytes.length < start) {
    cursor.malformed = true;
    return;
  }
  const { timestamp, commit } = format;
  cursor.time =
    (word(bytes, timestamp.offset + 4) - cursor.epoch.high) * WORD_SPAN +
    (word(bytes, timestamp.offset) - cursor.epoch.low);
  const commitWord = word(bytes, commit.offset);
  const length = commitWord & COMMIT_LENGTH_MASK;
  if (start + length > bytes.length) {
    cursor.malformed = true;
    return;
  }
  cursor.end = start + length;
}

/**
 * Moves to the next data record; false at the end of the page, or where the page is malformed.
 * Never reads outside `bytes`, never throws, and always moves forward.
 */
export function nextRecord(cursor: PageCursor): boolean {
  const { bytes, end } = cursor;
  let position = cursor.position;
  while (position + 4 <= end) {
    const header = word(bytes, position);
    const type = header & 31;
    const delta = header >>> 5;
    if (type > 0 && type < TYPE_PADDING) {
      const next = position + 4 + type * 4;
      if (next > end) break;
      cursor.time += delta;
      cursor.record = position + 4;
      cursor.length = type * 4;
      cursor.position = next;
      return true;
    }
    if (type === TYPE_PADDING && delta === 0) {
      cursor.position = end;
      return false;
    }
    if (position + 8 > end) break;
    const extra = word(bytes, position + 4);
    if (type === TYPE_TIME_EXTEND) {
      cursor.time += extra * DELTA_SPAN + delta;
      position += 8;
    } else if (type === TYPE_TIME_STAMP) {
      cursor.time = absoluteTime(cursor, extra, delta);
      position += 8;
    } else {
      // The length includes its own word, so it can be neither shorter than that nor longer than the page.
      const next = position + 4 + extra;
      if (extra < 4 || next > end) break;
      cursor.time += delta;
      if (type === 0) {
        cursor.record = position + 8;
        cursor.length = extra - 4;
        cursor.position = next;
        return true;
      }
      position = next;
    }
  }
  // A page that could not be opened stays malformed.
  cursor.malformed ||= position !== end;
  cursor.position = end;
  return false;
}

/** A time stamp has 59 bits. Its upper five bits are those of the time before it (`rb_fix_abs_ts`). */
function absoluteTime(cursor: PageCursor, upper: number, lower: number): number {
  const low = ((upper & 31) * DELTA_SPAN + lower) >>> 0;
  const high = Math.floor(upper / 32);
  const beforeHigh = Math.floor((cursor.time + cursor.epoch.low) / WORD_SPAN) + cursor.epoch.high;
  const upperFive = Math.floor(beforeHigh / DELTA_SPAN) * DELTA_SPAN;
  return (upperFive + high - cursor.epoch.high) * WORD_SPAN + (low - cursor.epoch.low);
}
