import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type SpoolFiles, systemFiles } from '../../../../../src/pipeline/spool/disk/files.ts';
import {
  encodeFrameHeader,
  encodeSegmentHeader,
  FRAME_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
} from '../../../../../src/pipeline/spool/disk/frame.ts';
import { findFrame, readPayload, scanSegment } from '../../../../../src/pipeline/spool/disk/scan.ts';
import { makeDirectory } from '../fixture.ts';

/** How much is read at a time where the next frame is looked for. */
const PIECE_BYTES = 65_536;

function frame(ordinal: number, text: string, events = 1, records: number | null = null): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  const mark = records === null ? null : { instance: Buffer.alloc(24), records, held: 0 };
  encodeFrameHeader(header, { ordinal, events, oldestMs: 0, mark }, Buffer.from(text));
  return Buffer.concat([header, Buffer.from(text)]);
}

/** The descriptor and size of a file of a segment header and these bytes. */
function segmentOf(...parts: readonly Buffer[]): { descriptor: number; size: number } {
  const path = join(makeDirectory(), 'segment');
  const bytes = Buffer.concat([encodeSegmentHeader(), ...parts]);
  fs.writeFileSync(path, bytes);
  const descriptor = fs.openSync(path, 'r');
  onTestFinished(() => fs.closeSync(descriptor));
  return { descriptor, size: bytes.length };
}

const find = (
  { descriptor, size }: { descriptor: number; size: number },
  at = SEGMENT_HEADER_BYTES,
  checkPayload = false,
  files: SpoolFiles = systemFiles,
) => findFrame(files, descriptor, at, size, checkPayload);

const FIRST = SEGMENT_HEADER_BYTES;
const GOOD = frame(7, 'good\n');

describe('what is at an offset of a segment', () => {
  test('is a frame with the place of the next one', () => {
    const next = FIRST + GOOD.length;
    expect(find(segmentOf(GOOD, GOOD))).toMatchObject({
      kind: 'frame',
      at: FIRST,
      next,
      header: { ordinal: 7, events: 1, payloadBytes: 5 },
    });
    expect(find(segmentOf(GOOD, GOOD), next)).toMatchObject({ kind: 'frame', at: next });
  });

  test('is the end behind the last frame, and nothing else there', () => {
    const segment = segmentOf(GOOD);
    expect(find(segment, segment.size)).toEqual({ kind: 'end' });
    expect(find(segment, segment.size + 1)).toEqual({ kind: 'end' });
    expect(find(segment, segment.size - 1)).toEqual({ kind: 'torn' });
  });

  test('is torn where the file is cut within the only frame that is left', () => {
    for (const length of [1, FRAME_HEADER_BYTES - 1, FRAME_HEADER_BYTES, GOOD.length - 1])
      expect(find(segmentOf(GOOD.subarray(0, length)))).toEqual({ kind: 'torn' });
  });

  test('is damaged up to the next frame where bytes are none, however many', () => {
    for (const garbage of [
      1,
      3,
      FRAME_HEADER_BYTES,
      PIECE_BYTES - FRAME_HEADER_BYTES,
      PIECE_BYTES - 1,
      PIECE_BYTES,
      PIECE_BYTES + 1,
      PIECE_BYTES + 2,
      3 * PIECE_BYTES + 5,
    ]) {
      const found = find(segmentOf(Buffer.alloc(garbage, 'x'), GOOD));
      expect(found, `${garbage} bytes`).toEqual({ kind: 'damaged', header: null, next: FIRST + garbage });
    }
  });

  test('is damaged up to a frame, not to what only begins like one', () => {
    const garbage = Buffer.from('xKTCFxxKTCF');
    expect(find(segmentOf(garbage, GOOD))).toEqual({
      kind: 'damaged',
      header: null,
      next: FIRST + garbage.length,
    });
    expect(find(segmentOf(Buffer.concat([garbage, Buffer.alloc(100)])))).toEqual({ kind: 'torn' });
  });

  test('is torn where the next frame is behind the bytes that count', () => {
    for (const before of [Buffer.alloc(0), GOOD]) {
      const { descriptor } = segmentOf(before, Buffer.from('garbage'), GOOD);
      const at = FIRST + before.length;
      expect(find({ descriptor, size: at + 'garbage'.length }, at)).toEqual({ kind: 'torn' });
    }
  });

  test('is damaged where a frame lies within the payload that its header announces', () => {
    const long = frame(7, 'x'.repeat(1000)).subarray(0, 200);
    expect(find(segmentOf(long, GOOD))).toMatchObject({
      kind: 'damaged',
      header: { ordinal: 7, payloadBytes: 1000 },
      next: FIRST + 200,
    });
  });

  test('is a frame whatever its payload, unless that is to be checked', () => {
    const damaged = Buffer.from(GOOD);
    damaged.write('X', GOOD.length - 2);
    expect(find(segmentOf(damaged))).toMatchObject({ kind: 'frame' });
    expect(find(segmentOf(damaged), FIRST, true)).toMatchObject({
      kind: 'damaged',
      header: { ordinal: 7 },
      next: FIRST + GOOD.length,
    });
    expect(find(segmentOf(GOOD), FIRST, true)).toMatchObject({ kind: 'frame' });
  });

  test('is the same where the system reads less at a time than it is asked for', () => {
    const slow: SpoolFiles = {
      ...systemFiles,
      readSync: ((descriptor: number, bytes: Buffer, offset: number, length: number, at: number) =>
        fs.readSync(descriptor, bytes, offset, Math.min(length, 7), at)) as typeof fs.readSync,
    };
    const segment = segmentOf(Buffer.from('xx'), GOOD);
    expect(find(segment, FIRST, true, slow)).toEqual({ kind: 'damaged', header: null, next: FIRST + 2 });
    const found = find(segment, FIRST + 2, true, slow);
    expect(found).toMatchObject({ kind: 'frame', header: { ordinal: 7 } });
    if (found.kind !== 'frame') return;
    expect(readPayload(slow, segment.descriptor, found.at, found.header)?.toString()).toBe('good\n');
  });

  test('has no payload where the file ends before it', () => {
    const segment = segmentOf(GOOD);
    const found = find(segment);
    if (found.kind !== 'frame') throw new Error('no frame');
    const { at, header } = found;
    expect(readPayload(systemFiles, segment.descriptor, at, header)?.toString()).toBe('good\n');
    const longer = { ...header, payloadBytes: header.payloadBytes + 1 };
    expect(readPayload(systemFiles, segment.descriptor, at, longer)).toBeNull();
    const other = { ...header, payloadCrc: header.payloadCrc ^ 1 };
    expect(readPayload(systemFiles, segment.descriptor, at, other)).toBeNull();
  });
});

