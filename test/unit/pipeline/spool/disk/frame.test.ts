import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeFrameHeader,
  encodeFrameHeader,
  encodeSegmentHeader,
  FORMAT_VERSION,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  INSTANCE_BYTES,
  SEGMENT_HEADER_BYTES,
  segmentVersion,
} from '../../../../../src/pipeline/spool/disk/frame.ts';

type FrameFields = Omit<FrameHeader, 'payloadBytes' | 'payloadCrc'>;

const FRAME: FrameFields = { ordinal: 2 ** 33 + 1, events: 3, oldestMs: 1_795_489_200_007, mark: null };
const MARK = { instance: Buffer.alloc(INSTANCE_BYTES, 'ftrace'), records: 2 ** 40 + 5, held: 9 };
const PAYLOAD = Buffer.from('{"event":0}\n');

/** The header of a frame, in a buffer that was used before and has `offset` bytes in front. */
function encode(frame: FrameFields, payload = PAYLOAD, offset = 0): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES, 0xee);
  encodeFrameHeader(header, frame, payload);
  return Buffer.concat([Buffer.alloc(offset, 0xdd), header]);
}

/** The same header with its own checksum made right again. */
function sign(header: Buffer): Buffer {
  header.writeUInt32LE(crc32(header.subarray(8, FRAME_HEADER_BYTES)), 4);
  return header;
}

describe('a frame header', () => {
  test('is read as it was written, wherever it stands', () => {
    const uint32 = fc.nat({ max: 2 ** 32 - 1 });
    const mark = fc.record({
      instance: fc
        .uint8Array({ minLength: INSTANCE_BYTES, maxLength: INSTANCE_BYTES })
        .map((bytes) => Buffer.from(bytes)),
      records: fc.maxSafeNat(),
      held: uint32,
    });
    const frame = fc.record({
      ordinal: fc.maxSafeNat(),
      events: uint32,
      oldestMs: fc.maxSafeNat(),
      mark: fc.option(mark),
    });
    fc.assert(
      fc.property(frame, fc.uint8Array(), fc.nat({ max: 100 }), (fields, payload, offset) => {
        const bytes = Buffer.from(payload);
        expect(decodeFrameHeader(encode(fields, bytes, offset), offset)).toEqual({
          ...fields,
          payloadBytes: bytes.length,
          payloadCrc: crc32(bytes),
        });
      }),
    );
  });

  test('without a mark has zeros for the instance and for what was held', () => {
    const header = encode(FRAME);
    expect(header.subarray(48)).toEqual(Buffer.alloc(INSTANCE_BYTES));
    expect(header.readUInt32LE(28)).toBe(0);
    expect(header.readBigUInt64LE(40)).toBe(2n ** 64n - 1n);
  });

  test.each([
    [-1, 0],
    [0.9, 0],
    [1_000.999, 1_000],
  ])('stores %d ms since 1970 as %d', (oldestMs, told) => {
    expect(decodeFrameHeader(encode({ ...FRAME, oldestMs }), 0)?.oldestMs).toBe(told);
  });

  test('keeps a mark of its own, whatever becomes of the bytes it was read from', () => {
    const bytes = encode({ ...FRAME, mark: MARK });
    const read = decodeFrameHeader(bytes, 0);
    bytes.fill(0);
    expect(read?.mark).toEqual(MARK);
  });

  test('is none where a byte is missing or a bit of it is another', () => {
    const bytes = encode({ ...FRAME, mark: MARK }, PAYLOAD, 5);
    expect(decodeFrameHeader(bytes, 5)).not.toBeNull();
    expect(decodeFrameHeader(bytes.subarray(0, -1), 5)).toBeNull();
    expect(decodeFrameHeader(bytes, 4)).toBeNull();
    for (let place = 5; place < bytes.length; place++) {
      const flipped = Buffer.from(bytes);
      flipped[place] = (flipped[place] ?? 0) ^ 1;
      expect(decodeFrameHeader(flipped, 5), `byte ${place}`).toBeNull();
    }
  });

  test('of another kind is none, though its checksum is right', () => {
    const bytes = encode(FRAME);
    bytes.write('KTCX');
    expect(decodeFrameHeader(sign(bytes), 0)).toBeNull();
  });
});

describe('a segment header', () => {
  test('has the version of the format', () => {
    const header = encodeSegmentHeader();
    expect(header).toHaveLength(SEGMENT_HEADER_BYTES);
    expect(segmentVersion(header)).toBe(FORMAT_VERSION);
    expect(segmentVersion(Buffer.concat([header, PAYLOAD]))).toBe(FORMAT_VERSION);
  });

  test('has no version where a byte is missing, a bit is wrong, or it is something else', () => {
    const header = encodeSegmentHeader();
    expect(segmentVersion(header.subarray(0, -1))).toBeNull();
    for (let place = 0; place < header.length; place++) {
      const flipped = Buffer.from(header);
      flipped[place] = (flipped[place] ?? 0) ^ 1;
      expect(segmentVersion(flipped), `byte ${place}`).toBeNull();
    }
    header.write('KTCSPOOX');
    header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
    expect(segmentVersion(header)).toBeNull();
  });
});
