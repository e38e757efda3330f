import * as fs from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type SpoolFiles, systemFiles } from '../../../../../src/pipeline/spool/disk/files.ts';
import { FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../../../../../src/pipeline/spool/disk/frame.ts';
import { openStorage } from '../../../../../src/pipeline/spool/disk/storage.ts';
import { makeDirectory, systemError } from '../fixture.ts';
import { FRAME_BYTES, frame, name, openDisk } from './fixture.ts';

describe('frames', () => {
  test('follow each other in a file whose name says its first event, and once sealed its last', () => {
    const { directory, storage, opened } = openDisk();
    const places = [storage.append(frame(0)), storage.append(frame(1, 3)), storage.append(frame(4, 0))];
    expect(places.map(({ at, next }) => [at, next])).toEqual(
      [0, 1, 2].map((index) => [
        SEGMENT_HEADER_BYTES + index * FRAME_BYTES,
        SEGMENT_HEADER_BYTES + (index + 1) * FRAME_BYTES,
      ]),
    );
    const bytes = SEGMENT_HEADER_BYTES + 3 * FRAME_BYTES;
    expect(storage.segments).toEqual([
      { first: 0, end: 4, bytes, path: join(directory, name(0)), isSealed: false },
    ]);
    expect(storage.bytes).toBe(bytes);
    expect(fs.statSync(join(directory, name(0))).size).toBe(bytes);
    storage.seal();
    expect(fs.readdirSync(directory)).toEqual([name(0, 4)]);
    expect(storage.segments).toMatchObject([{ isSealed: true, path: join(directory, name(0, 4)) }]);
    expect(opened.size).toBe(0);
  });

  test('begin a new file once one has its size, not before', () => {
    const segmentBytes = SEGMENT_HEADER_BYTES + 2 * FRAME_BYTES;
    const { storage } = openDisk({ segmentBytes });
    for (let ordinal = 0; ordinal < 5; ordinal++) storage.append(frame(ordinal));
    expect(storage.segments.map(({ first, end }) => [first, end])).toEqual([
      [0, 2],
      [2, 4],
      [4, 5],
    ]);
    expect(storage.bytes).toBe(3 * SEGMENT_HEADER_BYTES + 5 * FRAME_BYTES);
  });

  test('begin a new file where they do not follow the one before', () => {
    const { storage } = openDisk();
    storage.append(frame(0));
    storage.append(frame(7));
    expect(storage.segments.map(({ first, end }) => [first, end])).toEqual([
      [0, 1],
      [7, 8],
    ]);
  });

  test('may have no events: their file is kept for what they tell', () => {
    const { directory, storage } = openDisk();
    storage.append(frame(5, 0, ''));
    storage.seal();
    expect(fs.readdirSync(directory)).toEqual([name(5, 5)]);
  });
});

describe('what is removed', () => {
  test('is gone from the list, the disk and the sum, and may be removed again', () => {
    const { directory, storage } = openDisk({ segmentBytes: 1 });
    for (let ordinal = 0; ordinal < 3; ordinal++) storage.append(frame(ordinal));
    const [first, second] = storage.segments;
    if (first === undefined || second === undefined) throw new Error('no segments');
    storage.remove(second);
    storage.remove(second);
    expect(fs.readdirSync(directory)).toEqual([name(0, 1), name(2)]);
    expect(storage.segments.map(({ first: ordinal }) => ordinal)).toEqual([0, 2]);
    expect(storage.bytes).toBe(2 * (SEGMENT_HEADER_BYTES + FRAME_BYTES));
  });

  test('while it is written is closed, and what comes next begins another file', () => {
    const { directory, storage, opened } = openDisk();
    storage.append(frame(0));
    const [active] = storage.segments;
    if (active === undefined) throw new Error('no segment');
    storage.remove(active);
    expect(fs.readdirSync(directory)).toEqual([]);
    expect(opened.size).toBe(0);
    storage.append(frame(1));
    expect(fs.readdirSync(directory)).toEqual([name(1)]);
  });

  test('is not brought to the disk any more, and may be the only one', async () => {
    const { storage, synced } = openDisk();
    storage.append(frame(0));
    storage.seal();
    storage.seal();
    const [only] = storage.segments;
    if (only === undefined) throw new Error('no segment');
    storage.remove(only);
    expect(await storage.sync()).toBeNull();
    expect(synced()).toEqual(['fsync .']);
    expect(storage.bytes).toBe(0);
  });

  test('may stay on the disk, where the system does not let it go', () => {
    const { directory, storage, fail } = openDisk({ segmentBytes: 1 });
    storage.append(frame(0));
    storage.append(frame(1));
    const [first] = storage.segments;
    if (first === undefined) throw new Error('no segment');
    fail('unlink', systemError('EROFS'));
    storage.remove(first);
    expect(storage.segments).toHaveLength(1);
    expect(fs.readdirSync(directory)).toContain(name(0, 1));
    fail('unlink', new Error('a bug'));
    const [second] = storage.segments;
    if (second === undefined) throw new Error('no segment');
    expect(() => storage.remove(second)).toThrow('a bug');
  });
});

describe('a frame that the disk does not take', () => {
  test('is thrown, leaves nothing behind, and the next one begins another file', () => {
    const { directory, storage, fail, opened } = openDisk();
    storage.append(frame(0));
    fail('write', systemError('ENOSPC'));
    expect(() => storage.append(frame(1))).toThrow('ENOSPC');
    expect(fs.readdirSync(directory)).toEqual([name(0, 1)]);
    expect(storage.bytes).toBe(SEGMENT_HEADER_BYTES + FRAME_BYTES);
    // The new file cannot even have its header: it is gone again, and nothing of it stays open.
    expect(() => storage.append(frame(1))).toThrow('ENOSPC');
    expect(fs.readdirSync(directory)).toEqual([name(0, 1)]);
    expect(storage.segments).toHaveLength(1);
    expect(opened.size).toBe(0);
    fail('write', null);
    storage.append(frame(1));
    expect(fs.readdirSync(directory)).toEqual([name(0, 1), name(1)]);
  });

  test('as the first of a file leaves no file, whether the header of the file was taken or not', () => {
    for (const nth of [1, 2]) {
      const { directory, storage, failWrite, opened } = openDisk();
      failWrite(nth, systemError('ENOSPC'));
      expect(() => storage.append(frame(0))).toThrow('ENOSPC');
      expect(fs.readdirSync(directory)).toEqual([]);
      expect([storage.segments.length, storage.bytes, opened.size]).toEqual([0, 0, 0]);
      storage.append(frame(0));
      expect(fs.readdirSync(directory)).toEqual([name(0)]);
    }
  });

  test('because it cannot be forced to the disk is not there either', () => {
    const { directory, storage, fail } = openDisk({ syncAlways: true });
    storage.append(frame(0));
    fail('sync', systemError('EIO'));
    expect(() => storage.append(frame(1))).toThrow('EIO');
    expect(fs.statSync(join(directory, name(0, 1))).size).toBe(SEGMENT_HEADER_BYTES + FRAME_BYTES);
    expect(storage.bytes).toBe(SEGMENT_HEADER_BYTES + FRAME_BYTES);
  });

  test('in one piece is written in several', () => {
    const directory = makeDirectory();
    const files: SpoolFiles = {
      ...systemFiles,
      writevSync: ((descriptor: number, parts: readonly Buffer[], at: number) =>
        fs.writevSync(descriptor, [Buffer.concat(parts).subarray(0, 10)], at)) as typeof fs.writevSync,
      writeSync: ((descriptor: number, bytes: Buffer, from: number, length: number, at: number) =>
        fs.writeSync(descriptor, bytes, from, Math.min(length, 9), at)) as typeof fs.writeSync,
    };
    const found = openStorage(directory, { segmentBytes: 1 << 20, syncAlways: false, files });
    if (!found.ok) throw new Error(found.problem);
    found.value.storage.append(frame(0, 2, 'in\nparts\n'));
    found.value.storage.append(frame(2, 1, 'more\n'));
    found.value.storage.seal();
    const bytes = fs.readFileSync(join(directory, name(0, 3)));
    expect(bytes).toHaveLength(SEGMENT_HEADER_BYTES + 2 * FRAME_HEADER_BYTES + 14);
    expect(bytes.toString('latin1')).toMatch(/^KTCSPOOL.*KTCF.*in\nparts\nKTCF.*more\n$/s);
  });
});

describe('a file whose name cannot be changed', () => {
  test('keeps it, and is sealed all the same', () => {
    const { directory, storage, fail } = openDisk();
    storage.append(frame(0));
    fail('rename', systemError('EROFS'));
    storage.seal();
    expect(storage.segments).toMatchObject([{ isSealed: true, path: join(directory, name(0)) }]);
    storage.append(frame(1));
    expect(storage.segments.map(({ first }) => first)).toEqual([0, 1]);
  });
});

describe('a file without events that keeps its name', () => {
  test('makes room for the one that begins with the same event', () => {
    const { directory, storage, fail } = openDisk();
    storage.append(frame(3, 0));
    fail('rename', systemError('EROFS'));
    storage.seal();
    fail('rename', null);
    storage.append(frame(3));
    expect(storage.segments).toMatchObject([{ first: 3, end: 4, isSealed: false }]);
    expect(storage.bytes).toBe(SEGMENT_HEADER_BYTES + FRAME_BYTES);
    expect(fs.statSync(join(directory, name(3))).size).toBe(storage.bytes);
  });
});

describe('opening', () => {
  const openOn = (directory: string) =>
    openStorage(directory, { segmentBytes: 1 << 20, syncAlways: false, files: systemFiles });

  test('finds the files of a run before, by rising ordinal, and how large they are', () => {
    const first = openDisk({ segmentBytes: 1 });
    for (const ordinal of [0, 1, 2]) first.storage.append(frame(ordinal));
    const found = openOn(first.directory);
    if (!found.ok) throw new Error(found.problem);
    expect(
      found.value.storage.segments.map(({ first: from, end, isSealed }) => [from, end, isSealed]),
    ).toEqual([
      [0, 1, true],
      [1, 2, true],
      [2, 3, true],
    ]);
    expect(found.value.storage.bytes).toBe(3 * (SEGMENT_HEADER_BYTES + FRAME_BYTES));
    expect(fs.readdirSync(first.directory)).toEqual([name(0, 1), name(1, 2), name(2, 3)]);
  });

  test('refuses the files of another format', () => {
    const directory = makeDirectory();
    const header = Buffer.from('KTCSPOOL\x02\0\0\0____', 'latin1');
    header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
    fs.writeFileSync(join(directory, name(0)), header);
    expect(openOn(directory)).toMatchObject({
      ok: false,
      problem: expect.stringContaining('format version 2'),
    });
  });

  test('removes a file that holds nothing, and takes no other for one of its own', () => {
    const directory = makeDirectory();
    fs.writeFileSync(join(directory, name(4)), '');
    const others = [
      `x${name(1, 2)}`,
      `${name(1, 2)}.bak`,
      `x${name(1)}`,
      `${name(1)}x`,
      '1-2.segment',
      '7.open',
      `${'0'.repeat(20)}-7.segment`,
      `${'0'.repeat(20)}Xopen`,
      `${'0'.repeat(20)}-${'0'.repeat(20)}Xsegment`,
    ];
    for (const other of others) fs.writeFileSync(join(directory, other), 'kept');
    const found = openOn(directory);
    if (!found.ok) throw new Error(found.problem);
    expect(found.value.storage.segments).toEqual([]);
    expect(found.value.mark).toBeNull();
    expect(fs.readdirSync(directory).sort()).toEqual(others.sort());
  });
});