describe('a whole segment', () => {
  const scan = (segment: { descriptor: number }, checkPayload = true) =>
    scanSegment(systemFiles, segment.descriptor, 7, checkPayload);

  test('without frames ends where it begins', () => {
    const nothing = { frames: 0, damaged: 0, events: 0, end: 7, last: null };
    expect(scan(segmentOf())).toEqual({ ...nothing, bytes: FIRST });
    expect(scan(segmentOf(Buffer.from('torn')))).toEqual({ ...nothing, bytes: FIRST });
  });

  test('that is cut within its header is as long as it is', () => {
    const path = join(makeDirectory(), 'segment');
    fs.writeFileSync(path, 'KTCS');
    const descriptor = fs.openSync(path, 'r');
    onTestFinished(() => fs.closeSync(descriptor));
    expect(scan({ descriptor })).toMatchObject({ frames: 0, bytes: 4, end: 7 });
  });

  test('has the frames and events of all, and what its last header says', () => {
    const parts = [frame(7, 'a\nb\n', 2, 50), frame(9, 'c\n', 1, 60), frame(10, '', 0, 75)];
    expect(scan(segmentOf(...parts))).toMatchObject({
      frames: 3,
      damaged: 0,
      events: 3,
      end: 10,
      bytes: FIRST + Buffer.concat(parts).length,
      last: { ordinal: 10, mark: { records: 75 } },
    });
  });

  test('counts what is damaged, and knows from its header which events it held', () => {
    const damaged = frame(9, 'c\nd\n', 2);
    damaged.write('X', damaged.length - 2);
    const segment = segmentOf(frame(7, 'a\nb\n', 2), Buffer.from('garbage'), damaged, Buffer.from('torn'));
    expect(scan(segment)).toMatchObject({
      frames: 1,
      damaged: 2,
      events: 2,
      end: 11,
      bytes: segment.size - 'torn'.length,
      last: { ordinal: 9 },
    });
    expect(scan(segment, false)).toMatchObject({ frames: 2, damaged: 1, events: 4, end: 11 });
  });
});
