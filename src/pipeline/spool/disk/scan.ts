/** Reads a segment file frame by frame, and skips damage. */
import { crc32 } from 'node:zlib';
import type { SpoolFiles } from './files.ts';
import {
  decodeFrameHeader,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC_BYTES,
  type FrameHeader,
  SEGMENT_HEADER_BYTES,
} from './frame.ts';

/**
 * What is at an offset of a segment. `damaged`: a whole frame whose payload is not what was written, or bytes that are
 * no frame, up to the next frame. `torn`: the rest of the file holds no whole frame.
 */
export type Found =
  | { readonly kind: 'frame'; readonly header: FrameHeader; readonly at: number; readonly next: number }
  | { readonly kind: 'damaged'; readonly header: FrameHeader | null; readonly next: number }
  | { readonly kind: 'torn' }
  | { readonly kind: 'end' };

const SCAN_BYTES = 65_536;

function readAt(files: SpoolFiles, descriptor: number, at: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const count = files.readSync(descriptor, bytes, done, length - done, at + done);
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

/** The offset of the next undamaged frame header, or null. */
function findHeader(files: SpoolFiles, descriptor: number, from: number, size: number): number | null {
  // Pieces overlap by a header, so that a header between two pieces is found.
  for (let start = from; start < size; start += SCAN_BYTES) {
    const piece = readAt(files, descriptor, start, Math.min(SCAN_BYTES + FRAME_HEADER_BYTES, size - start));
    let at = piece.indexOf(FRAME_MAGIC_BYTES);
    for (; at >= 0 && at < SCAN_BYTES; at = piece.indexOf(FRAME_MAGIC_BYTES, at + 1)) {
      if (decodeFrameHeader(piece, at) !== null) return start + at;
    }
  }
  return null;
}

/**
 * What is at the offset `at` of a file, of which the first `size` bytes count. Reads the payload only when asked to
 * check it. Throws the error of the system.
 */
export function findFrame(
  files: SpoolFiles,
  descriptor: number,
  at: number,
  size: number,
  checkPayload: boolean,
): Found {
  if (at >= size) return { kind: 'end' };
  const header = decodeFrameHeader(readAt(files, descriptor, at, FRAME_HEADER_BYTES), 0);
  if (header === null) {
    const next = findHeader(files, descriptor, at + 1, size);
    return next === null ? { kind: 'torn' } : { kind: 'damaged', header: null, next };
  }
  const next = at + FRAME_HEADER_BYTES + header.payloadBytes;
  if (next > size) {
    // The file is cut off behind the header, or the length is wrong and another frame begins before the end it says.
    const later = findHeader(files, descriptor, at + 1, size);
    return later === null ? { kind: 'torn' } : { kind: 'damaged', header, next: later };
  }
  if (checkPayload && readPayload(files, descriptor, at, header) === null)
    return { kind: 'damaged', header, next };
  return { kind: 'frame', header, at, next };
}

/**
 * The events of the frame at the offset `at`; null when they are not what was written. Throws the error of the system.
 */
export function readPayload(
  files: SpoolFiles,
  descriptor: number,
  at: number,
  header: FrameHeader,
): Buffer | null {
  const payload = readAt(files, descriptor, at + FRAME_HEADER_BYTES, header.payloadBytes);
  return payload.length === header.payloadBytes && crc32(payload) === header.payloadCrc ? payload : null;
}

/** What is in a segment. */
export interface SegmentScan {
  readonly frames: number;
  /** Whole frames whose payload is not what was written, and stretches of bytes that are no frame. */
  readonly damaged: number;
  /** Events of undamaged frames. */
  readonly events: number;
  /** One more than the last ordinal; `first` when there is no frame. */
  readonly end: number;
  /** Bytes up to the end of the last whole frame. */
  readonly bytes: number;
  readonly last: FrameHeader | null;
}

/** Goes through a whole segment, whose first event has the ordinal `first`. Throws the error of the system. */
export function scanSegment(
  files: SpoolFiles,
  descriptor: number,
  first: number,
  checkPayload: boolean,
): SegmentScan {
  const { size } = files.fstatSync(descriptor);
  let frames = 0;
  let damaged = 0;
  let events = 0;
  let end = first;
  let last: FrameHeader | null = null;
  let at = SEGMENT_HEADER_BYTES;
  for (;;) {
    const found = findFrame(files, descriptor, at, size, checkPayload);
    if (found.kind === 'end' || found.kind === 'torn')
      return { frames, damaged, events, end, bytes: Math.min(at, size), last };
    const { header } = found;
    if (found.kind === 'damaged') damaged++;
    else {
      frames++;
      events += found.header.events;
    }
    if (header !== null) {
      end = Math.max(end, header.ordinal + header.events);
      last = header;
    }
    at = found.next;
  }
}
