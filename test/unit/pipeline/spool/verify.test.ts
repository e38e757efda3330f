/** What is told of files that are not as an agent writes them, each with its place. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type SpoolFiles, systemFiles } from '../../../../src/pipeline/spool/disk/files.ts';
import {
  encodeFrameHeader,
  encodeSegmentHeader,
  FRAME_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
} from '../../../../src/pipeline/spool/disk/frame.ts';
import { inspectSpool } from '../../../../src/pipeline/spool/inspect.ts';
import { verifySpool } from '../../../../src/pipeline/spool/verify.ts';
import { makeDirectory, systemError } from './fixture.ts';

const HEADER = encodeSegmentHeader();
const FIRST = SEGMENT_HEADER_BYTES;
const OPEN = `${'0'.repeat(20)}.open`;
const sealed = (first: number, end: number) =>
  `${String(first).padStart(20, '0')}-${String(end).padStart(20, '0')}.segment`;

function frame(ordinal: number, events: number, text: string, oldestMs = 0): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  encodeFrameHeader(header, { ordinal, events, oldestMs, mark: null }, Buffer.from(text));
  return Buffer.concat([header, Buffer.from(text)]);
}

function directoryOf(files: Readonly<Record<string, readonly Buffer[]>>): string {
  const directory = makeDirectory();
  for (const [name, parts] of Object.entries(files))
    fs.writeFileSync(join(directory, name), Buffer.concat(parts));
  return directory;
}

function verify(directory: string) {
  const damages: (readonly [string, number, string])[] = [];
  const notes: (readonly [string, number, string])[] = [];
  let progress = 0;
  const totals = verifySpool(directory, systemFiles, {
    damage: (...damage) => damages.push(damage),
    note: (...note) => notes.push(note),
    progress(bytes) {
      progress += bytes;
    },
  });
  return { totals, damages, notes, progress };
}

describe('verify', () => {
  test('reads nothing of another version of the format, and says which it is', () => {
    const header = Buffer.from(HEADER);
    header.writeUInt32LE(9, 8);
    header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
    const name = sealed(0, 1);
    const { damages, totals, progress } = verify(directoryOf({ [name]: [header, frame(0, 1, 'x\n')] }));
    expect(damages).toEqual([[name, 8, 'has format version 9, and this ktc knows version 1']]);
    expect(totals).toMatchObject({ files: 1, frames: 0, events: 0 });
    expect(progress).toBe(0);
  });

  test('finds a damaged header, unless an agent may be writing it', () => {
    const damage = (name: string) => [[name, 0, 'the header of the file is damaged']];
    const half = HEADER.subarray(0, FIRST - 1);
    const wrong = Buffer.alloc(FIRST, 'x');
    expect(verify(directoryOf({ [OPEN]: [half] })).damages).toEqual([]);
    expect(verify(directoryOf({ [OPEN]: [wrong] })).damages).toEqual(damage(OPEN));
    const name = sealed(0, 0);
    expect(verify(directoryOf({ [name]: [half] })).damages).toEqual(damage(name));
    expect(verify(directoryOf({ [name]: [HEADER] })).damages).toEqual([]);
  });

  test('finds bytes that are no frame, tells how many, and goes on behind them', () => {
    const name = sealed(0, 3);
    const garbage = Buffer.from('garbage');
    const parts = [HEADER, frame(0, 1, 'a\n'), garbage, frame(1, 2, 'b\nc\n')];
    const { damages, totals, progress } = verify(directoryOf({ [name]: parts }));
    const at = FIRST + FRAME_HEADER_BYTES + 2;
    expect(damages).toEqual([[name, at, '7 bytes are no frame']]);
    expect(totals).toMatchObject({ frames: 2, events: 3 });
    expect(progress).toBe(Buffer.concat(parts).length - FIRST);
  });

  test('expects events to be missing behind damage, and nothing else', () => {
    const name = sealed(0, 9);
    const garbage = Buffer.from('garbage');
    const behind = (ordinal: number, end: number) => {
      const parts = [
        HEADER,
        frame(0, 2, 'a\nb\n'),
        garbage,
        frame(ordinal, 1, 'c\n'),
        frame(end, 9 - end, 'd\n'.repeat(9 - end)),
      ];
      return verify(directoryOf({ [name]: parts })).damages.map(([, , what]) => what);
    };
    expect(behind(5, 6)).toEqual(['7 bytes are no frame']);
    expect(behind(1, 2)).toEqual(['7 bytes are no frame', 'a frame begins with event 1, where 2 was due']);
    // Only the next frame may skip some.
    expect(behind(5, 7)).toEqual(['7 bytes are no frame', 'a frame begins with event 7, where 6 was due']);
  });

  test('finds a payload that was changed, and one that never held its events', () => {
    const changed = frame(0, 2, 'a\nb\n');
    changed.write('X', FRAME_HEADER_BYTES);
    const name = sealed(0, 4);
    const { damages, totals } = verify(directoryOf({ [name]: [HEADER, changed, frame(2, 2, 'c\n')] }));
    expect(damages).toEqual([
      [name, FIRST, 'the CRC of 2 events is wrong'],
      [name, FIRST + changed.length, 'holds no 2 lines'],
    ]);
    expect(totals).toMatchObject({ frames: 0, events: 0 });
  });

  test('finds what a sealed file has too little or too much of', () => {
    const whole = [HEADER, frame(0, 2, 'a\nb\n')];
    const at = Buffer.concat(whole).length;
    const rest = [...whole, Buffer.from('rest')];
    expect(verify(directoryOf({ [sealed(0, 5)]: whole })).damages).toEqual([
      [sealed(0, 5), at, '3 events are missing, up to the 5 of its name'],
    ]);
    expect(verify(directoryOf({ [sealed(0, 1)]: whole })).damages).toEqual([
      [sealed(0, 1), at, 'has events up to 2, and its name says 1'],
    ]);
    expect(verify(directoryOf({ [sealed(0, 2)]: rest }))).toMatchObject({
      damages: [],
      notes: [[sealed(0, 2), at, '4 bytes behind the last frame, left by a write that failed']],
    });
    expect(verify(directoryOf({ [sealed(0, 2)]: whole }))).toMatchObject({ damages: [], notes: [] });
    expect(verify(directoryOf({ [OPEN]: rest }))).toMatchObject({
      damages: [],
      notes: [[OPEN, at, '4 bytes are no whole frame: being written, or cut off by a start']],
    });
  });

  test('finds a cursor that is none', () => {
    const directory = directoryOf({ 'cursor.one': [Buffer.from('x')] });
    expect(verify(directory).damages).toEqual([
      ['cursor.one', 0, 'is no cursor: its sink will begin with the oldest event kept'],
    ]);
  });
});

describe('the oldest event of a file', () => {
  const oldestOf = (...parts: readonly Buffer[]) =>
    inspectSpool(directoryOf({ [OPEN]: [HEADER, ...parts] }), [], systemFiles).segments.map(
      ({ oldestMs }) => oldestMs,
    );

  test('is that of its first frame with events that can be read', () => {
    expect(
      oldestOf(
        frame(0, 0, '', 100),
        Buffer.from('garbage'),
        frame(0, 1, 'x\n', 200),
        frame(1, 1, 'x\n', 300),
      ),
    ).toEqual([200]);
  });

  test('is not known where there is none', () => {
    expect(oldestOf()).toEqual([null]);
    expect(oldestOf(frame(0, 0, '', 100))).toEqual([null]);
    expect(oldestOf(Buffer.from('torn'))).toEqual([null]);
  });
});

describe('a file that goes while it is looked at', () => {
  const missing = Object.assign(systemError('ENOENT'), { code: 'ENOENT' });
  const failing = (error: Error): SpoolFiles => ({
    ...systemFiles,
    openSync() {
      throw error;
    },
  });

  test.each([sealed(0, 1), OPEN])('is passed over: %s', (name) => {
    const directory = directoryOf({ [name]: [HEADER, frame(0, 1, 'x\n')] });
    const going: SpoolFiles = {
      ...systemFiles,
      openSync() {
        fs.rmSync(join(directory, name), { force: true });
        throw missing;
      },
    };
    expect(inspectSpool(directory, [], going).segments).toEqual([]);
  });

  test('is not taken for one that may not be read, or for a bug', () => {
    const directory = directoryOf({ [OPEN]: [HEADER] });
    expect(() => inspectSpool(directory, [], failing(systemError('EACCES')))).toThrow('EACCES');
    const bug = Object.assign(new Error('a bug'), { code: 'ENOENT' });
    expect(() => inspectSpool(directory, [], failing(bug))).toThrow('a bug');
  });
});
