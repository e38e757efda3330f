/**
 * The format of the spool on disk, version 1. All numbers are little-endian; CRC-32 is that of IEEE 802.3 and zlib.
 *
 * A segment file is a segment header and frames, one behind the other:
 *
 *     0   8  "KTCSPOOL"
 *     8   4  version: 1
 *     12  4  CRC-32 of bytes 0 to 12
 *
 * A frame is a header and its payload, which is NDJSON: one event per line, each line ended by one line feed.
 *
 *     0   4  "KTCF"
 *     4   4  CRC-32 of bytes 8 to 72
 *     8   4  bytes of payload
 *     12  4  CRC-32 of the payload
 *     16  8  ordinal: events spooled before this frame since the spool began
 *     24  4  events in this frame
 *     28  4  held: events that waited in connection tracking at that moment
 *     32  8  wall clock of the oldest event, milliseconds since 1970
 *     40  8  kernel records that had been read at that moment, all ones where that is not known
 *     48 24  the ftrace instance that they were read from
 *
 * Ordinals have no holes, except where a whole segment was dropped. So the neighbours of a damaged frame say how many
 * events it held. A frame without events only says how many of the kernel's records were read.
 */
import { crc32 } from 'node:zlib';

export const SEGMENT_HEADER_BYTES = 16;
export const FRAME_HEADER_BYTES = 72;
const SEGMENT_MAGIC = 'KTCSPOOL';
const FRAME_MAGIC = 'KTCF';
export const FORMAT_VERSION = 1;
const NOT_KNOWN = 0xffff_ffff_ffff_ffffn;
export const INSTANCE_BYTES = 24;

/** Up to which of the kernel's records all events are spooled. */
export interface SpoolMark {
  /** The ftrace instance, 24 bytes: boot id and inode. The numbers of two instances cannot be compared. */
  readonly instance: Buffer;
  /** Kernel records that had been read. */
  readonly records: number;
  /** Events that wait for a later record, and are not spooled yet. */
  readonly held: number;
}

/** What the header of a frame says; see the format above. */
export interface FrameHeader {
  readonly payloadBytes: number;
  readonly payloadCrc: number;
  readonly ordinal: number;
  readonly events: number;
  readonly oldestMs: number;
  readonly mark: SpoolMark | null;
}

export const FRAME_MAGIC_BYTES = Buffer.from(FRAME_MAGIC);

/** The header of a segment file. */
export function encodeSegmentHeader(): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  header.write(SEGMENT_MAGIC, 'latin1');
  header.writeUInt32LE(FORMAT_VERSION, 8);
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
  return header;
}

/** The format version in a segment header; null when the header is damaged. */
export function segmentVersion(header: Buffer): number | null {
  if (header.length < SEGMENT_HEADER_BYTES) return null;
  if (header.toString('latin1', 0, SEGMENT_MAGIC.length) !== SEGMENT_MAGIC) return null;
  if (crc32(header.subarray(0, 12)) !== header.readUInt32LE(12)) return null;
  return header.readUInt32LE(8);
}

/** Writes the header of a frame to the first 72 bytes of `out`. */
export function encodeFrameHeader(
  out: Buffer,
  frame: Omit<FrameHeader, 'payloadCrc' | 'payloadBytes'>,
  payload: Buffer,
): void {
  FRAME_MAGIC_BYTES.copy(out, 0);
  out.writeUInt32LE(payload.length, 8);
  out.writeUInt32LE(crc32(payload), 12);
  out.writeBigUInt64LE(BigInt(frame.ordinal), 16);
  out.writeUInt32LE(frame.events, 24);
  out.writeUInt32LE(frame.mark?.held ?? 0, 28);
  out.writeBigUInt64LE(BigInt(Math.max(0, Math.trunc(frame.oldestMs))), 32);
  out.writeBigUInt64LE(frame.mark === null ? NOT_KNOWN : BigInt(frame.mark.records), 40);
  if (frame.mark === null) out.fill(0, 48, FRAME_HEADER_BYTES);
  else frame.mark.instance.copy(out, 48, 0, INSTANCE_BYTES);
  out.writeUInt32LE(crc32(out.subarray(8, FRAME_HEADER_BYTES)), 4);
}

/** The frame header at an offset of `bytes`; null where there is none, or it is damaged. */
export function decodeFrameHeader(bytes: Buffer, at: number): FrameHeader | null {
  const end = at + FRAME_HEADER_BYTES;
  if (bytes.length < end || FRAME_MAGIC_BYTES.compare(bytes, at, at + FRAME_MAGIC_BYTES.length) !== 0)
    return null;
  if (crc32(bytes.subarray(at + 8, end)) !== bytes.readUInt32LE(at + 4)) return null;
  const records = bytes.readBigUInt64LE(at + 40);
  return {
    payloadBytes: bytes.readUInt32LE(at + 8),
    payloadCrc: bytes.readUInt32LE(at + 12),
    ordinal: Number(bytes.readBigUInt64LE(at + 16)),
    events: bytes.readUInt32LE(at + 24),
    oldestMs: Number(bytes.readBigUInt64LE(at + 32)),
    mark:
      records === NOT_KNOWN
        ? null
        : {
            instance: Buffer.from(bytes.subarray(at + 48, end)),
            records: Number(records),
            held: bytes.readUInt32LE(at + 28),
          },
  };
}
